package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// defenderGolden is one of the source's goldens.
func defenderGolden(tb testing.TB, name string) []byte {
	tb.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "m365", name+".raw"))
	if err != nil {
		tb.Fatal(err)
	}
	return bytes.TrimSuffix(raw, []byte("\n"))
}

// defenderBatch is n starts, each with its number in the process id.
func defenderBatch(tb testing.TB, n int) (elements [][]byte) {
	start := defenderGolden(tb, "record-linux-imds")
	for i := range n {
		e := bytes.Replace(start, []byte(`"ProcessId":40713`), fmt.Appendf(nil, `"ProcessId":%d`, 100000+i), 1)
		if len(e) != len(start)+1 {
			tb.Fatal("the golden has another process id")
		}
		elements = append(elements, e)
	}
	return elements
}

// wrappings are the ways in which elements become a record.
var wrappings = []struct {
	shape, head, between, tail string
}{
	{"records", `{"records":[`, `,`, `]}`},
	{"records", `{"operationName":["Publish"],"records":[`, ",\r\n", `],"count":1}`},
	{"array", "[\n", ",\n", "\n]"},
	{"lines", "", "\r\n", "\r\n"},
	{"lines", "", "", ""},
}

func wrap(head, between, tail string, elements [][]byte) []byte {
	return append(append([]byte(head), bytes.Join(elements, []byte(between))...), tail...)
}

