package pipeline

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/imdswatch/imdswatch/detector"
)

// spansOf resolves a range of the scene's inputs.
func (s *scene) spansOf(t *testing.T, from, to Bound, partitions ...int32) []*Span {
	t.Helper()
	spans, err := Spans(t.Context(), s.cfg, nil, partitions, from, to, s.opts...)
	if err != nil {
		t.Fatal(err)
	}
	return spans
}

// replay runs spans and returns the alerts by id, each of which must come once.
func (s *scene) replay(t *testing.T, spans []*Span) (map[string]*detector.Alert, Tally) {
	t.Helper()
	alerts := map[string]*detector.Alert{}
	p, err := New(s.cfg, s.set, prometheus.NewRegistry(), s.opts...)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tally, err := p.Replay(ctx, Replay{Run: "run-1", Spans: spans, Done: func() error { return nil }, Alert: func(a *detector.Alert) error {
		if alerts[a.ID()] != nil {
			t.Errorf("alert %s comes twice", a.ID())
		}
		if a.Origin.Replay != "run-1" {
			t.Errorf("alert of run %q", a.Origin.Replay)
		}
		alerts[a.ID()] = a
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return alerts, tally
}

func sameIDs[A, B any](t *testing.T, what string, got map[string]A, want map[string]B) {
	t.Helper()
	g, w := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want))
	if !slices.Equal(g, w) {
		t.Errorf("%s: %d alerts, want %d\n%v\n%v", what, len(g), len(w), g, w)
	}
}

var (
	earliest = Bound{Earliest: true}
	latest   = Bound{Latest: true}
)

// A replay raises the alerts that were raised live, as often as it is run, and
// leaves the group where it is.
func TestReplayRaisesTheSameAlerts(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 3, defend)
		var records []*kgo.Record
		for i, value := range mixed(t, defend, 90) {
			records = append(records, &kgo.Record{Topic: s.input(), Partition: int32(i % 3), Value: value})
		}
		s.produceRecords(t, records...)
		m := s.start(t)
		s.settled(t)
		if err := m.stop(t); err != nil {
			t.Fatal(err)
		}
		before := [3]int64{}
		for n := range before {
			before[n] = s.committed(t, s.input(), int32(n))
		}
		for range 2 {
			spans := s.spansOf(t, earliest, latest)
			alerts, tally := s.replay(t, spans)
			sameIDs(t, "replay", alerts, s.alerted(t))
			if tally.Records != 90 || tally.Events != 90 || tally.Alerts != len(alerts) || tally.NoMatch != 90-len(alerts) {
				t.Errorf("tally %+v", tally)
			}
			for _, span := range spans {
				if !span.Complete || span.Next != span.To || span.To-span.From != 30 || span.Records != 30 || span.Gap != 0 {
					t.Errorf("span %+v", span)
				}
			}
		}
		part := s.spansOf(t, Bound{Offset: 7}, Bound{Offset: 19}, 1)
		alerts, tally := s.replay(t, part)
		var inside []*kgo.Record
		for _, r := range records {
			if r.Partition == 1 && r.Offset >= 7 && r.Offset < 19 {
				inside = append(inside, r)
			}
		}
		sameIDs(t, "a part", alerts, s.alertsOf(t, inside...))
		if tally.Records != 12 {
			t.Errorf("%d records in offsets 7 to 19", tally.Records)
		}
		for n := range before {
			if at := s.committed(t, s.input(), int32(n)); at != before[n] {
				t.Errorf("the group was moved from %d to %d", before[n], at)
			}
		}
	})
}

// Markers and aborted records have offsets, and give no record at the end of a
// range.
func TestReplayEndsInTransactions(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		producer := s.newClient(t, kgo.TransactionalID("id-"+s.cfg.Group), kgo.DefaultProduceTopic(s.input()))
		var committed []*kgo.Record
		for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryAbort} {
			if err := producer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			records := []*kgo.Record{{Value: attack(t, defend)}, {Value: attack(t, defend)}, {Value: attack(t, defend)}}
			if err := producer.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := producer.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
			if end == kgo.TryCommit {
				committed = append(committed, records...)
			}
		}
		for to := int64(0); to <= 16; to++ { // 4 x (3 records and a marker)
			alerts, _ := s.replay(t, s.spansOf(t, Bound{}, Bound{Offset: to}, 0))
			var inside []*kgo.Record
			for _, r := range committed {
				if r.Offset < to {
					inside = append(inside, r)
				}
			}
			sameIDs(t, "to an offset", alerts, s.alertsOf(t, inside...))
		}
	})
}

// What retention has taken of a range is a gap, the rest is covered.
func TestReplaySaysWhatRetentionTook(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		records := s.produce(t, s.input(), mixed(t, defend, 20)...)
		s.deleteRecords(t, s.input(), 8)
		spans := s.spansOf(t, Bound{Offset: 3}, Bound{Offset: 15}, 0)
		if spans[0].Gap != 5 || spans[0].From != 3 || spans[0].Next != 8 {
			t.Errorf("span %+v, want a gap of 5", spans[0])
		}
		alerts, _ := s.replay(t, spans)
		sameIDs(t, "behind the gap", alerts, s.alertsOf(t, records[8:15]...))
		if spans := s.spansOf(t, Bound{Offset: 3}, Bound{Offset: 6}, 0); spans[0].Gap != 3 || spans[0].Next != 6 {
			t.Errorf("span %+v, want a gap that is all of it", spans[0])
		}
		if spans := s.spansOf(t, earliest, Bound{Offset: 1000}, 0); spans[0].From != 8 || spans[0].To != 20 || spans[0].Gap != 0 {
			t.Errorf("span %+v, want 8 to the end", spans[0])
		}
	})
}

