package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name:   "windows",
	Shapes: []string{"winlogbeat8", "nxlog", "get-winevent"},
	Key:    "any",
	Needs:  "Sysmon event 1, or Security event 4688 with \"Include command line in process creation events\" on",
	New:    func() Normalizer { return &windows{newMembers(winPaths)} },
})

// The members of a Windows event, by the names of its event data. What
// Winlogbeat nests below winlog the flat shapes have on top.
const (
	winProvider path = iota
	winEventID
	winComputer
	winBeat    // present in the documents of Beats alone
	winNXLog   // present in NXLog's records alone
	winCreated // when the event was logged
	winArrived
	winNXTime
	winRecordID
	winUtcTime
	winMessage
	winHostName
	winHostID
	winHostHostname
	winAgentID
	winImage
	winCommandLine
	winDirectory
	winProcessID
	winProcessGUID
	winUser
	winLogonID
	winIntegrity
	winHashes
	winOriginalName
	winCompany
	winDescription
	winFileVersion
	winProduct
	winParentImage
	winParentCommandLine
	winParentProcessID
	winParentProcessGUID
	winParentUser
	winNewProcessID
	winNewProcessName
	winParentProcessName
	winSubjectSID
	winSubjectName
	winSubjectDomain
	winSubjectLogonID
	winTargetSID
	winTargetName
	winTargetDomain
)

var winPaths = []string{
	winProvider:          "winlog.provider_name|SourceName",
	winEventID:           "winlog.event_id|EventID",
	winComputer:          "winlog.computer_name|Hostname",
	winBeat:              "winlog",
	winNXLog:             "SourceModuleType|EventReceivedTime",
	winCreated:           "winlog.time_created",
	winArrived:           "@timestamp",
	winNXTime:            "EventTime",
	winRecordID:          "winlog.record_id|RecordNumber",
	winMessage:           "Message",
	winHostName:          "host.name",
	winHostID:            "host.id",
	winHostHostname:      "host.hostname",
	winAgentID:           "agent.id",
	winUtcTime:           data("UtcTime"),
	winImage:             data("Image"),
	winCommandLine:       data("CommandLine"),
	winDirectory:         data("CurrentDirectory"),
	winProcessID:         data("ProcessId"),
	winProcessGUID:       data("ProcessGuid"),
	winUser:              data("User"),
	winLogonID:           data("LogonId"),
	winIntegrity:         data("IntegrityLevel"),
	winHashes:            data("Hashes") + "|" + data("Hash"), // Hash before Sysmon 6
	winOriginalName:      data("OriginalFileName"),
	winCompany:           data("Company"),
	winDescription:       data("Description"),
	winFileVersion:       data("FileVersion"),
	winProduct:           data("Product"),
	winParentImage:       data("ParentImage"),
	winParentCommandLine: data("ParentCommandLine"),
	winParentProcessID:   data("ParentProcessId"),
	winParentProcessGUID: data("ParentProcessGuid"),
	winParentUser:        data("ParentUser"),
	winNewProcessID:      data("NewProcessId"),
	winNewProcessName:    data("NewProcessName"),
	winParentProcessName: data("ParentProcessName"),
	winSubjectSID:        data("SubjectUserSid"),
	winSubjectName:       data("SubjectUserName"),
	winSubjectDomain:     data("SubjectDomainName"),
	winSubjectLogonID:    data("SubjectLogonId"),
	winTargetSID:         data("TargetUserSid"),
	winTargetName:        data("TargetUserName"),
	winTargetDomain:      data("TargetDomainName"),
}

// data is where a value of the event's data stands: below winlog.event_data in
// the documents of Beats, on top in the flat shapes.
func data(name string) string { return "winlog.event_data." + name + "|" + name }

var (
	winSysmonAction   = []byte("Process Create (rule: ProcessCreate)")
	winSecurityAction = []byte("created-process")
)

type windows struct{ *members }

// Normalize selects by provider and event id alone: the task text is missing,
// translated or wrong on many systems (elastic/beats#1031, #12196, #49242), and
// id 1 alone is used by half a dozen other providers.
func (w *windows) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	w.read(r.Value)
	switch {
	case w.isEvent("Microsoft-Windows-Sysmon", 1):
		dst, e := w.begin(dst, r)
		w.sysmon(e)
		return w.end(dst, e, r)
	case w.isEvent("Linux-Sysmon", 1):
		dst, e := w.begin(dst, r)
		e.Clear(ecs.HostOSType)
		e.Add(ecs.HostOSType, valLinux)
		w.sysmon(e)
		return w.end(dst, e, r)
	case w.isEvent("Microsoft-Windows-Security-Auditing", 4688):
		dst, e := w.begin(dst, r)
		w.security(e)
		return w.end(dst, e, r)
	}
	if _, numbered := parseInt(w.text(winEventID)); w.text(winProvider) == nil || !numbered {
		w.fail(Shape, 0, "object has no event provider and id where a known shape has them")
	}
	return dst, asError(w.err)
}

