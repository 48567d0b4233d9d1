package detector

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

// TestDFAGivesUp is about patterns that no automaton within its limits can match:
// the answers come from Go's regexp, and are right.
func TestDFAGivesUp(t *testing.T) {
	var scattered strings.Builder // more classes than one byte can name
	for c := range maxClasses {
		scattered.WriteRune(rune(0x4e00 + 2*c))
	}
	for _, c := range []struct{ name, pattern, match, miss string }{
		{"states", hardPattern, "a" + strings.Repeat("ab", 6), "b" + strings.Repeat("ab", 6)},
		{"classes", "[" + scattered.String() + "]+x", "\u4e00\u4e02x", "\u4e00\u4e01x"},
		{"steps", strings.Repeat("([acegikmoq]|zz)?", 500), strings.Repeat("azz", 250), strings.Repeat("azz", 250) + "a"},
	} {
		r := mustRegex(t, c.pattern, exact)
		if r.dfa != nil {
			t.Errorf("%s: %d states of %d classes", c.name, len(r.dfa.accepts), len(r.dfa.cuts))
		}
		if !r.matches([]byte(c.match)) || r.matches([]byte(c.miss)) {
			t.Errorf("%s: wrong answer", c.name)
		}
	}
	if r := mustRegex(t, `(a|b)*a(a|b){5}`, exact); r.dfa == nil || !r.matches([]byte("babbbbb")) || r.matches([]byte("bbabbbb")) {
		t.Error("a small automaton is not built or wrong")
	}
}

// TestDFASize counts what a table is made of: one state for each set of places in
// the pattern, and no class that makes no difference, such as K beside k alone.
func TestDFASize(t *testing.T) {
	for _, c := range []struct {
		pattern         string
		states, classes int
	}{
		{`k`, 2 + 2, 3},
		{`[Kk]`, 2 + 2, 5},
		{`(a|b)*a(a|b){5}`, 2 + 64, 4},
		{`(.*x|y.*)*z|(q|x)y`, 2 + 8, 7},
	} {
		d := mustRegex(t, c.pattern, exact).dfa
		if states, classes := len(d.accepts), len(d.cuts); states != c.states || classes != c.classes {
			t.Errorf("%s: %d states of %d classes, want %d of %d", c.pattern, states, classes, c.states, c.classes)
		}
	}
}

// TestDFAEndsEarly names the states in which a walk stops.
func TestDFAEndsEarly(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		want           uint16
	}{
		{`a.*`, "a", fullState},
		{`a.*`, "b", deadState},
		{`.*ab.*`, "xab", fullState},
		{`.*ab.*|b@`, "b", fullState},
		{`@`, "", fullState},
		{`#`, "a", deadState},
		{`abc`, "abd", deadState},
		{`é+`, "e", deadState},
	} {
		if got := mustRegex(t, c.pattern, exact).dfa.walk([]byte(c.value)); got != c.want {
			t.Errorf("%s: state %d behind %q, want %d", c.pattern, got, c.value, c.want)
		}
	}
	for _, pattern := range []string{`.*ab`, `a.?`} {
		if got := mustRegex(t, pattern, exact).dfa.walk([]byte("ab")); got <= fullState {
			t.Errorf("%s: ends early behind ab", pattern)
		}
	}
}

// TestRegexAllocs holds matching to its promise. Go's regexp keeps its memory in a
// pool, from which the collector and the race detector take some at times, so the
// best run of several counts.
func TestRegexAllocs(t *testing.T) {
	for _, c := range regexes {
		r := mustRegex(t, c.pattern, c.folding)
		for _, v := range append(append([]string{strings.Repeat("aé\xff", 100)}, c.match...), c.miss...) {
			value := []byte(v)
			n := testing.AllocsPerRun(1, func() { r.matches(value) })
			for range 20 {
				n = min(n, testing.AllocsPerRun(1, func() { r.matches(value) }))
			}
			if n != 0 {
				t.Errorf("%s: %v allocations for %.40q, want none", c.pattern, n, v)
			}
		}
	}
}

// TestRegexIsLinear runs patterns on values made to be slow. Work that grew with
// the square of a megabyte would not end.
func TestRegexIsLinear(t *testing.T) {
	const size = 1 << 20
	as := strings.Repeat("a", size)
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{
		{`(a*)*b`, as, false},
		{`(a|aa)*b`, as, false},
		{`.*a.*a.*a.*a.*b`, as, false},
		{`(.*.*.*)*x`, as, false},
		{`(\w+\.?)+/`, as, false},
		{`.*([0-9]{1,3}\.){3}[0-9]{1,3}`, strings.Repeat("1.1.1.", size/6), false},
		{`(é|ê)*`, strings.Repeat("éê", size/4), true},
		{hardPattern, strings.Repeat("ab", size/2), false},
	} {
		if got := mustRegex(t, c.pattern, foldsUnicode).matches([]byte(c.value)); got != c.want {
			t.Errorf("%s: %v, want %v", c.pattern, got, c.want)
		}
	}
}

