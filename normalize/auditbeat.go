package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name:    "auditbeat",
	Shapes:  []string{"auditd", "system"},
	Key:     "any",
	Needs:   "Auditbeat's auditd module or Elastic Agent's auditd_manager with a rule for execve and execveat; or Auditbeat's system/process, best with kernel_tracing, since its polls miss what ends soon",
	Indices: auditIndices,
	New:     func() Normalizer { return &auditbeat{ecsMembers: newECSMembers(abPaths...)} },
	Marks:   [][]string{{"auditd.message_type"}, {"auditd.sequence"}, {"auditd.data"}, {"service.type=auditd"}, {"agent.type=auditbeat"}},
})

// The members of Auditbeat's documents beside the fields of ECS, counted from
// the reader's extra path on. What stands behind a bar is where Auditbeat 5 and
// 6 had it.
const (
	abAuditd path = iota
	abWriter
	abMessageType
	abResult
	abSequence
	abArgc
	abRaw
	abHost
	abExecutable
	abDirectory
	abUserID
	abUserName
	abEffectiveID
	abEffectiveName
)

var abPaths = []string{
	abAuditd:        "auditd",
	abWriter:        "service.type|metricset.module|@metadata.beat",
	abMessageType:   "auditd.message_type",
	abResult:        "auditd.result",
	abSequence:      "auditd.sequence",
	abArgc:          "auditd.data.argc",
	abRaw:           "event.original|auditd.messages",
	abHost:          "agent.hostname|beat.hostname",
	abExecutable:    "process.exe",
	abDirectory:     "process.cwd",
	abUserID:        "user.uid",
	abUserName:      "user.name_map.uid",
	abEffectiveID:   "user.euid",
	abEffectiveName: "user.name_map.euid",
}

// abCopied fills what the document's own fields leave open, the first source of
// a field before the next.
var abCopied = []copied{
	{abSequence, ecs.EventSequence},
	{abHost, ecs.HostHostname},
	{abExecutable, ecs.ProcessExecutable},
	{abDirectory, ecs.ProcessWorkingDirectory},
	{abUserID, ecs.UserID},
	{abUserName, ecs.UserName},
	{abEffectiveID, ecs.UserEffectiveID},
	{abEffectiveName, ecs.UserEffectiveName},
}

var valProcessStarted = []byte("process_started")

type auditbeat struct {
	*ecsMembers
	raw auditEvent // scratch of rawArgs
}

func (a *auditbeat) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	a.read(r.Value)
	if !a.ours() {
		a.fail(Shape, 0, "object is no document of Auditbeat or auditd_manager")
		return dst, asError(a.err)
	}
	executed, started, merged := a.started()
	if !executed && !started && !merged {
		return dst, asError(a.err)
	}
	dst, e := ecs.Grow(dst, ecs.Default)
	e.Offset, e.Shape = r.Offset, "system"
	a.asStart(e)
	if merged && !started {
		e.Add(ecs.EventAction, valProcessStarted) // no rule asks for the words of kernel tracing
	}
	a.copyFields(e, dash)
	for _, c := range abCopied {
		if !e.Has(c.to) {
			a.addExtra(e, c)
		}
	}
	if ppid := e.Values(ecs.ProcessPPID); len(ppid) > 0 && !e.Has(ecs.ProcessParentPID) {
		e.AddInt(ecs.ProcessParentPID, ppid[0].Int())
	}
	if !e.Has(ecs.HostName) && e.Has(ecs.HostHostname) {
		e.Add(ecs.HostName, e.First(ecs.HostHostname))
	}
	if executed {
		e.Shape = "auditd"
		if !e.Has(ecs.EventOutcome) {
			e.Add(ecs.EventOutcome, valSuccess)
		}
		a.findArgs(e)
	}
	a.setNames(e)
	if !e.Has(ecs.ProcessName) && !e.Has(ecs.ProcessArgs) {
		a.fail(Shape, 0, "process start has no name, executable or arguments")
	}
	if e.Has(ecs.ProcessArgs) && !e.Has(ecs.ProcessArgsCount) {
		e.AddInt(ecs.ProcessArgsCount, int64(len(e.Values(ecs.ProcessArgs))))
	}
	a.buf = joinArgs(e, a.buf)
	a.setSystem(e)
	relate(e)
	recordTime(e, r)
	return dst, asError(a.err)
}

// ours reports whether the record says that a module of Auditbeat wrote it. The
// documents of auditd_manager are in the same layout.
func (a *auditbeat) ours() bool {
	if a.has(a.extra+abAuditd) || a.has(a.extra+abMessageType) || a.has(a.extra+abResult) {
		return true
	}
	for _, name := range [...]string{"auditd", "system", "file_integrity", "auditbeat"} {
		if a.equal(path(ecs.EventModule), name) || a.equal(path(ecs.AgentType), name) || a.equal(a.extra+abWriter, name) {
			return true
		}
	}
	return false
}

