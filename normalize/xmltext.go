package normalize

import (
	"bytes"
	"unicode/utf8"
)

// This file turns the text of XML into what it stands for.

// entities are the named ones that XML has.
var entities = [...]struct {
	name string
	char byte
}{{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}}

// unescapeXML appends a text with its entities replaced, once, CDATA sections
// opened, comments left out and line ends made one line feed each.
func unescapeXML(dst, s []byte) []byte {
	for i := 0; i < len(s); {
		switch c := s[i]; c {
		case '&':
			r, size := entity(s[i+1:])
			if size == 0 {
				r = '&'
			}
			dst = utf8.AppendRune(dst, r)
			i += 1 + size
		case '\r':
			dst = append(dst, '\n')
			if i++; i < len(s) && s[i] == '\n' {
				i++
			}
		case '<':
			end := passed(s, i)
			if end == 0 {
				dst = append(dst, c)
				end = i + 1
			} else if section, ok := bytes.CutPrefix(s[i:end], []byte("<![CDATA[")); ok {
				for line, rest, more := []byte(nil), bytes.TrimSuffix(section, []byte("]]>")), true; more; {
					line, rest, more = bytes.Cut(rest, []byte("\r"))
					if dst = append(dst, line...); more {
						dst = append(dst, '\n')
						rest = bytes.TrimPrefix(rest, []byte("\n"))
					}
				}
			}
			i = end
		default:
			dst = append(dst, c)
			i++
		}
	}
	return dst
}

// entity reads the entity behind an ampersand; size 0 if it is none.
func entity(s []byte) (r rune, size int) {
	if len(s) > 1 && s[0] == '#' {
		return character(s)
	}
	for _, e := range entities {
		rest, ok := bytes.CutPrefix(s, []byte(e.name))
		switch {
		case !ok:
		case len(rest) > 0 && rest[0] == ';':
			return rune(e.char), len(e.name) + 1
		case len(rest) == 0 || rest[0] == ' ': // Sysmon for Linux has written &quot so
			return rune(e.char), len(e.name)
		}
	}
	return 0, 0
}

// character reads a character reference, &#47; or &#x2f;. One that is no
// character becomes U+FFFD.
func character(s []byte) (r rune, size int) {
	i, base := 1, rune(10)
	if s[i]|0x20 == 'x' {
		i, base = 2, 16
	}
	from := i
	for ; i < len(s) && s[i] != ';'; i++ {
		d := hexDigit(s[i])
		if d < 0 || d >= base || r > utf8.MaxRune {
			return 0, 0
		}
		r = r*base + d
	}
	if i == from || i == len(s) {
		return 0, 0
	}
	if !utf8.ValidRune(r) {
		r = utf8.RuneError
	}
	return r, i + 1
}