// FuzzDFA compares the automaton of any pattern with Go's regexp of it.
func FuzzDFA(f *testing.F) {
	for _, c := range regexes {
		for _, v := range append(c.match, c.miss...) {
			f.Add(c.pattern, c.folding, v)
		}
	}
	f.Fuzz(func(t *testing.T, pattern string, folding int, value string) {
		folding &= 3
		p := regexParser{fold: folding > 0, unicodeFold: folding > 1, plain: true}
		text, fault := p.translate(pattern)
		r, err := newRegex(pattern, p.fold, p.unicodeFold)
		if fault != nil && (err == nil || err.Error() != fault.Error()) {
			t.Fatalf("%q: %v, want %v", pattern, err, fault)
		}
		if err != nil {
			if s := err.Error(); !strings.Contains(s, " at character ") && !strings.HasPrefix(s, "pattern ") {
				t.Fatalf("%q: %s", pattern, s)
			}
			return
		}
		if got, want := r.matches([]byte(value)), regexp.MustCompile(`\A`+text+`\z`).MatchString(value); got != want {
			t.Fatalf("%q, %d: %v of %q, want %v", pattern, folding, got, value, want)
		}
		if text, plain := r.literal(); plain && (!r.matches([]byte(text)) || folding == 0 && text != value && r.matches([]byte(value))) {
			t.Fatalf("%q, %d: %q is not what it matches", pattern, folding, text)
		}
	})
}

// dice makes the choices of a random test from bytes, and then always 0.
type dice []byte

func (d *dice) roll(n int) int {
	if len(*d) == 0 {
		return 0
	}
	c := (*d)[0]
	*d = (*d)[1:]
	return int(c) % n
}

func (d *dice) rune(from string) rune {
	runes := []rune(from)
	return runes[d.roll(len(runes))]
}

const (
	someLetters = "aAkKsSzé\u212aſΣ"
	someSigns   = "-]^[\\.*+?(){}|&~<>@#\"_ 0\n\ufffd😀"
)

// regexTree is what a pattern means, for an oracle that knows nothing of patterns.
type regexTree struct {
	kind        string
	char        rune // and the low end of a range
	high        rune
	least, most int // most is -1 without a limit
	sub         []regexTree
}

func growTree(d *dice, depth int) regexTree {
	kinds := []string{"char", "class", "any", "quoted", "escape", "empty", "all", "none", "concat", "union", "repeat", "concat", "repeat"}
	if depth == 0 {
		kinds = kinds[:3]
	}
	r := regexTree{kind: kinds[d.roll(len(kinds))]}
	grow := func(n int, part func() regexTree) {
		for range n {
			r.sub = append(r.sub, part())
		}
	}
	char := func() regexTree { return regexTree{kind: "char", char: d.rune(someLetters + someSigns)} }
	switch r.kind {
	case "char":
		r = char()
	case "escape":
		r.char = d.rune("dDsSwW")
	case "quoted":
		grow(d.roll(3), func() regexTree {
			c := char()
			if c.char == '"' {
				c.char = 'k'
			}
			return c
		})
	case "class":
		if d.roll(3) == 0 {
			r.kind = "except"
		}
		grow(1+d.roll(3), func() regexTree {
			switch c := char(); d.roll(3) {
			case 0:
				return regexTree{kind: "escape", char: d.rune("dDsSwW")}
			case 1:
				c.kind, c.char = "range", d.rune(someLetters)
				c.high = c.char + rune(d.roll(40))
				if c.high > 'Z' && c.high < 'a' {
					c.high = 'a'
				}
				return c
			default:
				return c
			}
		})
	case "concat", "union":
		grow(2+d.roll(2), func() regexTree { return growTree(d, depth-1) })
	case "repeat":
		grow(1, func() regexTree { return growTree(d, depth-1) })
		r.least = d.roll(3)
		r.most = max(r.least+d.roll(3), 1) - 1
		if r.most < r.least {
			r.most = -1
		}
	}
	return r
}