// isEvent reports whether any provider and any id of the record are these.
func (w *windows) isEvent(provider string, id int64) bool {
	for k := w.first(winProvider); k != 0; k = w.next(k) {
		if v := w.at(k); len(v) != len(provider) || !bytes.EqualFold(v, []byte(provider)) {
			continue
		}
		for k := w.first(winEventID); k != 0; k = w.next(k) {
			if n, ok := parseInt(w.at(k)); ok && n == id {
				return true
			}
		}
		return false
	}
	return false
}

// winNone reports a value by which Windows says that there is none.
func winNone(v []byte) bool { return dash(v) || v[0] == '{' && len(bytes.Trim(v, "{}0-")) == 0 }

var winCopied = []copied{
	{winProvider, ecs.EventProvider},
	{winEventID, ecs.EventCode},
	{winComputer, ecs.HostName},
	{winAgentID, ecs.AgentID},
	{winCommandLine, ecs.ProcessCommandLine},
}

var winHostCopied = []copied{
	{winHostID, ecs.HostID},
	{winHostHostname, ecs.HostHostname},
}

// begin starts an event with what both kinds of it have.
func (w *windows) begin(dst []ecs.Event, r *Record) ([]ecs.Event, *ecs.Event) {
	dst, e := ecs.Grow(dst, ecs.Default)
	e.Offset = r.Offset
	switch {
	case w.has(winBeat):
		e.Shape = "winlogbeat8"
	case w.has(winNXLog):
		e.Shape = "nxlog"
	default:
		e.Shape = "get-winevent"
	}
	asStart(e)
	e.Add(ecs.HostOSType, valWindows)
	w.copyAll(e, winCopied, winNone)
	w.setInt(e, ecs.EventSequence, winRecordID, winNone)
	// What host.* says is the collector's where events are forwarded (elastic/beats#18153).
	if bytes.EqualFold(w.text(winHostName), w.text(winComputer)) {
		w.copyAll(e, winHostCopied, winNone)
	}
	return dst, e
}

// end derives from what the event has by now. Of several clocks the best one
// wins: Sysmon's own, the log's, the shipper's. NXLog's EventTime counts only
// with a zone; it is local time otherwise.
func (w *windows) end(dst []ecs.Event, e *ecs.Event, r *Record) ([]ecs.Event, error) {
	if w.setDate(e, ecs.Timestamp, winUtcTime, parseUTC) {
		w.setDate(e, ecs.EventCreated, winCreated, parseRFC3339)
	}
	w.setDate(e, ecs.Timestamp, winCreated, parseRFC3339)
	w.setDate(e, ecs.Timestamp, winNXTime, parseRFC3339)
	w.setDate(e, ecs.Timestamp, winArrived, parseRFC3339)
	nameFromExecutable(e, ecs.ProcessName, ecs.ProcessExecutable)
	nameFromExecutable(e, ecs.ProcessParentName, ecs.ProcessParentExecutable)
	w.setArgs(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessCommandLine)
	w.setArgs(e, ecs.ProcessParentArgs, ecs.ProcessParentArgsCount, ecs.ProcessParentCommandLine)
	relate(e)
	recordTime(e, r)
	return dst, asError(w.err)
}

var winSysmonCopied = []copied{
	{winImage, ecs.ProcessExecutable},
	{winDirectory, ecs.ProcessWorkingDirectory},
	{winProcessGUID, ecs.ProcessEntityID},
	{winOriginalName, ecs.ProcessPEOriginalFileName},
	{winCompany, ecs.ProcessPECompany},
	{winDescription, ecs.ProcessPEDescription},
	{winFileVersion, ecs.ProcessPEFileVersion},
	{winProduct, ecs.ProcessPEProduct},
	{winIntegrity, ecs.WinlogEventDataIntegrityLevel},
	{winLogonID, ecs.WinlogLogonID},
	{winParentImage, ecs.ProcessParentExecutable},
	{winParentCommandLine, ecs.ProcessParentCommandLine},
	{winParentProcessGUID, ecs.ProcessParentEntityID},
}

// sysmon maps Sysmon event 1. The user id that Windows logs beside it is that
// of Sysmon's own service (elastic/detection-rules#1770) and is left out.
func (w *windows) sysmon(e *ecs.Event) {
	if !w.has(winImage) {
		w.fail(Shape, 0, "process creation has no Image")
	}
	e.Add(ecs.EventAction, winSysmonAction)
	w.copyAll(e, winSysmonCopied, winNone)
	w.setProcessID(e)
	w.setInt(e, ecs.ProcessParentPID, winParentProcessID, winNone)
	domain, name := account(w.text(winUser))
	if domain != nil {
		e.Add(ecs.UserDomain, domain)
	}
	if name != nil {
		e.Add(ecs.UserName, name)
	}
	if _, name := account(w.text(winParentUser)); name != nil {
		e.Add(ecs.ProcessParentUserName, name)
	}
	w.setHashes(e, w.text(winHashes))
}

