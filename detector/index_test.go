package detector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// alone is what each rule of the set says of e by itself.
func alone(s *Set, e *ecs.Event) (matched []*Rule) {
	for _, r := range s.rules {
		if r.Match(e) {
			matched = append(matched, r)
		}
	}
	return matched
}

// mutated is e with some of its texts changed in a way that an index could be
// wrong about: another case, letters that fold to ASCII, no value, a second one.
func mutated(random *rand.Rand, e *ecs.Event) *ecs.Event {
	m := ecs.NewEvent(e.Schema())
	for _, f := range e.Fields() {
		for _, v := range e.Values(f) {
			text := string(v.Text())
			switch random.IntN(24) {
			case 0:
				continue
			case 1:
				text = strings.ToUpper(text)
			case 2:
				text = strings.NewReplacer("k", "\u212a", "s", "ſ").Replace(text)
			case 3:
				text = ""
			case 4:
				text += "\n"
			case 5:
				text = "😀" + text
			case 6:
				m.Add(f, []byte(strings.ToLower(text)))
			}
			addValue(m, f, v, []byte(text))
		}
	}
	return m
}

// TestSetAgreesWithItsRules holds a large set to each of its rules alone and some
// of them to the tree walk, on generated events as they are and mutated.
func TestSetAgreesWithItsRules(t *testing.T) {
	for fold := range FoldUnicode + 1 {
		set, err := NewSet(corpus(t, fold))
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(5, uint64(fold)))
		matches := 0
		for i, e := range generateEvents(11, 1500) {
			if i%3 > 0 {
				e = mutated(random, e)
			}
			want := alone(set, e)
			if got := set.Match(nil, e); !slices.Equal(got, want) {
				t.Fatalf("fold %d: set matches %s, its rules alone %s\n%s", fold, ids(got), ids(want), e.AppendJSON(nil))
			}
			for n, r := range set.rules {
				if (n+i)%50 == 0 && (oracle{e, fold}).query(r.query) != slices.Contains(want, r) {
					t.Fatalf("fold %d: %s\nis %v on %s", fold, r.Query, slices.Contains(want, r), e.AppendJSON(nil))
				}
			}
			matches += len(want)
		}
		if matches < 50 {
			t.Errorf("fold %d: only %d matches", fold, matches)
		}
	}
}

// randomSet is a set of random queries.
func randomSet(t *testing.T, c choices, n int, fold Fold) (*Set, []*query) {
	t.Helper()
	var rules []*Rule
	var queries []*query
	for len(rules) < n {
		q := c.query()
		r, err := Compile(fmt.Sprint(len(rules)), q.String(), ecs.Default, fold)
		if err != nil {
			q = &query{cond: &compare{op: match, left: c.field(textFields[:2]), right: []node{c.textLiteral()}}, any: true}
			if r, err = Compile(fmt.Sprint(len(rules)), q.String(), ecs.Default, fold); err != nil {
				t.Fatal(err)
			}
		}
		rules, queries = append(rules, r), append(queries, q)
	}
	set, err := NewSet(rules)
	if err != nil {
		t.Fatal(err)
	}
	return set, queries
}

func setAgrees(t *testing.T, c choices, rules, events int) (matches int) {
	t.Helper()
	fold := Fold(c.next(2))
	set, queries := randomSet(t, c, rules, fold)
	for i := range events {
		e := c.event(queries[i%len(queries)])
		want := alone(set, e)
		if got := set.Match(nil, e); !slices.Equal(got, want) {
			var b strings.Builder
			for _, r := range append(slices.Clone(got), want...) {
				if slices.Contains(got, r) != slices.Contains(want, r) {
					fmt.Fprintf(&b, "%s: %s\n", r.ID, r.Query)
				}
			}
			t.Fatalf("fold %d: set matches %s, its rules alone %s on %s\n%s", fold, ids(got), ids(want), dump(e), b.String())
		}
		matches += len(want)
	}
	return matches
}