// started reports whether the document is an execve that succeeded, a process
// that system/process found, or what kernel tracing makes of one: process_ran
// is a start and an end in one document, process_changed_image an exec without
// the fork. A process that was there before (existing_process) differs in kind
// too. The user's commands, services and sessions that auditd reports are of
// type start and no starts of processes; a failed execve is still "executed".
func (a *auditbeat) started() (executed, started, merged bool) {
	if a.given(ecs.EventKind) && !a.equal(path(ecs.EventKind), "event") {
		return false, false, false
	}
	action := path(ecs.EventAction)
	return a.equal(action, "executed") && a.succeeded(),
		a.equal(action, "process_started"),
		a.equal(action, "process_ran") || a.equal(action, "process_changed_image")
}

// succeeded reports whether the document is of an execve, not of another record
// that was merged with one, and not of a failed one. What the document leaves
// out does not speak against it.
func (a *auditbeat) succeeded() bool {
	syscall := path(ecs.AuditdDataSyscall)
	if a.given(ecs.AuditdDataSyscall) && !a.equal(syscall, "execve") && !a.equal(syscall, "execveat") {
		return false
	}
	message, result := a.extra+abMessageType, a.extra+abResult
	if a.text(message) != nil && !a.equal(message, "syscall") {
		return false
	}
	if a.text(result) != nil {
		return a.equal(result, "success")
	}
	return !a.given(ecs.EventOutcome) || a.equal(path(ecs.EventOutcome), "success")
}

// findArgs finds arguments that the document lacks: go-libaudit drops all of
// them where one is empty, is "?", ends in a backslash or was split by the
// kernel. The raw records have them, where they are kept; else the title has the
// first 128 bytes, in which the ends of arguments are blanks. What the kernel
// counted stays the count.
func (a *auditbeat) findArgs(e *ecs.Event) {
	if !e.Has(ecs.ProcessArgs) {
		e.Clear(ecs.ProcessArgsCount)
		switch {
		case a.rawArgs(e):
		case e.Has(ecs.ProcessTitle):
			a.setArgs(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessTitle)
			e.Add(ecs.ErrorMessage, valArgsOfPs)
		default:
			e.Add(ecs.ErrorMessage, valArgsAbsent)
		}
	}
	if argc, ok := parseInt(a.text(a.extra + abArgc)); ok && argc > 0 {
		e.Clear(ecs.ProcessArgsCount)
		e.AddInt(ecs.ProcessArgsCount, argc)
	}
}

// maxRaw is how many raw records of arguments a document can have: those of the
// longest command line that Linux takes, 6 MiB, in hex and 7,500 bytes each.
const maxRaw = 2 << 10

// rawArgs takes the arguments from the raw records that the document carries,
// and reports whether there are any.
func (a *auditbeat) rawArgs(e *ecs.Event) bool {
	a.raw.reset(auditID{})
	n := 0
	for k := a.first(a.extra + abRaw); k != 0 && n < maxRaw; k = a.next(k) {
		for lines := a.at(k); len(lines) > 0 && n < maxRaw; {
			var line []byte
			line, lines, _ = bytes.Cut(lines, []byte("\n"))
			if record, fault := parseAudit(bytes.TrimRight(line, "\r")); fault == "" && record.kind == auditExecve {
				a.raw.add(auditExecve, record.body)
				n++
			}
		}
	}
	if len(a.raw.pieces) == 0 {
		return false
	}
	a.raw.writeArgs(e)
	if !a.raw.argsWhole() {
		e.Add(ecs.ErrorMessage, valArgsFew)
	}
	return true
}

// setNames puts the name of the executable beside the name of the task, which
// is the name by which the program was called, or its script's; alone, where the
// task's is the same cut to 15 bytes.
func (a *auditbeat) setNames(e *ecs.Event) {
	name := e.First(ecs.ProcessName)
	file := base(bytes.TrimSuffix(e.First(ecs.ProcessExecutable), []byte(" (deleted)")))
	switch {
	case len(file) == 0 || bytes.Equal(name, file):
		return
	case len(name) == maxComm && bytes.HasPrefix(file, name):
		e.Clear(ecs.ProcessName)
	}
	e.Add(ecs.ProcessName, file)
}

// setSystem sets host.os.type where the document has none: before Beats 7 there
// was no such field, and add_host_metadata can be off. The auditd module is of
// Linux alone; system/process also runs on Windows and macOS.
func (a *auditbeat) setSystem(e *ecs.Event) {
	if e.Has(ecs.HostOSType) {
		return
	}
	for _, f := range [...]ecs.Field{ecs.HostOSPlatform, ecs.HostOSFamily} {
		if system := osType(e.First(f)); system != nil {
			e.Add(ecs.HostOSType, system)
			return
		}
	}
	e.Add(ecs.HostOSType, valLinux)
}
