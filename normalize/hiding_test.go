package normalize_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// hidden are ways in which an attacker or a shipper can write one request so
// that a reader that is careless about one layer does not see it. line changes
// the command, record the bytes of the record that it ended up in.
var hidden = []struct {
	name         string
	layers       string // those of a record in which there is this way, "" for all
	line, record func(string) string
}{
	{name: "as it is"},
	{name: "upper case", line: strings.ToUpper},
	{name: "padding", line: func(c string) string { return strings.Replace(c, " ", " -A "+strings.Repeat("x", 5000)+" ", 1) }},
	{name: "quotes in the URL", line: replace("/latest/meta-data/iam", `/la""test/"meta-data"/iam`)},
	{name: "empty argument", line: replace(" -s ", ` ""  -s `)},
	{name: `\/`, layers: "JSON", record: replace("/latest/", `\/latest\/`)},
	{name: `\u002f`, layers: "JSON", record: replace("/latest/", `\u002flatest\u002F`)},
	{name: `\u006d`, layers: "JSON", record: replace("meta-data", `\u006deta-data`)},
	{name: `\\u006d`, layers: "JSON in JSON", record: replace("/meta-data", `\\/\\u006deta-data`)},
	{name: "&#47;", layers: "XML", record: replace("/latest/", "&#47;latest&#x2f;")},
	{name: "&#x6D;", layers: "XML", record: replace("meta-data", "&#x6D;eta-data")},
	{name: `\u0026#x6d;`, layers: "XML in JSON", record: replace("meta-data", `\u0026#x6d;eta-data`)},
	{name: "CDATA", layers: "XML", record: replace("/latest/", "<![CDATA[/lat]]>est<!-- -->/")},
	{name: "line twice", layers: "named", record: twice},
}

func replace(from, to string) func(string) string {
	return func(s string) string { return strings.Replace(s, from, to, 1) }
}

// twice puts a harmless command line in front of the real one, under the same
// name.
func twice(raw string) string {
	return strings.NewReplacer(`"CommandLine":`, `"CommandLine":"harmless","CommandLine":`, `"command_line":`, `"command_line":"harmless","command_line":`,
		`\"CommandLine\":`, `\"CommandLine\":\"harmless\",\"CommandLine\":`, `<Data Name='CommandLine'>`, `<Data Name='CommandLine'>harmless</Data><Data Name='CommandLine'>`).Replace(raw)
}

// hiding are the rows of the matrix: a shape of a source, what its records are
// written in, and the record that it makes of a command line. A source joins
// with rows of its own.
var hiding = []struct {
	source, shape, layers string
	wrap                  func(line string) string
}{
	{"windows", "winlogbeat8", "JSON, named", func(l string) string { return winlog("8.19.3", "", l) }},
	{"windows", "winlogbeat7", "JSON, named", func(l string) string { return winlog("7.17.9", "", l) }},
	{"windows", "elastic-agent", "JSON, named", func(l string) string { return winlog("9.1.4", `"data_stream":{},`, l) }},
	{"windows", "winlogbeat7-module", "JSON, named", func(l string) string { return module("7.17.9", l) }},
	{"windows", "ingested", "JSON, named", func(l string) string { return module("8.19.3", l) }},
	{"windows", "xml", "XML, named", eventXML},
	{"windows", "syslog-xml", "XML, named", func(l string) string { return "<14>Mar 11 06:25:02 rye-web-2 sysmon: " + eventXML(l) }},
	{"windows", "syslog-xml", "XML in JSON, named", func(l string) string { return `{"MESSAGE":` + quote(eventXML(l)) + `}` }},
	{"windows", "nxlog", "JSON, named", func(l string) string { return flat(`"SourceModuleType":"im_msvistalog",`, l) }},
	{"windows", "get-winevent", "JSON, named", func(l string) string { return flat("", l) }},
	{"windows", "fluent-bit", "JSON, by order", inserts},
	{"windows", "fluent-bit", "XML in JSON, named", func(l string) string { return `{"System":` + quote(eventXML(l)) + `,"Message":""}` }},
	{"windows", "fluent-bit", "JSON, named", func(l string) string {
		return `{"ProviderName":"Microsoft-Windows-Sysmon","EventID":1,"Qualifiers":"","EventData":` + eventData(l) + `}`
	}},
	{"windows", "vector", "JSON, named", func(l string) string {
		return `{"source_type":"windows_event_log","provider_name":"Microsoft-Windows-Sysmon","event_id":1,"event_data":` + eventData(l) + `}`
	}},
	{"windows", "azure-securityevent", "JSON, named", func(l string) string {
		return `{"EventSourceName":"Microsoft-Windows-Security-Auditing","EventID":4688,"Activity":"4688","NewProcessName":"C:\\Windows\\System32\\curl.exe","CommandLine":` + quote(l) + `}`
	}},
	{"windows", "azure-windowsevent", "JSON in JSON, named", func(l string) string {
		return `{"Provider":"Microsoft-Windows-Sysmon","EventID":1,"EventData":` + quote(eventData(l)) + `}`
	}},
	{"windows", "azure-windowsevent", "XML in JSON, named", func(l string) string {
		_, data, _ := strings.Cut(strings.TrimSuffix(eventXML(l), "</Event>"), "</System>")
		return `{"Source":"Microsoft-Windows-Sysmon","EventID":1,"EventData":` + quote("<DataItem>"+data+"</DataItem>") + `}`
	}},
	{"windows", "evtx-dump", "JSON, named", func(l string) string {
		return `{"Event":{"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon"}},"EventID":1},"EventData":` + eventData(l) + `}}`
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

// TestHiding wants of every cell that the request for a role's keys alerts and
// that its twin, one byte short of the role's name, does not.
func TestHiding(t *testing.T) {
	rule, err := detector.Builtin(ecs.Default)
	if err != nil {
		t.Fatal(err)
	}
	set, err := detector.NewSet([]*detector.Rule{rule})
	if err != nil {
		t.Fatal(err)
	}
	const listing = "curl.exe -s http://169.254.169.254/latest/meta-data/iam/security-credentials/"
	var matrix strings.Builder
	for _, h := range hidden {
		fmt.Fprintf(&matrix, " | %s", h.name)
	}
	for _, r := range hiding {
		fmt.Fprintf(&matrix, "\n%s/%s (%s)", r.source, r.shape, r.layers)
		n := normalize.Lookup(r.source).New()
		for _, h := range hidden {
			if !strings.Contains(r.layers, h.layers) {
				fmt.Fprintf(&matrix, " | n/a: not %s", h.layers)
				continue
			}
			alerts := func(line string) bool {
				if h.line != nil {
					line = h.line(line)
				}
				plain := r.wrap(line)
				raw := plain
				if h.record != nil {
					raw = h.record(raw)
				}
				events, err := n.Normalize(nil, &normalize.Record{Value: []byte(raw)})
				if len(events) != 1 || err != nil || events[0].Shape != r.shape || (raw == plain) != (h.record == nil) {
					t.Errorf("%s, %s: %d events, error %v, of %.2000s", r.shape, h.name, len(events), err, raw)
					return false
				}
				return len(set.Match(nil, &events[0])) == 1
			}
			attack, twin := alerts(listing+"r"), alerts(listing)
			cell := "seen"
			if !attack || twin {
				cell = fmt.Sprintf("attack %v, twin %v", attack, twin)
				t.Errorf("%s/%s (%s), %s: %s", r.source, r.shape, r.layers, h.name, cell)
			}
			fmt.Fprintf(&matrix, " | %s", cell)
		}
	}
	t.Log(matrix.String())
}
