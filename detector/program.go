package detector

import (
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
	texts  []string // operands by instruction.arg, one kind per opcode
	tables []table
	finds  []segment
	globs  []glob
}

// instruction is true if any value of field passes the test.
type instruction struct {
	op    opcode
	fold  bool // letters of ASCII match in either case; the operand is folded
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
	opAbsent                 // never true: an optional field that the schema lacks; arg names it
	opEqual                  // the value is the text
	opIn                     // the value is in the table
	opPrefix                 // the value begins with the text
	opSuffix                 // the value ends with the text
	opContains               // the value contains the text
	opGlob                   // the value matches the glob
)

var opcodes = [...]string{
	opExists: "exists", opAbsent: "absent", opEqual: "equal", opIn: "in",
	opPrefix: "prefix", opSuffix: "suffix", opContains: "contains", opGlob: "glob",
}

// match runs the program. It allocates nothing.
func (p *program) match(e *ecs.Event) bool {
	at := int32(0)
	for at >= 0 {
		in := &p.code[at]
		if p.holds(in, e.Values(in.field)) {
			at = in.yes
		} else {
			at = in.no
		}
	}
	return at == accept
}

// holds reports whether any of the values passes the instruction's test.
func (p *program) holds(in *instruction, values []ecs.Value) bool {
	switch in.op {
	case opExists:
		return len(values) > 0
	case opAbsent:
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
	default:
		panic("detector: unknown opcode") // the compiler emits no other
	}
	return false
}

// touches reports whether one of the values of f passes any test of the program:
// then the alert may be about it.
func (p *program) touches(f ecs.Field, values []ecs.Value) bool {
	for i := range p.code {
		in := &p.code[i]
		if in.field == f && in.op != opExists && p.holds(in, values) {
			return true
		}
	}
	return false
}

// String lists the program, an instruction a line.
func (p *program) String() string {
	var b strings.Builder
	for i := range p.code {
		in := &p.code[i]
		op := opcodes[in.op]
		if in.fold {
			op += "/i"
		}
		fmt.Fprintf(&b, "%4d  %-10s %s -> %s, %s\n", i, op, p.operands(in), target(in.yes), target(in.no))
	}
	return b.String()
}

func (p *program) operands(in *instruction) string {
	if in.op == opAbsent {
		return p.texts[in.arg]
	}
	name := p.schema.Name(in.field)
	switch in.op {
	case opEqual, opPrefix, opSuffix:
		return name + " " + quote(p.texts[in.arg])
	case opIn:
		return fmt.Sprintf("%s {%d}", name, len(p.tables[in.arg]))
	case opContains:
		return name + " " + quote(p.finds[in.arg].key)
	case opGlob:
		return name + " " + quote(p.globs[in.arg].source)
	}
	return name
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
