package detector

import (
	"cmp"
	"fmt"
	"sort"
	"strings"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// program is a condition as instructions that test one field each. Every test
// is true or false, absence included, so a program is a walk from instruction 0
// along yes and no to accept or reject, and it only ever goes forward.
type program struct {
	schema *ecs.Schema
	code   []instruction
	entry  int32 // where to begin: an instruction, or at once accept or reject

	// Operands by instruction.arg, one kind per opcode.
	texts      []string
	tables     []table
	finds      []segment
	globs      []glob
	lists      []*patterns
	regexs     []*regex
	longBounds []int64
	doubles    []float64
	blocks     [][]block
	leaves     []*leaf
}

// instruction is true if any value of field passes the test.
type instruction struct {
	op    opcode
	fold  bool     // letters match in either case; the operand is folded
	rel   operator // of a test for order: == < <= > or >=
	field ecs.Field
	arg   int32
	yes   int32 // where to go on: an instruction, accept or reject
	no    int32
}

const (
	accept int32 = -1
	reject int32 = -2
)

type opcode uint8

const (
	opExists   opcode = iota // the field has a value
	opNever                  // never true: equal to nothing
	opAbsent                 // never true: an optional field that the schema lacks; arg names it
	opEqual                  // the value is the text
	opIn                     // the value is in the table
	opPrefix                 // the value begins with the text
	opSuffix                 // the value ends with the text
	opContains               // the value contains the text
	opGlob                   // the value matches the glob
	opAny                    // the value matches one of the patterns
	opRegex                  // the value matches the regular expression
	opOrder                  // the text stands in the relation to the operand, by bytes
	opLong                   // the whole number or date does
	opDouble                 // the number does
	opBoolean                // the value is arg
	opAddress                // the address is in one of the blocks
	opEval                   // an expression over several values is true
)

var opcodes = [...]string{
	opExists: "exists", opNever: "never", opAbsent: "absent", opEqual: "equal", opIn: "in",
	opPrefix: "prefix", opSuffix: "suffix", opContains: "contains", opGlob: "glob", opAny: "any",
	opRegex: "regex", opOrder: "order", opLong: "long", opDouble: "double", opBoolean: "boolean",
	opAddress: "address", opEval: "eval",
}

// match runs the program. It allocates nothing. view is e as tests that disregard
// case see it, see Fold.
func (p *program) match(e, view *ecs.Event) bool {
	at := p.entry
	for at >= 0 {
		in := &p.code[at]
		row := e
		if in.fold {
			row = view
		}
		if p.holds(in, e, row.Values(in.field)) {
			at = in.yes
		} else {
			at = in.no
		}
	}
	return at == accept
}

// holds reports whether any of the values passes the instruction's test.
func (p *program) holds(in *instruction, e *ecs.Event, values []ecs.Value) bool {
	switch in.op {
	case opExists:
		return len(values) > 0
	case opEqual:
		t := p.texts[in.arg]
		for i := range values {
			if same(values[i].Text(), t, in.fold) {
				return true
			}
		}
	case opIn:
		t := p.tables[in.arg]
		for i := range values {
			if t.has(values[i].Text(), in.fold) {
				return true
			}
		}
	case opPrefix:
		t := p.texts[in.arg]
		for i := range values {
			if v := values[i].Text(); len(v) >= len(t) && same(v[:len(t)], t, in.fold) {
				return true
			}
		}
	case opSuffix:
		t := p.texts[in.arg]
		for i := range values {
			if v := values[i].Text(); len(v) >= len(t) && same(v[len(v)-len(t):], t, in.fold) {
				return true
			}
		}
	case opContains:
		s := &p.finds[in.arg]
		for i := range values {
			if s.find(values[i].Text(), 0) >= 0 {
				return true
			}
		}
	case opGlob:
		g := &p.globs[in.arg]
		for i := range values {
			if g.matches(values[i].Text()) {
				return true
			}
		}
	case opAny:
		list := p.lists[in.arg]
		for i := range values {
			if list.matches(values[i].Text()) {
				return true
			}
		}
	case opEval:
		return p.leaves[in.arg].holds(e)
	default:
		return p.holdsRarely(in, values)
	}
	return false
}

// holdsRarely are the tests that few rules make, kept out of the way of others.
func (p *program) holdsRarely(in *instruction, values []ecs.Value) bool {
	for _, v := range values {
		var pass bool
		switch in.op {
		case opRegex:
			pass = p.regexs[in.arg].matches(v.Text())
		case opOrder:
			pass = holds(in.rel, compareText(v.Text(), p.texts[in.arg]))
		case opLong:
			pass = holds(in.rel, cmp.Compare(v.Int(), p.longBounds[in.arg]))
		case opDouble:
			x, y := v.Float(), p.doubles[in.arg]
			pass = x == x && y == y && holds(in.rel, cmp.Compare(x, y))
		case opBoolean:
			pass = v.Bool() == (in.arg != 0)
		case opAddress:
			pass = within(p.blocks[in.arg], v.Text())
		case opNever, opAbsent:
			return false
		default:
			panic("detector: unknown opcode") // the compiler emits no other
		}
		if pass {
			return true
		}
	}
	return false
}

// compareText orders texts by their bytes.
func compareText(value []byte, text string) int {
	for i := range min(len(value), len(text)) {
		if value[i] != text[i] {
			return int(value[i]) - int(text[i])
		}
	}
	return len(value) - len(text)
}

// touches reports whether one of the values of f passes any test of the program:
// then the alert may be about it. The values are those of an event for tests that
// mind case and those of its view for others.
func (p *program) touches(f ecs.Field, values, view []ecs.Value) bool {
	for i := range p.code {
		in := &p.code[i]
		if in.field != f || in.op == opExists || in.op == opEval {
			continue
		}
		if in.fold && p.holds(in, nil, view) || !in.fold && p.holds(in, nil, values) {
			return true
		}
	}
	return false
}

// String lists the program, an instruction a line.
func (p *program) String() string {
	if p.entry < 0 {
		return fmt.Sprintf("      %s\n", target(p.entry))
	}
	var b strings.Builder
	for i := range p.code {
		in := &p.code[i]
		op := opcodes[in.op]
		if in.fold || in.rel == regexFold {
			op += "/i"
		}
		fmt.Fprintf(&b, "%4d  %-10s %s -> %s, %s\n", i, op, p.operands(in), target(in.yes), target(in.no))
	}
	return b.String()
}

func (p *program) operands(in *instruction) string {
	switch in.op {
	case opAbsent:
		return p.texts[in.arg]
	case opEval:
		return p.leaves[in.arg].source
	}
	name := p.schema.Name(in.field)
	switch in.op {
	case opEqual, opPrefix, opSuffix:
		return name + " " + quote(p.texts[in.arg])
	case opIn:
		return name + listing(p.tables[in.arg])
	case opContains:
		return name + " " + quote(p.finds[in.arg].key)
	case opGlob:
		return name + " " + quote(p.globs[in.arg].source)
	case opAny:
		return name + listing(p.lists[in.arg].sources)
	case opRegex:
		return name + " " + quote(p.regexs[in.arg].source)
	case opOrder:
		return fmt.Sprintf("%s %s %s", name, in.rel, quote(p.texts[in.arg]))
	case opLong:
		return fmt.Sprintf("%s %s %d", name, in.rel, p.longBounds[in.arg])
	case opDouble:
		return fmt.Sprintf("%s %s %s", name, in.rel, doubleOf(p.doubles[in.arg]))
	case opBoolean:
		return fmt.Sprintf("%s %v", name, in.arg != 0)
	case opAddress:
		return fmt.Sprintf("%s {%d}", name, len(p.blocks[in.arg]))
	}
	return name
}

// listing is a list of texts, cut where a line would be long.
func listing(texts []string) string {
	const longest = 100 // code points
	quoted := make([]string, 0, len(texts))
	for _, t := range texts[:min(len(texts), longest)] {
		quoted = append(quoted, quote(t))
	}
	return fmt.Sprintf(" {%d} %s", len(texts), cut(strings.Join(quoted, ", "), longest))
}

func target(at int32) string {
	switch at {
	case accept:
		return "accept"
	case reject:
		return "reject"
	}
	return fmt.Sprint(at)
}

// table is a set of texts, ordered by length and then by bytes, so that a value
// of a length that does not occur, however long, costs a few comparisons of
// numbers.
type table []string

func newTable(texts []string) table {
	t := table(texts)
	sort.Slice(t, func(i, j int) bool {
		if len(t[i]) != len(t[j]) {
			return len(t[i]) < len(t[j])
		}
		return t[i] < t[j]
	})
	return t
}

// has reports whether value is in the table, by binary search.
func (t table) has(value []byte, fold bool) bool {
	low, high := 0, len(t)
	for low < high {
		middle := int(uint(low+high) / 2)
		switch c := order(value, t[middle], fold); {
		case c == 0:
			return true
		case c < 0:
			high = middle
		default:
			low = middle + 1
		}
	}
	return false
}

// order compares value, folded if fold is set, with an entry of a table.
func order(value []byte, entry string, fold bool) int {
	if len(value) != len(entry) {
		return len(value) - len(entry)
	}
	for i, c := range value {
		if fold {
			c = lower[c]
		}
		if c != entry[i] {
			return int(c) - int(entry[i])
		}
	}
	return 0
}
