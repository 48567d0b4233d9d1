package detector

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-json"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var origin = Origin{
	Source: "windows", Shape: "winlogbeat", Topic: "raw.sysmon", Partition: 3, Offset: 42, Index: 1, Rules: "0123",
}

// theft is an event that the built-in rule matches.
func theft(t testing.TB) *ecs.Event {
	e := eventOf(t,
		values{"event.category", "process"}, values{"event.type", "start"}, values{"event.kind", "event"},
		values{"event.action", "exec"}, values{"host.id", "h-1"}, values{"host.name", "web-1"}, values{"host.os.type", "linux"},
		values{"agent.id", "a-1"}, values{"process.name", "curl"}, values{"process.parent.name", "php-fpm"}, values{"user.name", "www-data"},
		values{"process.args", "curl", "-s", "http://169.254.169.254/latest/meta-data/iam/security-credentials/web"},
		values{"process.command_line", "curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/web"},
		values{"related.user", "www-data"}, values{"winlog.logon.id", "0x3e7"},
	)
	e.AddInt(ecs.Timestamp, time.Date(2026, 2, 3, 4, 5, 6, 7e6, time.UTC).UnixNano())
	e.AddInt(ecs.ProcessPID, 4321)
	e.AddInt(ecs.EventSeverity, 3) // the source's own
	return e
}

// decode fails the test unless b is one line of valid JSON.
func decode(t *testing.T, b []byte) map[string]any {
	t.Helper()
	var members map[string]any
	if err := json.Unmarshal(b, &members); err != nil || !utf8.Valid(b) || bytes.ContainsAny(b, "\r\n") {
		t.Fatalf("error %v, UTF-8 %v of %q", err, utf8.Valid(b), b)
	}
	return members
}

