package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/imdswatch/imdswatch/detector"
)

// plan makes a replay of a scene that knows its range.
func (s *scene) plan(t *testing.T, cfg ReplayConfig, opts ...kgo.Opt) *Replay {
	t.Helper()
	base := []kgo.Opt{kgo.MetadataMinAge(50 * time.Millisecond), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond })}
	r, err := NewReplay(s.cfg, cfg, s.set, append(append(base, s.opts...), opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Plan(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.logs.String())
		}
	})
	return r
}

// replay runs a replay to its end.
func (s *scene) replay(t *testing.T, cfg ReplayConfig, opts ...kgo.Opt) *Replay {
	t.Helper()
	r := s.plan(t, cfg, opts...)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := r.Run(ctx); err != nil {
		t.Fatalf("Run returns %v", err)
	}
	return r
}

// wantSpan compares the only partition of a report.
func wantSpan(t *testing.T, r *Replay, want Span) {
	t.Helper()
	report := r.Report()
	if len(report.Partitions) != 1 {
		t.Fatalf("%d partitions in the report, want one", len(report.Partitions))
	}
	got := report.Partitions[0]
	want.Topic = got.Topic
	if got != want {
		t.Errorf("report is\n%+v, want\n%+v", got, want)
	}
	if report.Complete != want.Complete {
		t.Errorf("report complete: %v, want %v", report.Complete, want.Complete)
	}
}

// groupOffsets is what all groups have committed.
func (s *scene) groupOffsets(t *testing.T) string {
	t.Helper()
	groups, err := s.admin.ListGroups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, g := range groups.Groups() {
		offsets, err := s.admin.FetchOffsets(t.Context(), g)
		if err != nil {
			t.Fatal(err)
		}
		offsets.Each(func(o kadm.OffsetResponse) { all = append(all, fmt.Sprint(g, o.Topic, o.Partition, o.At)) })
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// A replay raises the alerts of the live run, with their ids, and marks them;
// another one raises them again. No group moves, and none is made.
func TestReplayRaisesTheAlertsOfTheLiveRun(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 3, defend)
		var records []*kgo.Record
		for i, v := range mixed(t, defend, 600) {
			records = append(records, &kgo.Record{Topic: s.input(), Partition: int32(i % 3), Value: v})
		}
		s.produceRecords(t, records...)
		s.produce(t, s.input(), []byte("{"))
		m := s.start(t)
		s.settled(t)
		if err := m.stop(t); err != nil {
			t.Fatal(err)
		}
		live, before := s.alerted(t), s.groupOffsets(t)
		if before == "" || len(live) != 60 {
			t.Fatalf("%d live alerts of 60, offsets %q", len(live), before)
		}
		for range 2 {
			s.cfg.AlertsTopic += "-again"
			s.createTopic(t, s.cfg.AlertsTopic, 1, nil)
			r := s.replay(t, ReplayConfig{From: "earliest", To: "latest"})
			if report := r.Report(); !report.Complete || len(report.Partitions) != 3 {
				t.Errorf("report is %+v", report)
			}
			if got, want := r.Sum(), (Sum{Records: 601, Events: 600, NoMatch: 540, Alerts: 60, Errors: 1}); got != want {
				t.Errorf("sum is %+v, want %+v", got, want)
			}
			s.wantAlerts(t, false, records...)
			again := s.alerted(t)
			if !slices.Equal(slices.Sorted(maps.Keys(again)), slices.Sorted(maps.Keys(live))) {
				t.Error("the ids are not those of the live run")
			}
			for id, copies := range again {
				if !strings.Contains(string(copies[0].Value), `"replay":"`+r.Report().Run+`"`) {
					t.Errorf("alert %s is not marked with the run", id)
				}
			}
		}
		if letters := s.read(t, s.cfg.DeadletterTopic); len(letters) != 3 {
			t.Errorf("%d dead letters, want one of each run", len(letters))
		}
		if after := s.groupOffsets(t); after != before {
			t.Errorf("the groups' offsets are\n%s\nwere\n%s", after, before)
		}
	})
}

