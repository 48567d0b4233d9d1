package detector

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// hostile are events made to be slow to judge: a command line of a megabyte and
// ten thousand arguments, all distinct.
func hostile(t *testing.T, fill string) *ecs.Event {
	const size = 1 << 20
	long := strings.Repeat(fill, size/len(fill))
	arguments := make(values, 0, 10_001)
	arguments = append(arguments, args)
	for i := range 10_000 {
		arguments = append(arguments, fmt.Sprintf("%s%d", fill, i))
	}
	return eventOf(t,
		values{"event.category", "process"}, values{"event.type", "start"}, values{"event.action", "exec"}, values{"host.os.type", "linux"},
		values{"process.name", "bash"}, values{"process.executable", "/bin/bash"}, values{"process.parent.name", "sh"},
		arguments, values{line, long}, values{"process.parent.command_line", long},
	)
}

// TestHostileEvents judges them by a set as large as Elastic's and holds it to
// each of its rules alone. Work that grew with the square of a megabyte would not
// end.
func TestHostileEvents(t *testing.T) {
	set, err := NewSet(corpus(t, FoldASCII))
	if err != nil {
		t.Fatal(err)
	}
	near := nearHits(set)
	if len(near) < 1000 {
		t.Fatalf("only %q of near hits", near)
	}
	for _, c := range []struct{ name, fill string }{
		{"OneLetter", "a"}, {"Address", "1.1.1."}, {"NearHits", near}, {"WideLetters", "éÉ😀"}, {"NoText", "\xf0\x9f\x98"},
	} {
		e := hostile(t, c.fill)
		want := alone(set, e)
		if got := set.Match(nil, e); !slices.Equal(got, want) {
			t.Errorf("%s: set matches %s, its rules alone %s", c.name, ids(got), ids(want))
		}
	}
}

// nearHits are texts that the rules of a set look for, each without its last byte.
func nearHits(s *Set) string {
	var b strings.Builder
	var walk func(node)
	walk = func(n node) {
		if l, ok := n.(*literal); ok && l.value.kind == textual {
			text := strings.Trim(string(l.value.text), "*?")
			b.WriteString(text[:max(0, len(text)-1)])
		}
		for _, c := range children(n) {
			walk(c)
		}
	}
	for _, r := range s.rules {
		walk(r.query.cond)
	}
	return strings.ToValidUTF8(b.String()[:min(b.Len(), 4000)], "")
}

// TestHostileFold judges one by rules that fold all letters.
func TestHostileFold(t *testing.T) {
	set, err := NewSet(corpus(t, FoldUnicode)[:12])
	if err != nil {
		t.Fatal(err)
	}
	for _, fill := range []string{"É" + kelvin, "a" + longS + "\xff"} {
		e := hostile(t, fill)
		want := alone(set, e)
		if got := set.Match(nil, e); !slices.Equal(got, want) {
			t.Errorf("%q: set matches %s, its rules alone %s", fill, ids(got), ids(want))
		}
	}
}

// TestHostilePairs tries a leaf over two fields of ten thousand values each, of
// which not all pairs can be tried. What is found early is still found.
func TestHostilePairs(t *testing.T) {
	for _, c := range []struct {
		name, condition, text string
		want                  bool
	}{
		{"Miss", `startsWith(process.args, process.parent.args)`, strings.Repeat("y", 200), false},
		{"Contains", `stringContains~(process.args, process.parent.args)`, strings.Repeat("y", 200), false},
		{"Concat", `concat(process.args, process.parent.args) : "*zz"`, strings.Repeat("y", 200), false},
		{"Hit", `concat(process.args, process.parent.args) : "x9y*7"`, strings.Repeat("y", 200), true},
		{"NotMiss", `not endsWith(process.args, process.parent.args)`, strings.Repeat("y", 200) + "z", true},
	} {
		e := ecs.NewEvent(ecs.Default)
		for i := range 10_000 {
			e.Add(ecs.ProcessArgs, fmt.Appendf(nil, "x%d", i))
			e.Add(ecs.ProcessParentArgs, fmt.Appendf(nil, "%s%d", c.text, i))
		}
		r := mustCompile(t, "any where "+c.condition)
		if got := r.Match(e); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestLeafStops counts the combinations that a leaf tries: all of few, and of many
// no more than its bound allows.
func TestLeafStops(t *testing.T) {
	tried := 0
	counting := &function{name: "count", params: []domain{texts, texts}, result: booleans, eval: func(*machine, *term, []value) value {
		tried++
		return booleanOf(false)
	}}
	fields := []node{&field{name: args}, &field{name: "process.parent.args"}}
	p := emitLeaf(&call{fn: counting, args: fields}, ecs.Default, FoldASCII)
	bound := func(size int) int { return maxWork/(3*(basicWork+2*size)) + 1 } // of a function and its two fields
	for _, c := range []struct{ values, size, most int }{
		{0, 0, 1}, {1, 5, 1}, {30, 5, 900}, {100, 1 << 16, bound(1 << 16)}, {10_000, 0, bound(0)},
	} {
		e := ecs.NewEvent(ecs.Default)
		text := []byte(strings.Repeat("a", c.size))
		for range c.values {
			e.Add(ecs.ProcessArgs, text)
			e.Add(ecs.ProcessParentArgs, text)
		}
		for range 2 { // the bound is one event's
			tried = 0
			if p.match(e, e) || tried > c.most || tried < c.most*9/10 {
				t.Errorf("%d values of %d bytes: %d pairs tried, want %d", c.values, c.size, tried, c.most)
			}
		}
	}
}

// A leaf over one field tries every value, however long those in front of it are:
// padding hides nothing.
func TestLeafOfOneFieldTriesAll(t *testing.T) {
	patterns := `"*zz1", "*zz2", "*zz3", "*zz4", "*zz5", "*zz6", "*zz7", "*hit"`
	r := mustCompile(t, `any where substring(process.args, 0) : (`+patterns+`)`)
	e := ecs.NewEvent(ecs.Default)
	padding := []byte(strings.Repeat("a", 1<<20))
	for range 40 { // of each some ten times its length is compared
		e.Add(ecs.ProcessArgs, padding)
	}
	if r.Match(e) {
		t.Error("padding matches")
	}
	if e.Add(ecs.ProcessArgs, []byte("a hit")); !r.Match(e) {
		t.Error("the value behind the padding is not tried")
	}
}