func indent(t *testing.T, b []byte) string {
	t.Helper()
	decode(t, b)
	var out bytes.Buffer
	if err := json.Indent(&out, b, "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String() + "\n"
}

func TestAlertJSON(t *testing.T) {
	golden(t, "alert.json", indent(t, NewAlert(mustBuiltin(t), theft(t), origin).AppendJSON(nil)))
}

// TestAlertJSONBare is an alert of a bare query on an event with next to nothing,
// in a replay.
func TestAlertJSONBare(t *testing.T) {
	o := origin
	o.Replay = "r-7"
	a := NewAlert(mustCompile(t, `any where process.args : "*"`), eventOf(t, values{"process.args", "<a&b>\xff\u2028"}), o)
	golden(t, "alert-bare.json", indent(t, a.AppendJSON(nil)))
	if a.Key() != nil || !a.Time().IsZero() {
		t.Errorf("key %q, time %v of an event without host and time", a.Key(), a.Time())
	}
}

// TestAlertJSONOfBrokenNames is an alert in which all that can be broken text is.
func TestAlertJSONOfBrokenNames(t *testing.T) {
	o := Origin{Source: "\xff\"", Shape: "\n", Topic: "a\xffb", Rules: "\x00", Replay: "\u2028"}
	rule, err := Compile("a\xffb\"\n", `any where not user.name == "a"`, ecs.Default, FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	members := decode(t, NewAlert(rule, eventOf(t, values{"host.name", "\xff"}), o).AppendJSON(nil))
	if got, want := members["rule"].(map[string]any)["uuid"], "a\ufffdb\"\n"; got != want {
		t.Errorf("rule %q, want %q", got, want)
	}
	if got, want := members["imdswatch"].(map[string]any)["topic"], "a\ufffdb"; got != want {
		t.Errorf("topic %q, want %q", got, want)
	}
}

// TestAlertOfSchema makes an alert of an event that has none of an alert's fields.
func TestAlertOfSchema(t *testing.T) {
	schema, err := ecs.NewSchema([]ecs.Def{{Name: "process.title", Kind: ecs.Keyword}})
	if err != nil {
		t.Fatal(err)
	}
	rule, err := Compile("q", `any where process.title == "a"`, schema, FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	e := ecs.NewEvent(schema)
	e.Add(0, []byte("a"))
	a := NewAlert(rule, e, origin)
	if members := decode(t, a.AppendJSON(nil)); members["process"].(map[string]any)["title"] != "a" {
		t.Errorf("alert %v", members)
	}
	if got, want := a.Message(), "q: a process started"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
}

func TestSeverityNumber(t *testing.T) {
	for severity, want := range map[Severity]int64{"low": 21, "medium": 47, "high": 73, "critical": 99, "": 0, "High": 0} {
		if got := severity.Number(); got != want {
			t.Errorf("%q is %d, want %d", severity, got, want)
		}
	}
}

// TestAlertOwnsItsMemory overwrites the batch behind an alert.
func TestAlertOwnsItsMemory(t *testing.T) {
	batch := []byte("curl web-1")
	e := ecs.NewEvent(ecs.Default)
	e.Add(ecs.ProcessName, batch[:4])
	e.Add(ecs.HostName, batch[5:])
	a := NewAlert(mustCompile(t, `any where process.name == "curl"`), e, origin)
	before := string(a.AppendJSON(nil)) + string(a.Key())
	copy(batch, "xxxxxxxxxx")
	e.Reset()
	if after := string(a.AppendJSON(nil)) + string(a.Key()); after != before {
		t.Errorf("was %s\nis  %s", before, after)
	}
}

func TestAlertLeavesEventAlone(t *testing.T) {
	e := theft(t)
	before := string(e.AppendJSON(nil))
	NewAlert(mustBuiltin(t), e, origin).Truncate(1000)
	if after := string(e.AppendJSON(nil)); after != before {
		t.Errorf("was %s\nis  %s", before, after)
	}
}

func TestAlertID(t *testing.T) {
	rule := mustBuiltin(t)
	id := NewAlert(rule, theft(t), origin).ID()
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) {
		t.Errorf("id %q", id)
	}
	if want := "176afd70367fdd66f2253f509e5c809d"; id != want {
		t.Errorf("id %s, want %s: what has been stored under ids is lost if they change", id, want)
	}

	same := origin
	same.Source, same.Shape, same.Rules, same.Replay = "m365", "array", "4567", "r-1"
	renamed := *rule
	renamed.Name, renamed.Version = "other", "2"
	if got := NewAlert(&renamed, eventOf(t), same).ID(); got != id {
		t.Errorf("id %s of the same place, want %s", got, id)
	}

	seen := map[string]string{id: "itself"}
	for name, change := range map[string]func(*Origin, *Rule){
		"topic":         func(o *Origin, _ *Rule) { o.Topic += "3" },
		"partition":     func(o *Origin, _ *Rule) { o.Partition++ },
		"offset":        func(o *Origin, _ *Rule) { o.Offset++ },
		"large offset":  func(o *Origin, _ *Rule) { o.Offset += 1 << 40 },
		"index":         func(o *Origin, _ *Rule) { o.Index++ },
		"rule":          func(_ *Origin, r *Rule) { r.ID += "x" },
		"shifted frame": func(o *Origin, r *Rule) { o.Topic, r.ID = o.Topic[:4], o.Topic[4:]+r.ID },
	} {
		o, r := origin, *rule
		change(&o, &r)
		got := NewAlert(&r, theft(t), o).ID()
		if other, twice := seen[got]; twice {
			t.Errorf("%s: id of %s", name, other)
		}
		seen[got] = name
	}
}

func TestAlertKey(t *testing.T) {
	rule := mustCompile(t, `any where process.name == "a"`)
	for _, c := range []struct {
		event *ecs.Event
		want  string
	}{
		{eventOf(t, values{"host.id", "h-1"}, values{"host.name", "web-1"}), "h-1"},
		{eventOf(t, values{"host.id", ""}, values{"host.name", "web-1"}), "web-1"},
		{eventOf(t, values{"host.name", "web-1"}), "web-1"},
		{eventOf(t, values{"host.hostname", "web-1"}), ""},
	} {
		if got := string(NewAlert(rule, c.event, origin).Key()); got != c.want {
			t.Errorf("key %q of %s, want %q", got, c.event.AppendJSON(nil), c.want)
		}
	}
}

func TestAlertTime(t *testing.T) {
	want := time.Date(2026, 2, 3, 4, 5, 6, 7e6, time.UTC)
	if got := NewAlert(mustBuiltin(t), theft(t), origin).Time(); !got.Equal(want) {
		t.Errorf("time %v, want %v", got, want)
	}
}

func TestAlertMessage(t *testing.T) {
	rule := mustCompile(t, `any where process.name == "a"`)
	rule.Name = "Rule"
	long := strings.Repeat("é", maxPart)
	for _, c := range []struct {
		event *ecs.Event
		want  string
	}{
		{theft(t), "Rule: curl (pid 4321) started by php-fpm as www-data on web-1: curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/web"},
		{eventOf(t), "Rule: a process started"},
		{eventOf(t, values{"process.executable", "/bin/sh"}, values{"host.id", "h"}, values{"user.id", "0"}), "Rule: /bin/sh started as 0 on h"},
		{eventOf(t, values{"process.name", "a"}, values{"process.args", "a", "-b", "c d"}), "Rule: a started: a -b c d"},
		{eventOf(t, values{"process.name", "a\nb\x1b[31m\u202e\u2028\xff"}), "Rule: a b [31m  \ufffd started"},
		{eventOf(t, values{"process.command_line", long}), "Rule: a process started: " + long},
		{eventOf(t, values{"process.command_line", long + "x"}), "Rule: a process started: " + long + "…"},
	} {
		if got := NewAlert(rule, c.event, origin).Message(); got != c.want {
			t.Errorf("message of %s\ngot  %q\nwant %q", c.event.AppendJSON(nil), got, c.want)
		}
	}
}

func TestAlertTruncate(t *testing.T) {
	rule := mustBuiltin(t)
	url := "http://169.254.169.254/latest/meta-data/iam/security-credentials/web"
	many := append(values{"process.args"}, slices.Repeat(values{"-H"}, 50_000)...)
	for _, c := range []struct {
		name  string
		event *ecs.Event
		cut   []string
	}{
		{"Fits", theft(t), nil},
		{"CommandLine", eventOf(t, values{"process.name", "curl"}, values{"process.command_line", strings.Repeat("é", 100_000)}),
			[]string{"process.command_line"}},
		{"Controls", eventOf(t, values{"process.name", "curl"}, values{"process.title", strings.Repeat("\x01", 100_000)}),
			[]string{"process.title"}},
		{"Several", eventOf(t, values{"process.name", "curl"}, values{"process.env_vars", strings.Repeat("A=b", 50_000)},
			values{"process.command_line", strings.Repeat("x", 50_000)}, values{"process.working_directory", "/"}),
			[]string{"process.command_line", "process.env_vars"}},
		{"Host", eventOf(t, values{"host.id", strings.Repeat("h", 100_000)}), []string{"host.id"}},
		{"ManyArgs", eventOf(t, append(many, url)), []string{"process.args"}},
		{"LongArgs", eventOf(t, values{"process.args", strings.Repeat("x", 50_000), strings.Repeat("y", 50_000), url}), []string{"process.args"}},
		{"BrokenText", eventOf(t, values{"process.args", strings.Repeat("\xff", 50_000)}), []string{"process.args"}},
	} {
		const limit = 8000
		a := NewAlert(rule, c.event, origin)
		whole := a.AppendJSON(nil)
		id, key := a.ID(), string(a.Key())
		a.Truncate(limit)
		got := a.AppendJSON(nil)
		members := decode(t, got)
		if len(got) > limit {
			t.Errorf("%s: %d bytes, want at most %d", c.name, len(got), limit)
		}
		var cut []string
		if list, ok := members["imdswatch"].(map[string]any)["truncated"].([]any); ok {
			for _, name := range list {
				cut = append(cut, name.(string))
			}
		}
		if !slices.Equal(cut, c.cut) {
			t.Errorf("%s: cut %q, want %q", c.name, cut, c.cut)
		}
		if c.cut == nil && !bytes.Equal(got, whole) {
			t.Errorf("%s: changed to %s", c.name, got)
		}
		if bytes.Contains(whole, []byte(url)) && !bytes.Contains(got, []byte(url)) {
			t.Errorf("%s: lost what the rule looked for: %s", c.name, got)
		}
		if c.cut != nil && len(got) < limit/4 {
			t.Errorf("%s: cut down to %d bytes, %d were allowed", c.name, len(got), limit)
		}
		if bytes.Contains(got, []byte("\ufffd")) != bytes.Contains(whole, []byte("\ufffd")) {
			t.Errorf("%s: cut inside a code point", c.name)
		}
		if a.ID() != id || string(a.Key()) != key {
			t.Errorf("%s: id or key changed", c.name)
		}
	}
}

// TestAlertTruncateTooSmall asks for less than a rule's own text takes: the
// alert is as small as it gets, and whole JSON.
func TestAlertTruncateTooSmall(t *testing.T) {
	a := NewAlert(mustBuiltin(t), eventOf(t, values{"process.args", strings.Repeat("x", 1<<20)}), origin)
	a.Truncate(10)
	got := a.AppendJSON(nil)
	decode(t, got)
	if len(got) > 10_000 {
		t.Errorf("%d bytes", len(got))
	}
}
