package detector

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of a query's text. A rule is read by a machine that others feed, so
// what it may cost is bounded. The largest of Elastic's process rules has 679
// literals in 14 KB, and none nests deeper than seven levels.
const (
	maxText     = 1 << 20 // bytes, so that positions and listings stay small
	maxName     = 256     // bytes, so that the search for the nearest known name stays quick
	maxNesting  = 200     // parentheses and nots within each other; the parser recurses on them
	maxLiterals = 10_000  // each costs memory for as long as the rule is loaded
)

// spot is a fault of a query at an offset of its text.
type spot struct {
	at      int
	message string
}

// parse reads a single-event query and stops at its first fault.
func parse(text string) (*query, *spot) {
	if len(text) > maxText {
		return nil, &spot{maxText, fmt.Sprintf("query has %d bytes, the limit is %d", len(text), maxText)}
	}
	if !utf8.ValidString(text) {
		return nil, &spot{validPrefix(text), "query is not UTF-8 text"}
	}
	p := &parser{lexer: lexer{text: text}}
	p.advance()
	return p.query()
}

// validPrefix is the length of the UTF-8 text that s begins with.
func validPrefix(s string) int {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return i
		}
	}
	return len(s)
}

// parser reads by recursive descent, one token ahead. Loosest first:
//
//	or > and > not > comparison
type parser struct {
	lexer    lexer
	tok      token // the token ahead
	last     token // the one before it
	nesting  int
	literals int
}

func (p *parser) advance() { p.last, p.tok = p.tok, p.lexer.next() }

func (p *parser) is(kind tokenKind, text string) bool {
	return p.tok.kind == kind && p.tok.text == text
}

func (p *parser) isOneOf(kind tokenKind, texts ...string) bool {
	for _, t := range texts {
		if p.is(kind, t) {
			return true
		}
	}
	return false
}

// accept takes the token ahead if it is the one named.
func (p *parser) accept(kind tokenKind, text string) bool {
	if !p.is(kind, text) {
		return false
	}
	p.advance()
	return true
}

// failf is a fault at the token ahead; if that is broken, its own.
func (p *parser) failf(format string, args ...any) *spot {
	if p.tok.kind == tokenBroken {
		return &spot{p.tok.at, p.tok.text}
	}
	return &spot{p.tok.at, fmt.Sprintf(format, args...)}
}

func (p *parser) unsupported(what string) *spot { return p.failf("not supported yet: %s", what) }

func (p *parser) expected(what string) *spot {
	return p.failf("expected %s, found %s", what, p.found())
}

// found names the token ahead as it is written.
func (p *parser) found() string {
	if p.tok.kind == tokenEnd {
		return "the end of the query"
	}
	const longest = 40 // code points
	source := cut(p.lexer.text[p.tok.at:p.tok.end], longest)
	if p.tok.kind == tokenString {
		return "the string " + source
	}
	return strconv.Quote(source)
}

func (p *parser) query() (*query, *spot) {
	q := &query{at: p.tok.at, category: p.tok.text}
	switch {
	case p.isOneOf(tokenKeyword, "sequence", "sample", "join"):
		return nil, p.failf("not a single-event query: %s", p.tok.text)
	case p.is(tokenKeyword, "any"):
		q.any, q.category = true, ""
	case p.tok.kind != tokenName && p.tok.kind != tokenString:
		return nil, p.expected("an event category")
	}
	p.advance()
	if !p.accept(tokenKeyword, "where") {
		return nil, p.expected(`"where" after the event category`)
	}
	var fault *spot
	if q.cond, fault = p.or(); fault != nil {
		return nil, fault
	}
	switch {
	case p.is(tokenMark, "|"):
		return nil, p.failf("not a single-event query: pipes")
	case p.tok.kind != tokenEnd:
		return nil, p.expected(`"and", "or" or the end of the query`)
	}
	return q, nil
}

func (p *parser) or() (condition, *spot)  { return p.logic("or", p.and) }
func (p *parser) and() (condition, *spot) { return p.logic("and", p.not) }

func (p *parser) logic(word string, term func() (condition, *spot)) (condition, *spot) {
	n := &logic{or: word == "or"}
	for {
		t, fault := term()
		if fault != nil {
			return nil, fault
		}
		n.terms = append(n.terms, t)
		if !p.accept(tokenKeyword, word) {
			break
		}
	}
	if len(n.terms) == 1 {
		return n.terms[0], nil
	}
	return n, nil
}

// nest enters a level of nesting; leave it by p.nesting--.
func (p *parser) nest() *spot {
	if p.nesting == maxNesting {
		return p.failf("nested more than %d levels deep", maxNesting)
	}
	p.nesting++
	return nil
}

func (p *parser) not() (condition, *spot) {
	if !p.is(tokenKeyword, "not") {
		return p.primary()
	}
	if fault := p.nest(); fault != nil {
		return nil, fault
	}
	defer func() { p.nesting-- }()
	p.advance()
	term, fault := p.not()
	if fault != nil {
		return nil, fault
	}
	return &not{term}, nil
}

func (p *parser) primary() (condition, *spot) {
	if !p.is(tokenMark, "(") {
		return p.comparison()
	}
	if fault := p.nest(); fault != nil {
		return nil, fault
	}
	defer func() { p.nesting-- }()
	p.advance()
	c, fault := p.or()
	if fault != nil {
		return nil, fault
	}
	if !p.accept(tokenMark, ")") {
		return nil, p.expected(`"and", "or" or ")"`)
	}
	return c, nil
}

