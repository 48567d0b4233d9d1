package detector

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// token is a word of a query's text.
type token struct {
	kind tokenKind
	at   int    // where it begins, in bytes
	end  int    // behind its last byte
	text string // as written; of a literal its value; of a broken token the fault
}

type tokenKind uint8

const (
	tokenEnd     tokenKind = iota // end of the text
	tokenBroken                   // text that is no token
	tokenName                     // one segment of a field's name, or a function's
	tokenQuoted                   // `…`, a segment or a whole dotted name; text is the name
	tokenCall                     // name~, a function that disregards case
	tokenKeyword                  // a reserved word, also in~ and like~
	tokenString                   // "…" or """…"""
	tokenNumber                   // 1, 1.5, .5, 1e9
	tokenMark                     // an operator or bracket
)

// keywords are the words that cannot be names. They are lower case, and case
// matters (https://www.elastic.co/guide/en/elasticsearch/reference/current/eql-syntax.html).
var keywords = []string{
	"and", "any", "by", "false", "in", "in~", "join", "like", "like~", "maxspan", "not", "null", "or",
	"regex", "regex~", "sample", "sequence", "true", "until", "where", "with",
}

// marks are the operators and brackets, longest first. Some stand here only to
// be refused by name.
var marks = []string{
	"==", "!=", "!:", "<=", ">=", "<", ">", "=", ":", "(", ")", "[", "]", ",", ".", "?", "|", "+", "-", "*", "/", "%", "!",
}

// escapes are the letters of the escape sequences of a plain string, and escaped
// what they stand for.
const (
	escapes = `btnfr"'\`
	escaped = "\b\t\n\f\r\"'\\"
)

// lexer cuts a text into tokens.
type lexer struct {
	text string
	at   int
}

// next returns the next token. Behind the end it returns tokenEnd for ever.
func (l *lexer) next() token {
	if broken, ok := l.space(); !ok {
		return broken
	}
	start := l.at
	if start == len(l.text) {
		return token{kind: tokenEnd, at: start, end: start}
	}
	rest := l.text[start:]
	switch c := rest[0]; {
	case isLetter(c):
		return l.word()
	case isDigit(c), c == '.' && len(rest) > 1 && isDigit(rest[1]):
		return l.number()
	case strings.HasPrefix(rest, `"""`):
		return l.raw()
	case c == '"':
		return l.plain()
	case c == '\'':
		return l.broken(start, "a string stands in double quotes, \"…\", not in single ones")
	case c == '`':
		return l.quoted()
	case strings.HasPrefix(rest, `?"`), strings.HasPrefix(rest, `?'`):
		return l.broken(start, `a raw string is written """…""", not ?"…" or ?'…'`)
	}
	for _, m := range marks {
		if strings.HasPrefix(rest, m) {
			return l.token(tokenMark, start+len(m))
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return l.broken(start, fmt.Sprintf("unexpected character %q", r))
}

// token ends a token whose text is its source.
func (l *lexer) token(kind tokenKind, end int) token {
	t := token{kind: kind, at: l.at, end: end, text: l.text[l.at:end]}
	l.at = end
	return t
}

// broken ends the text with a fault.
func (l *lexer) broken(at int, message string) token {
	l.at = len(l.text)
	return token{kind: tokenBroken, at: at, end: at, text: message}
}

// space skips white space and comments.
func (l *lexer) space() (token, bool) {
	for l.at < len(l.text) {
		rest := l.text[l.at:]
		switch {
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			l.at++
		case strings.HasPrefix(rest, "//"):
			if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
				l.at += i
			} else {
				l.at = len(l.text)
			}
		case strings.HasPrefix(rest, "/*"):
			i := strings.Index(rest[2:], "*/")
			if i < 0 {
				return l.broken(l.at, `comment "/*" is not closed by "*/"`), false
			}
			l.at += 2 + i + 2
		default:
			return token{}, true
		}
	}
	return token{}, true
}

func (l *lexer) word() token {
	end := l.at + 1
	for end < len(l.text) && (isLetter(l.text[end]) && l.text[end] != '@' || isDigit(l.text[end])) {
		end++
	}
	kind := tokenName
	if end < len(l.text) && l.text[end] == '~' {
		end++
		kind = tokenCall
	}
	if slices.Contains(keywords, l.text[l.at:end]) {
		kind = tokenKeyword
	}
	return l.token(kind, end)
}

// number reads digits with a point and an exponent, each of which may be missing.
func (l *lexer) number() token {
	end := l.at
	digits := func() {
		for end < len(l.text) && isDigit(l.text[end]) {
			end++
		}
	}
	digits()
	if end < len(l.text) && l.text[end] == '.' {
		end++
		digits()
	}
	if exponent := exponentOf.FindString(l.text[end:]); exponent != "" {
		end += len(exponent)
	}
	return l.token(tokenNumber, end)
}

var exponentOf = regexp.MustCompile(`^[eE][+-]?[0-9]+`)

// quoted reads `…`, in which a backtick is written twice.
func (l *lexer) quoted() token {
	start := l.at
	var name strings.Builder
	for i := start + 1; i < len(l.text); i++ {
		switch c := l.text[i]; {
		case c == '`' && strings.HasPrefix(l.text[i:], "``"):
			i++
			name.WriteByte('`')
		case c == '`':
			t := l.token(tokenQuoted, i+1)
			t.text = name.String()
			if t.text == "" {
				return l.broken(start, "name in backticks is empty")
			}
			return t
		case c == '\r', c == '\n':
			return l.broken(start, "name is not closed by ` on its line")
		default:
			name.WriteByte(c)
		}
	}
	return l.broken(start, "name is not closed by ` on its line")
}

// raw reads """…""": one line, nothing unescaped, up to two quotes in front of
// the closing three.
func (l *lexer) raw() token {
	start := l.at
	body := l.text[start+3:]
	size := strings.Index(body, `"""`)
	if line := strings.IndexAny(body, "\r\n"); size < 0 || line >= 0 && line < size {
		return l.broken(start, `raw string """ is not closed by """ on its line`)
	}
	for range 2 {
		if strings.HasPrefix(body[size+3:], `"`) {
			size++
		}
	}
	t := l.token(tokenString, start+3+size+3)
	t.text = body[:size]
	return t
}