// account splits DOMAIN\name; what is not of that form is a name.
func account(user []byte) (domain, name []byte) {
	if winNone(user) {
		return nil, nil
	}
	domain, name, _ = bytes.Cut(user, []byte(`\`))
	if len(domain) == 0 || len(name) == 0 || bytes.Contains(name, []byte(`\`)) {
		return nil, user
	}
	return domain, name
}

// setProcessID sets the pid. NXLog's own ProcessID, the logging service, can
// take the place of ProcessId; the rendered message has it then, behind the
// GUID that shows which process it speaks of.
func (w *windows) setProcessID(e *ecs.Event) {
	w.setInt(e, ecs.ProcessPID, winProcessID, winNone)
	guid, message := w.text(winProcessGUID), w.text(winMessage)
	if e.Has(ecs.ProcessPID) || guid == nil || message == nil {
		return
	}
	_, rest, ok := bytes.Cut(message, []byte("\nProcessGuid: "))
	if !ok || len(rest) < len(guid) || !bytes.EqualFold(rest[:len(guid)], guid) {
		return
	}
	if rest, ok = bytes.CutPrefix(bytes.TrimLeft(rest[len(guid):], "\r\n"), []byte("ProcessId: ")); !ok {
		return
	}
	digits, _, _ := bytes.Cut(rest, []byte("\n"))
	if pid, ok := parseInt(bytes.TrimRight(digits, "\r")); ok && pid > 0 {
		e.AddInt(ecs.ProcessPID, pid)
	}
}

// setCreatorID sets the parent's pid, which NXLog's ProcessID can displace too;
// the rendered message has it in front of the command line.
func (w *windows) setCreatorID(e *ecs.Event) {
	w.setInt(e, ecs.ProcessParentPID, winProcessID, winNone)
	if e.Has(ecs.ProcessParentPID) {
		return
	}
	_, rest, _ := bytes.Cut(w.text(winMessage), []byte("\n\tCreator Process ID:\t"))
	digits, _, _ := bytes.Cut(rest, []byte("\n"))
	if pid, ok := parseInt(bytes.Trim(digits, "\t\r")); ok {
		e.AddInt(ecs.ProcessParentPID, pid)
	}
}

// setHashes reads "SHA1=…,MD5=…,SHA256=…,IMPHASH=…".
func (w *windows) setHashes(e *ecs.Event, list []byte) {
	for len(list) > 0 {
		var one []byte
		one, list, _ = bytes.Cut(list, []byte(","))
		name, digits, _ := bytes.Cut(one, []byte("="))
		switch string(name) {
		case "MD5":
			w.setHash(e, ecs.ProcessHashMD5, digits)
		case "SHA1":
			w.setHash(e, ecs.ProcessHashSHA1, digits)
		case "SHA256":
			w.setHash(e, ecs.ProcessHashSHA256, digits)
		case "IMPHASH":
			w.setHash(e, ecs.ProcessPEImphash, digits)
		}
	}
}

var winSecurityCopied = []copied{
	{winNewProcessName, ecs.ProcessExecutable},
	{winParentProcessName, ecs.ProcessParentExecutable},
	{winSubjectSID, ecs.UserID},
	{winSubjectName, ecs.UserName},
	{winSubjectName, ecs.WinlogEventDataSubjectUserName},
	{winSubjectDomain, ecs.UserDomain},
	{winSubjectLogonID, ecs.WinlogLogonID},
	{winTargetName, ecs.UserEffectiveName},
	{winTargetDomain, ecs.UserEffectiveDomain},
}

// security maps Security event 4688, in which ProcessId is the creator. No
// value that Elastic's pipelines write for it is one that rules ask for, so
// "start" stands in front of the pipelines' word.
func (w *windows) security(e *ecs.Event) {
	if !w.has(winNewProcessName) {
		w.fail(Shape, 0, "process creation has no NewProcessName")
	}
	e.Add(ecs.EventAction, valStart)
	e.Add(ecs.EventAction, winSecurityAction)
	e.Add(ecs.EventOutcome, valSuccess)
	w.copyAll(e, winSecurityCopied, winNone)
	w.setInt(e, ecs.ProcessPID, winNewProcessID, winNone)
	w.setCreatorID(e)
	if sid := w.text(winTargetSID); sid != nil && !dash(sid) && string(sid) != "S-1-0-0" {
		e.Add(ecs.UserEffectiveID, sid)
	}
}
