package pipeline

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
)

// ours are the headers of a dead letter as the pipeline writes them.
func ours(topic, partition, offset string) (headers []kgo.RecordHeader) {
	for _, h := range [...][2]string{{"topic", topic}, {"partition", partition}, {"offset", offset}, {"source", "defend"},
		{"stage", "normalize"}, {"reason", "syntax"}, {"message", "why"}, {"version", "1"}} {
		headers = append(headers, kgo.RecordHeader{Key: deadLetterPrefix + h[0], Value: []byte(h[1])})
	}
	return headers
}

// hostileLetters are records that somebody else put into the topic, and what is
// said of them.
func hostileLetters() (records []*kgo.Record, want []string) {
	add := func(why string, headers []kgo.RecordHeader) {
		records = append(records, &kgo.Record{Value: []byte("s3cret"), Headers: headers})
		want = append(want, why)
	}
	add("header __imdswatch.errors.topic is missing", nil)
	add("header __imdswatch.errors.topic is missing", []kgo.RecordHeader{{Key: "__imdswatch.errors."}, {Key: ""}, {Key: "trace"}})
	for i := range 8 {
		all := ours("raw", "0", "0")
		name := all[i].Key
		add("header "+name+" is missing", append(all[:i:i], all[i+1:]...))
	}
	for _, bad := range []string{"", "s3cret", "-1", "2147483648", "1e3", "\xff", " 1"} {
		add("header __imdswatch.errors.partition is no partition's number", ours("raw", bad, "0"))
	}
	for _, bad := range []string{"", "s3cret", "-1", "9223372036854775808", "0x1", "\xff\xfe"} {
		add("header __imdswatch.errors.offset is no offset", ours("raw", "0", bad))
	}
	for _, bad := range []string{"", "../s3cret", "a b", "a\n", "\xff", strings.Repeat("s", 250)} {
		add("header __imdswatch.errors.topic is no topic's name", ours(bad, "0", "0"))
	}
	return records, want
}

func TestForeignRecordsAreToldFromDeadLetters(t *testing.T) {
	records, want := hostileLetters()
	for i, r := range records {
		l := ReadDeadLetter(r)
		if l.Foreign == nil || l.Foreign.Error() != want[i] {
			t.Errorf("record %d with headers %q: %v, want %s", i, r.Headers, l.Foreign, want[i])
		}
		if l.Foreign != nil && strings.Contains(l.Foreign.Error(), "s3cret") {
			t.Errorf("error holds what the record says: %v", l.Foreign)
		}
	}
}

// A record came with headers like ours and became a dead letter: ours count,
// and copied back it has none.
func TestForgedHeadersDoNotCount(t *testing.T) {
	r := &kgo.Record{Topic: "raw.defend", Partition: 3, Offset: 5, Value: []byte("{"), Headers: append([]kgo.RecordHeader{
		{Key: "trace", Value: []byte("1")}, {Key: deadLetterPrefix + "truncated", Value: []byte("true")}, {Key: deadLetterPrefix + "offset", Value: []byte("x")},
	}, ours("imdswatch.alerts", "9", "9")...)}
	l := ReadDeadLetter(deadLetter("deadletters", "2", "defend", r, &Fault{Stage: StageNormalize, Reason: normalize.Syntax, Message: "why"}))
	if l.Foreign != nil || l.Topic != "raw.defend" || l.Partition != 3 || l.Offset != 5 || l.Version != "2" || l.lost() {
		t.Errorf("read as %+v", l)
	}
	if o := l.original(); o.Topic != "raw.defend" || o.Partition != 3 || len(o.Headers) != 1 || o.Headers[0].Key != "trace" {
		t.Errorf("the original is %+v", o)
	}
	truncateDeadLetter(l.Record, 0)
	if l := ReadDeadLetter(l.Record); l.Foreign != nil || l.Offset != 5 || !l.lost() {
		t.Errorf("truncated it is read as %+v", l)
	}
}

