package detector

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// agree compiles what q prints and holds the program and the explanation to the
// tree walk on an event. Queries that the checker refuses are passed over.
func agree(t *testing.T, q *query, e *ecs.Event, fold Fold) (want, ran bool) {
	r, err := Compile("q", q.String(), ecs.Default, fold)
	if err != nil {
		if !strings.Contains(err.Error(), "cannot be compared with fields") && !strings.Contains(err.Error(), "has no value") {
			t.Fatalf("%s\n%v", q, err)
		}
		return false, false
	}
	want = oracle{e, fold}.query(q)
	if got := r.Match(e); got != want {
		t.Fatalf("%s\nfold %d, on %s: %v, want %v\n%s", q, fold, dump(e), got, want, r)
	}
	if got := r.Explain(e); got.Pass != want {
		t.Fatalf("%s\nfold %d, on %s: explained as %v, want %v\n%s", q, fold, dump(e), got.Pass, want, r)
	}
	return want, true
}

func dump(e *ecs.Event) string {
	var b strings.Builder
	for _, f := range e.Fields() {
		fmt.Fprintf(&b, "%s %q ", e.Schema().Name(f), oracle{e: e}.values(e.Schema().Name(f)))
	}
	return b.String()
}

var queries = flag.Int("queries", 20_000, "random queries to hold to the tree walk")

func TestMatchAgreesWithTreeWalk(t *testing.T) {
	random := rand.New(rand.NewPCG(1, uint64(*queries)))
	c := choices{random.IntN}
	matched, total := 0, 0
	for range *queries {
		q := c.query()
		match, ran := agree(t, q, c.event(q), Fold(c.next(2)))
		if ran {
			total++
		}
		if match {
			matched++
		}
	}
	if total < *queries*3/4 || matched < total/10 || matched > total*9/10 {
		t.Errorf("%d of %d events match: too few of one kind to tell anything", matched, total)
	}
}

// FuzzMatch holds the program to the tree walk, on queries and events made from
// the fuzzer's bytes, and on the pattern and value it gives as they are.
func FuzzMatch(f *testing.F) {
	for _, c := range semantics {
		for _, v := range append(slices.Clone(c.match), c.miss...) {
			if len(v) > 0 {
				f.Add([]byte(c.condition), c.condition, v[0])
			}
		}
	}
	f.Add([]byte{}, "*a?b*c", "a\xffbé")
	f.Fuzz(func(t *testing.T, numbers []byte, pattern, value string) {
		c := choices{func(n int) int {
			if len(numbers) == 0 {
				return 0
			}
			i := int(numbers[0])
			numbers = numbers[1:]
			return i % n
		}}
		q := c.query()
		agree(t, q, c.event(q), Fold(c.next(2)))

		if !utf8.ValidString(pattern) || strings.ContainsRune(pattern, 1) || len(pattern) > 1000 || len(value) > 1000 {
			return
		}
		for op := range operators {
			cmp := &compare{op: operator(op), left: &field{name: "process.args"}, right: []node{&literal{value: textOf(pattern)}}}
			if cmp.list = cmp.op > greaterEqual; cmp.op.regex() {
				continue
			}
			for fold := range FoldUnicode + 1 {
				agree(t, &query{any: true, cond: cmp}, eventOf(t, values{"process.args", value, "x"}), fold)
			}
		}
	})
}
