package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden is a record, testdata/SOURCE/NAME.raw, and beside it what becomes of
// it, NAME.ecs.json.
type golden struct {
	source, name string
	raw          []byte
	expected     string // the other file's name
}

func goldens(tb testing.TB) []golden {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*", "*.raw"))
	if err != nil || len(files) == 0 {
		tb.Fatalf("no records below testdata: %v", err)
	}
	var all []golden
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, golden{
			source:   filepath.Base(filepath.Dir(file)),
			name:     strings.TrimSuffix(filepath.Base(file), ".raw"),
			raw:      bytes.TrimSuffix(raw, []byte("\n")), // the last line end is the file's
			expected: strings.TrimSuffix(file, ".raw") + ".ecs.json",
		})
	}
	return all
}

// arrival is the record timestamp of every golden: later than any clock in it,
// so that it shows where an event took it.
var arrival = time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)

func (g golden) record() *Record {
	return &Record{Value: g.raw, Time: arrival, Offset: 42}
}

// render is the readable form of what a normalizer returns.
func render(events []ecs.Event, err error) []byte {
	out := []byte(`{"events":[`)
	for i := range events {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, `{"shape":`...)
		out = ecs.AppendString(out, []byte(events[i].Shape))
		if events[i].Index != 0 {
			out = fmt.Appendf(out, `,"index":%d`, events[i].Index)
		}
		out = append(out, `,"event":`...)
		out = append(events[i].AppendJSON(out), '}')
	}
	out = append(out, ']')
	if fault, ok := errors.AsType[*Error](err); ok {
		out = append(out, `,"error":`...)
		out = ecs.AppendString(out, []byte(string(fault.Reason)+": "+fault.Error()))
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, append(out, '}'), "", "  "); err != nil {
		return append(out, err.Error()...)
	}
	return append(indented.Bytes(), '\n')
}

func TestGolden(t *testing.T) {
	for _, g := range goldens(t) {
		t.Run(g.source+"/"+g.name, func(t *testing.T) {
			source := Lookup(g.source)
			if source == nil {
				t.Fatalf("no source %s", g.source)
			}
			events, err := readAlone(source.New(), nil, g.record())
			got := render(events, err)
			if *update {
				if err := os.WriteFile(g.expected, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(g.expected)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", g.expected, diff)
			}
			for i := range events {
				if events[i].Offset != 42 || events[i].Index < i || i > 0 && events[i].Index <= events[i-1].Index {
					t.Errorf("event %d says offset %d, index %d", i, events[i].Offset, events[i].Index)
				}
			}
		})
	}
}

// TestGoldenCoversEverySource wants, for every shape of every source, a record
// of an attack, and for every source three look-alikes that are no events.
func TestGoldenCoversEverySource(t *testing.T) {
	attacks, skips := map[string]int{}, map[string]int{}
	for _, g := range goldens(t) {
		events, err := readAlone(Lookup(g.source).New(), nil, g.record())
		if len(events) == 0 && err == nil {
			skips[g.source]++
		}
		for i := range events {
			if strings.HasSuffix(g.name, "-imds") {
				attacks[g.source+"/"+events[i].Shape]++
			}
		}
	}
	for _, s := range Told() {
		if skips[s.Name] < 3 {
			t.Errorf("%s: %d records that are skipped without a fault, want 3 or more", s.Name, skips[s.Name])
		}
		for _, shape := range s.Shapes {
			if attacks[s.Name+"/"+shape] == 0 {
				t.Errorf("%s/%s: no NAME-imds.raw gives an event of this shape", s.Name, shape)
			}
		}
	}
}

// TestGoldenIsReadTheSameAfterAnyOther reads every ordered pair of records with
// one normalizer into one slice: what the first left behind must not show in
// the events of the second.
func TestGoldenIsReadTheSameAfterAnyOther(t *testing.T) {
	all := goldens(t)
	alone := map[string][]byte{}
	for _, g := range all {
		alone[g.expected] = render(readAlone(Lookup(g.source).New(), nil, g.record()))
	}
	for _, source := range Told() {
		n := source.New()
		var dst []ecs.Event
		for _, first := range all {
			for _, second := range all {
				if first.source != source.Name || second.source != source.Name {
					continue
				}
				dst, _ = readAlone(n, dst[:0], first.record())
				events, err := readAlone(n, dst[:0], second.record())
				if got := render(events, err); !bytes.Equal(got, alone[second.expected]) {
					t.Fatalf("%s/%s after %s (-alone +after):\n%s", source.Name, second.name, first.name,
						cmp.Diff(string(alone[second.expected]), string(got)))
				}
				dst = events
			}
		}
	}
}
