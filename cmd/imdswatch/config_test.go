package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/detector"
)

// setEnvironment takes the variables of the machine away and sets those that
// every configuration needs.
func setEnvironment(t *testing.T) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, prefix+"_") {
			t.Setenv(name, value) // so that it comes back
			os.Unsetenv(name)
		}
	}
	t.Setenv("IMDSWATCH_BROKERS", "b:9092")
	t.Setenv("IMDSWATCH_TOPICS", "raw:ecs")
}

// settings are values of variables: what a good one comes to, and what is said
// of a bad one.
var settings = []struct {
	name, value string
	got         func(*config) any
	want        any    // nil for a bad value
	fault       string // what is wrong, "" for a good value
}{
	{"BROKERS", "a:1", brokers, []string{"a:1"}, ""},
	{"BROKERS", " a:1 ,,b.example:9092 , [::1]:3 ,", brokers, []string{"a:1", "b.example:9092", "[::1]:3"}, ""},
	{"BROKERS", "", nil, nil, `empty, want host:port of at least one broker`},
	{"BROKERS", " , ", nil, nil, `empty, want host:port of at least one broker`},
	{"BROKERS", "a:1, b", nil, nil, `"b" is no address, want host:port`},
	{"BROKERS", "a:kafka", nil, nil, `"a:kafka" is no address, want host:port`},
	{"BROKERS", "a:65536", nil, nil, `"a:65536" is no address, want host:port`},
	{"BROKERS", "a:", nil, nil, `"a:" is no address, want host:port`},
	{"BROKERS", "::1:9092", nil, nil, `"::1:9092" is no address, want host:port`},
	{"GROUP", " g ", func(c *config) any { return c.pipeline.Group }, "g", ""},
	{"GROUP", " ", nil, nil, `empty`},
	{"TOPICS", "a:ecs", topics, []string{"a:ecs"}, ""},
	{"TOPICS", " a : defend , /^raw\\.(b|c)$/:windows ,", topics, []string{"a:defend", "/^raw\\.(b|c)$/:windows"}, ""},
	{"TOPICS", "a:ecs, /x,y{1,2}/:defend , /^raw\\.(b|c){1,2}$/:windows", topics, []string{"a:ecs", "/x,y{1,2}/:defend", "/^raw\\.(b|c){1,2}$/:windows"}, ""},
	{"TOPICS", "a:ecs,b:ecs, a :windows", nil, nil, `topic "a" is given twice`},
	{"TOPICS", "", nil, nil, `empty, want topic:source, for example raw.sysmon:windows`},
	{"TOPICS", "a", nil, nil, `topic "a": want topic:source`},
	{"TOPICS", ":ecs", nil, nil, `topic ":ecs": want topic:source`},
	{"TOPICS", "a:sysmon", nil, nil, `topic "a:sysmon": no source "sysmon", want one of auditbeat auditd auto crowdstrike defend ecs endgame goaudit laurel m365 sentinelone windows`},
	{"TOPICS", "/(/:ecs", nil, nil, "topic \"/(/:ecs\": error parsing regexp: missing closing ): `(`"},
	{"ALERTS_TOPIC", " a ", func(c *config) any { return c.pipeline.AlertsTopic }, "a", ""},
	{"ALERTS_TOPIC", "", nil, nil, `empty`},
	{"DEADLETTER_TOPIC", " d ", func(c *config) any { return c.pipeline.DeadletterTopic }, "d", ""},
	{"DEADLETTER_TOPIC", "", nil, nil, `empty`},
	{"RULES", " a.eql , b ,", func(c *config) any { return c.rules.paths }, []string{"a.eql", "b"}, ""},
	{"RULES", "", func(c *config) any { return c.rules.paths }, []string(nil), ""},
	{"FOLD", "ascii", func(c *config) any { return c.rules.fold }, detector.FoldASCII, ""},
	{"FOLD", " unicode ", func(c *config) any { return c.rules.fold }, detector.FoldUnicode, ""},
	{"FOLD", "utf8", nil, nil, `"utf8", want ascii or unicode`},
	{"FOLD", "", nil, nil, `"", want ascii or unicode`},
	{"BUILDING_BLOCKS", "false", func(c *config) any { return c.rules.buildingBlocks }, false, ""},
	{"BUILDING_BLOCKS", " true ", func(c *config) any { return c.rules.buildingBlocks }, true, ""},
	{"BUILDING_BLOCKS", "yes", nil, nil, `"yes", want true or false`},
	{"SCOPE", "all", func(c *config) any { return c.rules.byIndex }, false, ""},
	{"SCOPE", " index ", func(c *config) any { return c.rules.byIndex }, true, ""},
	{"SCOPE", "source", nil, nil, `"source", want all or index`},
	{"START", "earliest", start, kgo.NewOffset().AtStart(), ""},
	{"START", " latest ", start, kgo.NewOffset().AtEnd(), ""},
	{"START", "2026-03-04T05:06:07+01:00", start, kgo.NewOffset().AfterMilli(1772597167000), ""},
	{"START", "2026-03-04", nil, nil, `"2026-03-04", want earliest, latest or a time like 2026-01-31T00:00:00Z`},
	{"START", "", nil, nil, `"", want earliest, latest or a time like 2026-01-31T00:00:00Z`},
	{"COMMIT_INTERVAL", " 500ms ", func(c *config) any { return c.pipeline.CommitInterval }, 500 * time.Millisecond, ""},
	{"COMMIT_INTERVAL", "5", nil, nil, `"5" is no duration above 0, want one like 500ms or 1s`},
	{"COMMIT_INTERVAL", "0s", nil, nil, `"0s" is no duration above 0, want one like 500ms or 1s`},
	{"COMMIT_INTERVAL", "", nil, nil, `"" is no duration above 0, want one like 500ms or 1s`},
	{"DRAIN_TIMEOUT", "2m", func(c *config) any { return c.pipeline.DrainTimeout }, 2 * time.Minute, ""},
	{"DRAIN_TIMEOUT", "-1s", nil, nil, `"-1s" is no duration above 0, want one like 500ms or 1s`},
	{"INSTANCE_ID", " imdswatch-0 ", func(c *config) any { return c.pipeline.InstanceID }, "imdswatch-0", ""},
	{"DELIVERY", "at-least-once", func(c *config) any { return c.pipeline.TransactionalID }, "", ""},
	{"DELIVERY", "twice", nil, nil, `"twice", want at-least-once or exactly-once`},
	{"TRANSACTIONAL_ID", " imdswatch-0 ", func(c *config) any { return c.pipeline.TransactionalID }, "", ""}, // more in TestDelivery
	{"BALANCER", "cooperative", func(c *config) any { return c.pipeline.ServerBalancer }, false, ""},
	{"BALANCER", " server ", func(c *config) any { return c.pipeline.ServerBalancer }, true, ""},
	{"BALANCER", "range", nil, nil, `"range", want cooperative or server`},
	{"RACK", " eu-1a ", func(c *config) any { return c.pipeline.Rack }, "eu-1a", ""},
	{"WORKERS", " 3 ", func(c *config) any { return c.pipeline.Workers }, 3, ""},
	{"WORKERS", "0", func(c *config) any { return c.pipeline.Workers }, runtime.GOMAXPROCS(0), ""},
	{"WORKERS", "-1", nil, nil, `"-1" is no whole number from 0 up`},
	{"WORKERS", "1.5", nil, nil, `"1.5" is no whole number from 0 up`},
	{"WORKERS", "", nil, nil, `"" is no whole number from 0 up`},
	{"FETCH_MAX_BYTES", "1048576", func(c *config) any { return c.pipeline.FetchMaxBytes }, 1 << 20, ""},
	{"FETCH_MAX_BYTES", "1MB", nil, nil, `"1MB" is no whole number from 0 up`},
	{"LISTEN", " 0.0.0.0:0 ", func(c *config) any { return c.listen }, "0.0.0.0:0", ""},
	{"LISTEN", ":9464", func(c *config) any { return c.listen }, ":9464", ""},
	{"LISTEN", "9464", nil, nil, `"9464" is no address, want host:port`},
	{"LISTEN", "", nil, nil, `"" is no address, want host:port`},
	{"LOG_LEVEL", " debug ", lowestLevel, slog.LevelDebug, ""},
	{"LOG_LEVEL", "WARN", lowestLevel, slog.LevelWarn, ""},
	{"LOG_LEVEL", "loud", nil, nil, `"loud", want debug, info, warn or error`},
	{"LOG_FORMAT", "json", logFormat, "json", ""},
	{"LOG_FORMAT", " text ", logFormat, "text", ""},
	{"LOG_FORMAT", "xml", nil, nil, `"xml", want json or text`},
}