func (p *parser) comparison() (condition, *spot) {
	left, fault := p.field()
	if fault != nil {
		return nil, fault
	}
	n := &compare{left: left}
	if n.op, fault = p.operator(left); fault != nil {
		return nil, fault
	}
	word := n.op.String()
	switch {
	case p.is(tokenMark, "(") && n.op != equal && n.op != notEqual:
		n.list = true
		n.right, fault = p.list(word)
	case n.op.pattern() || n.op == equal || n.op == notEqual:
		var t *text
		t, fault = p.literal(word)
		n.right = []operand{t}
	default:
		fault = p.expected(fmt.Sprintf("a list (…) after %q", word))
	}
	if fault != nil {
		return nil, fault
	}
	return n, nil
}

// field reads the left side of a comparison.
func (p *parser) field() (*field, *spot) {
	f := &field{at: p.tok.at}
	f.optional = p.accept(tokenMark, "?")
	switch {
	case p.tok.kind == tokenName:
	case f.optional:
		return nil, p.expected(`a field after "?"`)
	case p.tok.kind == tokenString:
		return nil, p.unsupported("a literal to the left of an operator")
	case p.tok.kind == tokenNumber:
		return nil, p.unsupported("numbers")
	case p.isOneOf(tokenKeyword, "true", "false", "null"):
		return nil, p.unsupported(strconv.Quote(p.tok.text))
	case p.tok.kind == tokenCall:
		return nil, p.unsupported("functions")
	case p.isOneOf(tokenMark, "+", "-"):
		return nil, p.unsupported("arithmetic")
	default:
		return nil, p.expected("a condition")
	}
	for {
		f.name += p.tok.text
		p.advance()
		switch {
		case len(f.name) > maxName:
			return nil, &spot{f.at, fmt.Sprintf("name of a field is longer than %d bytes", maxName)}
		case p.is(tokenMark, "("):
			return nil, &spot{f.at, "not supported yet: functions"}
		case p.is(tokenMark, "["):
			return nil, p.unsupported("places in an array")
		case !p.accept(tokenMark, "."):
			return f, nil
		case p.tok.kind != tokenName:
			return nil, p.expected(fmt.Sprintf("a name after %q", f.name+"."))
		}
		f.name += "."
	}
}

// operator reads the operator behind f.
func (p *parser) operator(f *field) (operator, *spot) {
	if p.accept(tokenKeyword, "not") {
		switch {
		case p.accept(tokenKeyword, "in"):
			return notIn, nil
		case p.accept(tokenKeyword, "in~"):
			return notInFold, nil
		case p.isOneOf(tokenKeyword, "like", "like~", "regex", "regex~"), p.is(tokenMark, ":"):
			return 0, &spot{p.last.at, fmt.Sprintf(`"not" cannot stand before %q: write not %s %[1]s …`, p.tok.text, f)}
		}
		return 0, p.expected(`"in" or "in~" after "not"`)
	}
	for _, op := range []operator{equal, notEqual, match} {
		if p.accept(tokenMark, op.String()) {
			return op, nil
		}
	}
	for _, op := range []operator{in, inFold, like, likeFold} {
		if p.accept(tokenKeyword, op.String()) {
			return op, nil
		}
	}
	switch {
	case p.is(tokenMark, "="):
		return 0, p.failf(`"=" is no operator: write "==", or ":" to disregard case`)
	case p.is(tokenMark, "!:"):
		return 0, p.failf(`"!:" is no operator: write not %s : …`, f)
	case p.isOneOf(tokenMark, "<", "<=", ">", ">="), p.isOneOf(tokenKeyword, "regex", "regex~"):
		return 0, p.unsupported(strconv.Quote(p.tok.text))
	case p.isOneOf(tokenMark, "+", "-", "*", "/", "%"):
		return 0, p.unsupported("arithmetic")
	case p.tok.kind == tokenEnd, p.isOneOf(tokenKeyword, "and", "or"), p.isOneOf(tokenMark, ")", "|"):
		return 0, &spot{f.at, fmt.Sprintf("not supported yet: field %q alone as a condition", f)}
	}
	return 0, p.expected(fmt.Sprintf("an operator after %q", f))
}

// list reads the literals in parentheses behind an operator.
func (p *parser) list(word string) ([]operand, *spot) {
	var list []operand
	for {
		p.advance() // the bracket or the comma
		t, fault := p.literal(word)
		if fault != nil {
			return nil, fault
		}
		list = append(list, t)
		if p.accept(tokenMark, ")") {
			return list, nil
		}
		if !p.is(tokenMark, ",") {
			return nil, p.expected(`"," or ")" in the list`)
		}
	}
}

func (p *parser) literal(word string) (*text, *spot) {
	switch {
	case p.tok.kind == tokenNumber:
		return nil, p.unsupported("numbers")
	case p.isOneOf(tokenKeyword, "true", "false", "null"):
		return nil, p.unsupported(strconv.Quote(p.tok.text))
	case p.isOneOf(tokenMark, "+", "-"):
		return nil, p.unsupported("arithmetic")
	case p.tok.kind != tokenString:
		return nil, p.expected(fmt.Sprintf("a string after %q", word))
	case p.literals == maxLiterals:
		return nil, p.failf("more than %d literals in one query", maxLiterals)
	}
	p.literals++
	t := &text{at: p.tok.at, value: p.tok.text}
	p.advance()
	return t, nil
}