// A range of raw audit lines that is cut anywhere gives exactly the events that
// began in it: two ranges side by side have all of them, and none twice.
func TestReplayOfJoinedEventsCutAnywhere(t *testing.T) {
	c := fakeCluster(t)
	s := c.newScene(t, 1, auditd)
	var lines [][]byte
	for i := range 3 { // two events at a time, line by line
		a, b := auditLines(2*i+1, "role"), auditLines(2*i+2, "other")
		for j := range a {
			lines = append(lines, a[j], b[j])
		}
	}
	records := s.produce(t, s.input(), lines...)
	whole := s.alertsOf(t, records...)
	if len(whole) != 6 {
		t.Fatalf("%d alerts, want 6", len(whole))
	}
	for cut := range int64(len(lines) + 1) {
		head, _ := s.replay(t, s.spansOf(t, Bound{}, Bound{Offset: cut}, 0))
		tail, _ := s.replay(t, s.spansOf(t, Bound{Offset: cut}, latest, 0))
		for id, a := range head {
			if tail[id] != nil {
				t.Errorf("cut at %d: alert %s is in both", cut, id)
			}
			if a.Origin.Offset >= cut {
				t.Errorf("cut at %d: an event that began at %d", cut, a.Origin.Offset)
			}
		}
		all := maps.Clone(head)
		maps.Copy(all, tail)
		sameIDs(t, "both parts", all, whole)
	}
}

// A replay that dies goes on where its state says, and loses nothing. A broker
// that refuses is waited for.
func TestReplayGoesOn(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 2, defend)
		records := s.produce(t, s.input(), mixed(t, defend, 40)...)
		spans := s.spansOf(t, earliest, latest)
		p, err := New(s.cfg, s.set, prometheus.NewRegistry(), s.opts...)
		if err != nil {
			t.Fatal(err)
		}
		died := errors.New("died")
		var saved []Span
		_, err = p.Replay(t.Context(), Replay{Run: "run-2", Spans: spans, Rate: 10_000, Done: func() error {
			if saved != nil {
				return died
			}
			for _, span := range spans {
				saved = append(saved, *span)
			}
			return nil
		}})
		if err != nil && !errors.Is(err, died) {
			t.Fatal(err)
		}
		var again []*Span
		for i := range saved {
			again = append(again, &saved[i])
		}
		if s.fake != nil {
			f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.TopicAuthorizationFailed, 3)
			defer f.Remove()
		}
		p, err = New(s.cfg, s.set, prometheus.NewRegistry(), s.opts...)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Replay(t.Context(), Replay{Run: "run-2", Spans: again, Done: func() error { return nil }}); err != nil {
			t.Fatal(err)
		}
		s.wantAlerts(t, true, records...)
		for _, span := range again {
			if !span.Complete {
				t.Errorf("span %+v", span)
			}
		}
	})
}

func TestSpansRefuseStrangers(t *testing.T) {
	c := fakeCluster(t)
	s := c.newScene(t, 1, defend)
	if _, err := Spans(t.Context(), s.cfg, []string{"no.such"}, nil, earliest, latest); err == nil {
		t.Error("a topic that is no input")
	}
	if _, err := Spans(t.Context(), s.cfg, nil, []int32{7}, earliest, latest); err == nil {
		t.Error("a partition that is not there")
	}
	if spans := s.spansOf(t, latest, earliest); spans[0].From != spans[0].To {
		t.Errorf("span %+v, want an empty one", spans[0])
	}
	if alerts, tally := s.replay(t, s.spansOf(t, earliest, latest)); len(alerts) != 0 || tally.Records != 0 {
		t.Errorf("%d alerts of an empty topic", len(alerts))
	}
}

// batchOf is the header of a batch that holds so many records at its start.
func batchOf(first, last int64, records uint32) []byte {
	b := make([]byte, 61+int(records))
	binary.BigEndian.PutUint64(b, uint64(first))
	binary.BigEndian.PutUint32(b[8:], uint32(len(b)-12))
	b[16] = 2
	binary.BigEndian.PutUint32(b[23:], uint32(last-first))
	binary.BigEndian.PutUint32(b[57:], records)
	return b
}

func TestBehindEmpty(t *testing.T) {
	for _, c := range []struct {
		name    string
		encoded []byte
		at      int64
		want    int64
	}{
		{"Nothing", nil, 5, 5},
		{"Cut", batchOf(5, 9, 0)[:60], 5, 5},
		{"Emptied", batchOf(5, 9, 0), 5, 10},
		{"Records", batchOf(5, 9, 3), 5, 5},
		{"RestOfABatch", batchOf(5, 9, 3), 8, 10},
		{"RestAndEmptied", append(batchOf(5, 9, 3), batchOf(10, 14, 0)...), 8, 15},
		{"RestAndRecords", append(batchOf(5, 9, 3), batchOf(10, 14, 2)...), 8, 10},
		{"EmptiedWithHole", batchOf(20, 29, 0), 5, 30},
		{"OldFormat", append(make([]byte, 16), make([]byte, 60)...), 5, 5},
	} {
		if got := behindEmpty(c.encoded, c.at); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
