package normalize_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// hidingRow is a row of the matrix: a shape of a source, what its records are
// written in, and the record that it makes of a command line, or of the audit
// system's lines about it where those are a layer.
type hidingRow struct {
	source, shape, layers string
	wrap                  func(text string) string
}

var hiding = []hidingRow{
	{"windows", "winlogbeat8", "command line, JSON, names", func(l string) string { return winlog("8.19.3", "", l) }},
	{"windows", "winlogbeat7", "command line, JSON, names", func(l string) string { return winlog("7.17.9", "", l) }},
	{"windows", "elastic-agent", "command line, JSON, names", func(l string) string { return winlog("9.1.4", `"data_stream":{},`, l) }},
	{"windows", "winlogbeat7-module", "command line, JSON, names", func(l string) string { return module("7.17.9", l) }},
	{"windows", "ingested", "command line, JSON, names", func(l string) string { return module("8.19.3", l) }},
	{"windows", "xml", "command line, XML, names", eventXML},
	{"windows", "syslog-xml", "command line, XML, names", func(l string) string { return "<14>Mar 11 06:25:02 rye-web-2 sysmon: " + eventXML(l) }},
	{"windows", "syslog-xml", "command line, XML in JSON, names", func(l string) string { return `{"MESSAGE":` + quote(eventXML(l)) + `}` }},
	{"windows", "nxlog", "command line, JSON, names", func(l string) string { return flat(`"SourceModuleType":"im_msvistalog",`, l) }},
	{"windows", "get-winevent", "command line, JSON, names", func(l string) string { return flat("", l) }},
	{"windows", "fluent-bit", "command line, JSON, by order", inserts},
	{"windows", "fluent-bit", "command line, XML in JSON, names", func(l string) string { return `{"System":` + quote(eventXML(l)) + `,"Message":""}` }},
	{"windows", "fluent-bit", "command line, JSON, names", func(l string) string {
		return `{"ProviderName":"Microsoft-Windows-Sysmon","EventID":1,"Qualifiers":"","EventData":` + eventData(l) + `}`
	}},
	{"windows", "vector", "command line, JSON, names", func(l string) string {
		return `{"source_type":"windows_event_log","provider_name":"Microsoft-Windows-Sysmon","event_id":1,"event_data":` + eventData(l) + `}`
	}},
	{"windows", "azure-securityevent", "command line, JSON, names", func(l string) string {
		return `{"EventSourceName":"Microsoft-Windows-Security-Auditing","EventID":4688,"Activity":"4688","NewProcessName":"C:\\Windows\\System32\\curl.exe","CommandLine":` + quote(l) + `}`
	}},
	{"windows", "azure-windowsevent", "command line, JSON in JSON, names", func(l string) string {
		return `{"Provider":"Microsoft-Windows-Sysmon","EventID":1,"EventData":` + quote(eventData(l)) + `}`
	}},
	{"windows", "azure-windowsevent", "command line, XML in JSON, names", func(l string) string {
		_, data, _ := strings.Cut(strings.TrimSuffix(eventXML(l), "</Event>"), "</System>")
		return `{"Source":"Microsoft-Windows-Sysmon","EventID":1,"EventData":` + quote("<DataItem>"+data+"</DataItem>") + `}`
	}},
	{"windows", "evtx-dump", "command line, JSON, names", func(l string) string {
		return `{"Event":{"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon"}},"EventID":1},"EventData":` + eventData(l) + `}}`
	}},

	{"defend", "ecs", "args, JSON, names, event.action", func(l string) string { return endpoint("linux", "exec", arguments(l)) }},
	{"defend", "ecs", "args, JSON, names, event.action, Windows", func(l string) string { return endpoint("windows", "start", arguments(l)) }},
	{"defend", "ecs", "args, JSON, names, event.action, macOS", func(l string) string { return endpoint("macos", "exec", arguments(l)) }},
	{"endgame", "ecs", "args, JSON, names, event.action", func(l string) string { return smp("exec_event", "/usr/bin/curl", arguments(l)) }},
	{"endgame", "ecs", "command line, JSON, names, event.action", func(l string) string { return smp("creation_event", `C:\\curl.exe`, `"command_line":`+quote(l)) }},
	{"endgame", "native", "command line, JSON, names", func(l string) string { return sensor("exec_event", "/usr/bin/curl", l) }},
	{"endgame", "native", "command line, JSON, names, Windows", func(l string) string { return sensor("creation_event", `C:\\Tools\\curl.exe`, l) }},
	{"crowdstrike", "fdr", "command line, JSON, names", falcon},
	{"crowdstrike", "nested", "command line, JSON, names", func(l string) string { return `{"event":` + falcon(l) + `,"fdr_event_type":"ProcessRollup2"}` }},
	{"sentinelone", "flat", "command line, JSON, names", func(l string) string {
		return `{"event.category":"process","event.type":"Process Creation","meta.event.name":"PROCESSCREATION","dataSource.name":"SentinelOne","endpoint.os":"linux",` +
			`"tgt.process.name":"curl","tgt.process.image.path":"/usr/bin/curl","tgt.process.cmdline":` + quote(" "+l) + `}`
	}},
	{"sentinelone", "nested", "command line, JSON, names", func(l string) string {
		return `{"event":{"category":"process","type":"Process Creation"},"meta":{"event":{"name":"PROCESSCREATION"}},"dataSource":{"name":"SentinelOne"},"endpoint":{"os":"osx"},` +
			`"tgt":{"process":{"name":"curl","image":{"path":"/usr/bin/curl"},"cmdline":` + quote(l) + `}}}`
	}},
	{"m365", "record", "command line, JSON, names", func(l string) string { return hunting("DeviceProcessEvents", l) }},
	{"m365", "record", "command line, JSON, names, containers", func(l string) string { return hunting("CloudProcessEvents", l) }},
	{"m365", "records", "command line, JSON, names", func(l string) string {
		return `{"records":[` + network + `,` + hunting("DeviceProcessEvents", l) + `]}`
	}},
	{"m365", "lines", "command line, JSON, names", func(l string) string { return network + "\r\n" + hunting("DeviceProcessEvents", l) + "\r\n" }},
	{"m365", "array", "command line, JSON, names", func(l string) string { return `[` + network + `,` + hunting("DeviceProcessEvents", l) + `]` }},

	{"auditd", "line", "audit lines, " + oneEach, func(a string) string { return a }},
	{"auditd", "line", "audit lines, all in one", func(a string) string { return a + "\n" }},
	{"auditd", "line", "audit lines, nodes, " + oneEach, func(a string) string { return eachLine(a, "node=rye-web-2 %s", "\n") }},
	{"auditd", "syslog", "audit lines, " + oneEach, func(a string) string { return eachLine(a, "<134>Mar 11 06:25:02 rye-web-2 audispd: %s", "\n") }},
	{"auditd", "filebeat", "audit lines, JSON, " + oneEach, func(a string) string {
		return eachLine(a, `{"host":{"name":"rye-web-2"},"log":{"offset":9},"message":%q}`, "\n")
	}},
	{"auditd", "filebeat", "audit lines, JSON, all in one", func(a string) string { return `{"host":{"name":"rye-web-2"},"message":` + quote(a) + `}` }},
	{"auditd", "fluent-bit", "audit lines, JSON, " + oneEach, func(a string) string { return eachLine(a, `{"hostname":"rye-web-2","log":%q}`, "\n") }},
	{"auditd", "journald", "audit lines, JSON, " + oneEach, func(a string) string { return eachLine(a, `{"_HOSTNAME":"rye-web-2","MESSAGE":%q}`, "\n") }},
	{"auditd", "original", "audit lines, JSON, all in one", func(a string) string { return `{"event":{"original":[` + eachLine(a, "%q", ",") + `]}}` }},
	{"auditbeat", "auditd", "args, JSON, names, event.action", func(l string) string { return beat("auditd", "executed", "", arguments(l)) }},
	{"auditbeat", "auditd", "audit lines, JSON, event.original", func(a string) string {
		return beat("auditd", "executed", `"original":`+quote(a)+`,`, `"title":"curl"`)
	}},
	{"auditbeat", "auditd", "audit lines, JSON, auditd.messages", func(a string) string {
		return strings.Replace(beat("auditd", "executed", "", `"title":"curl"`), `"message_type"`, `"messages":[`+eachLine(a, "%q", ",")+`],"message_type"`, 1)
	}},
	{"auditbeat", "system", "args, JSON, names, event.action", func(l string) string { return beat("system", "process_started", "", arguments(l)) }},
	{"laurel", "laurel", "args, JSON, percent codes, names", laurel},
	{"laurel", "prefixed", "args, JSON, percent codes, names", func(l string) string { return "@cee: " + laurel(l) }},
	{"laurel", "wrapped", "args, JSON in JSON, percent codes, names", func(l string) string { return `{"message":` + quote(laurel(l)) + `}` }},
	{"goaudit", "go-audit", "audit lines, JSON", messages},
	{"goaudit", "syslog", "audit lines, JSON", func(a string) string { return "<132>Mar 11 06:25:02 rye-web-2 go-audit[711]: " + messages(a) }},
	{"goaudit", "wrapped", "audit lines, JSON in JSON", func(a string) string { return `{"message":` + quote(messages(a)) + `}` }},
	{"ecs", "ecs", "nested args, JSON, names, event.action", func(l string) string {
		return `{"event":{"kind":"event","category":["process"],"type":["start"],"action":"exec"},"host":{"os":{"type":"linux"}},"process":{"name":"curl",` + arguments(l) + `}}`
	}},
	{"ecs", "ecs", "dotted args, JSON, names, event.action", func(l string) string {
		return `{"event.kind":"event","event.category":"process","event.type":"start","event.action":"exec","host.os.type":"linux","process.name":"curl",` +
			strings.Replace(arguments(l), `"args`, `"process.args`, 1) + `}`
	}},
}

