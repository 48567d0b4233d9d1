package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name: "windows",
	Shapes: []string{
		"winlogbeat8", "winlogbeat7", "winlogbeat7-module", "elastic-agent", "ingested", "xml", "syslog-xml", "nxlog", "get-winevent",
		"fluent-bit", "vector", "azure-securityevent", "azure-windowsevent", "evtx-dump",
	},
	Key: "any",
	Needs: "Sysmon event 1, or Security event 4688 with \"Include command line in process creation events\" on; " +
		"Fluent Bit with event_data_as_map, since string inserts of forwarded events have lost their places",
	Indices: []string{"winlogbeat-8.0.0", "logs-windows.sysmon_operational-default", "logs-windows.forwarded-default", "logs-system.security-default", "logs-sysmon_linux.log-default"},
	New:     newWindows,
	Marks:   winMarks,
})

var winMarks = [][]string{
	{"winlog"},
	{"SourceName", "EventID"},
	{"EventSourceName", "EventID"},
	{"ProviderName", "EventID"},
	{"Provider", "EventID"},
	{"Source", "EventID"},
	{"provider_name", "event_id"},
	{"Event.System"},
	{"=*<Event*"},
	{"=*/win/2004/08/events/event*"},
	{"message=*<Event*"},
	{"MESSAGE=*<Event*"},
	{"SyslogMessage=*<Event*"},
	{"body_message=*<Event*"},
	{"event.original=*<Event*"},
	{"log=*<Event*"},
	{"xml=*<Event*"},
	{"EventXML=*<Event*"},
	{"System=*<Event*"},
}

// The members of a Windows event, by the names of its event data. What
// Winlogbeat nests below winlog the flat shapes have on top.
const (
	winProvider path = iota
	winEventID
	winComputer
	winBeat     // present in the documents of Beats alone, as the following are in those of others
	winAgent    // Elastic Agent
	winVersion  // of the Beat
	winNXLog    // NXLog
	winVector   // Vector
	winAzure    // a SecurityEvent row
	winEvtx     // evtx_dump
	winFluent   // Fluent Bit
	winExecuted // a document of ECS: a module or an ingest pipeline was here
	winSystem   // the event as XML, by Fluent Bit
	winRaw      // the same in a WindowsEvent row
	winLine     // a line of syslog or of the journal, which may be an event as XML
	winText     // the same in members of more than one meaning
	winData     // the event data: an object, or JSON or XML as text
	winInserts  // the event data as values without names
	winCreated  // when the event was logged
	winArrived
	winNXTime
	winLocal
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
	winUnnamed // a value that no field is for
)

var winPaths = []string{
	winProvider: "winlog.provider_name|SourceName|ProviderName|provider_name|EventSourceName|Provider|Source|" +
		"Event.System.Provider.#attributes.Name|Event.System.Provider.Name|Event.System.Provider_attributes.Name",
	winEventID:           "winlog.event_id|EventID|event_id|Event.System.EventID|Event.System.EventID.#text",
	winComputer:          "winlog.computer_name|Hostname|Computer|computer|Event.System.Computer",
	winBeat:              "winlog",
	winAgent:             "elastic_agent|data_stream",
	winVersion:           "agent.version|@metadata.version",
	winNXLog:             "SourceModuleType|EventReceivedTime",
	winVector:            "source_type",
	winAzure:             "Activity",
	winEvtx:              "Event.System",
	winFluent:            "Qualifiers",
	winExecuted:          "process.executable|process.command_line|process.args",
	winSystem:            "System",
	winRaw:               "RawEventData",
	winLine:              "SyslogMessage|MESSAGE|body_message",
	winText:              "event.original|xml|EventXML|message|log",
	winData:              "EventData",
	winInserts:           "StringInserts",
	winCreated:           "winlog.time_created|Event.System.TimeCreated.#attributes.SystemTime|Event.System.TimeCreated_attributes.SystemTime",
	winArrived:           "@timestamp|timestamp|TimeGenerated",
	winNXTime:            "EventTime",
	winLocal:             "TimeCreated",
	winRecordID:          "winlog.record_id|RecordNumber|EventRecordID|EventRecordId|record_id|Event.System.EventRecordID",
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
	winUnnamed:           "\x00", // no record has it
}

// data is where a value of the event's data stands: below winlog.event_data in
// the documents of Beats, below names of their own in those of Fluent Bit,
// Azure, Vector and evtx_dump, on top in the flat shapes.
func data(name string) string {
	return "winlog.event_data." + name + "|" + name + "|EventData." + name + "|event_data." + name + "|Event.EventData." + name
}

var (
	winSysmonAction   = []byte("Process Create (rule: ProcessCreate)")
	winSecurityAction = []byte("created-process")
)

// winNone reports a value by which Windows says that there is none: a dash or
// the GUID of zeros, which evtx_dump writes without braces.
func winNone(v []byte) bool {
	return dash(v) || len(v) >= len("00000000-0000-0000-0000-000000000000") && len(bytes.Trim(v, "{}0-")) == 0
}

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

// sameHost reports whether two names are those of one host, which logs with its
// domain and without.
func sameHost(a, b []byte) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	return len(a) > 0 && bytes.EqualFold(a, b[:len(a)]) && (len(a) == len(b) || b[len(a)] == '.')
}

// common sets what both kinds of event have.
func (w *windows) common(e *ecs.Event, system []byte) {
	asStart(e)
	e.Add(ecs.HostOSType, system)
	w.copyAll(e, winCopied, winNone)
	w.setInt(e, ecs.EventSequence, winRecordID, winNone)
	// What host.* says is the collector's where events are forwarded (elastic/beats#18153).
	if sameHost(w.text(winHostName), w.text(winComputer)) {
		w.copyAll(e, winHostCopied, winNone)
	}
}

// derive sets what follows from other fields. Of several clocks the best one
// wins: Sysmon's own, the log's, the shipper's. NXLog's EventTime counts only
// with a zone; it is local time otherwise, and so is the TimeCreated of an
// export, whatever zone it claims.
func (w *windows) derive(e *ecs.Event, r *Record) {
	if w.setDate(e, ecs.Timestamp, winUtcTime, parseUTC) {
		w.setDate(e, ecs.EventCreated, winCreated, parseUTC)
	}
	w.setDate(e, ecs.Timestamp, winCreated, parseUTC)
	w.setDate(e, ecs.Timestamp, winNXTime, parseRFC3339)
	w.setDate(e, ecs.Timestamp, winLocal, parseOffset)
	w.setDate(e, ecs.Timestamp, winArrived, parseRFC3339)
	nameFromExecutable(e, ecs.ProcessName, ecs.ProcessExecutable)
	nameFromExecutable(e, ecs.ProcessParentName, ecs.ProcessParentExecutable)
	w.setArgs(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessCommandLine)
	w.setArgs(e, ecs.ProcessParentArgs, ecs.ProcessParentArgsCount, ecs.ProcessParentCommandLine)
	relate(e)
	recordTime(e, r)
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
	if e.Has(ecs.ProcessPID) || !w.has(winProcessGUID) {
		return
	}
	guid := w.text(winProcessGUID)
	_, rest, ok := bytes.Cut(w.text(winMessage), []byte("\nProcessGuid: "))
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