// A range holds the records from its first bound on and none from its second on.
func TestReplayBounds(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	base := time.Now().Add(-time.Hour).Truncate(time.Second)
	var records []*kgo.Record
	for i := range 20 {
		records = append(records, &kgo.Record{Topic: s.input(), Value: attack(t, defend), Timestamp: base.Add(time.Duration(i) * time.Minute)})
	}
	s.produceRecords(t, records...)
	at := func(i int) string { return base.Add(time.Duration(i) * time.Minute).Format(time.RFC3339) }
	for _, test := range []struct {
		from, to string
		want     extent
	}{
		{"earliest", "latest", extent{0, 20}},
		{"3", "7", extent{3, 7}},
		{"0", "5000", extent{0, 20}},
		{"25", "30", extent{20, 20}},
		{"7", "7", extent{7, 7}},
		{at(4), at(9), extent{4, 9}},
		{base.Add(90 * time.Second).Format(time.RFC3339Nano), at(9), extent{2, 9}},
		{"-24h", at(2), extent{0, 2}},
		{at(5), "2100-01-01T00:00:00Z", extent{5, 20}},
		{"2099-01-01T00:00:00Z", "2100-01-01T00:00:00Z", extent{20, 20}},
		{"latest", "2100-01-01T00:00:00Z", extent{20, 20}},
		{"12", "latest", extent{12, 20}},
		{at(18), "3", extent{18, 18}},
	} {
		t.Run(test.from+" "+test.to, func(t *testing.T) {
			var got []int64
			r := s.replay(t, ReplayConfig{From: test.from, To: test.to, Print: func(alerts []*detector.Alert) error {
				for _, a := range alerts {
					got = append(got, a.Origin.Offset)
				}
				return nil
			}})
			n := int(test.want.to - test.want.from)
			wantSpan(t, r, Span{From: test.want.from, To: test.want.to, Next: test.want.to, Records: n, Events: n, Alerts: n, Complete: true})
			for i, offset := range got {
				if offset != test.want.from+int64(i) {
					t.Errorf("alert %d is of offset %d", i, offset)
				}
			}
		})
	}
}

func TestReplayRefusesBounds(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 2, defend)
	for _, test := range []struct{ from, to, want string }{
		{"yesterday", "latest", `from: "yesterday", want earliest`},
		{"earliest", "24h", `to: "24h", want earliest`},
		{"-5", "latest", `from: "-5", want earliest`},
		{"", "latest", `from: "", want earliest`},
		{"9", "3", "from 9 lies behind to 3"},
		{"-1h", "-2h", "from -1h lies behind to -2h"},
		{"latest", "earliest", "from latest lies behind to earliest"},
	} {
		if _, err := NewReplay(s.cfg, ReplayConfig{From: test.from, To: test.to}, s.set); err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("from %q to %q: %v, want %s", test.from, test.to, err, test.want)
		}
	}
	for _, test := range []struct {
		cfg  ReplayConfig
		want string
	}{
		{ReplayConfig{From: "1", To: "2"}, "an offset is one partition's, and this is about 2"},
		{ReplayConfig{From: "1", To: "2", Partitions: []int32{7}}, "has no partition 7, it has 2"},
	} {
		r, err := NewReplay(s.cfg, test.cfg, s.set)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrKafka) {
			t.Errorf("%+v: %v, want %s", test.cfg, err, test.want)
		}
	}
	s.cfg.Topics = append(s.cfg.Topics, Topic{Name: "missing", Source: defend})
	r, err := NewReplay(s.cfg, ReplayConfig{From: "earliest", To: "latest"}, s.set)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Plan(t.Context()); !errors.Is(err, ErrKafka) || !strings.Contains(err.Error(), `"missing"`) {
		t.Errorf("a topic that is missing: %v", err)
	}
}

// What retention took of a range is a gap, and the rest is judged.
func TestReplayReportsWhatRetentionTook(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		records := s.produce(t, s.input(), mixed(t, defend, 30)...)
		s.deleteRecords(t, s.input(), 12)
		r := s.replay(t, ReplayConfig{From: "5", To: "24"})
		wantSpan(t, r, Span{From: 5, To: 24, Next: 24, Records: 12, Events: 12, Alerts: 2, Gap: 7})
		s.wantAlerts(t, false, records[12:24]...)
		r = s.replay(t, ReplayConfig{From: "5", To: "9"})
		wantSpan(t, r, Span{From: 5, To: 9, Next: 9, Gap: 4})
		r = s.replay(t, ReplayConfig{From: "earliest", To: "20"})
		wantSpan(t, r, Span{From: 12, To: 20, Next: 20, Records: 8, Events: 8, Alerts: 1, Complete: true})
	})
}