func winlog(version, more, line string) string {
	return `{"agent":{"version":"` + version + `"},` + more + `"winlog":{"provider_name":"Microsoft-Windows-Sysmon","event_id":"1","event_data":` + eventData(line) + `}}`
}

// module gives no arguments: those of pipelines are not taken over.
func module(version, line string) string {
	return `{"agent":{"version":"` + version + `"},"winlog":{"provider_name":"Microsoft-Windows-Security-Auditing","event_id":"4688"},` +
		`"process":{"executable":"C:\\Windows\\System32\\curl.exe","args":["kept"],"command_line":` + quote(line) + `}}`
}

func flat(more, line string) string {
	return `{` + more + `"SourceName":"Microsoft-Windows-Sysmon","EventID":1,` + strings.TrimPrefix(eventData(line), "{")
}

func eventData(line string) string {
	return `{"Image":"C:\\Windows\\System32\\curl.exe","CommandLine":` + quote(line) + `}`
}

func eventXML(line string) string {
	line = strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(line)
	return `<Event><System><Provider Name='Microsoft-Windows-Sysmon'/><EventID>1</EventID></System><EventData>` +
		`<Data Name='Image'>C:\Windows\System32\curl.exe</Data><Data Name='CommandLine'>` + line + `</Data></EventData></Event>`
}

