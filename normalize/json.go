package normalize

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// This file is the scanner below members: it validates a JSON document (RFC
// 8259) in one pass and notes the values of declared members. It is written by
// hand because no decoder both finds members without allocating and matches
// their names exactly.

// maxDepth bounds the nesting of objects and arrays. Elasticsearch takes 20
// levels of objects by default (index.mapping.depth.limit).
const maxDepth = 512

// nothing is the node of a value in which no declared member can be.
const nothing = -1

// document scans the whole of doc.
func (m *members) document() {
	i := m.space(0)
	switch {
	case i == len(m.doc):
		m.fail(Syntax, i, "record is empty, want a JSON object")
		return
	case m.doc[i] != '{':
		if i = m.value(i, nothing, 0); i >= 0 {
			m.fail(Shape, 0, "record is no JSON object")
		}
		return
	}
	if i = m.value(i, 0, 0); i < 0 {
		return
	}
	if i = m.space(i); i < len(m.doc) {
		m.fail(Syntax, i, "more text behind the end of the object")
	}
}

// space is the place of the first byte from i on that is no white space.
func (m *members) space(i int) int {
	for i < len(m.doc) {
		switch m.doc[i] {
		case ' ', '\t', '\r', '\n':
			i++
		default:
			return i
		}
	}
	return i
}

// bad notes a syntax fault and returns -1, which ends the scan.
func (m *members) bad(i int, message string) int {
	if i >= len(m.doc) {
		i, message = len(m.doc), "record ends within a value"
	}
	if m.err != nil { // says nothing, and a hostile batch has millions of them
		m.faults, m.last = m.faults+1, i
		return -1
	}
	m.fail(Syntax, i, "%s", message)
	return -1
}

// value scans the value at i, below node n, and returns the place behind it or
// -1 on a fault.
func (m *members) value(i, n, depth int) int {
	if i >= len(m.doc) {
		return m.bad(i, "")
	}
	start, kind := i, m.doc[i]
	switch kind {
	case '{':
		if n != nothing && m.nodes[n].path >= 0 {
			if len(m.nodes[n].children) > 0 {
				kind = '.'
			}
			m.record(m.nodes[n].path, kind, start, start)
		}
		return m.object(i+1, n, depth+1)
	case '[':
		return m.array(i+1, n, depth+1)
	case '"':
		end, escaped := m.str(i + 1)
		if end < 0 {
			return -1
		}
		if escaped {
			kind = '\\'
		}
		m.scalar(n, kind, start+1, end)
		return end + 1
	case 't':
		i = m.word(i, "true")
	case 'f':
		i = m.word(i, "false")
	case 'n':
		i = m.word(i, "null")
	default:
		kind = '0'
		i = m.number(i)
	}
	if i >= 0 {
		m.scalar(n, kind, start, i)
	}
	return i
}

// scalar notes a value that is no object and no array. Where a document of ECS
// has one in place of an object, what the object would hold is missing:
// Elasticsearch refuses such a document too.
func (m *members) scalar(n int, kind byte, start, end int) {
	switch {
	case n == nothing:
	case m.nodes[n].path >= 0:
		m.record(m.nodes[n].path, kind, start, end)
	case m.strict && kind != 'n' && len(m.nodes[n].children) > 0:
		m.fail(Shape, start, "member is a value, want an object")
	}
}

// object scans behind an opening brace.
func (m *members) object(i, n, depth int) int {
	if depth > maxDepth {
		m.fail(TooDeep, i-1, "record nests deeper than %d levels", maxDepth)
		return -1
	}
	if i = m.space(i); i < len(m.doc) && m.doc[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(m.doc) || m.doc[i] != '"' {
			return m.bad(i, "want a member name in quotes")
		}
		end, escaped := m.str(i + 1)
		if end < 0 {
			return -1
		}
		below := nothing
		if n != nothing {
			name, from := m.doc[i+1:end], len(m.buf)
			if escaped {
				m.buf = unescape(m.buf, name)
				name = m.buf[from:]
			}
			below = m.step(n, name)
			m.buf = m.buf[:from]
		}
		i = end + 1
		if i < len(m.doc) && m.doc[i] != ':' {
			i = m.space(i)
		}
		if i >= len(m.doc) || m.doc[i] != ':' {
			return m.bad(i, "want a colon behind a member name")
		}
		if i++; i < len(m.doc) && m.doc[i] <= ' ' {
			i = m.space(i)
		}
		if i = m.value(i, below, depth); i < 0 {
			return -1
		}
		if i < len(m.doc) && m.doc[i] <= ' ' {
			i = m.space(i)
		}
		switch {
		case i < len(m.doc) && m.doc[i] == ',':
			i = m.space(i + 1)
		case i < len(m.doc) && m.doc[i] == '}':
			return i + 1
		default:
			return m.bad(i, "want a comma or a closing brace")
		}
	}
}