// TestM365OneBadElementOfFiveHundred breaks one element of a batch in each way
// and wants the other 499 judged and the fault to name its place.
func TestM365OneBadElementOfFiveHundred(t *testing.T) {
	const n, bad = 500, 317
	for _, c := range []struct {
		what   string
		damage func(e string) string
		events int // those of the bad element: what came through is judged
		reason Reason
	}{
		{"a word that is none", func(e string) string {
			return strings.Replace(e, `"operationName":"Publish"`, `"operationName":Publish`, 1)
		}, 0, Syntax},
		{"a word that is none, late", func(e string) string {
			return strings.Replace(e, `"Tenant":"DefaultTenant"`, `"Tenant":Default`, 1)
		}, 1, Syntax},
		{"a number that is none", func(e string) string { return strings.Replace(e, `"FileSize":`, `"FileSize":0`, 1) }, 0, Syntax},
		{"a bracket that does not close", func(e string) string { return strings.Replace(e, `"MD5":null`, `"MD5":[null`, 1) }, 0, Syntax},
		{"an escape that is none", func(e string) string { return strings.Replace(e, `"Publish"`, `"\Publish"`, 1) }, 0, Syntax},
		{"a control character", func(e string) string { return strings.Replace(e, `"Publish"`, "\"Pub\tlish\"", 1) }, 0, Syntax},
		{"a line end within a string", func(e string) string { return strings.Replace(e, `"Publish"`, "\"Pub\nlish\"", 1) }, 0, Syntax},
		{"a comma too many", func(e string) string { return strings.Replace(e, `"Publish",`, `"Publish",,`, 1) }, 0, Syntax},
		{"no colon", func(e string) string { return strings.Replace(e, `"properties":`, `"properties" `, 1) }, 0, Syntax},
		{"no name", func(e string) string { return strings.Replace(e, `"properties":`, ``, 1) }, 0, Syntax},
		{"too deep", func(e string) string {
			return strings.Replace(e, `"operationName":"Publish"`, `"operationName":`+strings.Repeat("[", maxDepth+1)+strings.Repeat("]", maxDepth+1), 1)
		}, 0, TooDeep},
		{"too many values", func(e string) string {
			return strings.Replace(e, `"FileName":"curl"`, `"FileName":["curl"`+strings.Repeat(`,"curl"`, maxValues)+`]`, 1)
		}, 0, TooLarge},
		{"another document", func(string) string { return `{"event":{"kind":"event"}}` }, 0, Shape},
		{"an empty object", func(string) string { return `{}` }, 0, Shape},
		{"no action", func(e string) string { return strings.Replace(e, `"ActionType"`, `"Action"`, 1) }, 0, Shape},
		{"no category", func(e string) string { return strings.Replace(e, `"category"`, `"table"`, 1) }, 0, Shape},
		{"a process id of letters", func(e string) string {
			return strings.Replace(e, fmt.Sprintf(`"ProcessId":%d`, 100000+bad), `"ProcessId":"first"`, 1)
		}, 1, Shape},
		{"an object for a value", func(e string) string { return strings.Replace(e, `"FileName":"curl"`, `"FileName":{}`, 1) }, 1, Shape},
		{"null", func(string) string { return `null` }, 0, Shape},
		{"a string", func(string) string { return `"{,]"` }, 0, Shape},
		{"a number", func(string) string { return `7` }, 0, Shape},
		{"an array", func(e string) string { return `[[` + e + `]]` }, 0, Shape},
	} {
		for _, w := range wrappings {
			elements := defenderBatch(t, n)
			whole := string(elements[bad])
			elements[bad] = []byte(c.damage(whole))
			if string(elements[bad]) == whole {
				t.Fatalf("%s: nothing was changed", c.what)
			}
			if elements[bad][0] != '{' && w.shape == "lines" {
				continue // on top an array is a batch, and text belongs to its line
			}
			name := fmt.Sprintf("%s, %s %q", c.what, w.shape, w.between)
			events, err := Lookup("m365").New().Normalize(nil, &Record{Value: wrap(w.head, w.between, w.tail, elements), Offset: 9})
			if want := n - 1 + c.events; len(events) != want {
				t.Errorf("%s: %d events, want %d", name, len(events), want)
			}
			seen := map[int]bool{}
			for i := range events {
				e := &events[i]
				seen[e.Index] = true
				if e.Index != bad && (len(e.Values(ecs.ProcessPID)) != 1 || e.Values(ecs.ProcessPID)[0].Int() != int64(100000+e.Index)) {
					t.Errorf("%s: event %d is that of another element", name, e.Index)
				}
				if e.Shape != w.shape || e.Offset != 9 {
					t.Errorf("%s: event %d has shape %s, offset %d", name, e.Index, e.Shape, e.Offset)
				}
			}
			for i := range n {
				if i != bad && !seen[i] {
					t.Errorf("%s: element %d is not judged", name, i)
				}
			}
			var fault *Error
			if !errors.As(err, &fault) || fault.Reason != c.reason || !strings.HasPrefix(fault.Message, fmt.Sprintf("element %d: ", bad)) || strings.Contains(fault.Message, "bad") {
				t.Errorf("%s: error %v, want %s of element %d", name, err, c.reason, bad)
				continue
			}
			before := wrap(w.head, w.between, "", elements[:bad])
			if at := fault.Byte - len(before); at < 0 || at > len(w.between)+len(elements[bad]) {
				t.Errorf("%s: the fault is at byte %d, the element begins at %d", name, fault.Byte, len(before))
			}
		}
	}
}

func TestM365CountsBadElements(t *testing.T) {
	elements := defenderBatch(t, 10)
	elements[3], elements[4], elements[8] = []byte(`{}`), []byte(`{"category":?}`), []byte(`[]`)
	events, err := Lookup("m365").New().Normalize(nil, &Record{Value: wrap("[", ",", "]", elements)})
	if len(events) != 7 || err == nil || !strings.HasPrefix(err.Error(), "element 3: object has no category") || !strings.Contains(err.Error(), "; 3 elements are bad (byte ") {
		t.Errorf("%d events, error %v", len(events), err)
	}
}

