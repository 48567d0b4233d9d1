package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

func TestSourcesAreNamedDescribedAndInOrder(t *testing.T) {
	all := Sources()
	if !slices.IsSortedFunc(all, func(a, b *Source) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("sources are out of order")
	}
	for _, s := range all {
		if Lookup(s.Name) != s {
			t.Errorf("Lookup(%q) finds another source", s.Name)
		}
		if len(s.Shapes) == 0 || s.Key == "" || s.Needs == "" || s.New == nil {
			t.Errorf("source %s leaves something unsaid: %+v", s.Name, s)
		}
		if _, joins := s.New().(Joiner); joins != s.Joins {
			t.Errorf("source %s says joins=%v, its normalizer %v", s.Name, s.Joins, joins)
		}
	}
	if s := Lookup("nowhere"); s != nil {
		t.Errorf("Lookup(nowhere) is %s", s.Name)
	}
	all[0] = nil
	if Sources()[0] == nil {
		t.Error("Sources lends its own slice")
	}
}

func TestIndexed(t *testing.T) {
	for _, test := range []struct {
		source   string
		patterns []string
		want     bool
	}{
		{"defend", nil, true},
		{"defend", []string{"logs-endpoint.events.process*"}, true},
		{"defend", []string{"logs-endpoint.events.process-default"}, true},
		{"defend", []string{"logs-endpoint.events.process"}, false},
		{"defend", []string{"logs-endpoint.events.file*", "winlogbeat-*"}, false},
		{"defend", []string{"winlogbeat-*", "logs-endpoint.events.*"}, true},
		{"defend", []string{"*"}, true},
		{"defend", []string{"logs-*process*"}, true},
		{"defend", []string{"logs-*process*process*"}, false},
		{"defend", []string{"*-default"}, true},
		{"defend", []string{"logs-*-default-*"}, false},
		{"defend", []string{"logs-endpoint.events.process-default*default"}, false},
		{"defend", []string{""}, false},
		{"defend", []string{"logs-*", "-logs-endpoint.*"}, false},
		{"defend", []string{"-logs-endpoint.*", "logs-*"}, true},
		{"defend", []string{"logs-*", "-logs-system.*"}, true},
		{"defend", []string{"-logs-system.*"}, false},
		{"defend", []string{"*:logs-endpoint.events.*"}, true},
		{"defend", []string{"logs-*", "-west:logs-endpoint.*"}, false},
		{"windows", []string{"winlogbeat-*"}, true},
		{"windows", []string{"logs-windows.forwarded*"}, true},
		{"windows", []string{"logs-windows.sysmon_operational-*"}, true},
		{"windows", []string{"logs-system.security*"}, true},
		{"windows", []string{"logs-windows.powershell*", "auditbeat-*"}, false},
		{"windows", []string{"winlogbeat-*", "-winlogbeat-*", "logs-endpoint*"}, false},
		{"endgame", []string{"endgame-*"}, true},
		{"endgame", []string{"logs-*"}, false},
		{"crowdstrike", []string{"logs-crowdstrike.fdr*"}, true},
		{"crowdstrike", []string{"endgame-*"}, false},
		{"sentinelone", []string{"logs-sentinel_one_cloud_funnel.*"}, true},
		{"sentinelone", []string{"logs-sentinel_one.*"}, false},
		{"m365", []string{"logs-m365_defender.event-*"}, true},
		{"m365", []string{"logs-m365_defender.alert-*"}, false},
		{"auditbeat", []string{"auditbeat-*"}, true},
		{"auditbeat", []string{"filebeat-*"}, false},
		{"auditd", []string{"auditbeat-*"}, true},
		{"auditd", []string{"filebeat-*"}, true},
		{"auditd", []string{"logs-auditd_manager.auditd-*"}, true},
		{"auditd", []string{"winlogbeat-*"}, false},
		{"laurel", []string{"auditbeat-*"}, true},
		{"laurel", []string{"logs-endpoint*"}, false},
		{"goaudit", []string{"logs-auditd_manager.auditd-*"}, true},
		{"goaudit", []string{"logs-endpoint*"}, false},
		{"ecs", []string{"logs-okta*"}, true},
		{"auto", []string{"logs-okta*"}, true},
	} {
		if got := Lookup(test.source).Indexed(test.patterns); got != test.want {
			t.Errorf("%s is in %q: %v, want %v", test.source, test.patterns, got, test.want)
		}
	}
}

// TestSourcesNameTheirIndices: a source that forgets to would be judged by every
// rule.
func TestSourcesNameTheirIndices(t *testing.T) {
	for _, s := range Sources() {
		if open := s.Name == "ecs" || s.Name == "auto"; open != (len(s.Indices) == 0) {
			t.Errorf("source %s has indices %q", s.Name, s.Indices)
		}
		for _, index := range s.Indices {
			if strings.ContainsAny(index, "*:") || index == "" {
				t.Errorf("source %s: index %q is a pattern, want a name", s.Name, index)
			}
		}
	}
}

func TestTellerTellsAsAutoDoes(t *testing.T) {
	tell := Teller()
	for _, s := range Told() {
		attacks, nearMisses := s.Samples()
		for _, value := range append(attacks, nearMisses...) {
			if got := tell(value); got != s {
				t.Errorf("a record of %s is told as one of %v: %.80s", s.Name, got, value)
			}
		}
	}
	for _, value := range []string{"", "{}", `{"a":`, "hello"} {
		if got := tell([]byte(value)); got != nil {
			t.Errorf("%q is told as a record of %s", value, got.Name)
		}
	}
}

