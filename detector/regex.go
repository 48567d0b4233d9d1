package detector

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a regular expression, beside those of Go's regexp, which refuses
// repeats of repeats too that come to more than 1000.
const (
	maxRegex       = 10_000 // characters, as written and with its repeats written out
	maxRegexRepeat = 1000
	maxRegexDepth  = 200 // groups within each other; the parser recurses on them
)

// regex is a regular expression of Lucene, as EQL's regex has it with all of its
// optional syntax on: it matches a whole value or nothing, ^ and $ are characters
// like others, and . is any code point, also a line break. Since Lucene 9.0
// (https://github.com/apache/lucene-solr/pull/1516) a backslash in front of a
// letter is \w, \W, \d, \D, \s, \S or a fault; so it is here.
//
//	https://github.com/apache/lucene/blob/main/lucene/core/src/java/org/apache/lucene/util/automaton/RegExp.java
//
// A byte of a value that belongs to no code point counts as U+FFFD: a decoder of
// JSON has put that in its place before Elasticsearch sees it.
type regex struct {
	source string // as written, for listings
	text   string // what it matches if plain is set
	plain  bool   // nothing in it is an operator
	dfa    *dfa
	slow   *regexp.Regexp // in place of dfa, if that would be too large
}

// newRegex compiles a pattern. If fold is set, letters match in either case,
// those of ASCII or, if unicodeFold is set, all by simple case folding, which
// makes k match K (U+212A). The ends of a range never fold: [a-z] has no capital
// letter (https://github.com/apache/lucene/issues/14378), nor does \w change.
func newRegex(pattern string, fold, unicodeFold bool) (*regex, error) {
	p := regexParser{fold: fold, unicodeFold: unicodeFold, plain: true}
	text, err := p.translate(pattern)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	var limit *syntax.Error
	if errors.As(err, &limit) { // a translation is never malformed
		return nil, fmt.Errorf("pattern passes a limit of nested groups and repeats: %s", limit.Code)
	}
	if size := written(tree); size > maxRegex {
		return nil, fmt.Errorf("pattern has %d characters with its repeats written out, the limit is %d", size, maxRegex)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	// U+FFFD also matches bytes that are not it, so it is no plain text.
	r := &regex{source: pattern, text: string(p.text), plain: p.plain && !slices.Contains(p.text, utf8.RuneError)}
	if r.dfa = newDFA(prog); r.dfa == nil {
		r.slow, err = regexp.Compile(`\A` + text + `\z`)
	}
	return r, err
}

// written is the number of characters of a tree with its repeats written out.
func written(tree *syntax.Regexp) int {
	size := 0
	if tree.Op == syntax.OpLiteral {
		size = len(tree.Rune)
	}
	for _, sub := range tree.Sub {
		size += written(sub)
	}
	return max(1, size) * max(1, tree.Min, tree.Max) // 0 but for repeats
}

// matches allocates nothing, and its cost is linear in the length of value.
func (r *regex) matches(value []byte) bool {
	if r.dfa != nil {
		return r.dfa.matches(value)
	}
	return r.slow.Match(value)
}

// literal is the only text that r matches, case aside, if r holds no operator.
// Elasticsearch makes an equality of such a regex.
func (r *regex) literal() (string, bool) { return r.text, r.plain }

// regexParser reads a pattern as Lucene does, by recursive descent, and writes it
// for Go's regexp as it goes, every character as a class. Loosest first:
//
//	union > concat > repeat > atom
//
// Where an atom must begin, what would be an operator behind one is a character:
// (|a) is |a in parentheses, and *a begins with a star. At a fault the parser goes
// to the end of the pattern, where all that is still open comes to its end.
type regexParser struct {
	pattern           []rune
	at                int
	err               error // the first fault
	depth             int
	fold, unicodeFold bool
	text              []rune // the literal characters so far
	plain             bool
}

func (p *regexParser) translate(pattern string) (string, error) {
	p.pattern = []rune(pattern)
	switch {
	case !utf8.ValidString(pattern):
		return "", errors.New("pattern is not UTF-8 text")
	case len(p.pattern) > maxRegex:
		return "", fmt.Errorf("pattern has %d characters, the limit is %d", len(p.pattern), maxRegex)
	case pattern == "":
		return "", nil
	}
	text := p.union()
	if !p.atEnd() {
		p.fault("parenthesis", p.at, p.at+1, "closes no group")
	}
	return "(?s:" + text + ")", p.err
}

// fault is about the characters from at to end.
func (p *regexParser) fault(what string, at, end int, why string) {
	if p.err == nil {
		p.err = fmt.Errorf("%s %q at character %d %s", what, string(p.pattern[at:end]), at+1, why)
	}
	p.at = len(p.pattern)
}

func (p *regexParser) atEnd() bool { return p.at == len(p.pattern) }

// accept takes the character ahead if it is c.
func (p *regexParser) accept(c rune) bool {
	if p.atEnd() || p.pattern[p.at] != c {
		return false
	}
	p.at++
	return true
}

// take takes the character ahead, of which there must be one.
func (p *regexParser) take() rune {
	p.at++
	return p.pattern[p.at-1]
}

// until takes what is ahead up to an end, which has to be there.
func (p *regexParser) until(end rune, what string) []rune {
	run := p.pattern[p.at:]
	i := slices.Index(run, end)
	if i < 0 {
		p.fault(what, p.at-1, p.at, "is not closed")
		return nil
	}
	p.at += i + 1
	return run[:i]
}

func (p *regexParser) union() string {
	union := p.concat()
	for p.accept('|') {
		p.plain = false
		if p.atEnd() {
			p.fault("union", p.at-1, p.at, "has no right side")
			break
		}
		union += "|" + p.concat()
	}
	return union
}

func (p *regexParser) concat() string {
	var concat strings.Builder
	concat.WriteString(p.repeat())
	for !p.atEnd() && p.pattern[p.at] != '|' && p.pattern[p.at] != ')' {
		if p.accept('&') {
			p.fault("intersection", p.at-1, p.at, "is not supported")
			break
		}
		concat.WriteString(p.repeat())
	}
	return concat.String()
}

func (p *regexParser) repeat() string {
	re := p.atom()
	for !p.atEnd() {
		switch c := p.pattern[p.at]; c {
		case '?', '*', '+':
			p.at++
			re = "(?:" + re + ")" + string(c)
		case '{':
			re = "(?:" + re + ")" + p.counts()
		default:
			return re
		}
		p.plain = false
	}
	return re
}

// counts reads {n}, {n,} or {n,m}. Go knows no leading zeros.
func (p *regexParser) counts() string {
	at := p.at
	p.at++
	least := p.number()
	most := least
	open := p.accept(',')
	if open {
		most = p.number()
		open = most < 0
	}
	switch {
	case least < 0 || !p.accept('}'):
		p.fault("repeat", at, min(p.at+1, len(p.pattern)), "is not {n}, {n,} or {n,m}")
	case max(least, most) > maxRegexRepeat:
		p.fault("repeat", at, p.at, fmt.Sprintf("has a count over %d", maxRegexRepeat))
	case most < least && !open:
		p.fault("repeat", at, p.at, "runs backwards")
	case open:
		return fmt.Sprintf("{%d,}", least)
	}
	return fmt.Sprintf("{%d,%d}", least, most)
}

// number reads decimal digits, -1 if there are none. Too large a number stays so.
func (p *regexParser) number() int {
	n := -1
	for !p.atEnd() && p.pattern[p.at] >= '0' && p.pattern[p.at] <= '9' {
		n = min(max(n, 0)*10+int(p.take()-'0'), maxRegexRepeat+1)
	}
	return n
}

// atom reads what a repeat can stand behind. There is a character ahead.
func (p *regexParser) atom() string {
	at := p.at
	switch c := p.take(); c {
	case '.':
		p.plain = false
		return "."
	case '#':
		p.plain = false
		return `[^\x{0}-\x{10ffff}]`
	case '@':
		p.plain = false
		return ".*"
	case '[':
		p.plain = false
		return p.class()
	case '\\':
		set, c := p.escape()
		if set == "" {
			return p.character(c)
		}
		p.plain = false
		return "[" + set + "]"
	case '"':
		var run strings.Builder
		for _, c := range p.until('"', "quotation") {
			run.WriteString(p.character(c))
		}
		return run.String()
	case '(':
		return p.group()
	case '~':
		p.fault("complement", at, p.at, "is not supported")
	case '<':
		kind := "named automaton"
		if slices.Contains(p.until('>', "interval"), '-') {
			kind = "interval"
		}
		p.fault(kind, at, p.at, "is not supported")
	default:
		return p.character(c)
	}
	return ""
}

func (p *regexParser) group() string {
	at := p.at - 1
	if p.accept(')') {
		return "(?:)"
	}
	if p.depth++; p.depth > maxRegexDepth {
		p.fault("group", at, at+1, fmt.Sprintf("is nested more than %d deep", maxRegexDepth))
	}
	var union string
	if !p.atEnd() {
		union = p.union()
	}
	if !p.accept(')') {
		p.fault("group", at, at+1, "is not closed")
	}
	p.depth--
	return "(?:" + union + ")"
}

// class reads the rest of […]. A bracket at its beginning is a member.
func (p *regexParser) class() string {
	at := p.at - 1
	class := "["
	if p.accept('^') {
		class = "[^"
	}
	for first := true; first || !p.accept(']'); first = false {
		if p.atEnd() {
			p.fault("class", at, at+1, "is not closed")
			break
		}
		class += p.member()
	}
	return class + "]"
}

// member reads a character, a range or an escape of a class.
func (p *regexParser) member() string {
	at := p.at
	low := p.take()
	if low == '\\' {
		set, c := p.escape()
		if set != "" {
			return set
		}
		// Up to Lucene 10.1 [\.-z] is a range, except that \\ begins none
		// (https://github.com/apache/lucene/pull/14227).
		if c != '\\' && p.accept('-') {
			p.fault("range", at, p.at, "begins with an escape, which depends on the version of Lucene")
		}
		return p.cases(c)
	}
	if !p.accept('-') || p.atEnd() {
		return p.cases(low)
	}
	high := p.take()
	if high == '\\' {
		var set string
		if set, high = p.escape(); set != "" {
			p.fault("range", at, p.at, "ends in a class")
		}
	}
	if high < low {
		p.fault("range", at, p.at, "runs backwards")
	}
	return fmt.Sprintf(`\x{%x}-\x{%x}`, low, high)
}

// regexClasses are the letters that make a class behind a backslash, as members of
// a class for Go, which counts \f among \s.
var regexClasses = map[rune]string{
	'd': `0-9`, 'D': `\x00-/:-\x{10ffff}`,
	's': `\t\n\r `, 'S': `\x00-\x08\x0b\x0c\x0e-\x1f!-\x{10ffff}`,
	'w': `0-9A-Z_a-z`, 'W': "\\x00-/:-@\\[-^`{-\\x{10ffff}",
}

// escape reads what follows a backslash: the letter of a class, or a character.
func (p *regexParser) escape() (set string, c rune) {
	at := p.at - 1
	if p.atEnd() {
		p.fault("escape", at, p.at, "is not complete")
		return "", 0
	}
	c = p.take()
	set = regexClasses[c]
	if letter := c | 0x20; set == "" && letter >= 'a' && letter <= 'z' {
		p.fault("escape", at, p.at, "has no meaning")
	}
	return set, c
}

// character is a literal character.
func (p *regexParser) character(c rune) string {
	p.text = append(p.text, c)
	return "[" + p.cases(c) + "]"
}

// cases are the characters that c matches, as members of a class.
func (p *regexParser) cases(c rune) string {
	set := fmt.Sprintf(`\x{%x}`, c)
	if !p.fold {
		return set
	}
	for f := unicode.SimpleFold(c); f != c; f = unicode.SimpleFold(f) {
		if p.unicodeFold || max(c, f) < utf8.RuneSelf {
			set += fmt.Sprintf(`\x{%x}`, f)
		}
	}
	return set
}