// pattern prints a tree in one of the ways to write it.
func (r *regexTree) pattern(d *dice) string {
	var parts []string
	for i := range r.sub {
		s := r.sub[i].pattern(d)
		if k := r.sub[i].kind; k == "union" || k == "concat" || r.kind == "repeat" && k == "repeat" && d.roll(2) == 0 {
			s = "(" + s + ")"
		}
		parts = append(parts, s)
	}
	switch r.kind {
	case "char":
		if strings.ContainsRune(someSigns, r.char) {
			return `\` + string(r.char)
		}
		return string(r.char)
	case "escape":
		return `\` + string(r.char)
	case "any":
		return "."
	case "all":
		return "@"
	case "none":
		return "#"
	case "empty":
		return "()"
	case "quoted":
		s := `"`
		for _, c := range r.sub {
			s += string(c.char)
		}
		return s + `"`
	case "range":
		if unicode.IsLetter(r.high) || d.roll(2) == 0 {
			return string(r.char) + "-" + string(r.high)
		}
		return string(r.char) + `-\` + string(r.high)
	case "class":
		return "[" + strings.Join(parts, "") + "]"
	case "except":
		return "[^" + strings.Join(parts, "") + "]"
	case "union":
		return strings.Join(parts, "|")
	case "repeat":
		if short := map[[2]int]string{{0, 1}: "?", {0, -1}: "*", {1, -1}: "+"}[[2]int{r.least, r.most}]; short != "" && d.roll(2) == 0 {
			return parts[0] + short
		}
		if r.most < 0 {
			return fmt.Sprintf("%s{%d,}", parts[0], r.least)
		}
		if r.most == r.least && d.roll(2) == 0 {
			return fmt.Sprintf("%s{%d}", parts[0], r.least)
		}
		return fmt.Sprintf("%s{%d,%d}", parts[0], r.least, r.most)
	}
	return strings.Join(parts, "")
}

// has reports whether a tree of one character matches c.
func (r *regexTree) has(c rune, folding int) bool {
	switch r.kind {
	case "char":
		ascii := r.char < 0x80 && c < 0x80
		return r.char == c || (folding == foldsUnicode || folding == foldsASCII && ascii) && strings.EqualFold(string(r.char), string(c))
	case "range":
		return r.char <= c && c <= r.high
	case "escape":
		set := "0123456789"
		switch unicode.ToLower(r.char) {
		case 's':
			set = "\t\n\r "
		case 'w':
			set += "_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		}
		return strings.ContainsRune(set, c) == unicode.IsLower(r.char)
	case "class", "except":
		for _, m := range r.sub {
			if m.has(c, folding) {
				return r.kind == "class"
			}
		}
		return r.kind == "except"
	}
	return r.kind == "any"
}

// match returns the places of value that r leads to from some places.
func (r *regexTree) match(value []rune, from []bool, folding int) []bool {
	to := make([]bool, len(from))
	join := func(places []bool) (more bool) {
		for i, ok := range places {
			more = more || ok && !to[i]
			to[i] = to[i] || ok
		}
		return more
	}
	switch r.kind {
	case "none":
	case "empty":
		return from
	case "all":
		for i := range to {
			to[i] = from[i] || i > 0 && to[i-1]
		}
	case "concat", "quoted":
		for i := range r.sub {
			from = r.sub[i].match(value, from, folding)
		}
		return from
	case "union":
		for i := range r.sub {
			join(r.sub[i].match(value, from, folding))
		}
	case "repeat":
		for range r.least {
			from = r.sub[0].match(value, from, folding)
		}
		for n, more := r.least, join(from); more && n != r.most; n++ {
			from = r.sub[0].match(value, from, folding)
			more = join(from)
		}
	default:
		for i, c := range value {
			to[i+1] = from[i] && r.has(c, folding)
		}
	}
	return to
}

// sample is a value that a tree likely matches.
func (r *regexTree) sample(d *dice) string {
	if len(r.sub) == 0 {
		chars := []rune(someLetters + someSigns)
		for i := range chars { // from a random one on
			if c := chars[(i+d.roll(len(chars)))%len(chars)]; r.has(c, foldsUnicode) {
				return string(c)
			}
		}
		return ""
	}
	var s string
	switch r.kind {
	case "concat", "quoted":
		for i := range r.sub {
			s += r.sub[i].sample(d)
		}
	case "repeat":
		for range max(r.least, r.most) {
			s += r.sub[0].sample(d)
		}
	default: // of a union or a class one, of its complement perhaps none
		s = r.sub[d.roll(len(r.sub))].sample(d)
	}
	return s
}
