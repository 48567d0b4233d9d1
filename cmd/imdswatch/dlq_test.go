package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// letterTopics starts brokers with dead letters that a run made: two unreadable
// records, one of them binary, and puts the brokers into the environment.
func letterTopics(t *testing.T) (*kfake.Cluster, *kgo.Client) {
	t.Helper()
	cluster, client := startCluster(t, runTopics)
	record := &kgo.Record{Topic: "raw.defend", Key: []byte("k\x1b[31m"), Value: []byte(`{"a":`), Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte("1")}}}
	if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
		t.Fatal(err)
	}
	produce(t, client, "raw.defend", "\xff\xfe{\x00")
	p := startRun(t, cluster.ListenAddrs())
	consume(t, cluster, "imdswatch.deadletters", 2)
	p.signal(t, syscall.SIGTERM)
	p.exits(t, exitDone)
	setEnvironment(t)
	t.Setenv("IMDSWATCH_BROKERS", strings.Join(cluster.ListenAddrs(), ","))
	t.Setenv("IMDSWATCH_TOPICS", "raw.defend:defend,raw.ecs:ecs")
	return cluster, client
}

// letterLines are JSON lines, times taken out.
func letterLines(stdout string) string {
	return regexp.MustCompile(`"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"`).ReplaceAllString(stdout, `"time":"T"`)
}

func TestDLQList(t *testing.T) {
	_, client := letterTopics(t)
	t.Setenv("IMDSWATCH_TOPICS", "")
	const first = `{"partition":0,"offset":0,"time":"T","errors":{"topic":"raw.defend","partition":0,"offset":0,"source":"defend","stage":"normalize","reason":"syntax",` +
		`"message":"record ends within a value (byte 5)","version":"dev"},"size":5,"truncated":false}` + "\n"
	code, stdout, stderr := inProcess("", "dlq", "list", "--reason", "syntax", "--from", "-1h")
	if got := letterLines(stdout); code != exitDone || got != first || stderr != "" {
		t.Errorf("exit code %d\n%s\nwant\n%s\n%s", code, got, first, stderr)
	}
	code, stdout, _ = inProcess("", "dlq", "list", "--to", "-1h")
	if code != exitDone || stdout != "" {
		t.Errorf("before an hour ago: exit code %d, %s", code, stdout)
	}
	code, stdout, _ = inProcess("", "dlq", "list", "--output", "table")
	if lines := strings.Split(stdout, "\n"); code != exitDone || len(lines) != 4 || !strings.HasPrefix(lines[0], "LETTER ") ||
		!regexp.MustCompile(`^0:0 +\S+Z  raw\.defend/0/0 +defend +syntax +5 +record ends within a value \(byte 5\)$`).MatchString(lines[1]) {
		t.Errorf("exit code %d, table\n%s", code, stdout)
	}

	// Records that are none, twelve of them.
	for range 12 {
		produce(t, client, "imdswatch.deadletters", "s3cret")
	}
	code, stdout, stderr = inProcess("", "dlq", "list", "--source", "defend")
	if n := strings.Count(stdout, "\n"); code != exitFaulty || n != 2 {
		t.Errorf("exit code %d, %d letters", code, n)
	}
	if !strings.HasPrefix(stderr, "imdswatch.deadletters/0/2: no dead letter: header __imdswatch.errors.topic is missing\n") ||
		!strings.HasSuffix(stderr, "2 more letters not shown: no dead letter\n") || strings.Count(stderr, "\n") != 11 {
		t.Errorf("stderr\n%s", stderr)
	}
	if strings.Contains(stdout+stderr, "s3cret") || strings.Contains(stdout, `{\"a\"`) {
		t.Error("a list holds what records say")
	}
}

func TestDLQShow(t *testing.T) {
	_, client := letterTopics(t)
	code, stdout, stderr := inProcess("", "dlq", "show", "0:0")
	var l struct {
		Key, Value string
		Headers    []struct{ Key, Value string }
		Errors     struct{ Reason string }
	}
	if err := json.Unmarshal([]byte(stdout), &l); err != nil || code != exitDone || stderr != "" {
		t.Fatalf("exit code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if l.Key != "k\x1b[31m" || l.Value != `{"a":` || len(l.Headers) != 9 || l.Headers[0].Key != "trace" || l.Headers[0].Value != "1" || l.Errors.Reason != "syntax" {
		t.Errorf("letter %+v", l)
	}
	_, stdout, _ = inProcess("", "dlq", "show", "0:1")
	if !strings.Contains(stdout, `"key":null,"value":null,"value_base64":"//57AA=="}`) {
		t.Errorf("binary letter %s", stdout)
	}
	code, stdout, _ = inProcess("", "dlq", "show", "0:0", "--output", "table")
	for _, want := range []string{"\n  trace  ", "\n  __imdswatch.errors.reason     syntax\n", "\nkey, 6 bytes\n  k·[31m\n", "\nvalue, 5 bytes\n  {\"a\":\n"} {
		if code != exitDone || !strings.Contains(stdout, want) {
			t.Errorf("the table lacks %q:\n%s", want, stdout)
		}
	}
	produce(t, client, "imdswatch.deadletters", "a\tb\n\x1b[2J\xff")
	code, stdout, stderr = inProcess("", "dlq", "show", "0:2", "--output", "table")
	if code != exitFaulty || !strings.Contains(stdout, "value, 9 bytes\n  a    b\n  ·[2J\uFFFD\n") || !strings.Contains(stderr, "0:2 is no dead letter: header") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, place := range []string{"0:3", "1:0"} {
		code, stdout, stderr = inProcess("", "dlq", "show", place)
		if want := fmt.Sprintf("imdswatch: topic \"imdswatch.deadletters\" holds no record at %s\n", place); code != exitFaulty || stdout != "" || stderr != want {
			t.Errorf("exit code %d, %s%s, want %s", code, stdout, stderr, want)
		}
	}
}

func TestDLQRedrive(t *testing.T) {
	cluster, _ := letterTopics(t)
	code, stdout, stderr := inProcess("", "dlq", "redrive")
	want := "raw.defend/0/0: defend: record ends within a value (byte 5)\n"
	if code != exitFaulty || stdout != "" || !strings.Contains(stderr, want) || !strings.HasSuffix(stderr, "\n"+`{"read":2,"redriven":0,"still_failing":2}`+"\n") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
	t.Setenv("IMDSWATCH_TOPICS", "raw.defend:auto")
	code, _, stderr = inProcess("", "dlq", "redrive", "--reason", "syntax", "--to", "topic", "--to", "2100-01-01T00:00:00Z")
	if code != exitDone || !strings.HasPrefix(stderr, "the copies get offsets of their own: ") || !strings.HasSuffix(stderr, `{"read":1,"redriven":1,"still_failing":0}`+"\n") {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
	copied := consume(t, cluster, "raw.defend", 3)[2]
	if string(copied.Value) != `{"a":` || len(copied.Headers) != 1 {
		t.Errorf("the copy is %q with %v", copied.Value, copied.Headers)
	}
	t.Setenv("IMDSWATCH_ALERTS_TOPIC", "none")
	code, _, stderr = inProcess("", "dlq", "redrive")
	if code != exitKafka || stderr != "imdswatch: kafka: topic \"none\": does not exist and is to be written; create it, imdswatch never does\n"+`{"read":0,"redriven":0,"still_failing":0}`+"\n" {
		t.Errorf("exit code %d\n%s", code, stderr)
	}
}