// plain reads "…" and unescapes it.
func (l *lexer) plain() token {
	start := l.at
	var value strings.Builder
	for i := start + 1; i < len(l.text); {
		switch c := l.text[i]; c {
		case '"':
			t := l.token(tokenString, i+1)
			t.text = value.String()
			return t
		case '\r', '\n':
			return l.broken(start, `string is not closed by " on its line`)
		case '\\':
			r, size, fault := unescape(l.text[i:])
			if fault != "" {
				return l.broken(i, fault)
			}
			value.WriteRune(r)
			i += size
		default:
			value.WriteByte(c)
			i++
		}
	}
	return l.broken(start, `string is not closed by " on its line`)
}

// unescape reads the escape sequence at the start of s.
func unescape(s string) (r rune, size int, fault string) {
	if strings.HasPrefix(s, `\u`) {
		digits, closed := "", false
		if strings.HasPrefix(s, `\u{`) {
			digits, _, closed = strings.Cut(s[3:min(len(s), 3+9)], "}")
		}
		n, err := strconv.ParseUint(digits, 16, 32)
		switch {
		case !closed || err != nil || len(digits) < 2:
			return 0, 0, `escape sequence "\u" is not of the form \u{…} with 2 to 8 hex digits`
		case !utf8.ValidRune(rune(n)) || n > utf8.MaxRune:
			return 0, 0, fmt.Sprintf(`escape sequence "\u{%s}" is no code point`, digits)
		}
		return rune(n), 3 + len(digits) + 1, ""
	}
	if len(s) > 1 {
		if i := strings.IndexByte(escapes, s[1]); i >= 0 {
			return rune(escaped[i]), 2, ""
		}
	}
	_, width := utf8.DecodeRuneInString(s[1:])
	return 0, 0, fmt.Sprintf(`unknown escape sequence "%s": a backslash is written \\`, strings.TrimRight(s[:1+width], "\r\n"))
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c == '@' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