func TestBlank(t *testing.T) {
	for value, want := range map[string]bool{"": true, " \t\r\n": true, "{}": false, " x": false, "\x00": false, "\u00a0": false} {
		if Blank([]byte(value)) != want {
			t.Errorf("Blank(%q) = %v", value, !want)
		}
	}
}

func TestErrorNamesThePlaceAndNotTheContent(t *testing.T) {
	for _, s := range Told() {
		for _, value := range []string{`{"secret":1`, `["secret"]`, `{"secret":"secret"}`,
			`{"event":{"category":["process"],"action":{"secret":1}},"SourceName":"Microsoft-Windows-Sysmon","EventID":{"secret":1}}`, "\xff\xfesecret"} {
			_, err := s.New().Normalize(nil, &Record{Value: []byte(value)})
			var fault *Error
			if !errors.As(err, &fault) || !strings.HasSuffix(err.Error(), ")") || !strings.Contains(err.Error(), "(byte ") {
				t.Errorf("%s: %q: error %v, want an *Error with a place", s.Name, value, err)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: error %q holds the record's content", s.Name, err)
			}
		}
	}
}

func FuzzAuditbeat(f *testing.F)    { fuzzNormalize(f, "auditbeat") }
func FuzzAuditdRecord(f *testing.F) { fuzzNormalize(f, "auditd") }
func FuzzCrowdStrike(f *testing.F)  { fuzzNormalize(f, "crowdstrike") }
func FuzzDefend(f *testing.F)       { fuzzNormalize(f, "defend") }
func FuzzECS(f *testing.F)          { fuzzNormalize(f, "ecs") }
func FuzzEndgame(f *testing.F)      { fuzzNormalize(f, "endgame") }
func FuzzGoAudit(f *testing.F)      { fuzzNormalize(f, "goaudit") }
func FuzzLaurel(f *testing.F)       { fuzzNormalize(f, "laurel") }
func FuzzM365(f *testing.F)         { fuzzNormalize(f, "m365") }
func FuzzSentinelOne(f *testing.F)  { fuzzNormalize(f, "sentinelone") }
func FuzzWindows(f *testing.F)      { fuzzNormalize(f, "windows") }

// fuzzNormalize wants of a source that it leaves its record alone, that its
// events are valid, of schema fields alone and starts of processes, and that
// they do not depend on what was read before.
func fuzzNormalize(f *testing.F, name string) {
	for _, g := range goldens(f) {
		if g.source == name {
			f.Add(g.raw, g.raw)
		}
	}
	for _, a := range awkward {
		f.Add([]byte(a), []byte(`{"event":{"kind":"event"}}`))
	}
	source, rows := Lookup(name), []ecs.Event(nil)
	used := source.New()
	f.Fuzz(func(t *testing.T, raw, next []byte) {
		before := bytes.Clone(raw)
		events, err := readAlone(source.New(), nil, &Record{Value: raw, Time: arrival})
		if !bytes.Equal(before, raw) {
			t.Fatalf("record changed from %q to %q", before, raw)
		}
		var fault *Error
		if err != nil && (!errors.As(err, &fault) || fault.Byte < 0 || fault.Byte > len(raw)) {
			t.Fatalf("%d bytes: error %v", len(raw), err)
		}
		for e := range events {
			checkEvent(t, source, &events[e])
		}
		alone := render(events, err)
		rows, _ = readAlone(used, rows[:0], &Record{Value: next, Time: arrival})
		rows, err = readAlone(used, rows[:0], &Record{Value: raw, Time: arrival})
		if diff := cmp.Diff(string(alone), string(render(rows, err))); diff != "" {
			t.Fatalf("after another record (-alone +after):\n%s", diff)
		}
	})
}

func checkEvent(t *testing.T, source *Source, e *ecs.Event) {
	t.Helper()
	encoded := e.AppendJSON(nil)
	var tree map[string]any
	if err := json.Unmarshal(encoded, &tree); err != nil {
		t.Fatalf("%v in %s", err, encoded)
	}
	visitTree(tree, "", false, func(at string, v any) {
		name := strings.ReplaceAll(strings.TrimPrefix(at, step), step, ".")
		if f, ok := ecs.Default.Lookup(name); v != '{' && (!ok || !e.Has(f)) {
			t.Fatalf("%s is no field that the event has", name)
		}
	})
	if !slices.Contains(source.Shapes, e.Shape) {
		t.Fatalf("shape %q is none of %q", e.Shape, source.Shapes)
	}
	if source.Name == "ecs" {
		return // any process event is taken, as it stands
	}
	for f, want := range map[ecs.Field]string{ecs.EventKind: "event", ecs.EventCategory: "process", ecs.EventType: "start"} {
		if !slices.ContainsFunc(e.Values(f), func(v ecs.Value) bool { return string(v.Text()) == want }) {
			t.Fatalf("%s lacks %s", ecs.Default.Name(f), want)
		}
	}
	if !e.Has(ecs.EventAction) || !e.Has(ecs.Timestamp) {
		t.Fatal("event has no action or no time")
	}
}