// Retention takes all that is left while the replay runs.
func TestReplayOutrunByRetentionEnds(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	s.produce(t, s.input(), mixed(t, defend, 30)...)
	r := s.plan(t, ReplayConfig{From: "0", To: "latest"})
	s.deleteRecords(t, s.input(), 30)
	if err := r.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantSpan(t, r, Span{To: 30, Next: 30, Gap: 30})
}

// A broker that refuses holds the state; when it relents everything is sent.
func TestReplaySendsAgainWhatWasRefused(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	records := s.produce(t, s.input(), append(mixed(t, defend, 50), []byte("{"))...)
	f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.TopicAuthorizationFailed, 3)
	r := s.replay(t, ReplayConfig{From: "earliest", To: "latest"})
	if f.Hits() < 3 {
		t.Errorf("refused %d times, want 3", f.Hits())
	}
	wantSpan(t, r, Span{To: 51, Next: 51, Records: 51, Events: 50, Alerts: 5, Complete: true})
	s.wantAlerts(t, false, records...)
	if letters := s.read(t, s.cfg.DeadletterTopic); len(letters) != 1 {
		t.Errorf("%d dead letters, want 1", len(letters))
	}
}

// Stopped while a broker refuses, a replay keeps its state in front of what was
// not acknowledged.
func TestReplayStoppedWhileRefusedStaysBehind(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	s.produce(t, s.input(), mixed(t, defend, 50)...)
	f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.TopicAuthorizationFailed, -1)
	r := s.plan(t, ReplayConfig{From: "earliest", To: "latest", State: filepath.Join(t.TempDir(), "state")})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	s.waitFault(t, f, 2)
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	wantSpan(t, r, Span{To: 50})
}

func TestReplayPrintsInPlaceOfProducing(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	records := s.produce(t, s.input(), append(mixed(t, defend, 50), []byte("{"))...)
	s.cfg.AlertsTopic, s.cfg.DeadletterTopic = "missing-alerts", "missing-letters"
	f := s.fake.Fault(faultOn(kmsg.Produce))
	got := map[string]bool{}
	r := s.replay(t, ReplayConfig{From: "earliest", To: "latest", Print: func(alerts []*detector.Alert) error {
		for _, a := range alerts {
			got[a.ID()] = true
		}
		return nil
	}})
	if f.Hits() != 0 {
		t.Error("something was produced")
	}
	for id := range s.alertsOf(t, records...) {
		if !got[id] {
			t.Errorf("alert %s was not printed", id)
		}
	}
	if sum := r.Sum(); sum.Errors != 1 || sum.Alerts != 5 || len(got) != 5 {
		t.Errorf("sum is %+v, and %d alerts were printed", sum, len(got))
	}
	if !strings.Contains(s.logs.String(), s.input()+"/0/50: defend: ") {
		t.Error("the log says nothing of the unreadable record")
	}
	broken := errors.New("broken pipe")
	r = s.plan(t, ReplayConfig{From: "earliest", To: "latest", Print: func([]*detector.Alert) error { return broken }})
	if err := r.Run(t.Context()); !errors.Is(err, broken) || r.Report().Complete {
		t.Errorf("Run returns %v, complete: %v", err, r.Report().Complete)
	}
}

func TestReplayKeepsToItsRate(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 2, defend)
	for i := range 2 {
		for _, v := range mixed(t, defend, 60) {
			s.produceRecords(t, &kgo.Record{Topic: s.input(), Partition: int32(i), Value: v})
		}
	}
	began := time.Now()
	r := s.replay(t, ReplayConfig{From: "earliest", To: "latest", Rate: 100})
	if took := time.Since(began); took < 1100*time.Millisecond || !r.Report().Complete {
		t.Errorf("120 records at 100 a second took %v", took)
	}
}

// A batch that unfolds too far is left out, and has its dead letter only within
// the range.
func TestReplayLeavesCompressionBombsOut(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		bombs := []*kgo.Record{s.bomb(t)}
		records := s.produce(t, s.input(), attack(t, defend))
		bombs = append(bombs, s.bomb(t), s.bomb(t))
		r := s.replay(t, ReplayConfig{From: "0", To: "3"}, smallBatches)
		wantSpan(t, r, Span{To: 3, Next: 3, Records: 3, Events: 1, Alerts: 1, Complete: true})
		if r.Sum().Errors != 2 {
			t.Errorf("%d errors, want 2", r.Sum().Errors)
		}
		s.wantAlerts(t, false, records...)
		s.wantDecompressLetters(t, bombs[:2]...)
	})
}