// letters are the selected records of the dead letter topic, as "partition:offset".
func (s *scene) letters(t *testing.T, selection Selection) (places []string, foreign int) {
	t.Helper()
	err := DeadLetters(t.Context(), s.cfg, selection, func(l *DeadLetter) error {
		places = append(places, fmt.Sprintf("%d:%d", l.Record.Partition, l.Record.Offset))
		if l.Foreign != nil {
			foreign++
		}
		return nil
	}, s.opts...)
	if err != nil {
		t.Fatal(err)
	}
	return places, foreign
}

func TestDeadLettersAreSelected(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend, normalize.Lookup("windows"))
		if all, _ := s.letters(t, Selection{}); len(all) != 0 {
			t.Errorf("an empty topic has letters: %v", all)
		}
		s.produce(t, s.cfg.Topics[0].Name, []byte("{"), []byte("\xff\xfe{\x00"))
		s.start(t)
		s.settledTopic(t, s.cfg.Topics[0].Name)
		s.produce(t, s.cfg.Topics[1].Name, []byte("{"))
		s.settled(t)
		written := s.read(t, s.cfg.DeadletterTopic)
		if len(written) != 3 {
			t.Fatalf("%d dead letters", len(written))
		}
		last := written[2].Timestamp
		for _, tt := range []struct {
			Selection
			want string
		}{
			{Selection{}, "[0:0 0:1 0:2]"},
			{Selection{Reason: normalize.Encoding}, "[0:1]"},
			{Selection{Reason: Panic}, "[]"},
			{Selection{Source: "windows"}, "[0:2]"},
			{Selection{Topic: s.cfg.Topics[0].Name}, "[0:0 0:1]"},
			{Selection{Topic: s.cfg.Topics[0].Name, Reason: normalize.Syntax}, "[0:0]"},
			{Selection{From: last, Source: "windows"}, "[0:2]"},
			{Selection{From: last.Add(time.Millisecond)}, "[]"},
			{Selection{To: last, Source: "windows"}, "[]"},
			{Selection{To: last.Add(time.Millisecond)}, "[0:0 0:1 0:2]"},
			{Selection{From: last.Add(-time.Hour), To: last.Add(time.Hour)}, "[0:0 0:1 0:2]"},
		} {
			if got, _ := s.letters(t, tt.Selection); fmt.Sprint(got) != tt.want {
				t.Errorf("%+v selects %v, want %s", tt.Selection, got, tt.want)
			}
		}
		for _, at := range []struct {
			partition int32
			offset    int64
			there     bool
		}{{0, 0, true}, {0, 2, true}, {0, 3, false}, {1, 0, false}} {
			l, err := DeadLetterAt(t.Context(), s.cfg, at.partition, at.offset, s.opts...)
			if err != nil || (l != nil) != at.there || l != nil && l.Record.Offset != at.offset {
				t.Errorf("at %d:%d there is %+v, %v", at.partition, at.offset, l, err)
			}
		}
	})
}

// A partition that ends in an aborted transaction has no last record to wait
// for, and foreign records are selected whatever is asked for.
func TestDeadLettersEndBehindTransactions(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		producer := s.newClient(t, kgo.TransactionalID("id-"+s.cfg.Group), kgo.DefaultProduceTopic(s.cfg.DeadletterTopic))
		for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
			if err := producer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			hostile, _ := hostileLetters()
			if err := producer.ProduceSync(t.Context(), hostile...).FirstErr(); err != nil {
				t.Fatal(err)
			}
			if err := producer.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		hostile, _ := hostileLetters()
		all, foreign := s.letters(t, Selection{Reason: normalize.Syntax, Topic: "none", Source: "none"})
		if len(all) != len(hostile) || foreign != len(all) {
			t.Errorf("%d records, %d of them foreign, want %d", len(all), foreign, len(hostile))
		}
	})
}

func TestMissingDeadLetterTopicIsNamed(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	s.cfg.DeadletterTopic = "none"
	err := DeadLetters(t.Context(), s.cfg, Selection{}, nil)
	if !errors.Is(err, ErrKafka) || !strings.Contains(err.Error(), `topic "none": does not exist and is to be read`) {
		t.Errorf("error %v", err)
	}
}
