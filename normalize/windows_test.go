package normalize

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

const (
	fakeXML = `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>/x</Data></EventData></Event>`
	endXML  = `<Event><System><Provider Name='Linux-Sysmon'/><EventID>5</EventID></System><EventData><Data Name='Image'>/x</Data></EventData></Event>`
)

// faked are records in which somebody who does not write the log tries to make a
// start, or to take one away. want is the shape of the start, "" for none.
var faked = []struct{ what, raw, want, fault string }{
	{"an event in an event's text", strings.Replace(endXML, "/x", strings.ReplaceAll(fakeXML, "<", "&lt;"), 1), "", ""},
	{"the end of an event in its text", strings.Replace(fakeXML, "/x", "&lt;/Event>/x", 1), "xml", ""},
	{"System in an event's data", strings.Replace(endXML, "/x", "<![CDATA["+fakeXML+"]]>", 1), "", ""},
	{"an event in the message of another", `{"winlog":{"provider_name":"App","event_id":"1"},"message":"` + fakeXML + `"}`, "", ""},
	{"an event in the message of Sysmon 5", `{"SourceName":"Linux-Sysmon","EventID":5,"message":"` + fakeXML + `"}`, "", ""},
	{"an event in a line of another program", `<14>Mar 11 06:25:02 h app: "` + fakeXML + `"`, "syslog-xml", ""}, // whoever may log may lie
	{"a second event behind the first", endXML + fakeXML, "xml", ""},
	{"an event behind one that is cut off", endXML[:60] + fakeXML, "xml", "syntax"},
	{"an event without a provider in a member", `{"message":"<Event><System><EventID>1</EventID></System></Event>"}`, "", "shape"},
	{"an event without data in a member", `{"message":"` + strings.Replace(fakeXML, "Data Name", "Data x", 1) + `"}`, "syslog-xml", "shape"},
	{"a second event in a member", `{"message":"` + endXML + fakeXML + `"}`, "", "shape"},
	{"XML in an array", `[{"message":"` + fakeXML + `"}]`, "", "shape"},
	{"XML in a string", `"` + fakeXML + `"`, "", "shape"},
	{"XML whose quotes are escaped", `<14>Mar 11 06:25:02 h app: {"message":"` + strings.ReplaceAll(fakeXML, "'", `\"`) + `"}`, "", "syntax"},
	{"XML whose quotes are doubled", strings.ReplaceAll(fakeXML, "'", `""`), "", "syntax"},
	{"XML in another case", strings.ToUpper(fakeXML), "", "syntax"},
	{"XML that is escaped, of a provider of starts", "<14>Mar 11 06:25:02 h sysmon: " + strings.ReplaceAll(fakeXML, "<", "&lt;"), "", "syntax"},
	{"a line with JSON, of a provider of starts", `<14>Mar 11 06:25:02 h nxlog: {"SourceName":"Microsoft-Windows-Sysmon","EventID":1}`, "", "syntax"},
	{"a message that speaks of a provider", `{"MESSAGE":"Microsoft-Windows-Sysmon 1"}`, "", "shape"},
	{"a message of numbers", `{"MESSAGE":[60,69,118,101,110,116]}`, "", "shape"}, // the journal's way to write bytes that are no text
	{"a message that is an object", `{"message":{"x":"y"},"log":{"offset":1}}`, "", "shape"},
	{"another source's document", `{"event":{"kind":"event","category":["process"]},"message":"something"}`, "", "shape"},
	{"a provider in another case", `{"SourceName":"MICROSOFT-WINDOWS-SYSMON","EventID":"1","Image":"x"}`, "get-winevent", ""},
	{"an id as hex", `{"SourceName":"Microsoft-Windows-Security-Auditing","EventID":"0x1250","NewProcessName":"x"}`, "get-winevent", ""},
	{"two providers", `{"SourceName":"App","Provider":"Linux-Sysmon","EventID":1,"Image":"x"}`, "get-winevent", ""},
	{"an empty provider", `{"SourceName":"","EventID":1,"Image":"x"}`, "", "shape"},
	{"an id that is none", `{"SourceName":"Linux-Sysmon","EventID":"one","Image":"x"}`, "", "shape"},
	{"an id that is null behind one that is not", `{"SourceName":"Linux-Sysmon","EventID":1,"EventID":null,"Image":"x"}`, "get-winevent", ""},
	{"a provider in the data", `{"EventData":"{\"SourceName\":\"Linux-Sysmon\",\"EventID\":1}"}`, "", "shape"},
	{"data in a dotted name", `{"winlog.event_data.Image":"x","SourceName":"Linux-Sysmon","EventID":1}`, "get-winevent", "shape"},
}

