package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
)

const sourceName = "defend"

// alerting is how many records there are to an alert.
const alerting = 10

// place is where a record is.
type place struct {
	partition int32
	offset    int64
}

// load is the records, by their sequence numbers, and where they are.
type load struct {
	all    []place
	number map[place]int
}

func attack(number int) bool { return number%alerting == 0 }

// produce produces n records, evenly over a span of time.
func (l *load) produce(ctx context.Context, client *kgo.Client, n int, span time.Duration) error {
	attacks, nearMisses := normalize.Lookup(sourceName).Samples()
	l.all = make([]place, n)
	var failed error
	var mu sync.Mutex
	var acked sync.WaitGroup
	began := time.Now()
	for number := range n {
		if number%100 == 0 {
			due := time.Duration(float64(span) * float64(number) / float64(n))
			if err := pause(ctx, due-time.Since(began)); err != nil {
				return err
			}
		}
		r := &kgo.Record{Topic: inputTopic, Key: []byte(strconv.Itoa(number)), Value: nearMisses[number%len(nearMisses)]}
		if attack(number) {
			r.Value = attacks[0]
		}
		acked.Add(1)
		client.Produce(ctx, r, func(r *kgo.Record, err error) {
			defer acked.Done()
			l.all[number] = place{r.Partition, r.Offset}
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
			}
		})
	}
	acked.Wait()
	l.number = make(map[place]int, n)
	for number, at := range l.all {
		l.number[at] = number
	}
	return failed
}

// compare holds the alerts against the records: each attack must have one for
// readers of committed records.
func (l *load) compare(ctx context.Context, brokers []string, r *result) error {
	committed, err := readAlerts(ctx, brokers, kgo.ReadCommitted())
	if err != nil {
		return err
	}
	all, err := readAlerts(ctx, brokers, kgo.ReadUncommitted())
	if err != nil {
		return err
	}
	r.AbortedSeen = len(all) - len(committed)
	ids, alerts := map[string]bool{}, make([]int, len(l.all))
	for _, a := range committed {
		if ids[a.ID] {
			r.Duplicates++
			continue
		}
		ids[a.ID] = true
		number, known := l.number[place{a.Partition, a.Offset}]
		if !known || !attack(number) {
			return errors.New("alert " + a.ID + " is of no attack")
		}
		alerts[number]++
	}
	for number, n := range alerts {
		if attack(number) && n == 0 {
			r.Lost++
			log.Printf("no alert of record %d at %v", number, l.all[number])
		}
	}
	return nil
}

// alert is what an alert says of its origin.
type alert struct {
	ID        string
	Partition int32
	Offset    int64
}

// readAlerts reads the alerts topic from its start to its end.
func readAlerts(ctx context.Context, brokers []string, isolation kgo.IsolationLevel) (alerts []alert, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	from := map[int32]kgo.Offset{}
	for n := range int32(outputs) {
		from[n] = kgo.NewOffset().AtStart()
	}
	// Markers of transactions are kept: the last offset may be one.
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.AlwaysRetryEOF(), kgo.FetchIsolationLevel(isolation), kgo.KeepControlRecords(),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{alertsTopic: from}))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, alertsTopic)
	if err != nil {
		return nil, err
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
			return nil, err
		}
		for _, r := range fetches.Records() {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			if r.Attrs.IsControl() {
				continue
			}
			var a struct{ IMDSWatch alert }
			if err := json.Unmarshal(r.Value, &a); err != nil {
				return nil, err
			}
			alerts = append(alerts, a.IMDSWatch)
		}
	}
	return alerts, nil
}
