package detector

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// categoryField is the field that the category of a query is about.
const categoryField = "event.category"

// domain is the kinds of value that an expression can have, as a set.
type domain uint8

const (
	booleans domain = 1 << iota
	numbers
	texts
	addresses
	dates
	nulls
	anything = booleans | numbers | texts | addresses | nulls
)

// The words for what is in a domain, in the order of its bits.
var domainWords = []string{"a boolean", "a number", "text", "an address", "a date", "null"}

func (d domain) String() string {
	if d == anything {
		return "anything but a date"
	}
	var words []string
	for i, w := range domainWords {
		if d&(1<<i) != 0 {
			words = append(words, w)
		}
	}
	return strings.Join(words, " or ")
}

// domainOf is the domain of the values of a kind of field.
func domainOf(k ecs.Kind) domain {
	switch k {
	case ecs.Long, ecs.Double:
		return numbers
	case ecs.Boolean:
		return booleans
	case ecs.Date:
		return dates
	case ecs.IP:
		return addresses
	}
	return texts
}

// checker finds what is wrong with a query that parses: all of it, so that a
// rule's author need not come back for the next fault.
type checker struct {
	schema   *ecs.Schema
	fold     Fold
	faults   []spot
	warnings []spot
	unknown  []*field // that the schema lacks and the query needs
}

func (c *checker) faultf(at int, format string, args ...any) {
	c.faults = append(c.faults, spot{at: at, message: fmt.Sprintf(format, args...)})
}

func (c *checker) warnf(at int, format string, args ...any) {
	c.warnings = append(c.warnings, spot{at: at, message: fmt.Sprintf(format, args...)})
}

// check finds the faults of a query, in the order of its text, and its warnings.
func check(q *query, schema *ecs.Schema, fold Fold) *checker {
	c := &checker{schema: schema, fold: fold}
	if _, known := schema.Lookup(categoryField); !q.any && !known {
		c.faultf(q.at, "unknown field %q, which an event category asks for", categoryField)
	}
	for _, word := range []string{"process", "any"} {
		if q.category != word && strings.EqualFold(q.category, word) {
			c.faultf(q.at, "event category %q matches no event: it is written %q", q.category, word)
		}
	}
	c.condition(q.cond)
	return c
}

// condition checks an expression that has to be true or false.
func (c *checker) condition(n node) {
	switch n := n.(type) {
	case *logic:
		for _, t := range n.terms {
			c.condition(t)
		}
	case *not:
		c.condition(n.term)
	default:
		if d := c.domain(n); d != 0 && d&booleans == 0 {
			c.faultf(n.begins(), "%s, a condition is a boolean", c.describe(n, d))
		}
	}
}

// domain checks an expression and is the domain of its values; 0 behind a fault,
// so that it is not told twice.
func (c *checker) domain(n node) domain {
	switch n := n.(type) {
	case *literal:
		return [...]domain{null: nulls, boolean: booleans, long: numbers, double: numbers, textual: texts}[n.value.kind]
	case *field:
		return c.field(n)
	case *call:
		return c.call(n)
	case *arithmetic:
		for _, o := range children(n) {
			if d := c.domain(o); d != 0 && d&(numbers|nulls) == 0 {
				c.faultf(o.begins(), "%s, %q calculates with numbers", c.describe(o, d), string(n.op))
			}
		}
		return numbers
	case *compare:
		c.compare(n)
		return booleans
	}
	c.condition(n)
	return booleans
}

func (c *checker) field(n *field) domain {
	if known, ok := c.schema.Lookup(n.name); ok {
		return domainOf(c.schema.Kind(known))
	}
	nearest := c.schema.Nearest(n.name)
	if n.optional {
		c.warnf(n.at, "unknown field %q counts as absent, the nearest is %q", n.name, nearest)
		return anything | dates
	}
	c.unknown = append(c.unknown, n)
	c.faultf(n.at, "unknown field %q, the nearest is %q", n.name, nearest)
	return 0
}

// describe says what an expression is.
func (c *checker) describe(n node, d domain) string {
	switch n := n.(type) {
	case *field:
		if f, known := c.schema.Lookup(n.name); known {
			return fmt.Sprintf("field %q is of kind %s", n.name, c.schema.Kind(f))
		}
	case *call:
		return fmt.Sprintf("function %s gives %s", n.fn.name, d)
	}
	const longest = 40 // code points
	return fmt.Sprintf("%s is %s", cut(n.String(), longest), d)
}

func (c *checker) call(n *call) domain {
	for i, a := range n.args {
		d, want := c.domain(a), n.fn.param(i)
		if want&texts != 0 {
			want |= addresses
		}
		switch {
		case d != 0 && d&(want|nulls) == 0:
			c.faultf(a.begins(), "%s, argument %d of %s is %s", c.describe(a, d), i+1, n.fn.name, n.fn.param(i))
		case n.fn.constant && i > 0:
			l, ok := a.(*literal)
			if !ok {
				c.faultf(a.begins(), "argument %d of %s is not a constant", i+1, n.fn.name)
			} else if _, ok := parseBlock(l.value.text); d == texts && !ok {
				c.faultf(l.at, "%s is no address and no block of addresses like 10.0.0.0/8", l)
			}
		}
	}
	// Elasticsearch answers these two by a query in which * and ? are wildcards
	// even here (https://github.com/elastic/elasticsearch/issues/130851).
	if n.fn.name == "stringContains" || n.fn.name == "endsWith" {
		if l, ok := n.args[1].(*literal); ok && strings.ContainsAny(string(l.value.text), `*?\`) {
			c.warnf(l.at, `in %s a "*", "?" or "\" is a plain character; Elasticsearch may take it for a wildcard`, n.fn.name)
		}
	}
	return n.fn.result
}

