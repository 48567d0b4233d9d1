package pipeline

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// mended is a source that can read nothing until it is mended.
func mended(source *normalize.Source) (s *normalize.Source, mend func()) {
	var whole atomic.Bool
	made := *source
	made.New = func() normalize.Normalizer {
		if j, ok := source.New().(normalize.Joiner); ok {
			return &mendedJoiner{j, &whole}
		}
		return &mendedNormalizer{source.New(), &whole}
	}
	return &made, func() { whole.Store(true) }
}

type mendedNormalizer struct {
	normalize.Normalizer
	whole *atomic.Bool
}

func (n *mendedNormalizer) Normalize(dst []ecs.Event, r *normalize.Record) ([]ecs.Event, error) {
	if !n.whole.Load() {
		return dst, &normalize.Error{Reason: normalize.Shape, Message: "not mended yet"}
	}
	return n.Normalizer.Normalize(dst, r)
}

type mendedJoiner struct {
	normalize.Joiner
	whole *atomic.Bool
}

func (n *mendedJoiner) Normalize(dst []ecs.Event, r *normalize.Record) ([]ecs.Event, error) {
	if !n.whole.Load() {
		return dst, &normalize.Error{Reason: normalize.Shape, Message: "not mended yet"}
	}
	return n.Joiner.Normalize(dst, r)
}

// redrive redrives in a run of its own and returns what it said of letters that
// still fail.
func (s *scene) redrive(t *testing.T, r Redrive) (sum Redriven, failing []string, err error) {
	t.Helper()
	r.Failing = func(l *DeadLetter, why error) {
		place := fmt.Sprintf("%s/%d/%d", l.Topic, l.Partition, l.Offset)
		if l.Foreign != nil {
			place = fmt.Sprintf("letter %d:%d", l.Record.Partition, l.Record.Offset)
		}
		failing = append(failing, place+": "+why.Error())
	}
	p, err := New(s.cfg, s.set, prometheus.NewRegistry(), s.opts...)
	if err != nil {
		t.Fatal(err)
	}
	sum, err = p.Redrive(t.Context(), r)
	if sum.Read != sum.Redriven+sum.StillFailing || sum.StillFailing != len(failing) && err == nil {
		t.Errorf("%+v does not add up, and names %d", sum, len(failing))
	}
	return sum, failing, err
}

// Letters of a normalizer that was mended since lead to the alerts that their
// records would have led to, by the same ids; what is broken stays a letter.
func TestRedriveRaisesTheAlertsOfThen(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		source, mend := mended(defend)
		s := c.newScene(t, 2, source)
		var records []*kgo.Record
		for i, v := range mixed(t, defend, 40) {
			records = append(records, &kgo.Record{Topic: s.input(), Partition: int32(i % 2), Value: v, Key: []byte(strconv.Itoa(i))})
		}
		broken := &kgo.Record{Topic: s.input(), Value: []byte("{")}
		s.produceRecords(t, append(records, broken)...)
		m := s.start(t)
		s.settled(t)
		if err := m.stop(t); err != nil {
			t.Fatal(err)
		}
		mend()
		want := s.alertsOf(t, records...)
		if len(want) != 4 {
			t.Fatalf("%d alerts are due, want 4", len(want))
		}

		sum, failing, err := s.redrive(t, Redrive{DryRun: true})
		if err != nil || sum != (Redriven{41, 40, 1}) {
			t.Errorf("dry: %+v, %v, %v", sum, failing, err)
		}
		if n := len(s.alerted(t)); n != 0 {
			t.Errorf("a dry run sent %d alerts", n)
		}
		sum, failing, err = s.redrive(t, Redrive{})
		if err != nil || sum != (Redriven{41, 40, 1}) {
			t.Errorf("%+v, %v", sum, err)
		}
		if want := fmt.Sprintf("%s/0/%d: record ends within a value (byte 1)", s.input(), broken.Offset); len(failing) != 1 || failing[0] != want {
			t.Errorf("still failing are %q, want %q", failing, want)
		}
		s.wantAlerts(t, false, records...)
		if n := len(s.read(t, s.cfg.DeadletterTopic)); n != 41 {
			t.Errorf("%d dead letters after a redrive, want the 41 there were", n)
		}
		sum, _, err = s.redrive(t, Redrive{Selection: Selection{Topic: "other"}})
		if err != nil || sum != (Redriven{}) {
			t.Errorf("of no letter: %+v, %v", sum, err)
		}
	})
}

// The records of an event lie in partitions of the dead letter topic as their
// keys fall, some of them twice; they are joined in their own order.
func TestRedriveJoins(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		source, mend := mended(auditd)
		s := c.newScene(t, 2, source)
		s.cfg.DeadletterTopic += "-wide"
		c.createTopic(t, s.cfg.DeadletterTopic, 5, nil)
		var records []*kgo.Record
		for i := range 12 {
			role := ""
			if i%3 == 0 {
				role = "role"
			}
			for j, line := range auditLines(i, role) {
				records = append(records, &kgo.Record{Topic: s.input(), Partition: int32(i % 2), Value: line, Key: []byte(fmt.Sprint(i, j))})
			}
		}
		s.produceRecords(t, records...)
		m := s.start(t)
		s.settled(t)
		if err := m.stop(t); err != nil {
			t.Fatal(err)
		}
		letters := s.read(t, s.cfg.DeadletterTopic)
		again := *letters[5]
		again.Partition, again.Timestamp = 0, again.Timestamp.AddDate(0, 0, -1)
		s.produceRecords(t, &again)
		mend()

		sum, failing, err := s.redrive(t, Redrive{})
		if err != nil || sum != (Redriven{49, 49, 0}) {
			t.Errorf("%+v, %v, %v", sum, failing, err)
		}
		if n := len(s.alertsOf(t, records...)); n != 4 {
			t.Errorf("%d alerts are due, want 4", n)
		}
		s.wantAlerts(t, false, records...)
	})
}

