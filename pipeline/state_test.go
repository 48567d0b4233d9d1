package pipeline

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/detector"
)

// Started again with its state after a kill, a replay goes on where it was, with
// its id, and loses nothing.
func TestReplayGoesOnAfterAKill(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 2, defend)
		var records []*kgo.Record
		for i, v := range mixed(t, defend, 400) {
			records = append(records, &kgo.Record{Topic: s.input(), Partition: int32(i % 2), Value: v})
		}
		s.produceRecords(t, records...)
		file := filepath.Join(t.TempDir(), "state.json")
		asked := ReplayConfig{From: "earliest", To: "latest", State: file}
		ctx, kill := context.WithCancel(t.Context())
		killed := asked
		killed.Rate = 200 // 20 records at once
		killed.Progress = func(done, total int64) {
			if done >= total/3 {
				kill()
			}
		}
		first := s.plan(t, killed)
		if err := first.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if first.Report().Complete {
			t.Fatal("the first start was not interrupted")
		}
		// As a kill leaves it: alerts were acknowledged that the state does not know of.
		on, err := readState(file, &first.state.Request)
		if err != nil {
			t.Fatal(err)
		}
		for i := range on.Report.Partitions {
			if p := &on.Report.Partitions[i]; p.Next >= 7 {
				p.Next -= 7
				p.Records -= 7
			}
		}
		if err := WriteFile(file, on); err != nil {
			t.Fatal(err)
		}
		s.produce(t, s.input(), attack(t, defend)) // behind the range as it was
		second := s.replay(t, asked)
		report := second.Report()
		if report.Run != first.Report().Run || !report.Complete {
			t.Errorf("report is %+v, want the run %s complete", report, first.Report().Run)
		}
		total := 0
		for _, p := range report.Partitions {
			total += p.Records
		}
		if total != len(records) {
			t.Errorf("%d records in the report, want %d", total, len(records))
		}
		s.wantAlerts(t, true, records...)
		again := len(s.read(t, s.cfg.AlertsTopic))
		third := s.replay(t, asked)
		if got := third.Report(); got.Run != report.Run || !got.Complete || len(s.read(t, s.cfg.AlertsTopic)) != again {
			t.Errorf("a replay that was done came to %+v", got)
		}
	})
}

func TestReplayRefusesTheStateOfAnother(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	file := filepath.Join(t.TempDir(), "state.json")
	s.replay(t, ReplayConfig{From: "earliest", To: "latest", State: file})
	for what, cfg := range map[string]ReplayConfig{
		"--from":      {From: "-1h", To: "latest"},
		"--to":        {From: "earliest", To: "-1h"},
		"--partition": {From: "earliest", To: "latest", Partitions: []int32{0}},
		"alerts to":   {From: "earliest", To: "latest", Print: func([]*detector.Alert) error { return nil }},
	} {
		cfg.State = file
		r, err := NewReplay(s.cfg, cfg, s.set)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "state of another replay, of "+what) || errors.Is(err, ErrKafka) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Within a source that joins, a replay goes on where an event begins.
func TestReplayGoesOnWithinEvents(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, auditd)
	var values [][]byte
	for i := range 60 {
		values = append(values, auditLines(i, "role")...)
	}
	records := s.produce(t, s.input(), values...)
	asked := ReplayConfig{From: "earliest", To: "latest", State: filepath.Join(t.TempDir(), "state")}
	for starts := 0; ; starts++ {
		ctx, kill := context.WithCancel(t.Context())
		part := asked
		part.Rate = 210 // 21 records at once
		begun := int64(-1)
		part.Progress = func(done, _ int64) {
			if begun < 0 {
				begun = done
			}
			if done > begun+20 {
				kill()
			}
		}
		r := s.plan(t, part)
		err := r.Run(ctx)
		kill()
		if err != nil {
			t.Fatal(err)
		}
		if r.Report().Complete {
			if starts < 2 {
				t.Fatal("the replay was not interrupted")
			}
			break
		}
	}
	s.wantAlerts(t, true, records...)
}

// A replay is at least once whatever the mode: so it takes topics of sources that
// join, too, and disturbs no member that runs with the transactional id.
func TestReplayIsNoTransaction(t *testing.T) {
	s := fakeCluster(t).newScene(t, 1, auditd).transactional()
	records := s.produce(t, s.input(), auditLines(1, "role")...)
	s.replay(t, ReplayConfig{From: "earliest", To: "latest"})
	s.wantAlerts(t, false, records...)
}