func (c *checker) compare(n *compare) {
	left := c.domain(n.left)
	if n.op.pattern() || n.op.regex() {
		if left != 0 && left&texts == 0 {
			c.faultf(n.begins(), "%s, %q compares text with text", c.describe(n.left, left), n.op)
		}
		for _, r := range n.right {
			c.pattern(n.op, r.(*literal))
		}
		return
	}
	leftFields := fieldsOf(nil, n.left)
	for _, r := range n.right {
		if f, ok := r.(*field); ok && c.word(f) {
			continue
		}
		right := c.domain(r)
		if left == 0 || right == 0 {
			continue
		}
		switch {
		case len(leftFields) > 0 && len(fieldsOf(nil, r)) > 0:
			c.faultf(r.begins(), "%s: fields cannot be compared with fields", n)
		case n.op.order() && (isNull(n.left) || isNull(r)):
			c.faultf(n.begins(), `%s is never true: null is compared by "==" and "!=" alone`, n)
		case n.op == inFold || n.op == notInFold:
			if left&texts == 0 {
				c.faultf(n.begins(), "%s, %q compares text with text", c.describe(n.left, left), n.op)
			} else if right&(texts|nulls) == 0 {
				c.faultf(r.begins(), "%s, %q compares text with text", c.describe(r, right), n.op)
			}
		case isNull(n.left) || isNull(r):
		default:
			c.pair(n, n.left, r, left, right)
		}
	}
}

// word reports whether a field is rather a text without its quotes, and makes a
// fault of it.
func (c *checker) word(f *field) bool {
	_, known := c.schema.Lookup(f.name)
	if known || f.optional || strings.Contains(f.name, ".") {
		return false
	}
	c.faultf(f.at, "unknown field %q; a text stands in double quotes", f.name)
	return true
}

// pair checks two values that are compared.
func (c *checker) pair(n *compare, a, b node, left, right domain) {
	if isLiteral(a) {
		a, b, left, right = b, a, right, left
	}
	l, constant := b.(*literal)
	switch {
	case left&dates != 0 && left&texts == 0 && constant:
		if _, err := dateOf(l.value); err != nil {
			c.faultf(l.at, "%v", err)
		}
	case left&addresses != 0 && left&texts == 0 && constant && right == texts:
		if _, ok := parseBlock(l.value.text); !ok {
			c.faultf(l.at, "%s is no address and no block of addresses like 10.0.0.0/8", l)
		} else if n.op.order() {
			c.faultf(n.begins(), "%s, %q does not compare addresses", c.describe(a, left), n.op)
		}
	case left&right&^dates == 0:
		c.faultf(n.begins(), "%s, %s is %s: %q compares like with like", c.describe(a, left), cut(b.String(), 40), right, n.op)
	case n.op.order() && left&right&(numbers|texts) == 0:
		c.faultf(n.begins(), "%s, %q compares numbers or texts", c.describe(a, left), n.op)
	case !constant && len(fieldsOf(nil, b)) == 0 && constantOf(b, c.fold).kind == null:
		c.faultf(b.begins(), "%s has no value", b)
	}
}

func isLiteral(n node) bool {
	_, ok := n.(*literal)
	return ok
}

// pattern checks a string to the right of : like or regex.
func (c *checker) pattern(op operator, l *literal) {
	text := string(l.value.text)
	if op.regex() {
		if _, err := newRegex(text, op.folds(), c.fold == FoldUnicode); err != nil {
			c.faultf(l.at, "regular expression %s: %v", cut(l.String(), 40), err)
		}
		return
	}
	// Elasticsearch escapes with U+0001 while it rewrites a pattern, so such a
	// pattern has no meaning of its own there.
	if strings.ContainsRune(text, '\u0001') {
		c.faultf(l.at, "pattern %s holds U+0001, which means nothing in a pattern", l)
	}
}

// dateLayouts are the forms of a date that can be compared with, from the longest.
var dateLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02", "2006-01", "2006",
}

// dateOf is the instant that a constant stands for: a date, in UTC if it has no
// zone, or milliseconds since 1970.
func dateOf(v value) (nanoseconds int64, err error) {
	if v.kind == long {
		return nanosecondsOf(time.UnixMilli(v.n)), nil
	}
	if v.kind == textual {
		for _, layout := range dateLayouts {
			if t, err := time.Parse(layout, string(v.text)); err == nil {
				return nanosecondsOf(t), nil
			}
		}
	}
	return 0, fmt.Errorf("%s is no date: write one like \"2026-01-31T00:00:00Z\", or milliseconds since 1970", v)
}

// nanosecondsOf is an instant as dates are kept, which reach from 1677 to 2262;
// one beyond is their first or last.
func nanosecondsOf(t time.Time) int64 {
	switch {
	case t.Before(time.Unix(0, math.MinInt64)):
		return math.MinInt64
	case t.After(time.Unix(0, math.MaxInt64)):
		return math.MaxInt64
	}
	return t.UnixNano()
}