func TestWindowsIsNotFooled(t *testing.T) {
	for _, c := range faked {
		events, err := newWindows().Normalize(nil, &Record{Value: []byte(c.raw)})
		shape, reason := "", ""
		for i := range events {
			shape += events[i].Shape
		}
		if fault := (*Error)(nil); errors.As(err, &fault) {
			reason = string(fault.Reason)
		}
		if shape != c.want || reason != c.fault {
			t.Errorf("%s: shape %q, want %q; error %v, want %q", c.what, shape, c.want, err, c.fault)
		}
	}
}

func TestOtherLine(t *testing.T) {
	for _, c := range []struct {
		line string
		want bool
	}{
		{"Mar 11 06:24:59 rye-web-2 sshd[4410]: hello", true},
		{"<86>Mar 11 06:24:59 rye-web-2 sshd[4410]: hello", true},
		{"<86>1 2026-03-11T06:24:59Z rye-web-2 sshd 4410 - - hello", true},
		{"2026-03-11T06:24:59+01:00 rye-web-2 sshd: hello", true},
		{"Sysmon v1.3.3 - Monitors system events", true},
		{"Mar 11 06:24:59 rye-web-2 sysmon: Sysmon v1.3.3 - Monitors system events", true},
		{"Mar 11 06:24:59 rye-web-2 sysmon: Linux-Sysmon", false},
		{"March", false},
		{"hello world, how are you", false},
		{"20260311 062459 hello", false},
		{"<xml>Mar 11 06:24:59", false},
		{"", false},
	} {
		if got := otherLine([]byte(c.line)); got != c.want {
			t.Errorf("%q: %v, want %v", c.line, got, c.want)
		}
	}
}

func TestSameHost(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"BARLEY-12", "barley-12.fernwood.example", true}, {"barley-12.FERNWOOD.example", "BARLEY-12.fernwood.example", true}, {"a", "a", true},
		{"barley-1", "barley-12", false}, {"web.north.example", "web.south.example", false}, {"10.1.2.3", "10.9.9.9", false},
		{"barley", "barley-12.fernwood.example", false}, {"", "a", false}, {"", "", false}, {"", ".a", false},
	} {
		if sameHost([]byte(c.a), []byte(c.b)) != c.want || sameHost([]byte(c.b), []byte(c.a)) != c.want {
			t.Errorf("%q and %q: want %v", c.a, c.b, c.want)
		}
	}
}

// TestStringInsertsFit leaves one value out at a time, as forwarding does with
// empty ones: no value may end up under another's name unnoticed, save the last
// two of Sysmon's.
func TestStringInsertsFit(t *testing.T) {
	const guid = "{3D5E7F90-0A1D-69B1-4C02-000000002E00}"
	for _, c := range []struct {
		provider string
		id       int
		values   []string
		lost     int // from here on a loss cannot be told from an older version
	}{
		{"Microsoft-Windows-Sysmon", 1, []string{"-", "2026-03-11 06:21:33.408", guid, "6124", "image", "-", "-", "-", "-", "-", "line", "-", "-", "-", "-", "3", "-", "-", guid, "5980", "-", "-", "-"}, 20},
		{"Microsoft-Windows-Security-Auditing", 4688, []string{"S-1-5-18", "-", "-", "0x3e7", "0x17ec", "image", "-", "0x175c", "line", "S-1-0-0", "-", "-", "0x0", "-", "S-1-16-8192"}, 15},
	} {
		for lost := -1; lost < len(c.values); lost++ {
			var left []string
			for i, v := range c.values {
				if i != lost {
					left = append(left, fmt.Sprintf("%q", v))
				}
			}
			raw := fmt.Sprintf(`{"ProviderName":%q,"EventID":%d,"StringInserts":[%s]}`, c.provider, c.id, strings.Join(left, ","))
			events, err := newWindows().Normalize(nil, &Record{Value: []byte(raw)})
			if len(events) != 1 {
				t.Fatalf("%s: %d events", raw, len(events))
			}
			fits := lost < 0 || lost >= c.lost
			line := string(events[0].First(ecs.ProcessCommandLine))
			if (err == nil) != fits || line != map[bool]string{true: "line"}[fits] {
				t.Errorf("%s without value %d: error %v, command line %q", c.provider, lost, err, line)
			}
		}
	}
}

