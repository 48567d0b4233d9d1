package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
)

// alertsOf are the alerts that records must lead to, by id. It goes past the
// pipeline: the normalizer and the detector alone.
func (s *scene) alertsOf(t *testing.T, records ...*kgo.Record) map[string]*detector.Alert {
	t.Helper()
	alerts := map[string]*detector.Alert{}
	judges := map[topicPartition]*Judge{}
	take := func(v Verdict) {
		for _, a := range v.Alerts {
			alerts[a.ID()] = a
		}
	}
	for _, r := range records {
		tp := topicPartition{r.Topic, r.Partition}
		if judges[tp] == nil {
			judges[tp] = NewJudge(s.cfg.sourceOf(r.Topic), r.Topic, r.Partition)
		}
		take(judges[tp].Judge(&normalize.Record{Value: r.Value, Key: r.Key, Time: r.Timestamp, Offset: r.Offset}, s.set))
	}
	for _, j := range judges {
		take(j.Expire(normalize.EndOfInput, s.set))
	}
	return alerts
}

// alerted are the records of the alerts topic, by alert id; exactly once, those
// that are committed.
func (s *scene) alerted(t *testing.T) map[string][]*kgo.Record {
	t.Helper()
	if !s.cfg.exactlyOnce() {
		return alertsByID(t, s.read(t, s.cfg.AlertsTopic))
	}
	return alertsByID(t, s.readCommitted(t, s.cfg.AlertsTopic))
}

func alertsByID(t *testing.T, records []*kgo.Record) map[string][]*kgo.Record {
	t.Helper()
	byID := map[string][]*kgo.Record{}
	for _, r := range records {
		var a struct {
			IMDSWatch struct{ ID string }
		}
		if err := json.Unmarshal(r.Value, &a); err != nil {
			t.Fatal(err)
		}
		byID[a.IMDSWatch.ID] = append(byID[a.IMDSWatch.ID], r)
	}
	return byID
}

// wantAlerts compares the alerts topic with the alerts that records must lead
// to: each at least once, none else, and where repeats are no part of the test,
// each exactly once.
func (s *scene) wantAlerts(t *testing.T, repeats bool, records ...*kgo.Record) {
	t.Helper()
	want, got := s.alertsOf(t, records...), s.alerted(t)
	lost, wrong, again := 0, 0, 0
	for id := range want {
		if len(got[id]) == 0 {
			lost++
		}
	}
	for id, copies := range got {
		if want[id] == nil {
			wrong++
		}
		again += len(copies) - 1
	}
	if lost > 0 || wrong > 0 || again > 0 && !repeats {
		t.Errorf("of %d alerts %d are lost; %d are of no attack; %d came again", len(want), lost, wrong, again)
	}
	if again > 0 {
		t.Logf("%d of %d alerts came again", again, len(want))
	}
}

// attack is a record that the built-in rule matches, nearMiss one that it does not.
func attack(t testing.TB, source *normalize.Source) []byte {
	attacks, _ := source.Samples()
	return attacks[0]
}

func nearMiss(t testing.TB, source *normalize.Source) []byte {
	_, nearMisses := source.Samples()
	return nearMisses[0]
}

// mixed is n records with an attack among every tenth.
func mixed(t testing.TB, source *normalize.Source, n int) [][]byte {
	values := make([][]byte, n)
	for i := range values {
		values[i] = nearMiss(t, source)
		if i%10 == 3 {
			values[i] = attack(t, source)
		}
	}
	return values
}

var (
	defend    = normalize.Lookup("defend")
	ecsSource = normalize.Lookup("ecs")
)

