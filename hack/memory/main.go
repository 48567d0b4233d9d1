// Command memory runs one member of imdswatch at full speed on three real Kafka
// brokers, within a memory limit, and draws its resident memory over time:
//
//	go run ./hack/memory -imdswatch ./imdswatch -minutes 30 -picture docs/memory.svg
//
// It exits 1 if the memory grew: if the largest of the last quarter is more than
// a tenth above the largest of the second.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/hack/kafka/broker"
	"github.com/imdswatch/imdswatch/normalize"
)

var (
	binary  = flag.String("imdswatch", "./imdswatch", "the binary to test")
	minutes = flag.Float64("minutes", 30, "how long")
	limit   = flag.String("limit", "512MiB", "GOMEMLIMIT of the member")
	backlog = flag.Int64("backlog", 300_000, "records that the producer keeps ahead")
	picture = flag.String("picture", "", "file to draw to")
)

const (
	topic = "memory.raw"
	group = "memory"
)

// sample is the state of the member at a time.
type sample struct {
	Seconds float64 `json:"seconds"`
	RSS     int64   `json:"rss"` // bytes
	Records int64   `json:"records"`
}

// result is the last line on stdout.
type result struct {
	Minutes   float64 `json:"minutes"`
	Records   int64   `json:"records"`
	PerSecond int64   `json:"records_per_second"`
	RSSSecond int64   `json:"rss_second_quarter"` // the largest, in bytes
	RSSLast   int64   `json:"rss_last_quarter"`
	Limit     string  `json:"gomemlimit"`
}

func main() {
	flag.Parse()
	log.SetFlags(log.Ltime)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	kafka, err := broker.Start(ctx, broker.Options{Brokers: 3, Log: os.Stderr})
	if err != nil {
		return err
	}
	defer kafka.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addrs()...), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()),
		kgo.MaxBufferedRecords(20_000))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	small, short := "33554432", "120000" // so that the disk holds out
	config := map[string]*string{"segment.bytes": &small, "retention.ms": &short}
	if _, err := admin.CreateTopics(ctx, 6, 3, config, topic); err != nil {
		return err
	}
	if _, err := admin.CreateTopics(ctx, 6, 3, nil, "memory.alerts", "memory.deadletters"); err != nil {
		return err
	}
	member, err := start(kafka.Addrs())
	if err != nil {
		return err
	}
	defer func() {
		_ = member.Process.Kill()
		_ = member.Wait() // "signal: killed" is what was asked for
	}()
	var produced, committed atomic.Int64
	producing, end := context.WithCancel(ctx)
	defer end()
	go produce(producing, client, &produced, &committed)
	samples, err := watch(ctx, admin, member.Process.Pid, &committed)
	if err != nil {
		return err
	}
	return conclude(samples)
}

// start starts the member.
func start(brokers []string) (*exec.Cmd, error) {
	c := exec.Command(*binary, "run")
	c.Env = append(os.Environ(),
		"GOMEMLIMIT="+*limit,
		"IMDSWATCH_BROKERS="+strings.Join(brokers, ","),
		"IMDSWATCH_GROUP="+group,
		"IMDSWATCH_TOPICS="+topic+":defend",
		"IMDSWATCH_ALERTS_TOPIC=memory.alerts",
		"IMDSWATCH_DEADLETTER_TOPIC=memory.deadletters",
		"IMDSWATCH_LISTEN=127.0.0.1:0",
	)
	c.Stderr = os.Stderr
	return c, c.Start()
}

// produce keeps a backlog of records in front of the member until ctx ends: near
// misses of a source as they come, one in a thousand an attack.
func produce(ctx context.Context, client *kgo.Client, produced, committed *atomic.Int64) {
	attacks, misses := normalize.Lookup("defend").Samples()
	wait := time.NewTicker(50 * time.Millisecond)
	defer wait.Stop()
	for i := int64(0); ctx.Err() == nil; i++ {
		for produced.Load()-committed.Load() > *backlog {
			select {
			case <-wait.C:
			case <-ctx.Done():
				return
			}
		}
		value := misses[i%int64(len(misses))]
		if i%1000 == 0 {
			value = attacks[i/1000%int64(len(attacks))]
		}
		client.Produce(ctx, &kgo.Record{Topic: topic, Value: value}, func(_ *kgo.Record, err error) {
			if err == nil {
				produced.Add(1)
			}
		})
	}
}

// watch samples the member until the time is over.
func watch(ctx context.Context, admin *kadm.Client, pid int, committed *atomic.Int64) ([]sample, error) {
	var samples []sample
	out := json.NewEncoder(os.Stdout)
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for time.Since(began).Minutes() < *minutes {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		offsets, err := admin.FetchOffsets(ctx, group)
		if err != nil {
			return nil, err
		}
		sum := int64(0)
		offsets.Each(func(o kadm.OffsetResponse) { sum += max(0, o.At) })
		committed.Store(sum)
		rss, err := resident(pid)
		if err != nil {
			return nil, fmt.Errorf("the member is gone: %w", err)
		}
		s := sample{time.Since(began).Seconds(), rss, sum}
		samples = append(samples, s)
		if len(samples)%10 == 0 {
			if err := out.Encode(s); err != nil {
				return nil, err
			}
		}
	}
	return samples, nil
}

// resident is the memory of a process that is in RAM, in bytes.
func resident(pid int) (int64, error) {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kilobytes << 10, err
		}
	}
	return 0, errors.New("no VmRSS in its status") // a zombie has none
}

func conclude(samples []sample) error {
	if len(samples) < 8 {
		return errors.New("too few samples")
	}
	largest := func(part []sample) int64 {
		return slices.MaxFunc(part, func(a, b sample) int { return int(a.RSS - b.RSS) }).RSS
	}
	quarter := len(samples) / 4
	last := samples[len(samples)-1]
	r := result{
		Minutes: last.Seconds / 60, Records: last.Records, PerSecond: int64(float64(last.Records) / last.Seconds),
		RSSSecond: largest(samples[quarter : 2*quarter]), RSSLast: largest(samples[3*quarter:]), Limit: *limit,
	}
	if *picture != "" {
		f, err := os.Create(*picture)
		if err != nil {
			return err
		}
		if err := errors.Join(draw(f, samples), f.Close()); err != nil {
			return err
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	if r.RSSLast > r.RSSSecond+r.RSSSecond/10 {
		return errors.New("resident memory grows")
	}
	return nil
}
