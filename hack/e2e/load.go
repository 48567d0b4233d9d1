package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"strconv"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
)

// sources are the sources whose records are produced, each to a topic of its own.
var sources = []string{"defend", "crowdstrike", "windows"}

const inputPrefix = "e2e.raw."

func inputs() (topics []string) {
	for _, s := range sources {
		topics = append(topics, inputPrefix+s)
	}
	return topics
}

// coordinates are where a record is.
type coordinates struct {
	topic     string
	partition int32
	offset    int64
}

// load is the records to produce and, once they are, where the attacks and the
// unreadable ones are.
type load struct {
	records []*kgo.Record

	mu      sync.Mutex
	attacks map[coordinates]bool
	broken  map[coordinates]*kgo.Record
}

type kind byte

const (
	ordinary kind = iota
	attack
	nearMiss
	unreadable
)

// newLoad makes records of every source and scatters attacks, near misses and
// unreadable ones among them. The same sequence comes every time.
func newLoad(total, planted, broken int) (*load, error) {
	random := rand.New(rand.NewPCG(1552, 5))
	kinds := make([]kind, total)
	for i, k := range map[int]kind{0: attack, 1: nearMiss} {
		for n := range planted {
			kinds[i*planted+n] = k
		}
	}
	for n := range broken {
		kinds[2*planted+n] = unreadable
	}
	random.Shuffle(total, func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	l := &load{attacks: map[coordinates]bool{}, broken: map[coordinates]*kgo.Record{}}
	for i, k := range kinds {
		name := sources[i%len(sources)]
		source := normalize.Lookup(name)
		if source == nil {
			return nil, fmt.Errorf("no source %q", name)
		}
		attacks, nearMisses := source.Samples()
		r := &kgo.Record{
			Topic:   inputPrefix + name,
			Key:     []byte("host-" + strconv.Itoa(i%97)),
			Headers: []kgo.RecordHeader{{Key: "number", Value: []byte(strconv.Itoa(i))}},
			Context: context.WithValue(context.Background(), kindKey{}, k),
		}
		switch k {
		case attack:
			r.Value = attacks[random.IntN(len(attacks))]
		case nearMiss:
			r.Value = nearMisses[random.IntN(len(nearMisses))]
		case unreadable:
			whole := nearMisses[random.IntN(len(nearMisses))]
			r.Value = whole[:1+random.IntN(len(whole)-1)]
		default:
			// What every fleet sends all day: the same records without the path.
			r.Value = bytes.ReplaceAll(nearMisses[i%len(nearMisses)], []byte("security-credentials"), []byte("info"))
		}
		l.records = append(l.records, r)
	}
	return l, nil
}

type kindKey struct{}

// produce produces everything and calls half when half of it is acknowledged,
// while the rest goes on.
func (l *load) produce(ctx context.Context, client *kgo.Client, half func()) error {
	var acked int
	var failed error
	var all, middle sync.WaitGroup
	all.Add(len(l.records))
	for _, r := range l.records {
		client.Produce(ctx, r, func(r *kgo.Record, err error) {
			defer all.Done()
			l.mu.Lock()
			defer l.mu.Unlock()
			if failed = errors.Join(failed, err); err != nil {
				return
			}
			at := coordinates{r.Topic, r.Partition, r.Offset}
			switch r.Context.Value(kindKey{}).(kind) {
			case attack:
				l.attacks[at] = true
			case unreadable:
				l.broken[at] = r
			}
			if acked++; acked == len(l.records)/2 {
				middle.Go(half)
			}
		})
	}
	all.Wait()
	middle.Wait()
	return failed
}

// compareAlerts reads the alerts. An alert that comes again has the same id and
// counts once; false are those of records that are no attack, and ids that stand
// for two records.
func (l *load) compareAlerts(ctx context.Context, brokers []string) (right, wrong int, err error) {
	ids := map[string]coordinates{}
	found := map[coordinates]bool{}
	repeats := 0
	err = readAll(ctx, brokers, alertsTopic, func(r *kgo.Record) error {
		var a struct {
			IMDSWatch struct {
				ID        string
				Topic     string
				Partition int32
				Offset    int64
			}
		}
		if err := json.Unmarshal(r.Value, &a); err != nil {
			return err
		}
		at := coordinates{a.IMDSWatch.Topic, a.IMDSWatch.Partition, a.IMDSWatch.Offset}
		before, again := ids[a.IMDSWatch.ID]
		switch {
		case again && before != at, !again && found[at], !l.attacks[at]:
			log.Printf("false alert %s of %v", a.IMDSWatch.ID, at)
			wrong++
		case again:
			repeats++
		default:
			ids[a.IMDSWatch.ID], found[at] = at, true
		}
		return nil
	})
	for at := range l.attacks {
		if !found[at] {
			log.Printf("no alert of the attack at %v", at)
		}
	}
	if *delivery == "exactly-once" && repeats > 0 {
		err = errors.Join(err, fmt.Errorf("%d alerts came again", repeats))
	}
	log.Printf("%d alerts, %d of them came again with the same id", len(ids)+repeats, repeats)
	return len(ids), wrong, err
}

// compareDeadLetters reads the dead letters and holds key, value and headers
// against what was sent. One that comes again counts once.
func (l *load) compareDeadLetters(ctx context.Context, brokers []string) (right int, err error) {
	seen := map[coordinates]bool{}
	err = readAll(ctx, brokers, deadletterTopic, func(r *kgo.Record) error {
		headers := map[string]string{}
		for _, h := range r.Headers {
			headers[h.Key] = string(h.Value)
		}
		partition, err := strconv.ParseInt(headers["__imdswatch.errors.partition"], 10, 32)
		if err != nil {
			return err
		}
		offset, err := strconv.ParseInt(headers["__imdswatch.errors.offset"], 10, 64)
		if err != nil {
			return err
		}
		at := coordinates{headers["__imdswatch.errors.topic"], int32(partition), offset}
		sent := l.broken[at]
		switch {
		case sent == nil:
			return fmt.Errorf("dead letter of a readable record at %v", at)
		case !bytes.Equal(sent.Value, r.Value) || !bytes.Equal(sent.Key, r.Key) || headers["number"] != string(sent.Headers[0].Value):
			return fmt.Errorf("dead letter of %v is not what was sent", at)
		}
		seen[at] = true
		return nil
	})
	return len(seen), err
}

// readAll reads a topic from its start to where it ends now.
func readAll(ctx context.Context, brokers []string, topic string, each func(*kgo.Record) error) error {
	// Markers of transactions are read too: the last offset may be one.
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		return err
	}
	left := map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset > 0 {
			left[end.Partition] = end.Offset
		}
	})
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if r.Attrs.IsControl() {
				continue
			}
			if err := each(r); err != nil {
				return err
			}
		}
	}
	return nil
}
