package detector

import (
	"math"
	"slices"
	"strings"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// choices makes a query and an event out of numbers.
type choices struct{ next func(n int) int }

func (c choices) of(list ...string) string { return list[c.next(len(list))] }

// text makes texts that are often equal, nearly equal or part of each other.
func (c choices) text(broken bool) string {
	var b strings.Builder
	for range c.next(6) {
		b.WriteString(c.of("a", "b", "A", "aab", "/", "-", "k", "K", "\u212a", "é", "É", "😀", "\n", "\ufffd", "ı", "ſ", "S"))
		switch n := c.next(4); {
		case broken && n == 0:
			b.WriteString(c.of("\xff", "\xc3", "\xa9", "\xf0\x9f", "*", "?"))
		case !broken && n < 2:
			b.WriteString(c.of("*", "?", "**", "*?", "??"))
		}
	}
	return b.String()
}

var (
	textFields    = []string{"process.args", "process.name", "event.category", "process.command_line", "host.os.type", "process.parent.name", "no.such"}
	longFields    = []string{"process.pid", "process.args_count", "no.such"}
	doubleFields  = []string{"process.Ext.relative_file_creation_time"}
	booleanFields = []string{"process.interactive", "no.such"}
	someNumbers   = []float64{0, 1, 2, -1, 5, 4.5, 0.5, -0.5, 1e19, -1e19, 1 << 53, -1 << 63, 1 << 63}
	someLongs     = []int64{0, 1, 2, -1, 5, 4, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MinInt64}
	someAddresses = []string{"10.0.0.1", "10.1.2.3", "::1", "::ffff:10.0.0.1", "fe80::1", "0:0:0:0:0:0:0:1", "1.2.3", "10.0.0.01", "fe80::1%eth0", ""}
	someBlocks    = []string{"10.0.0.0/8", "10.0.0.1", "::1/128", "::/0", "0.0.0.0/0", "fe80::/10", "10.1.2.128/25", "::ffff:0:0/96", "::1"}
)

func (c choices) field(names []string) *field {
	f := &field{name: c.of(names...)}
	f.optional = f.name == "no.such" || c.next(4) == 0
	return f
}

func (c choices) textLiteral() node { return &literal{value: textOf(c.text(false))} }

func (c choices) numberLiteral() node {
	if c.next(2) == 0 {
		return &literal{value: longOf(someLongs[c.next(len(someLongs))])}
	}
	return &literal{value: doubleOf(someNumbers[c.next(len(someNumbers))])}
}

func (c choices) booleanLiteral() node { return &literal{value: booleanOf(c.next(2) == 0)} }

func (c choices) condition(depth int) node {
	kind := c.next(5)
	if depth == 0 {
		kind = 0
	}
	switch kind {
	case 1:
		return &not{term: c.condition(depth - 1)}
	case 2, 3:
		n := &logic{or: kind == 2}
		for range 2 + c.next(2) {
			n.terms = append(n.terms, c.condition(depth-1))
		}
		return n
	}
	switch c.next(12) {
	case 0:
		return c.numeric(c.field(longFields))
	case 1: // with doubles alone: Elasticsearch makes one of every number here
		n := c.numeric(c.field(doubleFields)).(*compare)
		for _, o := range children(n) {
			if l, ok := o.(*literal); ok {
				l.value = doubleOf(l.value.float())
			}
		}
		return n
	case 2:
		return c.booleanTest(c.field(booleanFields))
	case 3:
		f := c.field(append(slices.Concat(textFields, longFields, booleanFields, doubleFields), "host.ip"))
		return &compare{op: operator(c.next(2)), left: f, right: []node{&literal{}}}
	case 4:
		return c.address()
	case 5:
		return c.search()
	case 6:
		return c.numeric(c.number(2))
	case 7:
		return c.textual(c.made(2))
	case 8:
		kind := c.next(3)
		switch {
		case kind == 0 || depth == 0:
			return c.booleanLiteral()
		case kind == 1: // a condition within an expression
			return &compare{op: operator(c.next(2)), left: &literal{}, right: []node{c.condition(0)}}
		}
		return &compare{op: equal, left: &call{fn: functionNamed("string"), args: []node{c.condition(depth / 2)}}, right: []node{&literal{value: textOf("true")}}}
	}
	return c.textual(c.field(textFields))
}

// textual compares left with texts, now and then from the other side.
func (c choices) textual(left node) node {
	n := &compare{op: operator(c.next(len(operators))), left: left}
	n.list = n.op.member() || (n.op.pattern() || n.op.regex()) && c.next(2) == 0
	size := 1
	if n.list {
		size += c.next(6)
	}
	for range size {
		switch {
		case n.op.regex():
			n.right = append(n.right, &literal{value: textOf(c.of("a", "a*", "[a-k]+", "k?.*", "(a|b)*", ".*aab.*", "s"))})
		case n.op.member() && c.next(8) == 0:
			n.right = append(n.right, &literal{})
		default:
			n.right = append(n.right, c.textLiteral())
		}
	}
	return c.turn(n)
}

// turn is n with its sides changed over where they may be.
func (c choices) turn(n *compare) node {
	if n.op <= greaterEqual && c.next(4) == 0 {
		return &compare{op: n.op.mirrored(), left: n.right[0], right: []node{n.left}}
	}
	return n
}

func (c choices) numeric(left node) node {
	n := &compare{op: operator(c.next(int(greaterEqual) + 1)), left: left}
	if c.next(4) == 0 {
		n.op, n.list = in, true
		if c.next(2) == 0 {
			n.op = notIn
		}
		for range c.next(3) {
			n.right = append(n.right, c.numberLiteral())
		}
	}
	n.right = append(n.right, c.numberLiteral())
	return c.turn(n)
}

func (c choices) booleanTest(left node) node {
	if c.next(2) == 0 {
		return left
	}
	return c.turn(&compare{op: operator(c.next(2)), left: left, right: []node{c.booleanLiteral()}})
}

func (c choices) address() node {
	f := c.field([]string{"host.ip"})
	if c.next(2) == 0 {
		n := &call{fn: functionNamed("cidrMatch"), args: []node{f}}
		for range 1 + c.next(3) {
			n.args = append(n.args, &literal{value: textOf(c.of(someBlocks...))})
		}
		return n
	}
	n := &compare{op: operator(c.next(2)), left: f}
	if c.next(2) == 0 {
		n.op, n.list = in, true
		n.right = append(n.right, &literal{value: textOf(c.of(someBlocks...))})
	}
	n.right = append(n.right, &literal{value: textOf(c.of(someBlocks...))})
	return n
}

// search is startsWith and its like, of a field and a text or of any two.
func (c choices) search() node {
	n := &call{fn: functionNamed(c.of("startsWith", "endsWith", "stringContains")), fold: c.next(2) == 0}
	n.args = []node{c.field(textFields), c.textLiteral()}
	if c.next(3) == 0 {
		n.args = []node{c.made(1), c.made(1)}
	}
	if c.next(2) == 0 {
		return n
	}
	return c.booleanTest(n)
}

// number is an expression that gives a number.
func (c choices) number(depth int) node {
	if depth == 0 {
		if c.next(2) == 0 {
			return c.numberLiteral()
		}
		return c.field(longFields)
	}
	switch c.next(6) {
	case 0:
		return &call{fn: functionNamed("length"), args: []node{c.made(depth - 1)}}
	case 1:
		n := &call{fn: functionNamed("indexOf"), fold: c.next(2) == 0, args: []node{c.made(depth - 1), c.textLiteral()}}
		if c.next(2) == 0 {
			n.args = append(n.args, &literal{value: longOf(int64(c.next(6)) - 1)})
		}
		return n
	case 2:
		n := &call{fn: functionNamed("number"), args: []node{&literal{value: textOf(c.of("1", "0x10", "z", "4.5", "", "-2"))}}}
		if c.next(2) == 0 {
			n.args = append(n.args, &literal{value: longOf(int64(2 + c.next(40)))})
		}
		return n
	case 3:
		return &call{fn: functionNamed(c.of("add", "subtract", "multiply", "divide", "modulo")), args: []node{c.number(depth - 1), c.number(depth - 1)}}
	}
	return &arithmetic{op: "+-*/%"[c.next(5)], left: c.number(depth - 1), right: c.number(depth - 1)}
}

// made is an expression that gives text.
func (c choices) made(depth int) node {
	if depth == 0 {
		if c.next(3) == 0 {
			return c.textLiteral()
		}
		return c.field(textFields)
	}
	switch c.next(4) {
	case 0:
		n := &call{fn: functionNamed("substring"), args: []node{c.made(depth - 1), &literal{value: longOf(int64(c.next(9)) - 4)}}}
		if c.next(2) == 0 {
			n.args = append(n.args, &literal{value: longOf(int64(c.next(9)) - 4)})
		}
		return n
	case 1:
		n := &call{fn: functionNamed("between"), fold: c.next(2) == 0, args: []node{c.made(depth - 1), c.textLiteral(), c.textLiteral()}}
		if c.next(2) == 0 {
			n.args = append(n.args, c.booleanLiteral())
		}
		return n
	case 2:
		return &call{fn: functionNamed("string"), args: []node{c.number(depth - 1)}}
	}
	return &call{fn: functionNamed("concat"), args: []node{c.made(depth - 1), c.number(depth - 1), c.made(depth - 1)}}
}

func (c choices) query() *query {
	q := &query{any: c.next(2) == 0, cond: c.condition(3)}
	if !q.any {
		q.category = "process"
	}
	return q
}

// event makes an event that has a chance to match q: most of its values are the
// query's own literals, some with their wildcards filled in, some a byte short.
func (c choices) event(q *query) *ecs.Event {
	literals := []string{"a"}
	broken := true // whether values may hold bytes that are no text: functions work on bytes
	var collect func(node)
	collect = func(n node) {
		if _, ok := n.(*call); ok {
			broken = false
		}
		if l, ok := n.(*literal); ok && l.value.kind == textual {
			literals = append(literals, string(l.value.text))
		}
		for _, child := range children(n) {
			collect(child)
		}
	}
	collect(q.cond)
	e := ecs.NewEvent(ecs.Default)
	if c.next(4) > 0 {
		e.Add(ecs.EventCategory, []byte("process"))
	}
	for _, f := range []ecs.Field{ecs.ProcessArgs, ecs.ProcessName, ecs.EventCategory, ecs.ProcessCommandLine, ecs.HostOSType, ecs.ProcessParentName} {
		for range c.next(3) {
			e.Add(f, []byte(c.value(literals, broken)))
		}
	}
	for _, f := range []ecs.Field{ecs.ProcessPID, ecs.ProcessArgsCount} {
		for range c.next(3) {
			e.AddInt(f, someLongs[c.next(len(someLongs))])
		}
	}
	for range c.next(3) {
		e.AddFloat(ecs.ProcessExtRelativeFileCreationTime, someNumbers[c.next(len(someNumbers))])
	}
	for range c.next(3) {
		e.AddBool(ecs.ProcessInteractive, c.next(2) == 0)
	}
	for range c.next(3) {
		e.Add(ecs.HostIP, []byte(c.of(someAddresses...)))
	}
	return e
}

func (c choices) value(literals []string, broken bool) string {
	value := c.of(literals...)
	if c.next(2) == 0 {
		value = strings.ReplaceAll(value, "*", c.of("", "a", "é/", "\n"))
	}
	if c.next(2) == 0 {
		value = strings.ReplaceAll(value, "?", c.of("a", "é", "😀", "\xff"))
	}
	switch c.next(8) {
	case 0:
		value = strings.ToUpper(value)
	case 1:
		value = value[:max(0, len(value)-1)]
	case 2:
		value = value[min(1, len(value)):]
	case 3:
		value += "a"
	case 4:
		value = c.text(true)
	}
	if !broken {
		value = strings.ToValidUTF8(value, "")
	}
	return value
}
