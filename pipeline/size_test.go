package pipeline

import (
	"bytes"
	"strconv"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// recordSize is held against the batches that the client really sends.
func TestRecordSizeIsAtLeastTheRealOne(t *testing.T) {
	t.Parallel()
	c := fakeCluster(t)
	c.createTopic(t, "t", 1, nil)
	client := c.newClient(t, kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	header := func(key string, n int) kgo.RecordHeader { return kgo.RecordHeader{Key: key, Value: make([]byte, n)} }
	var many []kgo.RecordHeader
	for i := range 100 {
		many = append(many, header("header-"+strconv.Itoa(i), i))
	}
	for _, r := range []*kgo.Record{
		{},
		{Value: []byte("v")},
		{Key: []byte("k"), Value: make([]byte, 127)},
		{Key: make([]byte, 70_000), Value: make([]byte, 800_000)},
		{Value: []byte("v"), Headers: []kgo.RecordHeader{header("", 0), header("h", 300)}},
		{Value: make([]byte, 5000), Headers: many},
	} {
		var sent int
		c.fake.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
			sent = len(request.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records)
			c.fake.DropControl()
			return nil, nil, false
		})
		computed, headers := recordSize(r), len(r.Headers)
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if slack := computed - sent; slack < 0 || slack > 40+10*headers {
			t.Errorf("key %d, value %d, %d headers: computed %d, sent %d", len(r.Key), len(r.Value), headers, computed, sent)
		}
	}
}

func TestTruncateDeadLetter(t *testing.T) {
	ours := kgo.RecordHeader{Key: deadLetterPrefix + "topic", Value: []byte("t")}
	foreign := kgo.RecordHeader{Key: "trace", Value: make([]byte, 100)}
	lookalike := kgo.RecordHeader{Key: deadLetterPrefix, Value: []byte("no name")}
	for _, tt := range []struct {
		name                            string
		key, value, limit               int
		wantKey, wantValue, wantForeign bool
		wantTruncated                   bool
	}{
		{"Fits", 100, 1000, 2000, true, true, true, false},
		{"FitsExactly", 100, 1000, 100 + 1000 + 93 + 10*3 + len(ours.Key) + 1 + 105 + len(lookalike.Key) + 7, true, true, true, false},
		{"OneByteTooMany", 100, 1000, 100 + 1000 + 93 + 10*3 + len(ours.Key) + 1 + 105 + len(lookalike.Key) + 7 - 1, true, false, true, true},
		{"LargeValue", 100, 5000, 2000, true, false, true, true},
		{"LargeKey", 5000, 10, 2000, false, false, false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := &kgo.Record{Key: make([]byte, tt.key), Value: make([]byte, tt.value), Headers: []kgo.RecordHeader{foreign, ours, lookalike}}
			truncateDeadLetter(d, tt.limit)
			if recordSize(d) > tt.limit {
				t.Errorf("still %d bytes", recordSize(d))
			}
			headers := headersOf(d)
			_, hasForeign := headers["trace"]
			if (d.Key != nil) != tt.wantKey || (d.Value != nil) != tt.wantValue || hasForeign != tt.wantForeign {
				t.Errorf("key %v, value %v, foreign header %v", d.Key != nil, d.Value != nil, hasForeign)
			}
			if headers[ours.Key] != "t" || (headers[deadLetterPrefix+"truncated"] == "true") != tt.wantTruncated {
				t.Errorf("headers %v", headers)
			}
			if !bytes.Equal(ours.Value, []byte("t")) {
				t.Error("a header's value was written to")
			}
		})
	}
}