func TestSetAgreesOnRandomQueries(t *testing.T) {
	c := choices{rand.New(rand.NewPCG(3, 4)).IntN}
	matches := 0
	for range 60 {
		matches += setAgrees(t, c, 40, 40)
	}
	if matches < 10_000 {
		t.Errorf("only %d matches", matches)
	}
}

// TestSetOfMoreThanOneGroup holds a set that is larger than an index to its rules.
func TestSetOfMoreThanOneGroup(t *testing.T) {
	c := choices{rand.New(rand.NewPCG(8, 9)).IntN}
	if matches := setAgrees(t, c, groupSize*2+40, 20); matches < 1000 {
		t.Errorf("only %d matches", matches)
	}
}

// FuzzSet holds a set of random queries to each of them alone.
func FuzzSet(f *testing.F) {
	f.Add([]byte("a set of rules"), uint64(1))
	f.Fuzz(func(t *testing.T, numbers []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 1))
		setAgrees(t, choices{func(n int) int {
			if len(numbers) == 0 {
				return random.IntN(n)
			}
			i := int(numbers[0])
			numbers = numbers[1:]
			return i % n
		}}, fewRules+2, 6)
	})
}

// TestIndexNarrows is what the index is for: few of many rules are left for an
// event, and none that a value of another field or of a column apart would keep.
func TestIndexNarrows(t *testing.T) {
	queries := []string{
		`any where process.name == "bash"`,
		`any where process.name : "ps*"`,
		`any where process.args like "*shadow*" and host.os.type == "linux"`,
		`any where process.args == "a" and process.args == "b"`,
		`any where not process.name == "bash"`,
		`any where process.name == null`,
		`any where process.pid == 5`,
		`any where process.name : "zsh" or process.pe.original_file_name == "ZSH"`,
		`any where process.name regex "p[a-z]" and event.action == "exec"`,
		`any where process.args : "*"`,
	}
	var rules []*Rule
	for i, q := range queries {
		rules = append(rules, named(t, fmt.Sprint(i), q))
	}
	index, _ := newIndex(rules, ecs.Default)
	for _, c := range []struct {
		event *ecs.Event
		left  string
	}{
		{eventOf(t), "4 5 6"},
		{eventOf(t, values{"process.name", "bash"}), "0 1 4 5 6"},
		{eventOf(t, values{"process.name", "BASH"}), "0 1 4 5 6"}, // a need is folded, whatever the rule
		{eventOf(t, values{"process.name", "x"}), "1 4 5 6"},      // two letters have no window
		{eventOf(t, values{"process.name", "x"}, values{"event.action", "exec"}), "1 4 5 6 8"},
		{eventOf(t, values{"process.name", "x", "Zsh"}), "1 4 5 6 7"},
		{eventOf(t, values{"process.pe.original_file_name", "zsh"}), "4 5 6 7"},
		{eventOf(t, values{"process.args", "/etc/shadow"}), "4 5 6 9"},
		{eventOf(t, values{"process.args", "/etc/shadow"}, values{"host.os.type", "linux"}), "2 4 5 6 9"},
		{eventOf(t, values{"process.args", "/etc/passwd"}, values{"host.os.type", "linux"}), "4 5 6 9"},
		{eventOf(t, values{"process.args", "b"}), "4 5 6 9"}, // of "a" and "b" one need is enough
		{eventOf(t, values{"process.args", "x", "a"}), "3 4 5 6 9"},
	} {
		var left ruleBits
		for i := range rules {
			left.set(i)
		}
		index.narrow(&left, c.event)
		var got []string
		for i := range rules {
			var one ruleBits
			if one.set(i); one.within(&left) {
				got = append(got, fmt.Sprint(i))
			}
		}
		if strings.Join(got, " ") != c.left {
			t.Errorf("%s leaves %v, want %s", dump(c.event), got, c.left)
		}
	}
}