// TestWindowsClocks wants the best clock of each record.
func TestWindowsClocks(t *testing.T) {
	const start = `"SourceName":"Microsoft-Windows-Security-Auditing","EventID":4688,"NewProcessName":"x"`
	for _, c := range []struct{ what, raw, want string }{
		{"Sysmon's own", `{"SourceName":"Linux-Sysmon","EventID":1,"Image":"x","UtcTime":"2026-03-11 06:21:33.408","EventTime":"2026-03-11T09:00:00Z","@timestamp":"2026-03-11T08:00:00Z"}`, "2026-03-11T06:21:33.408Z"},
		{"the log's", `{` + start + `,"winlog":{"time_created":"2026-03-11T06:21:33.4151907Z"},"@timestamp":"2026-03-11T08:00:00Z"}`, "2026-03-11T06:21:33.4151907Z"},
		{"the log's, in UTC without saying so", strings.Replace(fakeXML, "</EventID>", "</EventID><TimeCreated SystemTime='2026-03-11 06:21:33.415190'/>", 1), "2026-03-11T06:21:33.41519Z"},
		{"NXLog's, with a zone", `{` + start + `,"EventTime":"2026-03-11T07:21:33.4+01:00","@timestamp":"2026-03-11T08:00:00Z"}`, "2026-03-11T06:21:33.400Z"},
		{"not NXLog's without", `{` + start + `,"EventTime":"2026-03-11 07:21:33","@timestamp":"2026-03-11T06:21:34Z"}`, "2026-03-11T06:21:34.000Z"},
		{"Fluent Bit's", `{` + start + `,"TimeCreated":"2026-03-11 07:21:33 +0100"}`, "2026-03-11T06:21:33.000Z"},
		{"a FILETIME is none", `{` + start + `,"winlog":{"time_created":"134176836934151907"},"TimeCreated":134176836934151907}`, "2026-12-24T18:00:00.000Z"},
		{"a number is none", `{` + start + `,"@timestamp":1773210093,"EventTime":1773210093415}`, "2026-12-24T18:00:00.000Z"},
		{"a clock that went wrong", `{` + start + `,"winlog":{"time_created":"1601-01-01T00:00:00Z"},"timestamp":"2026-03-11T06:21:33Z"}`, "2026-03-11T06:21:33.000Z"},
	} {
		events, err := newWindows().Normalize(nil, &Record{Value: []byte(c.raw), Time: arrival})
		if len(events) != 1 || err != nil {
			t.Fatalf("%s: %d events, error %v", c.what, len(events), err)
		}
		if got := string(ecs.AppendDate(nil, events[0].Values(ecs.Timestamp)[0].Int())); got != c.want {
			t.Errorf("%s: @timestamp is %s, want %s", c.what, got, c.want)
		}
	}
}

func TestParseOffset(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"2026-03-11 07:21:33 +0100", "2026-03-11T06:21:33Z"}, {"2026-03-11 00:21:33 -0600", "2026-03-11T06:21:33Z"}, {"2026-03-11 11:51:33 +0530", "2026-03-11T06:21:33Z"},
		{"2026-03-11 06:21:33 +0000", "2026-03-11T06:21:33Z"}, {"2026-03-11 06:21:33.5 +0000", "2026-03-11T06:21:33.5Z"},
		{"2026-03-11 06:21:33", ""}, {"2026-03-11 06:21:33 +01:00", ""}, {"2026-03-11 06:21:33 Z", ""}, {"2026-03-11 06:21:33 +2400", ""}, {"2026-03-11 06:21:33 +0060", ""},
		{"2026-03-11 06:21:33 *0100", ""}, {"2026-03-11 06:21:33  +0100", ""}, {"2026-03-11T06:21:33 +0100", ""}, {"2026-03-11 06:21:33 +01a0", ""}, {"", ""},
		{"1677-12-31 23:59:59 +0000", ""},
	} {
		got := ""
		if ns, ok := parseOffset([]byte(c.text)); ok {
			got = time.Unix(0, ns).UTC().Format(time.RFC3339Nano)
		}
		if got != c.want {
			t.Errorf("%q is %q, want %q", c.text, got, c.want)
		}
	}
}
