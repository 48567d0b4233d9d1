package pipeline

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// bomb produces a batch that unfolds to two MiB: one record.
func (s *scene) bomb(t *testing.T) *kgo.Record {
	t.Helper()
	client := s.newClient(t, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(64<<20),
		kgo.ProducerBatchCompression(kgo.GzipCompression()))
	r := &kgo.Record{Topic: s.input(), Value: []byte(strings.Repeat(" ", 2<<20))}
	if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return r
}

// smallBatches lowers the bound of a batch, so that a test needs no 64 MiB.
var smallBatches = kgo.MaxDecompressBatchBytes(1 << 20)

func (s *scene) wantDecompressLetters(t *testing.T, bombs ...*kgo.Record) {
	t.Helper()
	letters := s.readCommitted(t, s.cfg.DeadletterTopic)
	if len(letters) != len(bombs) {
		t.Fatalf("%d dead letters, want %d", len(letters), len(bombs))
	}
	for i, b := range bombs {
		pointer := &kgo.Record{Topic: b.Topic, Offset: b.Offset}
		wantDeadLetter(t, letters[i], pointer, map[string]string{"source": "defend", "stage": "fetch", "reason": "decompress", "truncated": "true"})
	}
}

// A batch that unfolds beyond the bound is left out, wherever it is: as the
// first of a log, between others, and at the end.
func TestCompressionBombsAreLeftOut(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		for i := range 4 {
			first, exactly := i%2 == 1, i >= 2
			t.Run(fmt.Sprintf("First=%v/ExactlyOnce=%v", first, exactly), func(t *testing.T) {
				s := c.newScene(t, 1, defend)
				if exactly {
					s.transactional()
				}
				var records, bombs []*kgo.Record
				if !first {
					records = s.produce(t, s.input(), attack(t, defend), attack(t, defend))
				}
				bombs = append(bombs, s.bomb(t))
				records = append(records, s.produce(t, s.input(), attack(t, defend))...)
				m := s.start(t, smallBatches)
				s.settled(t)
				bombs = append(bombs, s.bomb(t), s.bomb(t))
				s.settled(t)
				records = append(records, s.produce(t, s.input(), attack(t, defend))...)
				s.settled(t)
				s.wantAlerts(t, false, records...)
				s.wantDecompressLetters(t, bombs...)
				if got := m.metric(t, "records_total", "outcome", "error"); int(got) != len(bombs) {
					t.Errorf("%v records with the outcome error, want one for each of %d batches", got, len(bombs))
				}
				if got := m.metric(t, "deadletters_total", "reason", "decompress"); int(got) != len(bombs) {
					t.Errorf("%v dead letters counted, want %d", got, len(bombs))
				}
				if lost := m.metric(t, "data_loss_total"); lost != 0 {
					t.Errorf("%v records count as lost", lost)
				}
			})
		}
	})
}

// The batch is not passed over before its dead letter is acknowledged.
func TestCompressionBombWaitsForItsDeadLetter(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, defend)
	m := s.start(t, smallBatches)
	records := s.produce(t, s.input(), attack(t, defend))
	s.settled(t)
	f := s.fault(kmsg.Produce, s.cfg.DeadletterTopic, kerr.TopicAuthorizationFailed, -1)
	bomb := s.bomb(t)
	records = append(records, s.produce(t, s.input(), attack(t, defend))...)
	s.waitFault(t, f, 3)
	if m.Ready() == nil {
		t.Error("ready while a broker refuses")
	}
	if at := s.committed(t, s.input(), 0); at != 1 {
		t.Errorf("committed to %d, past the batch at 1", at)
	}
	f.Remove()
	s.settled(t)
	s.wantAlerts(t, false, records...)
	s.wantDecompressLetters(t, bomb)
	eventually(t, "ready again", func() bool { return m.Ready() == nil })
}
