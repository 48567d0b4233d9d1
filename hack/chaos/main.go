// Command chaos runs three members of imdswatch on three real Kafka brokers,
// kills, stops and moves them while records flow, and counts the alerts.
// See hack/chaos.sh.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/imdswatch/imdswatch/hack/kafka/broker"
)

var (
	binary   = flag.String("imdswatch", "./imdswatch", "the binary to test")
	delivery = flag.String("delivery", "exactly-once", "at-least-once or exactly-once")
	records  = flag.Int("records", 60_000, "raw records to produce; every tenth raises an alert")
	faults   = flag.Int("faults", 12, "faults; one in four is a broker's, the others are members'")
	seconds  = flag.Int("seconds", 0, "how long records are produced (default: 4 a fault)")
)

const (
	inputTopic      = "chaos.raw"
	alertsTopic     = "chaos.alerts"
	deadletterTopic = "chaos.deadletters"
	group           = "chaos"
	inputs          = 8 // partitions
	outputs         = 3

	// settleLimit is how long the end of all faults may be over before the last
	// record is done: a session timeout of 45 s and some.
	settleLimit = 3 * time.Minute
)

// result is the last line on stdout. Kill9 and SIGTERM count processes of
// members and brokers.
type result struct {
	Records     int   `json:"records"`
	Lost        int   `json:"lost"`
	Duplicates  int   `json:"duplicates"`
	AbortedSeen int   `json:"aborted_seen"`
	Faults      int64 `json:"faults"`
	Kill9       int64 `json:"kill9"`
	SIGTERM     int64 `json:"sigterm"`
}

// count is what was done.
type count struct{ faults, kill9, sigterm atomic.Int64 }

func main() {
	flag.Parse()
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	if *delivery != "at-least-once" && *delivery != "exactly-once" || *records < 1 || *faults < 1 || *seconds < 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if *seconds == 0 {
		*seconds = 4 * *faults
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
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
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addrs()...), kgo.AlwaysRetryEOF(), kgo.MetadataMinAge(250*time.Millisecond))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	for topic, partitions := range map[string]int32{inputTopic: inputs, alertsTopic: outputs, deadletterTopic: outputs} {
		if _, err := admin.CreateTopic(ctx, partitions, 3, nil, topic); err != nil {
			return err
		}
	}
	if err := awaitSync(ctx, admin); err != nil { // and every broker knows of the topics
		return err
	}
	var members [3]*member
	for i := range members {
		if members[i], err = startMember(ctx, i, kafka.Addrs()); err != nil {
			return err
		}
		defer func() { members[i].kill() }() // whichever it is by then
	}

	for _, m := range members {
		if err := m.awaitPartitions(ctx); err != nil {
			return err
		}
	}

	var done count
	ofBrokers := *faults / 4
	span := time.Duration(*seconds) * time.Second
	var load load
	g, faultsCtx := errgroup.WithContext(ctx)
	g.Go(func() error { return load.produce(faultsCtx, client, *records, span) })
	g.Go(func() error { return harmMembers(faultsCtx, &members, kafka.Addrs(), *faults-ofBrokers, span, &done) })
	g.Go(func() error { return harmBrokers(faultsCtx, kafka, admin, ofBrokers, span, &done) })
	if err := g.Wait(); err != nil {
		return err
	}
	log.Print("all records are produced, all faults are over")
	began := time.Now()
	if err := awaitEnd(ctx, admin); err != nil {
		return err
	}
	log.Printf("all is committed %.1f s later", time.Since(began).Seconds())
	for _, m := range members {
		if err := m.stop(); err != nil {
			return fmt.Errorf("member %d did not stop in good order: %w", m.number, err)
		}
	}

	r := result{Records: len(load.all), Faults: done.faults.Load(), Kill9: done.kill9.Load(), SIGTERM: done.sigterm.Load()}
	if err := load.compare(ctx, kafka.Addrs(), &r); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	switch {
	case r.Lost > 0:
		return errors.New("alerts are lost")
	case *delivery == "exactly-once" && r.Duplicates > 0:
		return errors.New("alerts are there twice")
	case *delivery == "exactly-once" && r.AbortedSeen == 0:
		return errors.New("no fault met a transaction, the run proves nothing")
	}
	return nil
}

// awaitEnd waits until the group has committed the input to its end.
func awaitEnd(ctx context.Context, admin *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	lag := int64(-1)
	for {
		committed, err := admin.FetchOffsets(ctx, group)
		if err != nil {
			return fmt.Errorf("%w: the group lags by %d records", err, lag)
		}
		ends, err := admin.ListEndOffsets(ctx, inputTopic)
		if err != nil {
			return fmt.Errorf("%w: the group lags by %d records", err, lag)
		}
		lag = 0
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := committed.Lookup(end.Topic, end.Partition)
			lag += end.Offset - max(0, at.At)
		})
		if lag == 0 {
			return nil
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("%w: the group lags by %d records", err, lag)
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
