// Command e2e plants attacks among many raw records on real Apache Kafka, lets
// two members of imdswatch judge them, kills one with -9 in the middle, and
// holds the alerts and dead letters against what was planted.
//
//	go run ./hack/e2e -imdswatch ./imdswatch
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
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/hack/kafka/broker"
)

var (
	binary  = flag.String("imdswatch", "./imdswatch", "the binary to test")
	records = flag.Int("records", 100_000, "raw records to produce")
	planted = flag.Int("planted", 50, "attacks among them, and as many near misses")
	broken  = flag.Int("broken", 20, "unreadable records among them")
	// Exactly once the killed member's partitions wait for the session timeout.
	delivery = flag.String("delivery", "at-least-once", "or exactly-once: no alert comes again, for readers of committed records")

	limit = flag.Duration("limit", 4*time.Minute, "when to give up")
)

const (
	alertsTopic     = "e2e.alerts"
	deadletterTopic = "e2e.deadletters"
	group           = "e2e"
	partitions      = 6
)

// result is the last line on stdout.
type result struct {
	Planted     int   `json:"planted"`
	Alerts      int   `json:"alerts"`
	False       int   `json:"false"`
	DeadLetters int   `json:"deadletters"`
	Lag         int64 `json:"lag"`
}

func main() {
	flag.Parse()
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *limit)
	defer cancel()
	if err := run(ctx); err != nil {
		log.Print(err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	kafka, err := broker.Start(ctx, broker.Options{Brokers: 1, Log: os.Stderr})
	if err != nil {
		return err
	}
	defer kafka.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka.Addrs()...), kgo.RecordPartitioner(kgo.RoundRobinPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics := append(inputs(), alertsTopic, deadletterTopic)
	if _, err := admin.CreateTopics(ctx, partitions, 1, nil, topics...); err != nil {
		return err
	}

	var members [2]*member
	for i := range members {
		if members[i], err = startMember(ctx, i, kafka.Addrs()); err != nil {
			return err
		}
		defer members[i].kill()
	}
	for _, m := range members {
		if err := m.awaitPartitions(ctx); err != nil {
			return err
		}
	}
	load, err := newLoad(*records, *planted, *broken)
	if err != nil {
		return err
	}
	log.Printf("producing %d records: %d attacks, %d near misses, %d unreadable", *records, *planted, *planted, *broken)
	half := func() {
		judged, err := members[0].judged(ctx)
		if err == nil {
			err = members[0].kill()
		}
		log.Printf("half is produced; killed member 0 with -9 after it had judged %d records (%v)", judged, err)
		if judged == 0 {
			log.Fatal("member 0 was killed before it did anything, the test would prove nothing")
		}
	}
	if err := load.produce(ctx, client, half); err != nil {
		return err
	}
	began := time.Now()
	lag, err := awaitLag(ctx, admin, 0)
	if err != nil {
		return err
	}
	log.Printf("all is committed %.1f s after the last record was produced", time.Since(began).Seconds())

	r := result{Planted: *planted, Lag: lag}
	if r.Alerts, r.False, err = load.compareAlerts(ctx, kafka.Addrs()); err != nil {
		return err
	}
	if r.DeadLetters, err = load.compareDeadLetters(ctx, kafka.Addrs()); err != nil {
		return err
	}
	if err := members[1].stop(); err != nil {
		return fmt.Errorf("member 1 did not stop in good order: %w", err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		return err
	}
	if want := (result{Planted: *planted, Alerts: *planted, DeadLetters: *broken}); r != want {
		return errors.New("that is not what was planted")
	}
	return nil
}

// awaitLag waits until the group has committed to within want of the end of
// every input. kadm.Lag is of no use: it knows committed offsets of members
// alone.
func awaitLag(ctx context.Context, admin *kadm.Client, want int64) (int64, error) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	lag := int64(-1)
	for {
		committed, err := admin.FetchOffsets(ctx, group)
		if err != nil {
			return lag, err
		}
		ends, err := admin.ListEndOffsets(ctx, inputs()...)
		if err != nil {
			return lag, err
		}
		lag = 0
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := committed.Lookup(end.Topic, end.Partition)
			lag += end.Offset - max(0, at.At)
		})
		if lag <= want {
			return lag, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return lag, fmt.Errorf("%w: the group lags by %d records", ctx.Err(), lag)
		}
	}
}
