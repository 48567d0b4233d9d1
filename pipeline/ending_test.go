package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// Every range of a partition with transactions ends by itself, wherever its last
// offsets are: records, aborted ones, markers.
func TestReplayEndsAmongTransactions(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		producer := s.newClient(t, kgo.TransactionalID("id-"+s.cfg.Group), kgo.DefaultProduceTopic(s.input()))
		transact := func(commit kgo.TransactionEndTry, n int) {
			t.Helper()
			if err := producer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for range n {
				if err := producer.ProduceSync(t.Context(), &kgo.Record{Value: attack(t, defend)}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			if err := producer.EndTransaction(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
		}
		// 0 1 marker 3 4 5 marker(aborted) 7 marker 9 10 marker(aborted)
		transact(kgo.TryCommit, 2)
		transact(kgo.TryAbort, 3)
		transact(kgo.TryCommit, 1)
		transact(kgo.TryAbort, 2)
		held := []int64{0, 1, 7}
		const end = 12
		eventually(t, "the last marker is written", func() bool {
			at, err := s.admin.ListCommittedOffsets(t.Context(), s.input())
			o, _ := at.Lookup(s.input(), 0)
			return err == nil && o.Offset == end
		})
		for from := int64(0); from < end; from++ {
			for to := from + 1; to <= end; to++ {
				var want, got []int64
				for _, o := range held {
					if o >= from && o < to {
						want = append(want, o)
					}
				}
				r := s.replay(t, ReplayConfig{From: strconv.FormatInt(from, 10), To: strconv.FormatInt(to, 10), Print: printOffsets(&got)})
				wantSpan(t, r, Span{From: from, To: to, Next: to, Records: len(want), Events: len(want), Alerts: len(want), Complete: true})
				if !slices.Equal(got, want) {
					t.Errorf("from %d to %d: alerts of %v, want %v", from, to, got, want)
				}
			}
		}
	})
}

// printOffsets takes the offsets of alerts.
func printOffsets(into *[]int64) func([]*detector.Alert) error {
	return func(alerts []*detector.Alert) error {
		for _, a := range alerts {
			*into = append(*into, a.Origin.Offset)
		}
		return nil
	}
}

// A range up to the end of a log whose last transaction is open ends in front of
// it.
func TestReplayDoesNotWaitForAnOpenTransaction(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	s.produce(t, s.input(), attack(t, defend))
	producer := s.newClient(t, kgo.TransactionalID("id-"+s.cfg.Group), kgo.DefaultProduceTopic(s.input()))
	if err := producer.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := producer.ProduceSync(t.Context(), &kgo.Record{Value: attack(t, defend)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	r := s.replay(t, ReplayConfig{From: "earliest", To: "latest"})
	wantSpan(t, r, Span{To: 1, Next: 1, Records: 1, Events: 1, Alerts: 1, Complete: true})
}

// Compaction takes the offsets at the end of the range, within the log and as the
// last ones of it.
func TestReplayEndsInCompactedOffsets(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	s.alterTopic(t, s.input(), "cleanup.policy", "compact")
	produce := func(key string, n int) {
		for range n {
			s.produceRecords(t, &kgo.Record{Topic: s.input(), Key: []byte(key), Value: attack(t, defend)})
		}
	}
	produce("first", 1)
	produce("host", 20)
	produce("last", 1)
	s.fake.Compact()
	var left []int64
	for _, r := range s.read(t, s.input()) {
		left = append(left, r.Offset)
	}
	if len(left) >= 22 {
		t.Fatal("the topic was not compacted")
	}
	for to := int64(1); to <= 22; to++ {
		want := slices.DeleteFunc(slices.Clone(left), func(o int64) bool { return o >= to })
		var got []int64
		r := s.replay(t, ReplayConfig{From: "0", To: strconv.FormatInt(to, 10), Print: printOffsets(&got)})
		if !slices.Equal(got, want) || !r.Report().Complete {
			t.Errorf("to %d: alerts of %v, want %v; complete: %v", to, got, want, r.Report().Complete)
		}
	}
}

// A topic that was created anew has not the records that the range was found
// among: a replay does not wait for others to take their place.
func TestReplayOfATopicCreatedAnewFails(t *testing.T) {
	for _, from := range []string{"0", "3"} {
		t.Run(from, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c *cluster) {
				s := c.newScene(t, 1, defend)
				s.produce(t, s.input(), mixed(t, defend, 9)...)
				r := s.plan(t, ReplayConfig{From: from, To: "latest"})
				s.deleteTopic(t, s.input())
				s.createTopic(t, s.input(), 1, nil)
				if err := r.Run(t.Context()); !errors.Is(err, ErrKafka) || r.Report().Complete {
					t.Errorf("Run returns %v, complete: %v", err, r.Report().Complete)
				}
			})
		})
	}
}

// Deleted while it is read, the topic is missed for a while, and the replay fails.
func TestReplayOfATopicThatGoesAwayFails(t *testing.T) {
	inBubble(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		s.produce(t, s.input(), mixed(t, defend, 100)...)
		gone := false
		r := s.plan(t, ReplayConfig{From: "earliest", To: "latest", Rate: 10, Progress: func(done, _ int64) {
			if done >= 5 && !gone {
				gone = true
				s.deleteTopic(t, s.input())
			}
		}})
		if err := r.Run(t.Context()); err != nil && !errors.Is(err, ErrKafka) {
			t.Errorf("Run returns %v", err)
		} else if err == nil && !r.Report().Complete {
			t.Error("an incomplete replay ends without an error")
		}
	})
}