// array scans behind an opening bracket; its elements stand in its place.
func (m *members) array(i, n, depth int) int {
	if depth > maxDepth {
		m.fail(TooDeep, i-1, "record nests deeper than %d levels", maxDepth)
		return -1
	}
	if i = m.space(i); i < len(m.doc) && m.doc[i] == ']' {
		return i + 1
	}
	for {
		if i = m.value(i, n, depth); i < 0 {
			return -1
		}
		i = m.space(i)
		switch {
		case i < len(m.doc) && m.doc[i] == ',':
			i = m.space(i + 1)
		case i < len(m.doc) && m.doc[i] == ']':
			return i + 1
		default:
			return m.bad(i, "want a comma or a closing bracket")
		}
	}
}

func (m *members) word(i int, want string) int {
	for j := range len(want) {
		if i+j >= len(m.doc) || m.doc[i+j] != want[j] {
			return m.bad(i+j, "want a value")
		}
	}
	return i + len(want)
}

// number scans a number by the grammar of RFC 8259, section 6.
func (m *members) number(i int) int {
	doc := m.doc
	digits := func(i int) int {
		for i < len(doc) && doc[i]-'0' <= 9 {
			i++
		}
		return i
	}
	if doc[i] == '-' {
		i++
	}
	switch {
	case i < len(doc) && doc[i] == '0':
		i++
	case i < len(doc) && doc[i]-'1' <= 8:
		i = digits(i)
	default:
		return m.bad(i, "want a value")
	}
	if i < len(doc) && doc[i] == '.' {
		end := digits(i + 1)
		if end == i+1 {
			return m.bad(end, "want a digit behind the point")
		}
		i = end
	}
	if i < len(doc) && doc[i]|0x20 == 'e' {
		i++
		if i < len(doc) && (doc[i] == '+' || doc[i] == '-') {
			i++
		}
		end := digits(i)
		if end == i {
			return m.bad(end, "want a digit in the exponent")
		}
		i = end
	}
	return i
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// str scans a string behind its opening quote, eight bytes a step, and returns
// the place of the closing quote, or -1, and whether there are escapes.
func (m *members) str(i int) (end int, escaped bool) {
	doc := m.doc
	for {
		for i+8 <= len(doc) {
			w := binary.LittleEndian.Uint64(doc[i:])
			quote, slash := w^(ones*'"'), w^(ones*'\\')
			// The lowest flagged byte of each term is exact; carries only spoil
			// higher ones (Bit Twiddling Hacks, "hasless" and "haszero").
			stop := ((w - ones*0x20) & ^w) | ((quote - ones) & ^quote) | ((slash - ones) & ^slash)
			if stop &= highs; stop != 0 {
				i += bits.TrailingZeros64(stop) >> 3
				break
			}
			i += 8
		}
		if i >= len(doc) {
			return m.bad(i, ""), escaped
		}
		switch c := doc[i]; {
		case c == '"':
			return i, escaped
		case c == '\\':
			escaped = true
			if i = m.escape(i + 1); i < 0 {
				return -1, true
			}
		case c < 0x20:
			return m.bad(i, "control character in a string"), escaped
		default:
			i++
		}
	}
}

// escape scans behind a backslash.
func (m *members) escape(i int) int {
	if i >= len(m.doc) {
		return m.bad(i, "")
	}
	switch m.doc[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		for j := i + 1; j < i+5; j++ {
			if j >= len(m.doc) || hexDigit(m.doc[j]) < 0 {
				return m.bad(j, "want four hex digits behind \\u")
			}
		}
		return i + 5
	}
	return m.bad(i, "unknown escape in a string")
}

func hexDigit(c byte) rune {
	switch {
	case c-'0' <= 9:
		return rune(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

// unescape appends the text of a scanned string. A surrogate without its other
// half becomes U+FFFD, as in encoding/json.
func unescape(dst, s []byte) []byte {
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r := unit(s[i+1:])
			i += 4
			if utf16.IsSurrogate(r) {
				pair := rune(utf8.RuneError)
				if i+6 < len(s) && s[i+1] == '\\' && s[i+2] == 'u' {
					if pair = utf16.DecodeRune(r, unit(s[i+3:])); pair != utf8.RuneError {
						i += 6
					}
				}
				r = pair
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

func unit(s []byte) rune {
	return hexDigit(s[0])<<12 | hexDigit(s[1])<<8 | hexDigit(s[2])<<4 | hexDigit(s[3])
}
