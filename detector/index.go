package detector

import "github.com/imdswatch/imdswatch/schemas/ecs"

// groupSize is how many rules share an index, so that a set of them is an array
// on the stack.
const groupSize = 512

// ruleBits is a set of rules of a group, a bit each.
type ruleBits [groupSize / 64]uint64

func (b *ruleBits) set(i int) { b[i/64] |= 1 << (i % 64) }

// within reports whether o has all of b.
func (b *ruleBits) within(o *ruleBits) bool {
	for i := range b {
		if b[i]&^o[i] != 0 {
			return false
		}
	}
	return true
}

func (b *ruleBits) or(o *ruleBits) {
	for i := range b {
		b[i] |= o[i]
	}
}

func (b *ruleBits) and(o *ruleBits) {
	for i := range b {
		b[i] &= o[i]
	}
}

// index narrows a group of rules down to those that an event may meet, before
// their programs run. Each column is a question that every rule answers: which
// values of these fields do you need? A rule is passed by where it needs one and
// the event has none of them.
//
// It only ever removes rules, and the program of each that is left decides, so
// letters are folded and patterns taken for more than they are. Nothing is
// remembered between events.
type index []column

// columns are the questions, each about fields of which a rule may need one or
// another. They are given, not learned: measured over Elastic's process rules,
// further fields gained nothing. Two needs of one rule are never asked in one
// column, since two values of a field can meet them apart.
var columns = [][]string{
	{"host.os.type"},
	{"event.action"},
	{"process.name", "process.pe.original_file_name", "process.parent.name", "process.args", "process.parent.args", "process.command_line", "process.executable", "process.parent.executable", "process.parent.command_line"},
}

type column struct {
	free   ruleBits // rules that need nothing here
	fields []indexed
}

// indexed is what rules need of a field, folded.
type indexed struct {
	field    ecs.Field
	values   map[string]*ruleBits // whole
	longest  int                  // of values, -1 if there are none
	windows  map[window]*ruleBits // of patterns
	filter   windows              // of windows
	anything ruleBits             // rules that any value may do for
}

// maxValue bounds the length of an indexed value, in bytes: a longer one counts
// as a pattern.
const maxValue = 64

// newIndex makes the index of at most groupSize rules. settled are the leaves
// that it has answered where they are all that a rule needs.
func newIndex(rules []*Rule, schema *ecs.Schema) (ix index, settled map[node]bool) {
	settled = make(map[node]bool)
	rare := make(rareness)
	for _, r := range rules {
		learnTexts(rare, r.query.cond)
	}
	for _, names := range columns {
		c := column{}
		at := make(map[string]int)
		for _, name := range names {
			if f, ok := textField(schema, name); ok {
				at[name] = len(c.fields)
				c.fields = append(c.fields, indexed{field: f, longest: -1, values: make(map[string]*ruleBits), windows: make(map[window]*ruleBits)})
			}
		}
		for i, r := range rules {
			d := needOf(r.query.cond, func(f *field, _ *compare) bool { _, ok := at[f.name]; return ok })
			if d == nil {
				c.free.set(i)
				continue
			}
			if len(d.leaves) == 1 {
				settled[d.leaves[0]] = true
			}
			for _, n := range d.leaves {
				c.fields[at[n.left.(*field).name]].add(i, r.fold, n, rare)
			}
		}
		ix = append(ix, c)
	}
	return ix, settled
}

// learnTexts counts the windows of all texts of a query.
func learnTexts(rare rareness, n node) {
	if l, ok := n.(*literal); ok && l.value.kind == textual {
		rare.learn(string(l.value.text))
	}
	for _, c := range children(n) {
		learnTexts(rare, c)
	}
}

// add notes that rule i needs a value that leaf n is true of.
func (x *indexed) add(i int, fold Fold, n *compare, rare rareness) {
	for _, r := range n.right {
		text := fold.text(string(r.(*literal).value.text))
		exact := !isPattern(n.op, text)
		if exact && len(text) <= maxValue {
			bitsOf(x.values, text).set(i)
			x.longest = max(x.longest, len(text))
			continue
		}
		w, ok := rare.choose(text)
		if !ok || n.op.regex() {
			x.anything.set(i)
			continue
		}
		bitsOf(x.windows, w).set(i)
		x.filter.add(w)
	}
}

func bitsOf[K comparable](m map[K]*ruleBits, key K) *ruleBits {
	b := m[key]
	if b == nil {
		b = new(ruleBits)
		m[key] = b
	}
	return b
}

// narrow takes the rules out of left that e cannot meet. view is e as rules that
// disregard case see it.
func (ix index) narrow(left *ruleBits, view *ecs.Event) {
	for i := range ix {
		c := &ix[i]
		if left.within(&c.free) {
			continue
		}
		meet := c.free
		for j := range c.fields {
			x := &c.fields[j]
			values := view.Values(x.field)
			if len(values) > 0 {
				meet.or(&x.anything)
			}
			for k := range values {
				x.meet(&meet, values[k].Text())
			}
		}
		left.and(&meet)
	}
}

// meet adds the rules that the value may do for.
func (x *indexed) meet(rules *ruleBits, value []byte) {
	if len(value) <= x.longest {
		var buf [maxValue]byte
		key := buf[:len(value)]
		for i, c := range value {
			key[i] = lower[c]
		}
		if some := x.values[string(key)]; some != nil {
			rules.or(some)
		}
	}
	if len(x.windows) == 0 {
		return
	}
	for at, w := x.filter.next(value, 0); at >= 0; at, w = x.filter.next(value, at+1) {
		if some := x.windows[w]; some != nil {
			rules.or(some)
		}
	}
}
