package broker

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// patience bounds each wait on the brokers.
const patience = 30 * time.Second

func TestKillAndRestartKeepRecords(t *testing.T) {
	c := ForTest(t, 1)
	write(t, c, "kept", 100)
	pid := c.nodes[0].PID
	if err := c.Kill(1); err != nil {
		t.Fatal(err)
	}
	if err := c.Kill(1); err == nil {
		t.Error("killing a dead broker succeeds")
	}
	began := time.Now()
	if err := c.Restart(1); err != nil {
		t.Fatal(err)
	}
	t.Logf("restarted after %s", time.Since(began))
	read(t, c, "kept", 100)

	if err := c.Stop(1); err != nil {
		t.Fatal(err)
	}
	if err := c.Restart(1); err != nil {
		t.Fatal(err)
	}
	read(t, c, "kept", 100)

	second := c.nodes[0].PID
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	ended(t, pid)
	ended(t, second)
	if _, err := os.Stat(c.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", c.dir, err)
	}
}

func TestThreeBrokersKeepRecords(t *testing.T) {
	c := ForTest(t, 3)
	write(t, c, "replicated", 100)
	if err := c.Kill(2); err != nil {
		t.Fatal(err)
	}
	read(t, c, "replicated", 100)
	if err := c.Kill(3); err != nil { // no majority is left
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, id := range []int{2, 3} {
		wg.Go(func() {
			if err := c.Restart(id); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	read(t, c, "replicated", 100)
}

// The test starts itself again with childEnv set. That process starts a broker,
// names its pid and is killed, as go test kills a test that takes too long.
const childEnv = "IMDSWATCH_KAFKA_TEST_CHILD"

func TestBrokersDieWithTheirTest(t *testing.T) {
	if dir := os.Getenv(childEnv); dir != "" {
		c, err := Start(t.Context(), Options{Brokers: 1, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString(strconv.Itoa(c.nodes[0].PID) + "\n")
		io.Copy(io.Discard, os.Stdin) // until killed
		return
	}
	gate(t)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	child.Env = append(os.Environ(), childEnv+"="+t.TempDir())
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 32)
	n, _ := stdout.Read(line)
	child.Process.Kill()
	child.Wait()
	pid, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	if err != nil {
		t.Fatalf("the child printed no pid: %q", line[:n])
	}
	ended(t, pid)
}

// ended waits until nothing of the process group that a broker led is left.
func ended(t *testing.T, pid int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := poll(ctx, func() bool { return errors.Is(syscall.Kill(-pid, 0), syscall.ESRCH) }); err != nil {
		t.Errorf("processes of broker group %d are left: %v", pid, err)
	}
}

func write(t *testing.T, c *Cluster, topic string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cl := dial(t, c, kgo.DefaultProduceTopic(topic))
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 1, -1, nil, topic); err != nil {
		t.Fatal(err)
	}
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = kgo.StringRecord(strconv.Itoa(i))
	}
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// read wants the records 0 to n-1, in that order.
func read(t *testing.T, c *Cluster, topic string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cl := dial(t, c, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	for want := 0; want < n; {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("read %d of %d records within %s: %v", want, n, patience, fetches.Err())
		}
		for r := range fetches.RecordsAll() {
			if string(r.Value) != strconv.Itoa(want) {
				t.Fatalf("read %q, want %d", r.Value, want)
			}
			want++
		}
	}
}

func dial(t *testing.T, c *Cluster, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(c.Addrs()...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}
