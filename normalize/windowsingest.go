package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// winHostFields are those by which a host is known.
var winHostFields = [...]ecs.Field{ecs.HostName, ecs.HostID, ecs.HostHostname, ecs.HostIP}

// mapECS takes an event that is ECS already and puts right what rules would
// stumble over: the action; the host, which was the collector's until a fix
// (elastic/beats#18153, #35435); the name, which is "sysmon" for Sysmon for
// Linux; the arguments, which keep their quotes in some versions; and the user
// id, which is Sysmon's own.
func (w *windows) mapECS(e *ecs.Event, r *Record, start *winStart) {
	w.ecs.read(r.Value)
	w.ecs.copyFields(e, nil)
	action := valStart
	if start.sysmon {
		action = winSysmonAction
		e.Clear(ecs.UserID)
	}
	for _, f := range [...]ecs.Field{ecs.EventAction, ecs.EventCategory, ecs.EventType, ecs.EventKind, ecs.HostOSType} {
		e.Clear(f)
	}
	asStart(e)
	e.Add(ecs.EventAction, action)
	for k := w.ecs.first(path(ecs.EventAction)); k != 0; k = w.ecs.next(k) {
		if own := w.ecs.at(k); len(own) > 0 && !bytes.Equal(own, action) {
			e.Add(ecs.EventAction, own)
		}
	}
	e.Add(ecs.HostOSType, start.system)
	if computer := w.text(winComputer); computer != nil && !winNone(computer) && !sameHost(computer, e.First(ecs.HostName)) {
		for _, f := range winHostFields {
			e.Clear(f)
		}
		e.Add(ecs.HostName, computer)
	}
	if !e.Has(ecs.EventSequence) {
		w.setInt(e, ecs.EventSequence, winRecordID, winNone)
	}
	if !e.Has(ecs.WinlogLogonID) {
		w.copyAll(e, []copied{{winLogonID, ecs.WinlogLogonID}, {winSubjectLogonID, ecs.WinlogLogonID}}, winNone)
	}
	if e.Has(ecs.ProcessExecutable) {
		e.Clear(ecs.ProcessName)
	}
	if !e.Has(ecs.ProcessName) {
		nameFromExecutable(e, ecs.ProcessName, ecs.ProcessExecutable)
	}
	if !e.Has(ecs.ProcessParentName) {
		nameFromExecutable(e, ecs.ProcessParentName, ecs.ProcessParentExecutable)
	}
	if !e.Has(ecs.ProcessCommandLine) {
		w.copyAll(e, []copied{{winCommandLine, ecs.ProcessCommandLine}}, winNone)
	}
	w.splitAgain(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessCommandLine)
	w.splitAgain(e, ecs.ProcessParentArgs, ecs.ProcessParentArgsCount, ecs.ProcessParentCommandLine)
	relate(e)
	recordTime(e, r)
	if w.ecs.err != nil && w.err == nil {
		w.err = w.ecs.err
	}
}

// splitAgain replaces the arguments by those of the command line, where there is
// one.
func (w *windows) splitAgain(e *ecs.Event, args, count, line ecs.Field) {
	if e.Has(line) {
		e.Clear(args)
		e.Clear(count)
		w.setArgs(e, args, count, line)
	}
}
