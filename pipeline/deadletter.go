package pipeline

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// deadLetterPrefix begins the header keys that a dead letter gets beside those
// its record came with.
const deadLetterPrefix = "__imdswatch.errors."

// deadLetter is the record for the dead letter topic: key, value and headers as
// they came, and headers that say where from and why. It borrows the record's
// memory.
func deadLetter(topic, version, source string, r *kgo.Record, f *Fault) *kgo.Record {
	d := &kgo.Record{Topic: topic, Key: r.Key, Value: r.Value, Headers: make([]kgo.RecordHeader, 0, len(r.Headers)+10)}
	d.Headers = append(d.Headers, r.Headers...)
	for _, h := range [...][2]string{
		{"topic", r.Topic},
		{"partition", strconv.Itoa(int(r.Partition))},
		{"offset", strconv.FormatInt(r.Offset, 10)},
		{"source", source},
		{"stage", string(f.Stage)},
		{"reason", string(f.Reason)},
		{"message", f.Message},
		{"version", version},
	} {
		d.Headers = append(d.Headers, kgo.RecordHeader{Key: deadLetterPrefix + h[0], Value: []byte(h[1])})
	}
	return d
}

// truncateDeadLetter takes the value, and if that is not enough the key and the
// foreign headers, from a dead letter that is larger than the topic takes; the
// coordinates lead to the original.
func truncateDeadLetter(d *kgo.Record, limit int) {
	if recordSize(d) <= limit {
		return
	}
	d.Value = nil
	d.Headers = append(d.Headers, kgo.RecordHeader{Key: deadLetterPrefix + "truncated", Value: []byte("true")})
	if recordSize(d) <= limit {
		return
	}
	d.Key = nil
	ours := d.Headers[:0:0]
	for _, h := range d.Headers {
		if len(h.Key) > len(deadLetterPrefix) && h.Key[:len(deadLetterPrefix)] == deadLetterPrefix {
			ours = append(ours, h)
		}
	}
	d.Headers = ours
}

// recordSize is at least what a record takes in a batch of its own, before
// compression: the batch header, the record's varints, key, value and headers.
func recordSize(r *kgo.Record) int {
	const batchHeader, recordVarints, headerVarints = 61, 32, 10
	n := batchHeader + recordVarints + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += headerVarints + len(h.Key) + len(h.Value)
	}
	return n
}
