package detector

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// function is a function of EQL. A null argument makes the result null, and what
// Elasticsearch would end the whole search with (a division by zero, a sum beyond
// 64 bits, text that is no number) is null as well
// (https://www.elastic.co/docs/reference/query-languages/eql/eql-function-ref).
type function struct {
	name     string
	params   []domain
	optional int  // how many of the last parameters may be left out
	variadic bool // the last parameter may come several times
	constant bool // the parameters behind the first must be constants
	folds    bool // there is a form name~ that disregards case
	result   domain
	eval     func(m *machine, t *term, args []value) value
}

var functions = []*function{
	{name: "add", params: []domain{numbers, numbers}, result: numbers, eval: calculate('+')},
	{name: "between", params: []domain{texts, texts, texts, booleans}, optional: 1, folds: true, result: texts, eval: between},
	{name: "cidrMatch", params: []domain{addresses, texts}, variadic: true, constant: true, result: booleans, eval: cidrMatch},
	{name: "concat", params: []domain{anything}, variadic: true, result: texts, eval: concat},
	{name: "divide", params: []domain{numbers, numbers}, result: numbers, eval: calculate('/')},
	{name: "endsWith", params: []domain{texts, texts}, folds: true, result: booleans, eval: endsWith},
	{name: "indexOf", params: []domain{texts, texts, numbers}, optional: 1, folds: true, result: numbers, eval: indexOf},
	{name: "length", params: []domain{texts}, result: numbers, eval: length},
	{name: "modulo", params: []domain{numbers, numbers}, result: numbers, eval: calculate('%')},
	{name: "multiply", params: []domain{numbers, numbers}, result: numbers, eval: calculate('*')},
	{name: "number", params: []domain{texts, numbers}, optional: 1, result: numbers, eval: number},
	{name: "startsWith", params: []domain{texts, texts}, folds: true, result: booleans, eval: startsWith},
	{name: "string", params: []domain{anything}, result: texts, eval: toString},
	{name: "stringContains", params: []domain{texts, texts}, folds: true, result: booleans, eval: stringContains},
	{name: "substring", params: []domain{texts, numbers, numbers}, optional: 1, result: texts, eval: substring},
	{name: "subtract", params: []domain{numbers, numbers}, result: numbers, eval: calculate('-')},
}

// functionNamed finds a function; the case of its name does not matter.
func functionNamed(name string) *function {
	for _, f := range functions {
		if strings.EqualFold(f.name, name) {
			return f
		}
	}
	return nil
}

func noFunction(name string) string {
	if strings.EqualFold(name, "wildcard") {
		return `no function "wildcard": write field : ("…", "…")`
	}
	names := make([]string, len(functions))
	for i, f := range functions {
		names[i] = f.name
	}
	return fmt.Sprintf("no function %q, there are %s", name, strings.Join(names, ", "))
}