// TestM365EventsOfABatchShareNothing wants the texts of a batch's events to stay
// what they are until the next record, also those that are no views of it.
func TestM365EventsOfABatchShareNothing(t *testing.T) {
	var elements [][]byte
	for i := range 300 {
		inner := fmt.Sprintf(`{"ProcessCurrentWorkingDirectory":"/srv/\"%d\"","InitiatingProcessPosixSessionId":%d,"InitiatingProcessCurrentWorkingDirectory":"/\u0061/%d"}`, i, i, i)
		text, err := json.Marshal(inner)
		if err != nil {
			t.Fatal(err)
		}
		elements = append(elements, fmt.Appendf(nil, `{"category":"AdvancedHunting-DeviceProcessEvents","properties":{"ActionType":"ProcessCreated",`+
			`"DeviceName":"BUOY-%d","FileName":"l\u00e4ger-%d","ProcessCommandLine":"\"run it\" \t%d","SHA1":"ABC%03d","AdditionalFields":%s}}`, i, i, i, i, text))
	}
	n := Lookup("m365").New()
	var events []ecs.Event
	for range 2 { // the second time the scratch is there
		var err error
		if events, err = n.Normalize(events[:0], &Record{Value: wrap("[", ",", "]", elements)}); err != nil || len(events) != 300 {
			t.Fatalf("%d events, error %v", len(events), err)
		}
		for i := range events {
			for f, want := range map[ecs.Field]string{
				ecs.HostName:                      fmt.Sprintf("buoy-%d", i),
				ecs.ProcessName:                   fmt.Sprintf("läger-%d", i),
				ecs.ProcessCommandLine:            fmt.Sprintf("\"run it\" \t%d", i),
				ecs.ProcessArgs:                   "run it",
				ecs.ProcessHashSHA1:               fmt.Sprintf("abc%03d", i),
				ecs.ProcessWorkingDirectory:       fmt.Sprintf(`/srv/"%d"`, i),
				ecs.ProcessParentWorkingDirectory: fmt.Sprintf("/a/%d", i),
				ecs.HostOSType:                    "linux",
			} {
				if got := string(events[i].First(f)); got != want {
					t.Errorf("event %d: %s is %q, want %q", i, ecs.Default.Name(f), got, want)
				}
			}
		}
	}
}

func TestM365TellsTheSystem(t *testing.T) {
	for _, c := range []struct{ properties, want string }{
		{`"FolderPath":"C:\\Windows\\x.exe"`, "windows"},
		{`"FolderPath":"d:/tools/x.exe"`, "windows"},
		{`"FolderPath":"\\\\server\\share\\x.exe"`, "windows"},
		{`"FolderPath":"C:\\x.exe","AccountSid":null,"AdditionalFields":{"ProcessPosixSessionId":1}`, "windows"},
		{`"FolderPath":"/usr/bin/x"`, "linux"},
		{`"FolderPath":"/usr/bin/x","AccountSid":"","InitiatingProcessAccountSid":null`, "linux"},
		{`"FolderPath":"/usr/bin/x","InitiatingProcessUniqueId":"4711"`, "linux"},
		{`"FolderPath":"/usr/bin/x","AccountSid":"S-1-5-18"`, "macos"},
		{`"FolderPath":"/usr/bin/x","InitiatingProcessAccountSid":"S-1-5-18"`, "macos"},
		{`"FolderPath":"/Users/x/y"`, "macos"},
		{`"FolderPath":"/bin/x","InitiatingProcessFolderPath":"/usr/libexec/xpcproxy"`, "macos"},
		{`"FolderPath":"/opt/Applications/x"`, "linux"},
		{`"InitiatingProcessFolderPath":"/usr/bin/x"`, "linux"},
		{`"FolderPath":"x","InitiatingProcessFolderPath":"c:\\x"`, "windows"},
		{`"AdditionalFields":{"InitiatingProcessPosixSessionId":7}`, "linux"},
		{`"AdditionalFields":"{\"ProcessPosixEffectiveUser\":{\"Name\":\"x\"}}"`, "linux"},
		{`"AdditionalFields":"{\"ProcessPosixProcessGroupId\":7}","AccountSid":"S-1-5-18"`, "macos"},
		{`"AdditionalFields":["[]",null,"{\"ProcessPosixSessionId\":7}"]`, "linux"},
		{`"InitiatingProcessAccountSid":"S-1-5-18"`, "windows"},
		{`"InitiatingProcessUniqueId":"4711"`, "windows"},
		{`"InitiatingProcessUniqueId":4711`, "windows"},
		{`"InitiatingProcessUniqueId":"0"`, ""},
		{`"AdditionalFields":null`, ""},
		{`"AdditionalFields":"[]"`, ""},
		{`"AdditionalFields":""`, ""},
		{`"AdditionalFields":"{"`, ""},
		{`"AdditionalFields":7`, ""},
		{`"AdditionalFields":[]`, ""},
	} {
		events, err := Lookup("m365").New().Normalize(nil, &Record{Value: []byte(
			`{"category":"AdvancedHunting-DeviceProcessEvents","properties":{"ActionType":"ProcessCreated",` + c.properties + `}}`)})
		if err != nil || len(events) != 1 {
			t.Errorf("%s: %d events, error %v", c.properties, len(events), err)
		} else if got := string(events[0].First(ecs.HostOSType)); got != c.want {
			t.Errorf("%s: host.os.type is %q, want %q", c.properties, got, c.want)
		}
	}
}