func brokers(c *config) any { return c.pipeline.Brokers }
func start(c *config) any   { return c.pipeline.Start }

func topics(c *config) any {
	if p := c.pipeline.Topics[len(c.pipeline.Topics)-1].Pattern; p != nil && !p.MatchString("raw.b") {
		return "a pattern that does not match"
	}
	return topicNames(c.pipeline.Topics)
}

func lowestLevel(c *config) any {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if c.log.Enabled(context.Background(), l) {
			return l
		}
	}
	return nil
}

// logged is where the log of TestReadConfig goes.
var logged bytes.Buffer

func logFormat(c *config) any {
	logged.Reset()
	c.log.Info("x")
	switch line := logged.String(); {
	case strings.HasPrefix(line, "{") && strings.HasSuffix(line, `"msg":"x"}`+"\n"):
		return "json"
	case strings.HasPrefix(line, "time=") && strings.HasSuffix(line, " msg=x\n"):
		return "text"
	default:
		return line
	}
}

func TestReadConfig(t *testing.T) {
	for _, s := range settings {
		t.Run(s.name+"="+s.value, func(t *testing.T) {
			setEnvironment(t)
			t.Setenv(prefix+"_"+s.name, s.value)
			logged.Reset()
			c, err := readConfig(&logged)
			if s.fault != "" {
				if want := prefix + "_" + s.name + ": " + s.fault; err == nil || err.Error() != want {
					t.Errorf("error\n%v, want\n%s", err, want)
				}
				return
			}
			if err != nil || logged.Len() > 0 {
				t.Fatalf("error %v, stderr %q", err, logged.String())
			}
			if diff := cmp.Diff(s.want, s.got(c), cmp.AllowUnexported(kgo.Offset{})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestReadConfigCoversEveryVariable wants a good and a bad value of each in the
// table above; of some nothing is bad, and those about brokers have a table of
// their own.
func TestReadConfigCoversEveryVariable(t *testing.T) {
	anything := []string{"INSTANCE_ID", "RACK", "RULES", "TRANSACTIONAL_ID"}
	for _, field := range environmentFields() {
		if _, ok := reflect.TypeFor[ConnectionVariables]().FieldByName(field.Name); ok {
			continue
		}
		name := variableName(field)
		good, bad := false, slices.Contains(anything, name)
		for _, s := range settings {
			good = good || s.name == name && s.fault == ""
			bad = bad || s.name == name && s.fault != ""
		}
		if !good || !bad {
			t.Errorf("%s: good value in the table: %v, bad value: %v", name, good, bad)
		}
	}
}

func TestReadConfigDefaults(t *testing.T) {
	setEnvironment(t)
	c, err := readConfig(&logged)
	if err != nil {
		t.Fatal(err)
	}
	p := &c.pipeline
	got := []any{p.Group, p.AlertsTopic, p.DeadletterTopic, c.rules.paths, c.rules.fold, c.rules.buildingBlocks, c.rules.byIndex, p.CommitInterval, p.DrainTimeout, p.ServerBalancer,
		p.InstanceID, p.Rack, p.Workers, p.FetchMaxBytes, c.listen, lowestLevel(c), p.Version}
	want := []any{"imdswatch", "imdswatch.alerts", "imdswatch.deadletters", []string{"builtin:imds"}, detector.FoldASCII, false, false, time.Second, 30 * time.Second, false,
		"", "", runtime.GOMAXPROCS(0), 0, "127.0.0.1:9464", slog.LevelInfo, "dev"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if diff := cmp.Diff(kgo.NewOffset().AtStart(), p.Start, cmp.AllowUnexported(kgo.Offset{})); diff != "" {
		t.Errorf("start (-want +got)\n%s", diff)
	}
}

// TestReadConfigRefusesWhatItCannotDo: a variable of a later version must not be
// passed over, or records travel without TLS.
func TestReadConfigRefusesWhatItCannotDo(t *testing.T) {
	for name, harmless := range later {
		for value := range strings.FieldsSeq(harmless) {
			setEnvironment(t)
			t.Setenv(prefix+"_"+name, value)
			if _, err := readConfig(io.Discard); err != nil {
				t.Errorf("%s=%s: %v", name, value, err)
			}
		}
		for _, name := range []string{name, name + "_FILE"} {
			setEnvironment(t)
			t.Setenv(prefix+"_"+name, "x")
			var stderr bytes.Buffer
			_, err := readConfig(&stderr)
			if want := prefix + "_" + name + ": not supported by this version"; err == nil || err.Error() != want {
				t.Errorf("error %v, want %s", err, want)
			}
			if stderr.Len() > 0 {
				t.Errorf("%s is warned of as well: %s", name, stderr.String())
			}
			os.Unsetenv(prefix + "_" + name)
		}
	}
}

func TestReadConfigWarnsOfUnknownVariables(t *testing.T) {
	for _, test := range []struct{ name, nearest string }{
		{"IMDSWATCH_TOPIC", "IMDSWATCH_TOPICS"},
		{"IMDSWATCH_BROKER_LIST", "IMDSWATCH_BROKERS"},
		{"IMDSWATCH_DEAD_LETTER_TOPIC", "IMDSWATCH_DEADLETTER_TOPIC"},
		{"IMDSWATCH_INSTANCEID", "IMDSWATCH_INSTANCE_ID"},
	} {
		setEnvironment(t)
		t.Setenv(test.name, "x")
		var stderr bytes.Buffer
		if _, err := readConfig(&stderr); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		want := "imdswatch: warning: " + test.name + " means nothing; the nearest name is " + test.nearest + "\n"
		if stderr.String() != want {
			t.Errorf("%s: got %q, want %q", test.name, stderr.String(), want)
		}
		os.Unsetenv(test.name)
	}
	// Without the underscore the prefix is that of somebody else.
	setEnvironment(t)
	t.Setenv("IMDSWATCHER", "x")
	var stderr bytes.Buffer
	if _, err := readConfig(&stderr); err != nil || stderr.Len() > 0 {
		t.Errorf("error %v, stderr %q", err, stderr.String())
	}
}