// arity says how many arguments f takes.
func (f *function) arity() string {
	most := len(f.params)
	switch {
	case f.variadic:
		return fmt.Sprintf("%d or more arguments", most)
	case f.optional > 0:
		return fmt.Sprintf("%d or %d arguments", most-f.optional, most)
	case most == 1:
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", most)
}

// param is the domain of argument i.
func (f *function) param(i int) domain { return f.params[min(i, len(f.params)-1)] }

func anyNull(args []value) bool {
	return slices.ContainsFunc(args, func(v value) bool { return v.kind == null })
}

func calculate(op byte) func(*machine, *term, []value) value {
	return func(_ *machine, _ *term, args []value) value { return compute(op, args[0], args[1]) }
}

// compute is a op b. Two whole numbers give a whole number; / cuts off the
// fraction, and % has the sign of a.
func compute(op byte, a, b value) value {
	if !a.numeric() || !b.numeric() {
		return value{}
	}
	if a.kind == long && b.kind == long {
		return computeLong(op, a.n, b.n)
	}
	x, y := a.float(), b.float()
	switch op {
	case '+':
		return doubleOf(x + y)
	case '-':
		return doubleOf(x - y)
	case '*':
		return doubleOf(x * y)
	case '/':
		return doubleOf(x / y)
	}
	return doubleOf(math.Mod(x, y))
}

func computeLong(op byte, a, b int64) value {
	switch op {
	case '+':
		if sum := a + b; (sum > a) == (b > 0) {
			return longOf(sum)
		}
	case '-':
		if difference := a - b; (difference < a) == (b > 0) {
			return longOf(difference)
		}
	case '*':
		if a == 0 || b == 0 {
			return longOf(0)
		}
		if product := a * b; product/b == a && !(a == -1 && b == math.MinInt64) && !(b == -1 && a == math.MinInt64) {
			return longOf(product)
		}
	case '/':
		if b != 0 && !(b == -1 && a == math.MinInt64) {
			return longOf(a / b)
		}
	case '%':
		if b == -1 {
			return longOf(0)
		}
		if b != 0 {
			return longOf(a % b)
		}
	}
	return value{}
}

// between is what stands between left and right: up to the first right behind
// left or, if greedy, to the last. It is the empty text where they are not found.
func between(m *machine, t *term, args []value) value {
	if anyNull(args) {
		return value{}
	}
	s, left, right := args[0].text, args[1].text, args[2].text
	if len(s) == 0 || len(left) == 0 || len(right) == 0 {
		return args[0]
	}
	greedy := len(args) > 3 && args[3].isTrue()
	in, from, to := s, left, right
	if t.fold {
		in, from, to = m.folded(s), m.folded(left), m.folded(right)
	}
	nothing := value{kind: textual}
	at := bytes.Index(in, from)
	if at < 0 {
		return nothing
	}
	at += len(from)
	end := bytes.Index(in[at:], to)
	if greedy {
		end = bytes.LastIndex(in[at:], to)
	}
	if end < 0 {
		return nothing
	}
	if !t.fold {
		return value{kind: textual, text: s[at : at+end]}
	}
	// Folding keeps the number of code points, not that of bytes.
	start := skip(s, utf8.RuneCount(in[:at]))
	stop := start + skip(s[start:], utf8.RuneCount(in[at:at+end]))
	return value{kind: textual, text: s[start:stop]}
}

// skip is the length of the first n code points of s.
func skip(s []byte, n int) int {
	at := 0
	for ; n > 0 && at < len(s); n-- {
		at += width(s, at)
	}
	return at
}

func concat(m *machine, _ *term, args []value) value {
	if anyNull(args) {
		return value{}
	}
	start := len(m.memory)
	for _, a := range args {
		m.memory = a.appendText(m.memory)
	}
	return value{kind: textual, text: m.memory[start:len(m.memory):len(m.memory)]}
}

func toString(m *machine, t *term, args []value) value { return concat(m, t, args) }

func startsWith(m *machine, t *term, args []value) value {
	return m.search(t.fold, args, bytes.HasPrefix)
}

func endsWith(m *machine, t *term, args []value) value {
	return m.search(t.fold, args, bytes.HasSuffix)
}

func stringContains(m *machine, t *term, args []value) value {
	return m.search(t.fold, args, bytes.Contains)
}

// search asks for the second text in the first.
func (m *machine) search(fold bool, args []value, has func(s, part []byte) bool) value {
	if anyNull(args) {
		return value{}
	}
	s, part := args[0].text, args[1].text
	if fold {
		s, part = m.folded(s), m.folded(part)
	}
	return booleanOf(has(s, part))
}

// indexOf is the place of the second text in the first, at or behind the third,
// null if there is none. Places count as Java's characters do.
func indexOf(m *machine, t *term, args []value) value {
	if anyNull(args) {
		return value{}
	}
	s, part := args[0].text, args[1].text
	if t.fold {
		s, part = m.folded(s), m.folded(part)
	}
	from := 0
	if len(args) > 2 {
		place := int(min(max(args[2].float(), 0), float64(len(s))))
		if from = byteAt(s, place); from < len(s) && units(s[:from]) < place {
			from += width(s, from) // the place is within a code point, which begins in front of it
		}
	}
	at := bytes.Index(s[from:], part)
	if at < 0 {
		return value{}
	}
	return longOf(int64(units(s[:from+at])))
}

// length is the number of Java's characters, UTF-16 units, in a text.
func length(_ *machine, _ *term, args []value) value {
	if anyNull(args) {
		return value{}
	}
	return longOf(int64(units(args[0].text)))
}

// units is the length of s in UTF-16 units.
func units(s []byte) int {
	n := 0
	for at := 0; at < len(s); {
		size := width(s, at)
		n++
		if size == utf8.UTFMax {
			n++
		}
		at += size
	}
	return n
}

// byteAt is the offset in s of a place in UTF-16 units, the length of s if it has
// fewer. A place between the two units of a code point is that in front of it.
func byteAt(s []byte, place int) int {
	at := 0
	for at < len(s) {
		size := width(s, at)
		if place--; size == utf8.UTFMax {
			place--
		}
		if place < 0 {
			break
		}
		at += size
	}
	return at
}

// substring is the part from one place up to another, which count from the end if
// they are negative.
func substring(_ *machine, _ *term, args []value) value {
	if anyNull(args) {
		return value{}
	}
	s := args[0].text
	size := units(s)
	place := func(v value) int {
		x := v.float()
		if x < 0 {
			x += float64(size)
		}
		return int(min(max(x, 0), float64(size)))
	}
	from, to := place(args[1]), size
	if len(args) > 2 {
		to = place(args[2])
	}
	if from >= to {
		return value{kind: textual}
	}
	return value{kind: textual, text: s[byteAt(s, from):byteAt(s, to)]}
}

// cidrMatch asks whether an address lies in one of the blocks.
func cidrMatch(_ *machine, t *term, args []value) value {
	if args[0].kind != textual {
		return value{}
	}
	return booleanOf(within(t.blocks, args[0].text))
}