func inserts(line string) string {
	const guid = `"{3D5E7F90-0A1D-69B1-4C02-000000002E00}"`
	return `{"ProviderName":"Microsoft-Windows-Sysmon","EventID":1,"StringInserts":["-","2026-03-11 06:21:33.408",` + guid + `,6124,"C:\\Windows\\System32\\curl.exe","-","-","-","-","-",` +
		quote(line) + `,"-","-","-","-",3,"-","-",` + guid + `,5980,"-","-","-"]}`
}

func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// argv are the arguments of a command line that has no quotes but "".
func argv(line string) []string {
	args := strings.Fields(line)
	for i := range args {
		args[i] = strings.Trim(args[i], `"`)
	}
	return args
}

func arguments(line string) string {
	args, err := json.Marshal(argv(line))
	if err != nil {
		panic(err)
	}
	return `"args":` + string(args)
}

func endpoint(system, action, process string) string {
	return `{"agent":{"type":"endpoint"},"event":{"module":"endpoint","kind":"event","category":["process"],"type":["start"],"action":"` + action + `"},` +
		`"host":{"os":{"type":"` + system + `"}},"process":{"name":"curl",` + process + `}}`
}

func smp(action, executable, process string) string {
	return `{"agent":{"type":"Endgame"},"event":{"module":"endgame","kind":"event","category":"process","type":"start","action":"` + action + `"},` +
		`"process":{"executable":"` + executable + `",` + process + `}}`
}

func sensor(subtype, path, line string) string {
	return `{"command_line":` + quote(line) + `,"event_subtype_full":"` + subtype + `","event_type_full":"process_event","process_path":"` + path + `","serial_event_id":52}`
}

