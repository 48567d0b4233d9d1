package detector

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// A code point boundary of a value is a place that is not inside a well-formed
// code point; a byte that belongs to none is one of its own. Patterns are valid
// UTF-8, so a literal part of one begins and ends on boundaries wherever it is
// found, and only ? has to look at code points at all.

// glob is a pattern with wildcards: * is any run of code points, also an empty
// one, and ? is exactly one. The whole value must match. There is no escape
// (https://github.com/elastic/elasticsearch/pull/65237), and line breaks are
// characters like others.
//
// A value is matched segment by segment, each at its leftmost place: a segment
// always takes the same number of code points, so an earlier place never leaves
// less room for those that follow. Nothing is tried twice, and the cost is at
// most the value's length times the pattern's.
type glob struct {
	source string // as written, for listings
	fold   bool
	whole  bool      // the pattern has no *: head is all of it
	head   string    // in front of the first *
	middle []segment // between stars, none empty
	tail   string    // behind the last *
}

// segment is a run of a pattern between two stars, or text to search for.
type segment struct {
	key  string // in front of the first ?, possibly empty
	rest string // from the first ? on
	fold bool
	rare int // the place in key of the byte that is looked for first
}

// newSegment compiles a run of a pattern.
func newSegment(run string, fold bool) segment {
	if i := strings.IndexByte(run, '?'); i >= 0 {
		s := newText(run[:i], fold)
		s.rest = run[i:]
		return s
	}
	return newText(run, fold)
}

// newText makes a search for plain text, in which ? is a character.
func newText(text string, fold bool) segment {
	s := segment{key: text, fold: fold}
	for i := range len(text) {
		if rarity(text[i]) > rarity(text[s.rare]) {
			s.rare = i
		}
	}
	return s
}

// rarity ranks bytes by how seldom a search for them stops in a path, URL or
// command line. A letter is worst: it has to be looked for in both cases.
func rarity(c byte) int {
	switch {
	case lower[c] >= 'a' && lower[c] <= 'z':
		return 0
	case strings.IndexByte(`/\. `, c) >= 0:
		return 1
	case strings.IndexByte(`-=:"`, c) >= 0:
		return 2
	}
	return 3
}

// find returns the place behind the leftmost match of s in value at or behind
// the boundary at, -1 if there is none. It looks for one byte of the key, in
// both cases if it has to, and compares the rest only where that stands.
func (s *segment) find(value []byte, at int) int {
	if s.key == "" {
		return s.walk(value, at)
	}
	room := len(value) - at - len(s.key)
	if room < 0 {
		return -1
	}
	window := value[at+s.rare : at+s.rare+room+1] // where the byte of a match can be
	c := s.key[s.rare]
	next, upper := place(window, c, 0), len(window)
	if s.fold && c >= 'a' && c <= 'z' {
		upper = place(window, c-'a'+'A', 0)
	}
	for {
		i := min(next, upper)
		if i == len(window) {
			return -1
		}
		if start, end := at+i, at+i+len(s.key); same(value[start:end], s.key, s.fold) {
			if end = step(value, end, s.rest, s.fold); end >= 0 {
				return end
			}
		}
		if i == next {
			next = place(window, c, i+1)
		} else {
			upper = place(window, c-'a'+'A', i+1)
		}
	}
}

// walk is find for a segment that begins with ?, or is empty: it tries every code
// point.
func (s *segment) walk(value []byte, at int) int {
	for {
		if end := step(value, at, s.rest, s.fold); end >= 0 || at >= len(value) {
			return end
		}
		at += width(value, at)
	}
}

// newGlob compiles a pattern that is folded already if fold is set.
func newGlob(pattern string, fold bool) glob {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	g := glob{source: pattern, fold: fold, head: parts[0], whole: last == 0}
	if g.whole {
		return g
	}
	g.tail = parts[last]
	for _, p := range parts[1:last] {
		if p == "" {
			continue
		}
		g.middle = append(g.middle, newSegment(p, fold))
	}
	return g
}

func (g *glob) matches(value []byte) bool {
	at := step(value, 0, g.head, g.fold)
	if at < 0 || g.whole {
		return at == len(value)
	}
	end := stepBack(value, len(value), g.tail, g.fold)
	if end < at {
		return false
	}
	value = value[:end]
	for i := range g.middle {
		if at = g.middle[i].find(value, at); at < 0 {
			return false
		}
	}
	return true
}

// step matches a run of a pattern without stars at a boundary of value and
// returns the place behind it, -1 if it does not match.
func step(value []byte, at int, run string, fold bool) int {
	for i := range len(run) {
		if at >= len(value) {
			return -1
		}
		switch c := value[at]; {
		case run[i] == '?':
			at += width(value, at)
		case c == run[i], fold && lower[c] == run[i]:
			at++
		default:
			return -1
		}
	}
	return at
}

// stepBack matches a run of a pattern without stars in front of a boundary of
// value and returns the place where it begins, -1 if it does not match.
func stepBack(value []byte, end int, run string, fold bool) int {
	for i := len(run) - 1; i >= 0; i-- {
		if end == 0 {
			return -1
		}
		switch c := value[end-1]; {
		case run[i] == '?':
			_, size := utf8.DecodeLastRune(value[:end])
			end -= size
		case c == run[i], fold && lower[c] == run[i]:
			end--
		default:
			return -1
		}
	}
	return end
}

// width is the number of bytes of the code point at a boundary of value.
func width(value []byte, at int) int {
	if value[at] < utf8.RuneSelf {
		return 1
	}
	_, size := utf8.DecodeRune(value[at:])
	return size
}

// place is the first place of c in s at or behind from, len(s) if there is none.
func place(s []byte, c byte, from int) int {
	if i := bytes.IndexByte(s[from:], c); i >= 0 {
		return from + i
	}
	return len(s)
}

// same reports whether value is text, which is folded already if fold is set.
func same(value []byte, text string, fold bool) bool {
	if fold {
		return sameFolded(value, text)
	}
	return string(value) == text
}

func sameFolded(value []byte, text string) bool {
	if len(value) != len(text) {
		return false
	}
	for i, c := range value {
		if lower[c] != text[i] {
			return false
		}
	}
	return true
}
