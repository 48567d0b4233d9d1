package ecs

import (
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the event as one JSON object, nested by the dots of its
// field names, members in alphabetical order. A field with several values, or
// one that ECS normalizes to an array, is an array. Bytes that are no UTF-8
// become U+FFFD.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst, _ = e.appendMembers(dst, 0, 0)
	return append(dst, '}')
}

// AppendObject appends what AppendJSON writes as the top-level member name: one
// JSON object, {} if the event has no field below that name.
func (e *Event) AppendObject(dst []byte, name string) []byte {
	dst = append(dst, '{')
	for i, f := range e.schema.sorted {
		if path := e.schema.paths[f]; len(path) > 1 && path[0] == name {
			dst, _ = e.appendMembers(dst, i, 1)
			break
		}
	}
	return append(dst, '}')
}

// appendMembers appends the members at depth of all fields that share their
// first depth segments with the field at place i of the sorted order, and
// returns the place behind the last of them.
func (e *Event) appendMembers(dst []byte, i, depth int) ([]byte, int) {
	s := e.schema
	prefix := s.paths[s.sorted[i]][:depth]
	for first := true; i < len(s.sorted); {
		f := s.sorted[i]
		path := s.paths[f]
		if !hasPrefix(path, prefix) {
			break
		}
		if len(path) > depth+1 {
			next, any := e.span(i, depth+1)
			if any {
				dst = appendName(dst, path[depth], first)
				dst = append(dst, '{')
				dst, _ = e.appendMembers(dst, i, depth+1)
				dst = append(dst, '}')
				first = false
			}
			i = next
			continue
		}
		if e.Has(f) {
			dst = appendName(dst, path[depth], first)
			dst = e.appendValues(dst, f)
			first = false
		}
		i++
	}
	return dst, i
}

// span returns the place behind the fields that share depth segments with the
// one at place i, and whether any of them has a value.
func (e *Event) span(i, depth int) (next int, any bool) {
	s := e.schema
	prefix := s.paths[s.sorted[i]][:depth]
	for ; i < len(s.sorted) && hasPrefix(s.paths[s.sorted[i]], prefix); i++ {
		any = any || e.Has(s.sorted[i])
	}
	return i, any
}

func hasPrefix(path, prefix []string) bool {
	if len(path) < len(prefix) {
		return false
	}
	for i := range prefix {
		if path[i] != prefix[i] {
			return false
		}
	}
	return true
}

func appendName(dst []byte, name string, first bool) []byte {
	if !first {
		dst = append(dst, ',')
	}
	dst = AppendString(dst, []byte(name))
	return append(dst, ':')
}

func (e *Event) appendValues(dst []byte, f Field) []byte {
	values, def := e.row[f], e.schema.defs[f]
	if len(values) == 1 && !def.List {
		return appendValue(dst, def.Kind, values[0])
	}
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendValue(dst, def.Kind, v)
	}
	return append(dst, ']')
}

func appendValue(dst []byte, k Kind, v Value) []byte {
	switch k {
	case Long:
		return strconv.AppendInt(dst, v.Int(), 10)
	case Double:
		if x := v.Float(); !math.IsNaN(x) && !math.IsInf(x, 0) {
			return strconv.AppendFloat(dst, x, 'g', -1, 64)
		}
		return append(dst, "null"...) // JSON has no word for it
	case Boolean:
		return strconv.AppendBool(dst, v.Bool())
	case Date:
		dst = append(dst, '"')
		dst = AppendDate(dst, v.Int())
		return append(dst, '"')
	default:
		return AppendString(dst, v.text)
	}
}

// AppendDate appends an instant in nanoseconds since 1970 as RFC 3339 in UTC
// with at least milliseconds.
func AppendDate(dst []byte, ns int64) []byte {
	t := time.Unix(0, ns).UTC()
	if t.Nanosecond()%1e6 == 0 {
		return t.AppendFormat(dst, "2006-01-02T15:04:05.000Z")
	}
	return t.AppendFormat(dst, "2006-01-02T15:04:05.999999999Z")
}

const hex = "0123456789abcdef"

// AppendString appends s as a JSON string. It escapes what RFC 8259 demands and
// the line separators U+2028 and U+2029, which break line-based readers.
func AppendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c >= 0x20 && c != 0x7f:
				dst = append(dst, c)
			case c == '\n':
				dst = append(dst, '\\', 'n')
			case c == '\r':
				dst = append(dst, '\\', 'r')
			case c == '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, "\ufffd"...)
		case r == '\u2028' || r == '\u2029':
			dst = append(dst, '\\', 'u', '2', '0', '2', hex[r&15])
		default:
			dst = append(dst, s[i:i+size]...)
		}
		i += size
	}
	return append(dst, '"')
}
