package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
)

const runTopics = "raw.defend,raw.ecs,imdswatch.alerts,imdswatch.deadletters"

// startCluster starts an embedded broker with topics of one partition.
func startCluster(t *testing.T, topics string) (*kfake.Cluster, *kgo.Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, strings.Split(topics, ",")...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return cluster, client
}

func produce(t *testing.T, client *kgo.Client, topic string, values ...string) {
	t.Helper()
	for _, v := range values {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// consume waits for n records of a topic.
func consume(t *testing.T, cluster *kfake.Cluster, topic string, n int) (records []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ConsumeTopics(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(records) < n && ctx.Err() == nil {
		records = append(records, client.PollFetches(ctx).Records()...)
	}
	if len(records) != n {
		t.Fatalf("topic %s has %d records, want %d", topic, len(records), n)
	}
	return records
}

// process is a run of the command.
type process struct {
	*exec.Cmd
	stderr shared
	ended  chan struct{} // closed once it was waited for
}

// startRun starts imdswatch run with a configuration; more overrides it.
func startRun(t *testing.T, brokers []string, more ...string) *process {
	t.Helper()
	return startVerb(t, []string{"run"}, brokers, more...)
}

// startVerb is startRun for any verb that lasts.
func startVerb(t *testing.T, args, brokers []string, more ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command("imdswatch", args...), ended: make(chan struct{})}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, prefix+"_") {
			p.Env = append(p.Env, variable)
		}
	}
	p.Env = append(p.Env, "IMDSWATCH_BROKERS="+strings.Join(brokers, ","), "IMDSWATCH_TOPICS=raw.defend:defend,raw.ecs:ecs",
		"IMDSWATCH_LISTEN=127.0.0.1:0", "IMDSWATCH_COMMIT_INTERVAL=20ms")
	p.Env = append(p.Env, more...)
	p.Stderr = &p.stderr
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.Wait() // its exit code tells
		close(p.ended)
	}()
	t.Cleanup(func() {
		_ = p.Process.Kill() // it may have ended
		<-p.ended
		if t.Failed() {
			t.Logf("stderr of the run:\n%s", p.stderr.String())
		}
	})
	return p
}

// says waits for a line on stderr.
func (p *process) says(t *testing.T, what string) {
	t.Helper()
	until(t, "the run says "+what, func() bool { return strings.Contains(p.stderr.String(), what) })
}

// url is where the run listens, by its own account.
func (p *process) url(t *testing.T) string {
	t.Helper()
	p.says(t, `"msg":"imdswatch starts"`)
	m := regexp.MustCompile(`"listen":"(127\.0\.0\.1:\d+)"`).FindStringSubmatch(p.stderr.String())
	if m == nil {
		t.Fatalf("the log does not name the address")
	}
	return "http://" + m[1]
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// exits waits for the end and wants an exit code.
func (p *process) exits(t *testing.T, code int) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the run does not end")
	}
	if got := p.ProcessState.ExitCode(); got != code {
		t.Fatalf("exit code %d, want %d", got, code)
	}
}

func status(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode, body(t, url)
}

func ready(t *testing.T, url string) {
	t.Helper()
	until(t, "the run is ready", func() bool { code, _ := status(t, url+"/readyz"); return code == http.StatusOK })
}

func attack(t *testing.T, source string) string {
	t.Helper()
	attacks, _ := normalize.Lookup(source).Samples()
	return string(attacks[0])
}

func nearMiss(t *testing.T, source string) string {
	t.Helper()
	_, nearMisses := normalize.Lookup(source).Samples()
	return string(nearMisses[0])
}

// committed is the group's offset of a topic's partition 0, -1 without one.
func committed(t *testing.T, client *kgo.Client, topic string) int64 {
	t.Helper()
	offsets, err := kadm.NewClient(client).FetchOffsets(t.Context(), "imdswatch")
	if err != nil {
		t.Fatal(err)
	}
	if at, ok := offsets.Lookup(topic, 0); ok {
		return at.At
	}
	return -1
}

// body is what a GET answers.
func body(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// shared is a buffer that one goroutine writes while another looks.
type shared struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// until polls a condition that must come true.
func until(t *testing.T, what string, true func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !true() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("it did not come true in time: %s", what)
		}
	}
}