func TestSamplesOfEverySourceRaiseTheirAlerts(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, normalize.Told()...)
		began := time.Now().Add(-time.Second)
		old := time.Now().Add(-24 * time.Hour)
		var records []*kgo.Record
		size := map[string]int{}
		for _, topic := range s.cfg.Topics {
			attacks, nearMisses := topic.Source.Samples()
			for _, v := range slices.Concat(nearMisses, attacks, [][]byte{nil, []byte(" \n")}) {
				records = append(records, &kgo.Record{Topic: topic.Name, Value: v, Timestamp: old})
				size[topic.Source.Name] += len(v)
			}
		}
		s.produceRecords(t, records...)
		m := s.start(t)
		s.settled(t)
		eventually(t, "the member is ready", func() bool { return m.Ready() == nil })
		s.wantAlerts(t, false, records...)

		want := s.alertsOf(t, records...)
		perSource := map[string]int{}
		for id, copies := range s.alerted(t) {
			r := copies[0]
			if string(r.Key) != string(want[id].Key()) {
				t.Errorf("alert %s has the key %q, want %q", id, r.Key, want[id].Key())
			}
			if r.Timestamp.Before(began) || r.Timestamp.After(time.Now().Add(time.Second)) {
				t.Errorf("alert %s has the timestamp %v, want that of its sending", id, r.Timestamp)
			}
			var a struct {
				IMDSWatch struct{ Source, Topic, Rules string }
			}
			if err := json.Unmarshal(r.Value, &a); err != nil {
				t.Fatal(err)
			}
			perSource[a.IMDSWatch.Source]++
			if s.cfg.sourceOf(a.IMDSWatch.Topic).Name != a.IMDSWatch.Source || a.IMDSWatch.Rules != s.set.Hash() {
				t.Errorf("alert %s is of %+v", id, a.IMDSWatch)
			}
		}
		for _, topic := range s.cfg.Topics {
			name := topic.Source.Name
			attacks, nearMisses := topic.Source.Samples()
			if perSource[name] < len(attacks) {
				t.Errorf("%s: %d alerts of %d attacks", name, perSource[name], len(attacks))
			}
			total := m.metric(t, "records_total", "source", name)
			if want := len(attacks) + len(nearMisses) + 2; int(total) != want {
				t.Errorf("%s: outcomes sum to %v, want the %d records", name, total, want)
			}
			if got := m.metric(t, "records_total", "source", name, "outcome", "alert"); int(got) != len(attacks) {
				t.Errorf("%s: %v records with the outcome alert, want %d", name, got, len(attacks))
			}
			if got := m.metric(t, "bytes_total", "source", name); int(got) != size[name] {
				t.Errorf("%s: %v bytes counted, want %d", name, got, size[name])
			}
			if got := m.metric(t, "events_total", "source", name); int(got) < len(attacks) {
				t.Errorf("%s: %v events counted of %d attacks", name, got, len(attacks))
			}
			for _, lag := range []string{"lag_records", "lag_seconds"} {
				if got, n := m.series(t, lag, "topic", topic.Name, "partition", "0"); got != 0 || n != 1 {
					t.Errorf("%s: %s is %v in %d series, want 0 in one", name, lag, got, n)
				}
			}
		}
		for name, want := range map[string]int{
			"alerts_total": len(want), "event_to_alert_seconds": len(want), "partitions_assigned": len(s.cfg.Topics),
			"rules_loaded": 1, "rules_info": 1, "build_info": 1,
			"deadletters_total": 0, "data_loss_total": 0, "produce_errors_total": 0,
		} {
			if got := m.metric(t, name); int(got) != want {
				t.Errorf("%s is %v, want %d", name, got, want)
			}
		}
		for _, name := range []string{"batch_seconds", "commits_total", "rebalances_total"} {
			if m.metric(t, name) < 1 {
				t.Errorf("%s is 0", name)
			}
		}
		if err := m.stop(t); err != nil {
			t.Errorf("Run returns %v", err)
		}
		if _, n := m.series(t, "lag_records"); n != 0 {
			t.Errorf("%d lag series after the stop", n)
		}
	})
}

// A transaction's marker takes an offset of its own, an aborted transaction its
// records' too. Neither may leave lag behind, be judged or count as lost.
func TestTransactionsAreReadToTheirEnd(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		producer := s.newClient(t, kgo.TransactionalID("id-"+s.cfg.Group), kgo.DefaultProduceTopic(s.input()))
		var committed []*kgo.Record
		transact := func(commit kgo.TransactionEndTry, n int) {
			t.Helper()
			if err := producer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			var records []*kgo.Record
			for range n {
				records = append(records, &kgo.Record{Value: attack(t, defend)})
			}
			if err := producer.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := producer.EndTransaction(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
			if commit == kgo.TryCommit {
				committed = append(committed, records...)
			}
		}
		transact(kgo.TryCommit, 3)
		transact(kgo.TryAbort, 4)
		transact(kgo.TryCommit, 2)
		m := s.start(t)
		s.settled(t)
		transact(kgo.TryAbort, 5)
		transact(kgo.TryCommit, 1)
		transact(kgo.TryAbort, 2)
		s.settled(t)
		s.wantAlerts(t, false, committed...)
		if got := m.metric(t, "records_total"); int(got) != len(committed) {
			t.Errorf("%v records counted, want %d", got, len(committed))
		}
		if lag, n := m.series(t, "lag_records"); lag != 0 || n != 1 {
			t.Errorf("lag is %v in %d series, want 0 in one", lag, n)
		}
		if lost := m.metric(t, "data_loss_total"); lost != 0 {
			t.Errorf("%v records count as lost", lost)
		}
	})
}

// More records than one poll returns, on more partitions than workers.
func TestPartitionsKeepTheirOwnCoordinates(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 5, defend)
	var records []*kgo.Record
	for i, v := range mixed(t, defend, 11_000) {
		records = append(records, &kgo.Record{Topic: s.input(), Partition: int32(i % 5), Value: v})
	}
	s.produceRecords(t, records...)
	m := s.start(t)
	s.settled(t)
	s.wantAlerts(t, false, records...)
	if got := m.metric(t, "records_total"); int(got) != len(records) {
		t.Errorf("%v records counted, want %d", got, len(records))
	}
}

func TestLoadSwapsTheRules(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	m := s.start(t)
	before := s.produce(t, s.input(), attack(t, defend))
	s.settled(t)
	none, err := detector.NewSet(nil)
	if err != nil {
		t.Fatal(err)
	}
	m.Load(none)
	s.produce(t, s.input(), attack(t, defend))
	s.settled(t)
	s.wantAlerts(t, false, before...)
	got := map[string]float64{}
	for _, hash := range []string{s.set.Hash(), none.Hash()} {
		got[hash], _ = m.series(t, "rules_info", "hash", hash)
	}
	if want := map[string]float64{s.set.Hash(): 0, none.Hash(): 1}; !maps.Equal(got, want) || m.metric(t, "rules_loaded") != 0 {
		t.Errorf("rules_info is %s, want %s", fmt.Sprint(got), fmt.Sprint(want))
	}
}
