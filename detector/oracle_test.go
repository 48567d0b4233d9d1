package detector

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// The oracle walks the syntax tree and compares code points one by one. It
// shares nothing with the program but the parser.

func walk(q *query, e *ecs.Event) bool {
	if !q.any && !slices.Contains(textsOf(e, "event.category"), q.category) {
		return false
	}
	return walkCondition(q.cond, e)
}

func walkCondition(c condition, e *ecs.Event) bool {
	switch c := c.(type) {
	case *not:
		return !walkCondition(c.term, e)
	case *compare:
		return walkCompare(c, e)
	}
	result := !c.(*logic).or
	for _, t := range c.(*logic).terms {
		if c.(*logic).or {
			result = result || walkCondition(t, e)
		} else {
			result = result && walkCondition(t, e)
		}
	}
	return result
}

func walkCompare(c *compare, e *ecs.Event) bool {
	for _, value := range textsOf(e, c.left.(*field).name) {
		for _, r := range c.right {
			if walkValue(c.op, points(value), points(r.(*text).value)) {
				return c.op != notEqual && c.op != notIn && c.op != notInFold
			}
		}
	}
	return c.op == notEqual || c.op == notIn || c.op == notInFold
}

func walkValue(op operator, value, literal []rune) bool {
	switch op {
	case equal, notEqual, in, notIn:
		return slices.Equal(value, literal)
	case inFold, notInFold:
		return slices.EqualFunc(value, literal, sameLetter)
	case like:
		return walkGlob(value, literal, func(a, b rune) bool { return a == b })
	}
	return walkGlob(value, literal, sameLetter)
}

// walkGlob fills a table: row[j] says whether the first j points of the pattern
// match the points of the value so far.
func walkGlob(value, pattern []rune, same func(a, b rune) bool) bool {
	row := make([]bool, len(pattern)+1)
	row[0] = true
	for j, p := range pattern {
		row[j+1] = row[j] && p == '*'
	}
	for _, v := range value {
		next := make([]bool, len(row))
		for j, p := range pattern {
			switch p {
			case '*':
				next[j+1] = next[j] || row[j+1]
			case '?':
				next[j+1] = row[j]
			default:
				next[j+1] = row[j] && same(v, p)
			}
		}
		row = next
	}
	return row[len(pattern)]
}

// points are the code points of s. A byte that is part of none is a negative
// number of its own.
func points(s string) []rune {
	var list []rune
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			r = -1 - rune(s[0])
		}
		list = append(list, r)
		s = s[size:]
	}
	return list
}

func sameLetter(a, b rune) bool {
	small := func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 32
		}
		return r
	}
	return small(a) == small(b)
}

func textsOf(e *ecs.Event, name string) []string {
	f, known := e.Schema().Lookup(name)
	if !known {
		return nil
	}
	var texts []string
	for _, v := range e.Values(f) {
		texts = append(texts, string(v.Text()))
	}
	return texts
}

// choices makes a query and an event out of numbers.
type choices struct{ next func(n int) int }

func (c choices) of(list ...string) string { return list[c.next(len(list))] }

// text makes texts that are often equal, nearly equal or part of each other.
func (c choices) text(broken bool) string {
	var b strings.Builder
	for range c.next(6) {
		b.WriteString(c.of("a", "b", "A", "aab", "/", "-", "k", "K", "\u212a", "é", "É", "😀", "\n", "\ufffd"))
		switch n := c.next(4); {
		case broken && n == 0:
			b.WriteString(c.of("\xff", "\xc3", "\xa9", "\xf0\x9f", "*", "?"))
		case !broken && n < 2:
			b.WriteString(c.of("*", "?", "**", "*?", "??"))
		}
	}
	return b.String()
}

func (c choices) condition(depth int) condition {
	kind := c.next(5)
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 1:
		return &not{term: c.condition(depth - 1)}
	case 2, 3:
		n := &logic{or: kind == 2}
		for range 2 + c.next(2) {
			n.terms = append(n.terms, c.condition(depth-1))
		}
		return n
	}
	n := &compare{op: operator(c.next(len(operators)))}
	f := &field{name: c.of("process.args", "process.name", "event.category", "no.such")}
	f.optional = f.name == "no.such" || c.next(4) == 0
	n.left = f
	n.list = n.op != equal && n.op != notEqual && (!n.op.pattern() || c.next(2) == 0)
	size := 1
	if n.list {
		size += c.next(4)
	}
	for range size {
		n.right = append(n.right, &text{value: c.text(false)})
	}
	return n
}

func (c choices) query() *query {
	q := &query{any: c.next(2) == 0, cond: c.condition(3)}
	if !q.any {
		q.category = "process"
	}
	return q
}

// event makes an event that has a chance to match q: most of its values are the
// query's own literals, some with their wildcards filled in, some a byte short.
func (c choices) event(q *query) *ecs.Event {
	var literals []string
	var collect func(condition)
	collect = func(n condition) {
		switch n := n.(type) {
		case *logic:
			for _, t := range n.terms {
				collect(t)
			}
		case *not:
			collect(n.term)
		case *compare:
			for _, r := range n.right {
				literals = append(literals, r.(*text).value)
			}
		}
	}
	collect(q.cond)
	e := ecs.NewEvent(ecs.Default)
	if c.next(4) > 0 {
		e.Add(ecs.EventCategory, []byte("process"))
	}
	for _, f := range []ecs.Field{ecs.ProcessArgs, ecs.ProcessName, ecs.EventCategory} {
		for range c.next(3) {
			value := c.of(literals...)
			if c.next(2) == 0 {
				value = strings.ReplaceAll(value, "*", c.of("", "a", "é/", "\n"))
			}
			if c.next(2) == 0 {
				value = strings.ReplaceAll(value, "?", c.of("a", "é", "😀", "\xff"))
			}
			switch c.next(8) {
			case 0:
				value = strings.ToUpper(value)
			case 1:
				value = value[:max(0, len(value)-1)]
			case 2:
				value = value[min(1, len(value)):]
			case 3:
				value += "a"
			case 4:
				value = c.text(true)
			}
			e.Add(f, []byte(value))
		}
	}
	return e
}

// agree compiles what q prints and compares program and tree on an event.
func agree(t *testing.T, q *query, e *ecs.Event) bool {
	r, err := Compile("q", q.String(), ecs.Default)
	if err != nil {
		t.Fatal(err)
	}
	want := walk(q, e)
	if got := r.Match(e); got != want {
		t.Fatalf("%s\non args %q, name %q, category %q: %v, want %v\n%s", q,
			textsOf(e, "process.args"), textsOf(e, "process.name"), textsOf(e, "event.category"), got, want, r)
	}
	return want
}

func TestMatchAgreesWithTreeWalk(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := choices{random.IntN}
	matched, total := 0, 5_000
	for range total {
		q := c.query()
		if agree(t, q, c.event(q)) {
			matched++
		}
	}
	if matched < total/10 || matched > total*9/10 {
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
		agree(t, q, c.event(q))

		if !utf8.ValidString(pattern) || strings.ContainsRune(pattern, 1) || len(pattern) > 1000 || len(value) > 1000 {
			return
		}
		for op := range operators {
			cmp := &compare{op: operator(op), left: &field{name: "process.args"}, right: []operand{&text{value: pattern}}}
			cmp.list = cmp.op != equal && cmp.op != notEqual
			agree(t, &query{any: true, cond: cmp}, eventOf(t, values{"process.args", value, "x"}))
		}
	})
}
