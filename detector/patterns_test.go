package detector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// pattern makes a pattern with a wildcard, as a list of patterns has them.
func (c choices) pattern() string {
	for {
		var b strings.Builder
		for range 1 + c.next(7) {
			b.WriteString(c.of("a", "b", "ab", "abc", "C", "é", "😀", "/", "-x", "*", "*", "?", "\n", "\ufffd", "aaaaaaaa", "abcdefgh"))
		}
		if p := b.String(); strings.ContainsAny(p, "*?") && strings.Trim(p, "*") != "" {
			return p
		}
	}
}

// valueOf fills a pattern's wildcards and now and then changes a byte at an end.
func (c choices) valueOf(pattern string) string {
	var b strings.Builder
	for _, r := range pattern {
		switch r {
		case '*':
			b.WriteString(c.of("", "", "a", "xyz", "é", "\xff", "abc", "?"))
		case '?':
			b.WriteString(c.of("a", "é", "😀", "\n", "\x80", "?", ""))
		default:
			b.WriteRune(r)
		}
	}
	v := b.String()
	switch c.next(6) {
	case 0:
		return strings.ToUpper(v)
	case 1:
		return v[:max(0, len(v)-1)]
	case 2:
		return v[min(len(v), 1):]
	case 3:
		return c.of("a", "\xc3", "é") + v
	case 4:
		return v + c.of("a", "\xa9", "é")
	}
	return v
}

// TestPatternsAgreeWithGlobs holds lists of all sizes to each pattern alone, and
// that to a walk over a table.
func TestPatternsAgreeWithGlobs(t *testing.T) {
	c := choices{rand.New(rand.NewPCG(51, 52)).IntN}
	hits, total := 0, 0
	for i := range 800 {
		list := make([]string, 1+(i*7)%maxPatterns)
		fold := c.next(2) == 0
		for j := range list {
			if list[j] = c.pattern(); fold {
				list[j] = FoldASCII.text(list[j])
			}
		}
		p := newPatterns(list, fold)
		if n := len(p.anchored) + len(p.floating) + len(p.blind); n != len(list) {
			t.Fatalf("%d patterns of %d", n, len(list))
		}
		same := exactly
		if fold {
			same = script{}.same
		}
		for range 30 {
			value := c.valueOf(list[c.next(len(list))])
			want := slices.ContainsFunc(list, func(pattern string) bool {
				walked := walkGlob(points(value), points(pattern), same)
				if g := newGlob(pattern, fold); g.matches([]byte(value)) != walked {
					t.Fatalf("%q: glob %q, fold %v, is not %v", value, pattern, fold, walked)
				}
				return walked
			})
			if got := p.matches([]byte(value)); got != want {
				t.Fatalf("%q: %v, want %v of %q, fold %v", value, got, want, list, fold)
			}
			if total++; want {
				hits++
			}
		}
	}
	if hits < total/4 || hits > total*9/10 {
		t.Errorf("%d of %d values match: too few of one kind", hits, total)
	}
}

// TestPatternsOfALongList compiles lists that are more than one set of patterns.
func TestPatternsOfALongList(t *testing.T) {
	for _, n := range []int{fewPatterns, fewPatterns + 1, maxPatterns, maxPatterns + 1, 3*maxPatterns + 5} {
		for _, form := range []string{"x%03d*", "*y%03d", "*z%03d*", "?q%03d", "*é%d?"} {
			var list []string
			for i := range n {
				list = append(list, quote(fmt.Sprintf(form, i)))
			}
			r := mustCompile(t, "any where process.args : ("+strings.Join(list, ", ")+")")
			filled := strings.NewReplacer("*", "w", "?", "w").Replace(strings.TrimPrefix(form, "*"))
			for i := range n + 3 {
				value := fmt.Sprintf(filled, i)
				if got := r.Match(eventOf(t, values{args, "no", value})); got != (i < n) {
					t.Errorf("%d of %s: %q is %v, want %v\n%s", n, form, value, got, i < n, r)
				}
			}
		}
	}
}

// TestPatternsEnd runs lists on values made to be slow. Work that grew with the
// square of a megabyte would not end.
func TestPatternsEnd(t *testing.T) {
	const size = 1 << 20
	var many []string
	for i := range maxPatterns {
		many = append(many, fmt.Sprintf("*abc%d*", i), fmt.Sprintf("*%dabc", i), fmt.Sprintf("abcabc*%d", i), fmt.Sprintf("*a%d*b?c*", i%10))
	}
	for _, c := range []struct {
		name  string
		list  []string
		value string
		want  bool
	}{
		{"OneWindow", []string{"*abcx*", "*xabc*", "*abc?abcabd*"}, strings.Repeat("abc", size/3), false},
		{"OneByte", []string{"*aaab*", "*baaa*", "*aaa?b", "*aaa*aaab*"}, strings.Repeat("a", size), false},
		{"NearHits", many, strings.Repeat("abcabc", size/6), false},
		{"HitAtTheEnd", many, strings.Repeat("abcabc", size/6) + "63", true},
		{"Blind", []string{"*?a", "*??b", "*?c?"}, strings.Repeat("é", size/2), false},
		{"WideCharacters", []string{"*é?abc*", "*😀😀x", "é*x"}, strings.Repeat("é😀", size/6), false},
		{"Folded", []string{"*abcx*", "*xabc*", "*Abd*"}, strings.Repeat("aBC", size/3), false},
	} {
		quoted := make([]string, len(c.list))
		for i, p := range c.list {
			quoted[i] = quote(p)
		}
		r := mustCompile(t, "any where process.command_line : ("+strings.Join(quoted, ", ")+")")
		if got := r.Match(eventOf(t, values{line, c.value})); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// TestPatternsKinds is how a list is sorted out: what is anchored must begin as its
// pattern does, and what floats must have its window.
func TestPatternsKinds(t *testing.T) {
	list := []string{"abc*", "?bc*", "é*", "*abc", "*xyz*", "*ab*", "*?", "a?", "ABc*x"}
	p := newPatterns(list, false)
	sources := func(globs []glob) (list []string) {
		for _, g := range globs {
			list = append(list, g.source)
		}
		return list
	}
	if got := strings.Join(sources(p.anchored), " "); got != "abc* ?bc* é* a? ABc*x" {
		t.Errorf("anchored are %s", got)
	}
	if got := strings.Join(sources(p.floating), " "); got != "*abc *xyz*" {
		t.Errorf("floating are %s", got)
	}
	if got := strings.Join(sources(p.blind), " "); got != "*ab* *?" {
		t.Errorf("blind are %s", got)
	}
	for _, c := range []struct {
		value string
		want  [3]bool // anchored, floating, blind
	}{
		{"abc", [3]bool{true, true, true}}, {"xbc", [3]bool{true, false, true}}, {"ébc", [3]bool{true, false, true}}, {"", [3]bool{}}, {"x", [3]bool{false, false, true}},
		{"xyz", [3]bool{false, true, true}}, {"XYZ", [3]bool{false, false, true}}, {"ABcx", [3]bool{true, false, true}}, {"abcx", [3]bool{true, false, true}},
		{"ABCx", [3]bool{false, false, true}}, {"aé", [3]bool{true, false, true}}, {"a", [3]bool{false, false, true}}, {"a\xff", [3]bool{true, false, true}},
	} {
		v := []byte(c.value)
		if got := [3]bool{p.begins(v), p.contains(v), p.isBlind(v)}; got != c.want {
			t.Errorf("%q: %v, want %v", c.value, got, c.want)
		}
	}
}