func TestM365SelectsByTableAndAction(t *testing.T) {
	for _, c := range []struct {
		category, action string
		events           int
	}{
		{"AdvancedHunting-DeviceProcessEvents", "ProcessCreated", 1},
		{"ADVANCEDHUNTING-DEVICEPROCESSEVENTS", "processcreated", 1},
		{"DeviceProcessEvents", "ProcessCreated", 1},
		{"AdvancedHunting-CloudProcessEvents", "ProcessCreated", 1},
		{"AdvancedHunting-DeviceProcessEvents", "ProcessCreatedUsingWmiQuery", 0},
		{"AdvancedHunting-DeviceProcessEvents", "OpenProcess", 0},
		{"AdvancedHunting-CloudProcessEvents", "ProcessTerminated", 0},
		{"AdvancedHunting-DeviceProcessEventsArchive", "ProcessCreated", 0},
		{"AdvancedHunting-DeviceEvents", "ProcessCreated", 0},
		{"AdvancedHunting-DeviceEvents", "ProcessCreatedUsingWmiQuery", 0},
		{"AdvancedHunting-DeviceImageLoadEvents", "ImageLoaded", 0},
		{"AdvancedHunting-DeviceNetworkEvents", "ConnectionRequest", 0},
		{"AuditLogs", "ProcessCreated", 0},
		{"", "ProcessCreated", 0},
	} {
		events, err := Lookup("m365").New().Normalize(nil, &Record{Value: fmt.Appendf(nil, `{"category":%q,"properties":{"ActionType":%q}}`, c.category, c.action)})
		if err != nil || len(events) != c.events {
			t.Errorf("%s, %s: %d events, want %d, error %v", c.category, c.action, len(events), c.events, err)
		}
	}
}

