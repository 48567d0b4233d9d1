package pipeline

import (
	"bytes"
	"errors"
	"io/fs"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// headersOf are a dead letter's headers as deadletter.schema.json describes
// them: an object of key to value.
func headersOf(r *kgo.Record) map[string]any {
	headers := map[string]any{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	return headers
}

// wantDeadLetter compares a dead letter with the record it stands for and the
// headers it must have beside that record's. A message is only looked for.
func wantDeadLetter(t *testing.T, got, record *kgo.Record, ours map[string]string) {
	t.Helper()
	if !bytes.Equal(got.Key, record.Key) {
		t.Errorf("key %q, want %q", got.Key, record.Key)
	}
	if !bytes.Equal(got.Value, record.Value) {
		t.Errorf("value of %d bytes is not the record's of %d", len(got.Value), len(record.Value))
	}
	headers := headersOf(got)
	for _, h := range record.Headers {
		if headers[h.Key] != string(h.Value) {
			t.Errorf("header %s is %q, want %q", h.Key, headers[h.Key], h.Value)
		}
	}
	ours["topic"], ours["partition"], ours["offset"] = record.Topic, strconv.Itoa(int(record.Partition)), strconv.FormatInt(record.Offset, 10)
	ours["version"] = "1.2.3-test"
	for name, want := range ours {
		if headers[deadLetterPrefix+name] != want {
			t.Errorf("header %s is %q, want %q", name, headers[deadLetterPrefix+name], want)
		}
	}
	if m, _ := headers[deadLetterPrefix+"message"].(string); m == "" {
		t.Error("no message")
	}
	if want := len(record.Headers) + len(ours) + 1; len(got.Headers) != want {
		t.Errorf("%d headers, want %d: %v", len(got.Headers), want, headers)
	}
	validDeadLetter(t, headers)
}

func validDeadLetter(t *testing.T, headers map[string]any) {
	t.Helper()
	schema, err := jsonschema.NewCompiler().Compile("../schemas/deadletter.schema.json")
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no deadletter.schema.json yet")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(headers); err != nil {
		t.Error(err)
	}
}

func TestUnreadableRecordsBecomeDeadLetters(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		whole := attack(t, defend)
		tests := []struct {
			value  []byte
			reason normalize.Reason
		}{
			{whole[:len(whole)/2], normalize.Syntax},
			{[]byte("\xff\xfe{\x00"), normalize.Encoding},
			{[]byte{0x1f, 0x8b, 8, 0, 0}, normalize.Encoding},
			{[]byte(`["no object"]`), normalize.Shape},
			{bytes.Repeat([]byte(`{"a":`), 5000), normalize.TooDeep},
		}
		var sent, readable []*kgo.Record
		for i, tt := range tests {
			readable = append(readable, s.produce(t, s.input(), whole)...)
			sent = append(sent, s.produceRecords(t, &kgo.Record{
				Topic: s.input(), Value: tt.value, Key: []byte("host-" + strconv.Itoa(i)),
				Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte{0xff, 0, byte(i)}}, {Key: "empty"}},
			})...)
		}
		readable = append(readable, s.produce(t, s.input(), whole)...)
		m := s.start(t)
		s.settled(t)

		s.wantAlerts(t, false, readable...) // the neighbours are judged
		letters := s.read(t, s.cfg.DeadletterTopic)
		if len(letters) != len(sent) {
			t.Fatalf("%d dead letters, want %d", len(letters), len(sent))
		}
		for i, tt := range tests {
			wantDeadLetter(t, letters[i], sent[i], map[string]string{"source": "defend", "stage": "normalize", "reason": string(tt.reason)})
		}
		if got := m.metric(t, "records_total", "outcome", "error"); int(got) != len(tests) {
			t.Errorf("%v records with the outcome error, want %d", got, len(tests))
		}
		if got := m.metric(t, "deadletters_total", "source", "defend", "reason", "encoding"); got != 2 {
			t.Errorf("%v dead letters for their encoding, want 2", got)
		}
		if got := m.metric(t, "records_total"); int(got) != len(sent)+len(readable) {
			t.Errorf("%v records counted, want %d", got, len(sent)+len(readable))
		}
	})
}

// The topic takes less than the record has: what fits goes, and says what does
// not.
func TestOversizedDeadLettersAreTruncated(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		const limit = 4000
		s.setLimit(t, s.cfg.DeadletterTopic, limit)
		large := []byte("{" + noise(2*limit))
		tests := []struct {
			name           string
			record         *kgo.Record
			truncated, key bool // loses its value; loses key and headers too
		}{
			{"SmallEnough", &kgo.Record{Value: []byte("{"), Key: []byte("k")}, false, false},
			{"LargeValue", &kgo.Record{Value: large, Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}}, true, false},
			{"LargeKey", &kgo.Record{Value: []byte("{"), Key: large, Headers: []kgo.RecordHeader{{Key: "h", Value: []byte("v")}}}, true, true},
			{"LargeHeader", &kgo.Record{Value: []byte("{"), Key: []byte("k"), Headers: []kgo.RecordHeader{{Key: "h", Value: large}}}, true, true},
		}
		for _, tt := range tests {
			tt.record.Topic = s.input()
			s.produceRecords(t, tt.record)
		}
		m := s.start(t)
		s.settled(t)
		letters := s.read(t, s.cfg.DeadletterTopic)
		if len(letters) != len(tests) {
			t.Fatalf("%d dead letters, want %d", len(letters), len(tests))
		}
		for i, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				want, ours := *tt.record, map[string]string{"source": "defend", "stage": "normalize", "reason": "syntax"}
				if tt.truncated {
					ours["truncated"], want.Value = "true", nil
				}
				if tt.key {
					want.Key, want.Headers = nil, nil
				}
				wantDeadLetter(t, letters[i], &want, ours)
			})
		}
		if got := m.metric(t, "produce_errors_total"); got != 0 {
			t.Errorf("%v records were refused on the way", got)
		}
	})
}

