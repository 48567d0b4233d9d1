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
	maxNesting  = 200     // parentheses, nots, signs and calls within each other; the parser recurses on them
	maxLiterals = 10_000  // each costs memory for as long as the rule is loaded
	maxSums     = 1000    // operators of arithmetic: a chain of them is a tree as deep
)

// spot is a fault of a query at an offset of its text.
type spot struct {
	at      int
	message string
	many    string // the kind of query, where it is one about several events
}

// parse reads a single-event query and stops at its first fault.
func parse(text string) (*query, *spot) {
	if len(text) > maxText {
		return nil, &spot{at: maxText, message: fmt.Sprintf("query has %d bytes, the limit is %d", len(text), maxText)}
	}
	if !utf8.ValidString(text) {
		return nil, &spot{at: validPrefix(text), message: "query is not UTF-8 text"}
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
//	or > and > not > == and its like > + - > * / % > sign > : in like regex
type parser struct {
	lexer    lexer
	tok      token // the token ahead
	last     token // the one before it
	nesting  int
	literals int
	sums     int
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
		return &spot{at: p.tok.at, message: p.tok.text}
	}
	return &spot{at: p.tok.at, message: fmt.Sprintf(format, args...)}
}

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
		return nil, &spot{at: p.tok.at, message: "not a single-event query: " + p.tok.text, many: p.tok.text}
	case p.is(tokenKeyword, "any"):
		q.any, q.category = true, ""
	case p.tok.kind != tokenName && p.tok.kind != tokenQuoted && p.tok.kind != tokenString:
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
		return nil, p.failf("not a single-event query: a pipe is about several events")
	case p.tok.kind != tokenEnd:
		return nil, p.expected(`"and", "or" or the end of the query`)
	}
	return q, nil
}

func (p *parser) or() (node, *spot)  { return p.logic("or", p.and) }
func (p *parser) and() (node, *spot) { return p.logic("and", p.not) }

func (p *parser) logic(word string, term func() (node, *spot)) (node, *spot) {
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

func (p *parser) not() (node, *spot) {
	if !p.is(tokenKeyword, "not") {
		return p.comparison()
	}
	if fault := p.nest(); fault != nil {
		return nil, fault
	}
	defer func() { p.nesting-- }()
	at := p.tok.at
	p.advance()
	term, fault := p.not()
	if fault != nil {
		return nil, fault
	}
	return &not{at, term}, nil
}

// comparison reads a condition without and, or and not around it. Comparisons do
// not chain.
func (p *parser) comparison() (node, *spot) {
	left, fault := p.sum()
	if fault != nil {
		return nil, fault
	}
	for _, op := range []operator{equal, notEqual, less, lessEqual, greater, greaterEqual} {
		if !p.accept(tokenMark, op.String()) {
			continue
		}
		right, fault := p.sum()
		if fault != nil {
			return nil, fault
		}
		return &compare{op: op, left: left, right: []node{right}}, nil
	}
	switch {
	case p.is(tokenMark, "="):
		return nil, p.failf(`"=" is no operator: write "==", or ":" to disregard case`)
	case p.is(tokenMark, "!:"):
		return nil, p.failf(`"!:" is no operator: write not %s : …`, left)
	}
	return left, nil
}