// TestM365IsNotBlownUp reads hostile records of the largest size.
func TestM365IsNotBlownUp(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("measures memory")
	}
	const start = `{"category":"deviceprocessevents","properties":{"ActionType":"processcreated"`
	const size, most, kept = 60 << 20, 600 << 20, 1 << 20
	for _, h := range []struct {
		what, head, fill, tail string
		events                 int // -1: as many as go in
		faulty                 bool
	}{
		{"starts", `[` + start + `}}`, `,` + start + `}}`, `]`, maxStarts, true},
		{"bad starts", `[` + start + `}}`, `,` + start + `,"ProcessId":"x"}}`, `]`, maxStarts, true},
		{"records of no table", `{"records":[{}`, `,{}`, `]}`, 0, true},
		{"records of other tables", `{"records":[{"category":"x"}`, `,{"category":"x"}`, `]}`, 0, false},
		{"categories", `{"category":["\u0078"`, `,"\u0078"`, `]}`, 0, true},
		{"device names", `[` + start + `,"DeviceName":["A"`, `,"A"`, `]}}]`, 1, true},
		{"a device name", start + `,"DeviceName":"`, `A`, `"}}`, 1, false},
		{"details in details", start + `,"AdditionalFields":"`, `{\"a\":`, `"}}`, 1, false},
		{"details without an end", start + `,"AdditionalFields":"{\"a\":[0`, `,0`, `"}}`, 1, false},
		{"many details", start + `,"AdditionalFields":["{}"`, `,"{\"ProcessPosixSessionId\":1}"`, `]}}`, 1, true},
		{"broken details", start + `,"AdditionalFields":["{}"`, `,"{"`, `]}}`, 1, true},
		{"directories", start + `,"AdditionalFields":"{\"ProcessCurrentWorkingDirectory\":[0`, `,0`, `]}"}}`, 1, false},
		{"arguments", start + `,"ProcessCommandLine":"`, `a `, `"}}`, 1, true},
		{"file names", `{"category":"cloudprocessevents","properties":{"ActionType":"processcreated","ProcessName":["a"`, `,"a"`, `]}}`, 1, true},
	} {
		t.Run(strings.ReplaceAll(h.what, " ", "-"), func(t *testing.T) {
			n := Lookup("m365").New()
			value := []byte(h.head + strings.Repeat(h.fill, (size-len(h.head)-len(h.tail))/len(h.fill)) + h.tail)
			built := heap()
			events, err := n.Normalize(nil, &Record{Value: value})
			if used := heap().TotalAlloc - built.TotalAlloc; used > most {
				t.Errorf("%d MB allocated, want %d or less", used>>20, most>>20)
			}
			if len(events) != h.events || (err != nil) != h.faulty {
				t.Errorf("%d events, want %d, error %v", len(events), h.events, err)
			}
			if _, err = n.Normalize(nil, &Record{Value: []byte(start + `}}`)}); err != nil {
				t.Fatal(err)
			}
			if left := int64(heap().HeapAlloc) - int64(built.HeapAlloc) + int64(size); left > kept {
				t.Errorf("%d KB are kept after the next record, want %d or less", left>>10, kept>>10)
			}
		})
	}
}

// hotBatch is an Event Hub's message of n records in which every tenth is a
// start.
func hotBatch(tb testing.TB, n int) []byte {
	start, skip := defenderGolden(tb, "record-start"), defenderGolden(tb, "record-network")
	var elements [][]byte
	for i := range n {
		if i%10 == 3 {
			elements = append(elements, start)
		} else {
			elements = append(elements, skip)
		}
	}
	return wrap(`{"records":[`, ",", "]}", elements)
}

func TestM365BatchAlloc(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	r := &Record{Value: hotBatch(t, 500)}
	n := Lookup("m365").New()
	var dst []ecs.Event
	var err error
	allocs := testing.AllocsPerRun(20, func() { dst, err = n.Normalize(dst[:0], r) })
	if len(dst) != 50 || err != nil || allocs != 0 {
		t.Errorf("%d events, want 50, error %v, %v allocations, want 0", len(dst), err, allocs)
	}
}

// BenchmarkM365Batch reads a message of an Event Hub, of some 1 MB.
func BenchmarkM365Batch(b *testing.B) {
	r := &Record{Value: hotBatch(b, 500)}
	n := Lookup("m365").New()
	var dst []ecs.Event
	var err error
	dst, _ = n.Normalize(nil, r) // the rows are made once
	b.SetBytes(int64(len(r.Value)))
	b.ReportAllocs()
	for b.Loop() {
		dst, err = n.Normalize(dst[:0], r)
	}
	if len(dst) != 50 || err != nil {
		b.Fatalf("%d events, error %v", len(dst), err)
	}
}
