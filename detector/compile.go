package detector

import (
	"fmt"
	"slices"
	"strings"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// categoryField is the field that the category of a query is about.
const categoryField = "event.category"

// checker finds what is wrong with a query that parses: all of it, so that a
// rule's author need not come back for the next fault.
type checker struct {
	schema   *ecs.Schema
	faults   []spot
	warnings []spot
}

func (c *checker) faultf(at int, format string, args ...any) {
	c.faults = append(c.faults, spot{at, fmt.Sprintf(format, args...)})
}

// check returns the faults of a query, in the order of its text, and its
// warnings.
func check(q *query, schema *ecs.Schema) (faults, warnings []spot) {
	c := &checker{schema: schema}
	if !q.any && q.category != "process" {
		// The fields of another category are strange here too: that is no news.
		c.faultf(q.at, `not supported yet: event category %q, only "process" and any are`, q.category)
		return c.faults, nil
	}
	if _, known := schema.Lookup(categoryField); !q.any && !known {
		c.faultf(q.at, "unknown field %q, which an event category asks for", categoryField)
	}
	c.condition(q.cond)
	return c.faults, c.warnings
}

func (c *checker) condition(n condition) {
	switch n := n.(type) {
	case *logic:
		for _, t := range n.terms {
			c.condition(t)
		}
	case *not:
		c.condition(n.term)
	case *compare:
		c.compare(n)
	}
}

func (c *checker) compare(n *compare) {
	f := n.left.(*field)
	if known, ok := c.schema.Lookup(f.name); ok {
		c.kind(f, n.op, c.schema.Kind(known))
	} else if nearest := c.schema.Nearest(f.name); f.optional {
		c.warnings = append(c.warnings, spot{f.at, fmt.Sprintf("unknown field %q counts as absent, the nearest is %q", f.name, nearest)})
	} else {
		c.faultf(f.at, "unknown field %q, the nearest is %q", f.name, nearest)
	}
	if !n.op.pattern() {
		return
	}
	for _, r := range n.right {
		// Elasticsearch escapes with U+0001 while it rewrites a pattern, so such
		// a pattern has no meaning of its own there.
		if t := r.(*text); strings.ContainsRune(t.value, '\u0001') {
			c.faultf(t.at, "pattern %s holds U+0001, which means nothing in a pattern", quote(t.value))
		}
	}
}

// kind checks that values of f can be compared with strings.
func (c *checker) kind(f *field, op operator, kind ecs.Kind) {
	switch {
	case kind == ecs.IP && !op.pattern():
		c.faultf(f.at, "not supported yet: comparing addresses, field %q is of kind ip", f.name)
	case kind == ecs.IP || !kind.Text():
		c.faultf(f.at, "field %q is of kind %s, %q compares text with text", f.name, kind, op)
	}
}

// emit compiles a query that check found no fault in.
//
// It works from the end of the condition to its beginning, so that an
// instruction's targets are known when it is made, and turns the code around at
// the end.
func emit(q *query, schema *ecs.Schema) *program {
	e := &emitter{program: program{schema: schema}}
	entry := e.condition(q.cond, accept, reject)
	if !q.any {
		e.leaf(&compare{
			left:  &field{at: q.at, name: categoryField},
			right: []operand{&text{at: q.at, value: q.category}},
		}, entry, reject)
	}
	last := int32(len(e.code) - 1)
	slices.Reverse(e.code)
	for i := range e.code {
		in := &e.code[i]
		if in.yes >= 0 {
			in.yes = last - in.yes
		}
		if in.no >= 0 {
			in.no = last - in.no
		}
	}
	return &e.program
}

type emitter struct{ program }

// condition emits c and returns where it begins; from there it goes on to yes
// if c is true of an event, else to no.
func (e *emitter) condition(c condition, yes, no int32) int32 {
	switch c := c.(type) {
	case *logic:
		entry := yes
		if c.or {
			entry = no
		}
		for _, t := range slices.Backward(c.terms) {
			if c.or {
				entry = e.condition(t, yes, entry)
			} else {
				entry = e.condition(t, entry, no)
			}
		}
		return entry
	case *not:
		return e.condition(c.term, no, yes)
	case *compare:
		if c.op.negated() {
			yes, no = no, yes
		}
		return e.leaf(c, yes, no)
	}
	panic(fmt.Sprintf("detector: unknown condition %T", c))
}

// leaf emits a comparison, negation apart, as an or over its literals: what is
// compared as a whole becomes one lookup and comes first, each pattern a test of
// its own.
func (e *emitter) leaf(c *compare, yes, no int32) int32 {
	name := c.left.(*field).name
	f, known := e.schema.Lookup(name)
	if !known {
		return e.add(instruction{op: opAbsent, arg: e.text("?" + name), yes: yes, no: no})
	}
	var exact, patterns []string
	for _, r := range c.right {
		value := r.(*text).value
		if c.op.folds() {
			value = foldASCII(value)
		}
		if c.op.pattern() && strings.ContainsAny(value, "*?") {
			patterns = append(patterns, value)
		} else {
			exact = append(exact, value)
		}
	}
	entry := no
	for _, p := range slices.Backward(patterns) {
		entry = e.add(e.pattern(p, instruction{field: f, fold: c.op.folds(), yes: yes, no: entry}))
	}
	exact = slices.Compact(newTable(exact))
	in := instruction{op: opEqual, field: f, fold: c.op.folds(), yes: yes, no: entry}
	switch len(exact) {
	case 0:
		return entry
	case 1:
		in.arg = e.text(exact[0])
	default:
		in.op, in.arg = opIn, int32(len(e.tables))
		e.tables = append(e.tables, exact)
	}
	return e.add(in)
}

// pattern picks the cheapest test for a pattern with wildcards.
func (e *emitter) pattern(p string, in instruction) instruction {
	inner := strings.Trim(p, "*")
	switch {
	case inner == "":
		// Elasticsearch answers * by the exists query, so the empty string
		// matches too.
		in.op, in.fold = opExists, false
	case strings.ContainsAny(inner, "*?"):
		in.op, in.arg = opGlob, int32(len(e.globs))
		e.globs = append(e.globs, newGlob(p, in.fold))
	case p[0] != '*':
		in.op, in.arg = opPrefix, e.text(inner)
	case p[len(p)-1] != '*':
		in.op, in.arg = opSuffix, e.text(inner)
	default:
		in.op, in.arg = opContains, int32(len(e.finds))
		e.finds = append(e.finds, newSegment(inner, in.fold))
	}
	return in
}

func (e *emitter) text(s string) int32 {
	e.texts = append(e.texts, s)
	return int32(len(e.texts) - 1)
}

func (e *emitter) add(in instruction) int32 {
	e.code = append(e.code, in)
	return int32(len(e.code) - 1)
}
