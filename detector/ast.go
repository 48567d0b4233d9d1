package detector

import (
	"fmt"
	"slices"
	"strings"
)

// The nodes of a query's syntax tree are a closed set: query, the conditions and
// the operands below. String rebuilds the source of a node in one fixed layout,
// and parsing that again gives an equal tree.

// condition is a node that is true or false of an event.
type condition interface {
	fmt.Stringer
	condition()
}

// operand is a node that stands for values.
type operand interface {
	fmt.Stringer
	operand()
}

// query is a whole single-event query: category where condition.
type query struct {
	at       int    // where it begins in the text, in bytes
	any      bool   // any where …, which asks for no category
	category string // else the category
	cond     condition
}

// logic is and or or over two or more terms. A chain of one operator is one
// node, so that a list of a thousand terms is not a thousand levels deep.
type logic struct {
	or    bool
	terms []condition
}

// not is the complement of a condition.
type not struct{ term condition }

// compare asks whether any value of left stands in the relation op to any
// operand of right.
type compare struct {
	op    operator
	left  operand
	right []operand
	list  bool // right is written in parentheses
}

// field names a field. An optional one, ?name, may be unknown to the schema.
type field struct {
	at       int
	name     string
	optional bool
}

// text is a string literal, unescaped.
type text struct {
	at    int
	value string
}

func (*logic) condition()   {}
func (*not) condition()     {}
func (*compare) condition() {}

func (*field) operand() {}
func (*text) operand()  {}

// operator is a relation between values of a field and literals.
type operator uint8

const (
	equal operator = iota
	notEqual
	match // :
	in
	inFold
	notIn
	notInFold
	like
	likeFold
)

var operators = [...]string{
	equal: "==", notEqual: "!=", match: ":", in: "in", inFold: "in~",
	notIn: "not in", notInFold: "not in~", like: "like", likeFold: "like~",
}

func (o operator) String() string { return operators[o] }

// negated reports whether o is the complement of another operator. EQL has no
// third truth value: a negated comparison is true of an absent field
// (https://github.com/elastic/elasticsearch/pull/76610).
func (o operator) negated() bool { return o == notEqual || o == notIn || o == notInFold }

// folds reports whether o disregards the case of letters.
func (o operator) folds() bool {
	return o == match || o == inFold || o == notInFold || o == likeFold
}

// pattern reports whether * and ? are wildcards to the right of o. They are
// plain characters to the right of the others, also of in
// (https://www.elastic.co/guide/en/elasticsearch/reference/current/eql-syntax.html).
func (o operator) pattern() bool { return o == match || o == like || o == likeFold }

func (n *query) String() string {
	category := n.category
	switch {
	case n.any:
		category = "any"
	case !isName(category):
		category = quote(category)
	}
	return category + " where " + n.cond.String()
}

func (n *logic) String() string {
	word := " and "
	if n.or {
		word = " or "
	}
	terms := make([]string, len(n.terms))
	for i, t := range n.terms {
		terms[i] = t.String()
		// and binds closer than or; an equal operator in parentheses is a node
		// of its own and has to stay one.
		if inner, ok := t.(*logic); ok && (inner.or || !n.or) {
			terms[i] = "(" + terms[i] + ")"
		}
	}
	return strings.Join(terms, word)
}

func (n *not) String() string {
	if _, ok := n.term.(*logic); ok {
		return "not (" + n.term.String() + ")"
	}
	return "not " + n.term.String()
}

func (n *compare) String() string {
	right := make([]string, len(n.right))
	for i, r := range n.right {
		right[i] = r.String()
	}
	joined := strings.Join(right, ", ")
	if n.list {
		joined = "(" + joined + ")"
	}
	return n.left.String() + " " + n.op.String() + " " + joined
}

func (n *field) String() string {
	if n.optional {
		return "?" + n.name
	}
	return n.name
}

func (n *text) String() string { return quote(n.value) }

// isName reports whether s can be written as a name without quotes.
func isName(s string) bool {
	if s == "" || !isLetter(s[0]) || slices.Contains(keywords, s) {
		return false
	}
	for i := range len(s) {
		if !isLetter(s[i]) && !isDigit(s[i]) || i > 0 && s[i] == '@' {
			return false
		}
	}
	return true
}

// quote writes s as an EQL string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch i := strings.IndexRune(escaped, r); {
		case i >= 0:
			b.WriteByte('\\')
			b.WriteByte(escapes[i])
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u{%02x}`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