func falcon(line string) string {
	return `{"event_platform":"Lin","event_simpleName":"ProcessRollup2","ImageFileName":"/usr/bin/curl","CommandLine":` + quote(line) + `,"aid":"a1","cid":"c1"}`
}

const network = `{"category":"AdvancedHunting-DeviceNetworkEvents","properties":{"ActionType":"ConnectionSuccess"}}`

func hunting(table, line string) string {
	return `{"category":"AdvancedHunting-` + table + `","properties":{"ActionType":"ProcessCreated","FileName":"curl","FolderPath":"/usr/bin/curl","ProcessCommandLine":` + quote(line) + `}}`
}

func beat(module, action, event, process string) string {
	more := ""
	if module == "auditd" {
		more = `"auditd":{"message_type":"syscall","result":"success","data":{"syscall":"execve"}},`
	}
	return `{"agent":{"type":"auditbeat"},"service":{"type":"` + module + `"},"event":{` + event + `"module":"` + module + `","kind":"event","category":["process"],"type":["start"],"action":"` + action + `"},` +
		more + `"host":{"os":{"type":"linux"}},"process":{"name":"curl","executable":"/usr/bin/curl",` + process + `}}`
}

func laurel(line string) string {
	return `{"ID":"1770110142.187:48213","SYSCALL":{"arch":"0xc000003e","syscall":59,"success":"yes","comm":"curl","exe":"/usr/bin/curl","SYSCALL":"execve"},` +
		`"EXECVE":{"argc":` + fmt.Sprint(len(argv(line))) + `,` + strings.Replace(arguments(line), "args", "ARGV", 1) + `}}`
}

const auditID = "audit(1770110142.187:48213)"

// execve are the audit system's lines about a command. The title is what the
// program made of it.
func execve(line string) string {
	args := argv(line)
	execve := fmt.Sprintf("argc=%d", len(args))
	for i, arg := range args {
		execve += fmt.Sprintf(` a%d="%s"`, i, arg)
	}
	return `type=SYSCALL msg=` + auditID + `: arch=c000003e syscall=59 success=yes exit=0 ppid=811 pid=812 uid=33 comm="curl" exe="/usr/bin/curl" key=(null)` +
		"\ntype=EXECVE msg=" + auditID + ": " + execve +
		"\ntype=CWD msg=" + auditID + `: cwd="/srv"` +
		"\ntype=PROCTITLE msg=" + auditID + ": proctitle=6375726C"
}

// eachLine writes each line in a format: %q is a JSON text.
func eachLine(lines, format, between string) string {
	all := strings.Split(lines, "\n")
	for i, line := range all {
		all[i] = strings.NewReplacer("%q", quote(line), "%s", line).Replace(format)
	}
	return strings.Join(all, between)
}

// messages is go-audit's record of the audit system's lines.
func messages(lines string) string {
	lines = regexp.MustCompile(`type=(\w+) msg=\S+ *`).ReplaceAllStringFunc(lines, func(head string) string {
		name, _, _ := strings.Cut(strings.TrimPrefix(head, "type="), " ")
		return map[string]string{"SYSCALL": "1300", "EXECVE": "1309", "CWD": "1307", "PROCTITLE": "1327"}[name] + "|"
	})
	var all []string
	for line := range strings.Lines(lines) {
		kind, body, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "|")
		all = append(all, `{"type":`+kind+`,"data":`+quote(body)+`}`)
	}
	return `{"sequence":48213,"timestamp":"1770110142.187","messages":[` + strings.Join(all, ",") + `]}`
}

