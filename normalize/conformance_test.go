package normalize

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// conformance is the folders of real records with what they should become, and
// the source that reads them. The records belong to other projects, so they are
// not here: the test reads them from IMDSWATCH_SHARED_DATA and skips without it.
var conformance = []struct {
	folder, raw, expected, source string
}{
	{"defend", "raw.ndjson", "expected.ndjson", "defend"},
	{"defend", "constructed.ndjson", "constructed-expected.ndjson", "defend"},
	{"crowdstrike", "raw.ndjson", "expected.ndjson", "crowdstrike"},
	{"sentinelone", "raw.ndjson", "expected.ndjson", "sentinelone"},
	{"endgame", "raw.ndjson", "expected.ndjson", "endgame"},
	{"endgame", "raw-native.ndjson", "expected-native.ndjson", "endgame"},
	{"auditbeat", "raw.ndjson", "expected.ndjson", "auditbeat"},
	{"auditbeat", "constructed.ndjson", "constructed-expected.ndjson", "auditbeat"},
	{"m365_defender", "raw.ndjson", "expected.ndjson", "m365"},
	{"sysmon", "raw.ndjson", "expected.ndjson", "windows"},
	{"windows_security", "raw.ndjson", "expected.ndjson", "windows"},
	{"laurel", "raw.ndjson", "expected.ndjson", "laurel"},
}

func sharedData(t *testing.T) string {
	dir := os.Getenv("IMDSWATCH_SHARED_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no conformance data: %v; set IMDSWATCH_SHARED_DATA to its folder", err)
	}
	return dir
}

func TestConformance(t *testing.T) {
	dir := sharedData(t)
	for _, c := range conformance {
		t.Run(c.folder+"/"+c.raw, func(t *testing.T) {
			raw := lines(t, filepath.Join(dir, c.folder, c.raw))
			expected := lines(t, filepath.Join(dir, c.folder, c.expected))
			if len(raw) != len(expected) {
				t.Fatalf("%d records, %d expected lines", len(raw), len(expected))
			}
			n := Lookup(c.source).New()
			compared := 0
			for i := range raw {
				var want map[string]any
				if err := json.Unmarshal(expected[i], &want); err != nil {
					t.Fatal(err)
				}
				events, err := n.Normalize(nil, &Record{Value: raw[i]})
				cut := bytes.HasPrefix(raw[i], []byte("<Event")) && !bytes.HasSuffix(raw[i], []byte("</Event>"))
				if (err != nil) != cut { // a record that was cut off is judged and is at fault
					t.Errorf("line %d: error %v", i+1, err)
				}
				compareEvent(t, i+1, want, events)
				compared++
			}
			t.Logf("%d of %d records compared", compared, len(raw))
			if compared == 0 {
				t.Error("nothing compared")
			}
		})
	}
}

func compareEvent(t *testing.T, line int, want map[string]any, events []ecs.Event) {
	t.Helper()
	started, judged := want["process_start"].(bool)
	if !judged {
		return
	}
	if started != (len(events) == 1) {
		t.Errorf("line %d: %d events, process_start is %v", line, len(events), started)
		return
	}
	if !started {
		return
	}
	for name, value := range want {
		if value == nil || name == "process_start" || strings.HasPrefix(name, "_") {
			continue
		}
		f, ok := ecs.Default.Lookup(name)
		if !ok {
			t.Errorf("line %d: no field %s", line, name)
			continue
		}
		got := texts(&events[0], f)
		switch value := value.(type) {
		case []any:
			var list []string
			for _, v := range value {
				list = append(list, v.(string))
			}
			if name == "process.args" && !slices.Equal(got, list) {
				t.Errorf("line %d: %s is %q, want %q", line, name, got, list)
			}
			for _, v := range list {
				if !slices.Contains(got, v) {
					t.Errorf("line %d: %s is %q, want %q among it", line, name, got, v)
				}
			}
		case float64:
			if len(events[0].Values(f)) != 1 || events[0].Values(f)[0].Int() != int64(value) {
				t.Errorf("line %d: %s is %q, want %v", line, name, got, value)
			}
		case string:
			if f == ecs.Timestamp {
				at, err := time.Parse(time.RFC3339, value)
				if err != nil {
					t.Fatal(err)
				}
				value = string(ecs.AppendDate(nil, at.Truncate(time.Millisecond).UnixNano()))
				ns := events[0].Values(f)
				got = []string{"none"}
				if len(ns) == 1 {
					got[0] = string(ecs.AppendDate(nil, ns[0].Int()/1e6*1e6))
				}
			}
			if !slices.Contains(got, value) {
				t.Errorf("line %d: %s is %q, want %q", line, name, got, value)
			}
		}
	}
}

// texts are the values of a field as text.
func texts(e *ecs.Event, f ecs.Field) []string {
	var out []string
	for _, v := range e.Values(f) {
		if ecs.Default.Kind(f).Text() {
			out = append(out, string(v.Text()))
		} else {
			out = append(out, string(ecs.AppendDate(nil, v.Int())))
		}
	}
	return out
}

func lines(t *testing.T, file string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out [][]byte
	s := bufio.NewScanner(bytes.NewReader(b))
	s.Buffer(nil, 1<<24)
	for s.Scan() {
		out = append(out, bytes.Clone(s.Bytes()))
	}
	return out
}