func TestRedriveCopiesBack(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 3, defend)
		s.setLimit(t, s.cfg.DeadletterTopic, 4000)
		kept := &kgo.Record{Topic: s.input(), Partition: 2, Key: []byte("k"), Value: []byte("{"),
			Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte{0xff}}, {Key: deadLetterPrefix + "topic", Value: []byte("x")}}}
		lost := &kgo.Record{Topic: s.input(), Value: []byte("{" + noise(9000))}
		s.produceRecords(t, kept, lost)
		m := s.start(t)
		s.settled(t)
		if err := m.stop(t); err != nil {
			t.Fatal(err)
		}
		ends := func() int { return len(s.read(t, s.input())) }

		for _, dry := range []bool{true, false} {
			sum, failing, err := s.redrive(t, Redrive{ToTopics: true, DryRun: dry})
			if err != nil || sum != (Redriven{2, 1, 1}) {
				t.Errorf("%+v, %v", sum, err)
			}
			if want := fmt.Sprintf("%s/0/0: the value is lost", s.input()); len(failing) != 1 || !strings.HasPrefix(failing[0], want) {
				t.Errorf("still failing are %q, want %q", failing, want)
			}
			if n := ends(); n != 2 && dry || n != 3 && !dry {
				t.Errorf("%d records in the input, dry run %v", n, dry)
			}
		}
		for _, r := range s.read(t, s.input()) {
			if r.Partition != 2 || r.Offset != 1 {
				continue
			}
			if !bytes.Equal(r.Key, kept.Key) || !bytes.Equal(r.Value, kept.Value) || len(r.Headers) != 1 || r.Headers[0].Key != "trace" {
				t.Errorf("the copy is %+v", r)
			}
			return
		}
		t.Error("the copy is not in the partition of the original")
	})
}

// What headers say leads nowhere but to inputs, and to no panic.
func TestRedriveOfHostileLetters(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend, auditd)
	s.createTopic(t, "other", 1, nil)
	hostile, why := hostileLetters()
	for _, topic := range []string{s.cfg.AlertsTopic, s.cfg.DeadletterTopic, "other"} {
		hostile = append(hostile, &kgo.Record{Value: []byte("{"), Headers: ours(topic, "0", "7")})
		why = append(why, "its topic is no input")
	}
	noSource := ours("other", "0", "8")
	noSource[3].Value = []byte("\x1b[2Jnone")
	hostile = append(hostile, &kgo.Record{Value: []byte("{"), Headers: noSource})
	why = append(why, "its topic is no input")
	hostile = append(hostile, &kgo.Record{Headers: ours(s.input(), "0", "9")}) // stands for no record
	why = append(why, "the value is lost; the record may still be where it came from")
	for _, r := range hostile {
		r.Topic = s.cfg.DeadletterTopic
	}
	s.produceRecords(t, hostile...)
	for _, toTopics := range []bool{true, false} {
		sum, failing, err := s.redrive(t, Redrive{ToTopics: toTopics})
		if err != nil || sum != (Redriven{len(hostile), 0, len(hostile)}) {
			t.Errorf("%+v, %v", sum, err)
		}
		for i, line := range failing {
			_, got, _ := strings.Cut(line, ": ")
			if want := why[i]; toTopics && got != want || !toTopics && want != "its topic is no input" && got != want {
				t.Errorf("letter %d: %q, want %q", i, got, want)
			}
			if strings.Contains(line, "s3cret") {
				t.Errorf("%q holds what a record says", line)
			}
		}
	}
	if n := len(s.read(t, s.cfg.DeadletterTopic)); n != len(hostile) {
		t.Errorf("%d records in the dead letter topic, want %d", n, len(hostile))
	}
	for _, topic := range []string{s.cfg.AlertsTopic, "other", s.input()} {
		if n := len(s.read(t, topic)); n != 0 {
			t.Errorf("%d records in topic %s", n, topic)
		}
	}

	// A topic without that partition refuses the copy, and that ends it.
	s.produceRecords(t, &kgo.Record{Topic: s.cfg.DeadletterTopic, Value: []byte("{"), Headers: ours(s.input(), "2147483647", "0")})
	if sum, _, err := s.redrive(t, Redrive{ToTopics: true}); !errors.Is(err, ErrKafka) || sum.Redriven != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
}

// A letter whose alert was refused is not redriven, and the others are.
func TestRedriveThatIsRefused(t *testing.T) {
	t.Parallel()
	source, mend := mended(defend)
	s := fakeCluster(t).newScene(t, 1, source)
	records := s.produce(t, s.input(), nearMiss(t, defend), attack(t, defend))
	m := s.start(t)
	s.settled(t)
	if err := m.stop(t); err != nil {
		t.Fatal(err)
	}
	mend()
	f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.TopicAuthorizationFailed, -1)
	sum, failing, err := s.redrive(t, Redrive{})
	if !errors.Is(err, ErrKafka) || !errors.Is(err, kerr.TopicAuthorizationFailed) || sum != (Redriven{2, 1, 1}) || len(failing) != 1 {
		t.Errorf("%+v, %v, %v", sum, failing, err)
	}
	f.Remove()
	if sum, _, err := s.redrive(t, Redrive{}); err != nil || sum != (Redriven{2, 2, 0}) {
		t.Errorf("%+v, %v", sum, err)
	}
	s.wantAlerts(t, false, records...)
	if ids := slices.Collect(maps.Keys(s.alerted(t))); len(ids) != 1 {
		t.Errorf("alerts %v", ids)
	}
}
