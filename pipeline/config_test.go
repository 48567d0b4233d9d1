package pipeline

import (
	"math"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/imdswatch/imdswatch/normalize"
)

func patternTopic(text string, source *normalize.Source) Topic {
	return Topic{Name: "/" + text + "/", Pattern: regexp.MustCompile(text), Source: source}
}

func TestParseTopic(t *testing.T) {
	tests := []struct {
		text, name, pattern, source, fault string
	}{
		{"raw.sysmon:windows", "raw.sysmon", "", "windows", ""},
		{" raw : defend ", "raw", "", "defend", ""},
		{"/fleet-.*/:ecs", "/fleet-.*/", "fleet-.*", "ecs", ""},
		{"/a:b/:ecs", "/a:b/", "a:b", "ecs", ""},
		{"raw", "", "", "", `topic "raw": want topic:source`},
		{":ecs", "", "", "", "want topic:source"},
		{" :ecs", "", "", "", "want topic:source"},
		{"", "", "", "", "want topic:source"},
		{"raw:", "", "", "", `no source ""`},
		{"raw:Windows", "", "", "", `no source "Windows", want one of auditbeat auditd auto crowdstrike defend ecs endgame goaudit laurel m365 sentinelone windows`},
		{"/(/:ecs", "", "", "", "missing closing )"},
	}
	for _, tt := range tests {
		topic, err := ParseTopic(tt.text)
		switch {
		case tt.fault != "":
			if err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("%q: error %v, want one that says %s", tt.text, err, tt.fault)
			}
		case err != nil:
			t.Errorf("%q: %v", tt.text, err)
		case topic.Name != tt.name || topic.Source.Name != tt.source,
			tt.pattern == "" && topic.Pattern != nil, tt.pattern != "" && (topic.Pattern == nil || topic.Pattern.String() != tt.pattern):
			t.Errorf("%q is %q, pattern %v, source %q", tt.text, topic.Name, topic.Pattern, topic.Source.Name)
		}
	}
}

func TestOutputsThatAreInputsAreRefused(t *testing.T) {
	tests := []struct {
		name                string
		topics              []Topic
		alerts, deadletters string
		fault               string
	}{
		{"Apart", []Topic{{Name: "in"}, patternTopic("^raw", nil)}, "alerts", "dead", ""},
		{"OneForBoth", nil, "out", "out", `both go to topic "out"`},
		{"AlertsByName", []Topic{{Name: "x"}, {Name: "alerts"}}, "alerts", "dead", `"alerts" is an input as well, by "alerts"`},
		{"DeadLettersByName", []Topic{{Name: "dead"}}, "alerts", "dead", `"dead" is an input as well, by "dead"`},
		{"AlertsByPattern", []Topic{patternTopic("ler", nil)}, "alerts", "dead", `"alerts" is an input as well, by "/ler/"`},
		{"DeadLettersByPattern", []Topic{{Name: "in"}, patternTopic(".*", nil)}, "alerts", "dead", `is an input as well, by "/.*/"`},
		{"NameIsNoPattern", []Topic{{Name: "a.erts"}}, "alerts", "dead", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := Config{Brokers: []string{"127.0.0.1:1"}, Group: "g", Topics: tt.topics, AlertsTopic: tt.alerts, DeadletterTopic: tt.deadletters, Version: "1"}
			if len(cfg.Topics) == 0 {
				cfg.Topics = []Topic{{Name: "in"}}
			}
			_, err := New(cfg, builtinSet(t), prometheus.NewRegistry())
			if tt.fault == "" && err != nil || tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
				t.Errorf("New returns %v, want %q", err, tt.fault)
			}
		})
	}
}

func TestSourceOfATopic(t *testing.T) {
	c := Config{Topics: []Topic{patternTopic("^raw", ecsSource), patternTopic("raw", normalize.Lookup("windows")), {Name: "raw.edr", Source: defend}}}
	for topic, want := range map[string]string{
		"raw.edr":  "defend",  // by name, though a pattern stands before it
		"raw.edr2": "ecs",     // by the first pattern
		"old.raw":  "windows", // patterns match anywhere
		"RAW.edr":  "",
		"other":    "",
	} {
		got := ""
		if s := c.sourceOf(topic); s != nil {
			got = s.Name
		}
		if got != want {
			t.Errorf("%s is of source %q, want %q", topic, got, want)
		}
	}
}

func TestConsumedTopics(t *testing.T) {
	tests := []struct {
		topics []Topic
		want   []string
		regex  bool
	}{
		{[]Topic{{Name: "a.b"}, {Name: "c"}}, []string{"a.b", "c"}, false},
		{[]Topic{{Name: "a.b"}, patternTopic("x.*", nil)}, []string{`^a\.b$`, "x.*"}, true},
	}
	for _, tt := range tests {
		c := Config{Topics: tt.topics}
		if got, regex := c.consumed(); !slices.Equal(got, tt.want) || regex != tt.regex {
			t.Errorf("consumed %q, patterns %v; want %q, %v", got, regex, tt.want, tt.regex)
		}
	}
}

func TestFetchMaxBytes(t *testing.T) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	for _, tt := range []struct {
		configured  int
		limit       int64
		want        int32
		explanation string
	}{
		{7 << 20, 1 << 30, 7 << 20, "what is configured"},
		{math.MaxInt, 1 << 30, math.MaxInt32, "what the protocol can say"},
		{0, math.MaxInt64, maxFetchBytes, "no limit"},
		{0, 256 << 20, 32 << 20, "an eighth of the limit"},
		{0, 1 << 20, 4 << 20, "the least"},
	} {
		debug.SetMemoryLimit(tt.limit)
		c := Config{FetchMaxBytes: tt.configured}
		if got := c.fetchMaxBytes(); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.explanation, got, tt.want)
		}
	}
}

func TestSoftwareVersion(t *testing.T) {
	for version, want := range map[string]string{"1.2.3": "1.2.3", "v1+dirty": "v1-dirty", "-.x.-": "x", "": "unknown", "(devel)": "devel", "+": "unknown"} {
		if got := softwareVersion(version); got != want {
			t.Errorf("version %q is told as %q, want %q", version, got, want)
		}
	}
}

// A transaction commits what was polled; a joiner holds records back.
func TestJoinersAreNotDeliveredExactlyOnce(t *testing.T) {
	for _, source := range normalize.Sources() {
		c := Config{AlertsTopic: "a", DeadletterTopic: "d", TransactionalID: "id", Topics: []Topic{{Name: "in", Source: source}}}
		err := c.check()
		if refused := err != nil; refused != source.Joins {
			t.Errorf("%s: error %v, joins %v", source.Name, err, source.Joins)
		}
		if err != nil && (!strings.Contains(err.Error(), `topic "in"`) || !strings.Contains(err.Error(), "source "+source.Name) || !strings.Contains(err.Error(), "at-least-once")) {
			t.Errorf("%s: the error names no way out: %v", source.Name, err)
		}
		c.TransactionalID = ""
		if err := c.check(); err != nil {
			t.Errorf("%s, at least once: %v", source.Name, err)
		}
	}
}
