package detector

import (
	"fmt"
	"slices"
	"strings"
)

// The nodes of a query's syntax tree are a closed set: query, and the nodes below
// it. String rebuilds the source of a node in one fixed layout, and parsing that
// again gives an equal tree.

// node is an expression: a condition, which is true or false of an event, or
// something that stands for values.
type node interface {
	fmt.Stringer
	begins() int // where it begins in the text, in bytes
}

// query is a whole single-event query: category where condition.
type query struct {
	at       int
	any      bool   // any where …, which asks for no category
	category string // else the category
	cond     node
}

// logic is and or or over two or more terms. A chain of one operator is one
// node, so that a list of a thousand terms is not a thousand levels deep.
type logic struct {
	or    bool
	terms []node
}

// not is the complement of a condition.
type not struct {
	at   int
	term node
}

// compare asks whether any value of left stands in the relation op to any of
// right.
type compare struct {
	op    operator
	left  node
	right []node
	list  bool // right is written in parentheses
}

// arithmetic is + - * / or % of two numbers; a sign has no left.
type arithmetic struct {
	at    int // of the operator
	op    byte
	left  node
	right node
}

// call is a function of its arguments. One written with ~ disregards case.
type call struct {
	at   int
	fn   *function
	fold bool
	args []node
}

// field names a field. An optional one, ?name, may be unknown to the schema.
type field struct {
	at       int
	name     string
	optional bool
}

// literal is a constant as written.
type literal struct {
	at    int
	value value
}

func (n *query) begins() int   { return n.at }
func (n *logic) begins() int   { return n.terms[0].begins() }
func (n *not) begins() int     { return n.at }
func (n *compare) begins() int { return n.left.begins() }
func (n *call) begins() int    { return n.at }
func (n *field) begins() int   { return n.at }
func (n *literal) begins() int { return n.at }

func (n *arithmetic) begins() int {
	if n.left == nil {
		return n.at
	}
	return n.left.begins()
}

// children are the nodes directly below n.
func children(n node) []node {
	switch n := n.(type) {
	case *logic:
		return n.terms
	case *not:
		return []node{n.term}
	case *compare:
		return append([]node{n.left}, n.right...)
	case *arithmetic:
		if n.left != nil {
			return []node{n.left, n.right}
		}
		return []node{n.right}
	case *call:
		return n.args
	}
	return nil
}

// fieldsOf appends the names of the fields at and below n to names, each once.
func fieldsOf(names []string, n node) []string {
	if f, ok := n.(*field); ok && !slices.Contains(names, f.name) {
		return append(names, f.name)
	}
	for _, c := range children(n) {
		names = fieldsOf(names, c)
	}
	return names
}

// operator is a relation between values.
type operator uint8

const (
	equal operator = iota
	notEqual
	less
	lessEqual
	greater
	greaterEqual
	match // :
	in
	inFold
	notIn
	notInFold
	like
	likeFold
	regexMatch
	regexFold
)

var operators = [...]string{
	equal: "==", notEqual: "!=", less: "<", lessEqual: "<=", greater: ">", greaterEqual: ">=",
	match: ":", in: "in", inFold: "in~", notIn: "not in", notInFold: "not in~",
	like: "like", likeFold: "like~", regexMatch: "regex", regexFold: "regex~",
}

func (o operator) String() string { return operators[o] }

// negated reports whether o is the complement of another operator. EQL has no
// third truth value: a negated comparison is true of an absent field
// (https://github.com/elastic/elasticsearch/pull/76610).
func (o operator) negated() bool { return o == notEqual || o == notIn || o == notInFold }

// folds reports whether o disregards the case of letters.
func (o operator) folds() bool {
	return o == match || o == inFold || o == notInFold || o == likeFold || o == regexFold
}

// pattern reports whether * and ? are wildcards to the right of o. They are
// plain characters to the right of the others, also of in
// (https://www.elastic.co/guide/en/elasticsearch/reference/current/eql-syntax.html).
func (o operator) pattern() bool { return o == match || o == like || o == likeFold }

// regex reports whether regular expressions stand to the right of o.
func (o operator) regex() bool { return o == regexMatch || o == regexFold }

// order reports whether o compares sizes.
func (o operator) order() bool { return o >= less && o <= greaterEqual }

// member reports whether o asks for a member of a list.
func (o operator) member() bool { return o == in || o == inFold || o == notIn || o == notInFold }

// mirrored is the operator that holds of b and a where o holds of a and b.
func (o operator) mirrored() operator {
	switch o {
	case less:
		return greater
	case lessEqual:
		return greaterEqual
	case greater:
		return less
	case greaterEqual:
		return lessEqual
	}
	return o
}

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
		if right[i] = r.String(); !n.list {
			right[i] = n.operand(r)
		}
	}
	joined := strings.Join(right, ", ")
	if n.list {
		joined = "(" + joined + ")"
	}
	return n.operand(n.left) + " " + n.op.String() + " " + joined
}

// operand writes an operand of n, in parentheses if it binds looser than n.
func (n *compare) operand(o node) string {
	if _, ok := o.(*arithmetic); ok && (n.op <= greaterEqual) {
		return o.String()
	}
	return primary(o)
}

func (n *arithmetic) String() string {
	if n.left == nil {
		return string(n.op) + primary(n.right)
	}
	return primary(n.left) + " " + string(n.op) + " " + primary(n.right)
}

// primary writes n so that it binds closest.
func primary(n node) string {
	switch n.(type) {
	case *field, *literal, *call:
		return n.String()
	}
	return "(" + n.String() + ")"
}

func (n *call) String() string {
	name := n.fn.name
	if n.fold {
		name += "~"
	}
	args := make([]string, len(n.args))
	for i, a := range n.args {
		args[i] = a.String()
	}
	return name + "(" + strings.Join(args, ", ") + ")"
}

func (n *field) String() string {
	name := n.name
	for segment := range strings.SplitSeq(n.name, ".") {
		if !isName(segment) {
			name = "`" + strings.ReplaceAll(n.name, "`", "``") + "`"
		}
	}
	if n.optional {
		return "?" + name
	}
	return name
}

func (n *literal) String() string { return n.value.String() }

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
