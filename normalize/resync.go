package normalize

import (
	"bytes"
)

// This file finds where a broken element ends, so that it does not take its
// neighbours with it.

// garbage is the place, from i on, where the walk can go on behind text that is
// no value: a comma, the end of the enclosure, in an array or on top the next
// object, on top the next line.
func (it *elements) garbage(i int) int {
	m := it.m
	if it.inside == onTop {
		if n := bytes.IndexAny(m.doc[i:], "{\n"); n >= 0 {
			return i + n
		}
		return len(m.doc)
	}
	opening := byte('[')
	if it.inside == inEnvelope {
		opening = '{'
	}
	for i < len(m.doc) {
		switch m.doc[i] {
		case ',', opening + 2: // '}' and ']' stand two behind '{' and '['
			return i
		case '"':
			i = m.quoted(i)
		case opening:
			i = m.closing(i, len(m.doc))
		case '{':
			return i
		default:
			i++
		}
	}
	return i
}

// quoted is the place behind the string at i, the end of the document if it
// does not end.
func (m *members) quoted(i int) int {
	for i++; i < len(m.doc); i++ {
		switch m.doc[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(m.doc)
}

// closing is the place behind the brace or bracket that closes the one at i, by
// balancing it outside strings; the end of the document if none does. A line
// from fault on that begins with a brace is that of the next element: no string
// can hold a line end.
func (m *members) closing(i, fault int) int {
	opening, depth, quoted := m.doc[i], 0, false
	for ; i < len(m.doc); i++ {
		switch c := m.doc[i]; {
		case c == '\n' && i+1 >= fault && i+1 < len(m.doc) && m.doc[i+1] == '{':
			return i + 1
		case c == '\\' && quoted && i+1 < len(m.doc) && m.doc[i+1] != '\n':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == opening:
			depth++
		case c == opening+2: // as in garbage
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(m.doc)
}