// auditRecords are the lines of the raw auditd samples, a record each.
func auditRecords(t *testing.T) (values [][]byte) {
	t.Helper()
	files, err := filepath.Glob("../normalize/testdata/auditd/*.raw")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d samples, %v", len(files), err)
	}
	for _, name := range files {
		if text, err := os.ReadFile(name); err != nil {
			t.Fatal(err)
		} else if text = []byte(strings.TrimSpace(string(text))); text[0] == '{' || text[0] == '[' {
			values = append(values, text)
		} else {
			for line := range strings.SplitSeq(string(text), "\n") {
				values = append(values, []byte(line))
			}
		}
	}
	return values
}

// replayed judges an extent of records as a replay does, without brokers: from
// where a span begins to read until it is over or the records are.
func replayed(t *testing.T, source *normalize.Source, values [][]byte, e extent) (events map[string]int) {
	t.Helper()
	cfg := &Config{Topics: []Topic{{Name: "raw", Source: source}}}
	set := anyStart(t)
	s := Span{Topic: "raw", From: e.from, To: e.to, Next: e.from}
	pt := s.partition(cfg, "run", 0)
	events = map[string]int{}
	step := func() {
		pt.judgeRecords(set)
		for _, a := range pt.alerts {
			if !e.holds(a.Origin.Offset) {
				t.Errorf("from %d to %d: an alert of offset %d", e.from, e.to, a.Origin.Offset)
			}
			events[a.ID()]++
		}
		s.count(pt)
		if n := len(pt.records); n > 0 {
			pt.next = pt.records[n-1].Offset + 1
		}
		pt.move()
		pt.clear()
		s.advance(pt.safe)
	}
	began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for pt.next < int64(len(values)) && !s.over() {
		at := pt.next
		pt.records = append(pt.records, &kgo.Record{Topic: "raw", Offset: at, Value: values[at], Timestamp: began.Add(time.Duration(at) * 10 * time.Millisecond)})
		step()
	}
	for pt.expired = began; !s.over(); pt.expired = pt.expired.Add(expireInterval) {
		step()
	}
	if !s.over() {
		t.Errorf("from %d to %d: not over", e.from, e.to)
	}
	return events
}

// anyStart is a set that raises an alert of every event.
func anyStart(t *testing.T) *detector.Set {
	t.Helper()
	rule, err := detector.Compile("start", `process where event.type == "start"`, ecs.Default, detector.FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	set, err := detector.NewSet([]*detector.Rule{rule})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// Cut anywhere, two ranges that lie side by side have together the events of the
// whole, and none of them twice: an event is of the range of its first record.
func TestReplayOfEveryCutHasEachEventOnce(t *testing.T) {
	values := auditRecords(t)
	for _, name := range []string{"auditd", "auto"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			source, end := normalize.Lookup(name), int64(len(values))
			whole := replayed(t, source, values, extent{0, end})
			if len(whole) < 20 {
				t.Fatalf("%d events in %d records", len(whole), end)
			}
			for cut := range end + 1 {
				parts := replayed(t, source, values, extent{0, cut})
				for id, n := range replayed(t, source, values, extent{cut, end}) {
					parts[id] += n
				}
				for id, n := range whole {
					if parts[id] != n {
						t.Errorf("cut at %d: event %s is there %d times, want %d", cut, id, parts[id], n)
					}
				}
				if len(parts) != len(whole) {
					t.Errorf("cut at %d: %d events, want %d", cut, len(parts), len(whole))
				}
			}
		})
	}
}

// The same through brokers: cut within events, with more records behind.
func TestReplayRunsOutBehindItsRange(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, auditd)
		var values [][]byte
		for i := range 3 {
			values = append(values, auditLines(i+1, "role")...) // 4 records each
		}
		records := s.produce(t, s.input(), values...)
		want := s.alertsOf(t, records...)
		if len(want) != 3 {
			t.Fatalf("%d alerts are due, want 3", len(want))
		}
		for _, test := range []struct {
			from, to int64
			offsets  []int64
		}{
			{0, 1, []int64{0}}, {1, 4, nil}, {1, 5, []int64{4}}, {3, 11, []int64{4, 8}}, {5, 12, []int64{8}}, {9, 12, nil}, {0, 12, []int64{0, 4, 8}},
		} {
			t.Run(fmt.Sprint(test.from, " ", test.to), func(t *testing.T) {
				var got []int64
				r := s.replay(t, ReplayConfig{From: strconv.FormatInt(test.from, 10), To: strconv.FormatInt(test.to, 10), Print: printOffsets(&got)})
				n := len(test.offsets)
				wantSpan(t, r, Span{From: test.from, To: test.to, Next: test.to, Records: int(test.to - test.from), Events: n, Alerts: n, Complete: true})
				if !slices.Equal(got, test.offsets) {
					t.Errorf("alerts of %v, want %v", got, test.offsets)
				}
			})
		}
	})
}

// An event that stays incomplete ends by the clock at the end of the log.
func TestReplayEndsAnEventThatStaysIncomplete(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, auditd)
	records := s.produce(t, s.input(), auditLines(4, "role")[:2]...)
	r := s.replay(t, ReplayConfig{From: "earliest", To: "latest"})
	wantSpan(t, r, Span{To: 2, Next: 2, Records: 2, Events: 1, Alerts: 1, Complete: true})
	s.wantAlerts(t, false, records...)
}