// lookAlikes are records that are no start of the attack's process, made of
// those of sources by changing words.
var lookAlikes = []struct {
	sources, name string
	fromTo        []string
}{
	{"windows defend endgame crowdstrike sentinelone m365 auditd auditbeat laurel goaudit ecs", "role listing", []string{"security-credentials/r", "security-credentials/"}},
	{"defend ecs", "fork", []string{`action":"exec"`, `action":"fork"`, `action":"start"`, `action":"fork"`}},
	{"defend ecs", "end", []string{`action":"exec"`, `action":"end"`, `action":"start"`, `action":"end"`, `type":["start"]`, `type":["end"]`, `type":"start"`, `type":"end"`}},
	{"defend", "module", []string{`action":"exec"`, `action":"load_module"`, `action":"start"`, `action":"load_module"`}},
	{"defend", "alert", []string{`kind":"event"`, `kind":"alert"`}},
	{"defend ecs", "connection", []string{`category":["process"]`, `category":["network"]`, `category":"process"`, `category":"network"`}},
	{"endgame", "fork", []string{"exec_event", "fork_event"}},
	{"endgame", "end", []string{"exec_event", "termination_event", "creation_event", "termination_event"}},
	{"endgame", "process from before", []string{"exec_event", "already_running", "creation_event", "already_running"}},
	{"endgame", "alert", []string{`kind":"event"`, `kind":"alert"`}},
	{"endgame", "registry", []string{"process_event", "registry_event"}},
	{"crowdstrike", "process from before", []string{`simpleName":"ProcessRollup2"`, `simpleName":"SyntheticProcessRollup2"`}},
	{"crowdstrike", "statistics", []string{`simpleName":"ProcessRollup2"`, `simpleName":"ProcessRollup2Stats"`}},
	{"crowdstrike", "arguments of a call", []string{`simpleName":"ProcessRollup2"`, `simpleName":"CreateProcessArgs"`}},
	{"crowdstrike", "end", []string{`simpleName":"ProcessRollup2"`, `simpleName":"EndOfProcess"`}},
	{"sentinelone", "end", []string{"PROCESSCREATION", "PROCESSEXIT", "Process Creation", "Process Exit"}},
	{"sentinelone", "script", []string{"PROCESSCREATION", "SCRIPTS", "Process Creation", "Command Script"}},
	{"sentinelone", "handle", []string{"PROCESSCREATION", "DUPLICATEPROCESS", "Process Creation", "Duplicate Process Handle"}},
	{"m365", "end", []string{"ProcessCreated", "ProcessTerminated"}},
	{"m365", "query", []string{"DeviceProcessEvents", "DeviceEvents", "CloudProcessEvents", "CloudAuditEvents", "ProcessCreated", "ProcessCreatedUsingWmiQuery"}},
	{"m365", "connection", []string{"DeviceProcessEvents", "DeviceNetworkEvents", "CloudProcessEvents", "CloudAuditEvents"}},
	{"windows", "end", []string{`"4688"`, `"4689"`, ":4688", ":4689", `"event_id":"1"`, `"event_id":"5"`, `"event_id":1`, `"event_id":5`, `"EventID":1`, `"EventID":5`, "<EventID>1", "<EventID>5"}},
	{"windows", "token", []string{`"4688"`, `"4696"`, ":4688", ":4696"}},
	{"windows", "event 1 of another", []string{"Microsoft-Windows-Sysmon", "Microsoft-Windows-Kernel-General"}},
	{"auditd goaudit", "failed execve", []string{"success=yes exit=0", "success=no exit=-2"}},
	{"auditd goaudit", "fork", []string{"syscall=59", "syscall=56"}},
	{"auditd goaudit", "end", []string{"syscall=59", "syscall=231"}},
	{"auditd goaudit", "connection", []string{"syscall=59", "syscall=42"}},
	{"auditd", "user's command", []string{"type=SYSCALL", "type=USER_CMD"}},
	{"auditd", "service", []string{"type=SYSCALL", "type=SERVICE_START"}},
	{"auditbeat", "failed execve", []string{`"result":"success"`, `"result":"fail"`}},
	{"auditbeat", "user's command", []string{`"executed"`, `"ran-command"`, `"message_type":"syscall"`, `"message_type":"user_cmd"`}},
	{"auditbeat", "service", []string{`"executed"`, `"started-service"`, `"message_type":"syscall"`, `"message_type":"service_start"`}},
	{"auditbeat", "connection", []string{`"syscall":"execve"`, `"syscall":"connect"`}},
	{"auditbeat", "process from before", []string{`"process_started"`, `"existing_process"`}},
	{"auditbeat", "end", []string{`"process_started"`, `"process_stopped"`}},
	{"laurel", "failed execve", []string{`success":"yes"`, `success":"no"`, `success\":\"yes\"`, `success\":\"no\"`}},
	{"laurel", "fork", []string{`59,`, `56,`, `"execve"`, `"clone"`, `\"execve\"`, `\"clone\"`}},
	{"laurel", "connection", []string{`59,`, `42,`, `"execve"`, `"connect"`, `\"execve\"`, `\"connect\"`}},
}