// An alert that is larger than its topic takes is cut, and those of its batch
// arrive.
func TestOversizedAlertsAreTruncated(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, defend)
		s.setLimit(t, s.cfg.AlertsTopic, 20_000)
		long := bytes.Replace(attack(t, defend), []byte("/latest/"), []byte("/"+noise(100_000)+"/latest/"), 1)
		if len(long) < 100_000 {
			t.Fatal("the sample is not what this test takes it for")
		}
		records := s.produce(t, s.input(), attack(t, defend), long, attack(t, defend))
		m := s.start(t)
		s.settled(t)
		s.wantAlerts(t, false, records...)
		for id, a := range s.alertsOf(t, records...) {
			value := s.alerted(t)[id][0].Value
			if cut := bytes.Contains(value, []byte(`"truncated":["process.`)); cut != (a.Origin.Offset == 1) {
				t.Errorf("alert of offset %d says that it is truncated: %v", a.Origin.Offset, cut)
			}
		}
		if got := m.metric(t, "produce_errors_total"); got != 0 {
			t.Errorf("%v records were refused on the way", got)
		}
	})
}

func (s *scene) setLimit(t *testing.T, topic string, bytes int) {
	t.Helper()
	s.alterTopic(t, topic, "max.message.bytes", strconv.Itoa(bytes))
}

// brittle is a normalizer that panics on a record that begins with its name,
// and makes the detector panic on one that begins with "detector". A panic of its
// own breaks it for good.
type brittle struct {
	defend normalize.Normalizer
	broken bool
}

func (n *brittle) Normalize(dst []ecs.Event, r *normalize.Record) ([]ecs.Event, error) {
	if n.broken {
		panic("still broken")
	}
	switch {
	case bytes.HasPrefix(r.Value, []byte("normalizer")):
		n.broken = true
		panic("cannot read " + string(r.Value))
	case bytes.HasPrefix(r.Value, []byte("runtime")):
		n.broken = true
		_ = r.Value[len(r.Value)+int(r.Offset)]
	case bytes.HasPrefix(r.Value, []byte("detector")):
		return append(dst, ecs.Event{}), nil // of no schema
	}
	return n.defend.Normalize(dst, r)
}

func TestPanicCostsOneRecord(t *testing.T) {
	t.Parallel()
	c := fakeCluster(t)
	s := c.newScene(t, 1, &normalize.Source{Name: "brittle", New: func() normalize.Normalizer { return &brittle{defend: defend.New()} }})
	whole := attack(t, defend)
	records := s.produce(t, s.input(), whole, []byte("normalizer sees a s3cret"), whole, []byte("detector sees a s3cret"), []byte("runtime sees a s3cret"), whole)
	m := s.start(t)
	s.settled(t)

	if got := len(s.alerted(t)); got != 3 {
		t.Errorf("%d alerts, want those of the 3 neighbours", got)
	}
	letters := s.read(t, s.cfg.DeadletterTopic)
	if len(letters) != 3 {
		t.Fatalf("%d dead letters, want 3", len(letters))
	}
	for i, stage := range []string{"normalize", "detect", "normalize"} {
		wantDeadLetter(t, letters[i], records[[]int{1, 3, 4}[i]], map[string]string{"source": "brittle", "stage": stage, "reason": "panic"})
	}
	for stage, want := range map[string]float64{"normalize": 2, "detect": 1} {
		if got := m.metric(t, "panics_recovered_total", "stage", stage); got != want {
			t.Errorf("%v panics counted in stage %s, want %v", got, stage, want)
		}
	}
	if got := m.metric(t, "records_total", "source", "brittle"); got != 6 {
		t.Errorf("%v records counted, want 6", got)
	}
	logged := s.logs.String()
	if strings.Contains(logged, "s3cret") {
		t.Error("the log holds a record's content")
	}
	if !strings.Contains(logged, "brittle).Normalize") {
		t.Error("the log does not say where the panic was")
	}
	for _, l := range letters {
		if m := headersOf(l)[deadLetterPrefix+"message"].(string); strings.Contains(m, "s3cret") {
			t.Errorf("message %q holds the record's content", m)
		}
	}
}

func TestComplaintsNeverQuoteRecords(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, normalize.Sources()...)
	for _, topic := range s.cfg.Topics {
		for range 12 {
			s.produce(t, topic.Name, []byte(`{"s3cret":"s3cret`), []byte(`s3cret`), []byte(`<s3cret>`), []byte(`{"a":s3cret}`))
		}
	}
	m := s.start(t)
	s.settled(t)
	if err := m.stop(t); err != nil {
		t.Fatal(err)
	}
	logged := s.logs.String()
	if strings.Contains(logged, "s3cret") {
		t.Error("the log holds a record's content")
	}
	if n := strings.Count(logged, s.input()+"/0/"); n < 10 || n > 30 {
		t.Errorf("%d of 48 faults are shown one by one, want ten of a kind", n)
	}
	if !strings.Contains(logged, "were not shown") {
		t.Error("the log does not say how many faults it left out")
	}
	for _, l := range s.read(t, s.cfg.DeadletterTopic) {
		if m := headersOf(l)[deadLetterPrefix+"message"].(string); strings.Contains(m, "s3cret") {
			t.Errorf("message %q holds the record's content", m)
		}
	}
}
