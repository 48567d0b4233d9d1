package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/pipeline"
)

// readJSON reads a file that the command wrote.
func readJSON(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// lastLine is the summary on stderr.
func lastLine(t *testing.T, stderr string) (sum summary) {
	t.Helper()
	all := strings.Split(strings.TrimSuffix(stderr, "\n"), "\n")
	if err := json.Unmarshal([]byte(all[len(all)-1]), &sum); err != nil {
		t.Fatalf("the last line on stderr is no summary: %v\n%s", err, stderr)
	}
	return sum
}

// configure sets the environment of a command in this process.
func configure(t *testing.T, brokers []string, topics string) {
	t.Setenv("IMDSWATCH_BROKERS", strings.Join(brokers, ","))
	t.Setenv("IMDSWATCH_TOPICS", topics)
	t.Setenv("IMDSWATCH_COMMIT_INTERVAL", "20ms")
}

func TestReplayPrintsAlertsAndSumsUp(t *testing.T) {
	cluster, client := startCluster(t, runTopics)
	produce(t, client, "raw.defend", nearMiss(t, "defend"), attack(t, "defend"), attack(t, "defend"), "")
	produce(t, client, "raw.ecs", attack(t, "ecs"))
	configure(t, cluster.ListenAddrs(), "raw.defend:defend,/^raw[.]e/:ecs")

	code, stdout, stderr := inProcess("", "replay", "--from", "earliest", "--to", "latest", "--stdout")
	if code != exitDone || strings.Count(stdout, `"kind":"alert"`) != 3 || strings.Count(stdout, "\n") != 3 {
		t.Errorf("exit code %d, stdout\n%s\nstderr\n%s", code, stdout, stderr)
	}
	if got, want := lastLine(t, stderr), (summary{Records: 5, Events: 4, Skipped: 1, NoMatch: 1, Alerts: 3}); got != want {
		t.Errorf("summary %+v, want %+v", got, want)
	}
	for _, line := range []string{"raw.defend/0: from 0 to 4, 4 offsets\n", "raw.ecs/0: from 0 to 1, 1 offsets\n"} {
		if !strings.Contains(stderr, line) {
			t.Errorf("stderr lacks %q:\n%s", line, stderr)
		}
	}
	code, stdout, _ = inProcess("", "replay", "--from", "2", "--to", "3", "--topic", "raw.defend", "--partition", "0", "--stdout", "--output", "table")
	if rows := strings.Split(stdout, "\n"); code != exitDone || len(rows) != 3 || !strings.HasPrefix(rows[0], "TIME ") {
		t.Errorf("exit code %d, table\n%s", code, stdout)
	}
	// A source of its own goes before that of a pattern.
	code, stdout, _ = inProcess("", "replay", "--from", "earliest", "--to", "latest", "--topic", "raw.ecs:auto", "--stdout")
	if code != exitDone || strings.Count(stdout, "\n") != 1 || !strings.Contains(stdout, `"topic":"raw.ecs"`) {
		t.Errorf("exit code %d, stdout %s", code, stdout)
	}
	if code, _, stderr := inProcess("", "replay", "--from", "earliest", "--to", "latest", "--topic", "raw.none:ecs", "--stdout"); code != exitKafka || !strings.Contains(stderr, `topic "raw.none": does not exist and is to be read`) {
		t.Errorf("exit code %d of a topic that is missing, stderr\n%s", code, stderr)
	}
}

func TestReplayExitCodes(t *testing.T) {
	cluster, client := startCluster(t, runTopics+",alerts.again")
	produce(t, client, "raw.defend", attack(t, "defend"), attack(t, "defend"), attack(t, "defend"))
	configure(t, cluster.ListenAddrs(), "raw.defend:defend")
	file := filepath.Join(t.TempDir(), "report.json")
	var report pipeline.Report
	replayed := func(want int, args ...string) {
		t.Helper()
		code, stdout, stderr := inProcess("", append([]string{"replay", "--report", file}, args...)...)
		if code != want || stdout != "" {
			t.Errorf("%v: exit code %d, want %d; stdout %q, stderr\n%s", args, code, want, stdout, stderr)
		}
		report = pipeline.Report{}
		readJSON(t, file, &report)
	}
	replayed(exitDone, "--from", "earliest", "--to", "2100-01-01T00:00:00Z", "--alerts-topic", "alerts.again")
	consume(t, cluster, "alerts.again", 3)
	want := pipeline.Span{Topic: "raw.defend", To: 3, Next: 3, Records: 3, Events: 3, Alerts: 3, Complete: true}
	if report.Run == "" || !report.Complete || len(report.Partitions) != 1 || report.Partitions[0] != want {
		t.Errorf("report %+v", report)
	}
	replayed(exitDone, "--from", "2099-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z")

	produce(t, client, "raw.defend", "{")
	replayed(exitFaulty, "--from", "-1h", "--to", "latest")
	if !report.Complete {
		t.Error("an unreadable record makes the report incomplete")
	}
	consume(t, cluster, "imdswatch.deadletters", 1)

	before := kadm.Offsets{}
	before.AddOffset("raw.defend", 0, 2, -1)
	if _, err := kadm.NewClient(client).DeleteRecords(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	replayed(exitFaulty, "--from", "1", "--to", "3", "--topic", "raw.defend", "--partition", "0")
	if p := report.Partitions[0]; report.Complete || p.Complete || p.Gap != 1 || p.Next != 3 || p.Alerts != 1 {
		t.Errorf("report %+v of a range that retention took a part of", report)
	}
}

// A replay that is told to stop writes its state and report; one that is killed
// does not. Either goes on when it is started again.
func TestReplayGoesOnAfterSignals(t *testing.T) {
	cluster, client := startCluster(t, runTopics)
	var records []*kgo.Record
	for range 300 {
		records = append(records, &kgo.Record{Topic: "raw.defend", Value: []byte(attack(t, "defend"))})
	}
	if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	state, file := filepath.Join(dir, "state.json"), filepath.Join(dir, "report.json")
	start := func(rate string) *process {
		return startVerb(t, []string{"replay", "--from", "earliest", "--to", "latest", "--rate", rate, "--state", state, "--report", file}, cluster.ListenAddrs(), "IMDSWATCH_TOPICS=raw.defend:defend")
	}
	var on struct{ Report pipeline.Report }
	passed := func(next int64) {
		t.Helper()
		until(t, "the replay goes on", func() bool {
			text, err := os.ReadFile(state)
			return err == nil && json.Unmarshal(text, &on) == nil && on.Report.Partitions[0].Next > next
		})
	}
	killed := start("100")
	passed(0)
	killed.signal(t, syscall.SIGKILL)
	<-killed.ended
	readJSON(t, state, &on)
	run, next := on.Report.Run, on.Report.Partitions[0].Next
	if _, err := os.Stat(file); err == nil {
		t.Error("a report of a replay that was killed")
	}

	stopped := start("100")
	passed(next)
	stopped.signal(t, syscall.SIGTERM)
	stopped.exits(t, exitFaulty)
	var report pipeline.Report
	readJSON(t, file, &report)
	if report.Run != run || report.Complete || report.Partitions[0].Next <= next {
		t.Errorf("report %+v of a replay that was stopped, want run %s", report, run)
	}
	lastLine(t, stopped.stderr.String())

	done := start("100000")
	done.exits(t, exitDone)
	readJSON(t, file, &report)
	want := pipeline.Span{Topic: "raw.defend", To: 300, Next: 300, Records: 300, Events: 300, Alerts: 300, Complete: true}
	if report.Run != run || !report.Complete || report.Partitions[0] != want {
		t.Errorf("report %+v, want run %s and %+v", report, run, want)
	}

	other := exec.Command("imdswatch", "replay", "--from", "-1h", "--to", "latest", "--state", state)
	other.Env = done.Env
	said, _ := other.CombinedOutput()
	if code := other.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(string(said), "state of another replay, of --from earliest, not -1h") {
		t.Errorf("exit code %d of a replay with another's state:\n%s", code, said)
	}
}
