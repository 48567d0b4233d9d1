package detector

import (
	"math"
	"slices"
	"strings"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// compare emits a comparison of a field with constants, negation apart: an or
// over the constants.
func (e *emitter) compare(f *field, op operator, values []value, in instruction) int32 {
	known, ok := e.schema.Lookup(f.name)
	toNull := op == equal && values[0].kind == null
	switch {
	case !ok && toNull:
		return e.add(instruction{op: opAbsent, arg: e.text("?" + f.name), yes: in.no, no: in.yes})
	case !ok:
		return e.add(instruction{op: opAbsent, arg: e.text("?" + f.name), yes: in.yes, no: in.no})
	case toNull:
		return e.add(instruction{op: opExists, field: known, yes: in.no, no: in.yes})
	}
	in.field, in.fold = known, op.folds()
	if op.order() {
		in.rel = op
	}
	switch e.schema.Kind(known) {
	case ecs.Long, ecs.Date:
		return e.longs(values, in)
	case ecs.Double:
		return e.each(values, in, func(v value, in *instruction) bool {
			in.op, in.arg = opDouble, int32(len(e.doubles))
			e.doubles = append(e.doubles, v.float())
			return v.numeric()
		})
	case ecs.Boolean:
		return e.each(values, in, func(v value, in *instruction) bool {
			in.op, in.arg = opBoolean, int32(v.n)
			return v.kind == boolean
		})
	case ecs.IP:
		return e.each(values, in, func(v value, in *instruction) bool {
			b, ok := parseBlock(v.text)
			in.op, in.arg = opAddress, int32(len(e.blocks))
			e.blocks = append(e.blocks, []block{b})
			return ok
		})
	}
	switch {
	case op.order():
		in.op, in.arg = opOrder, e.text(string(values[0].text))
		return e.add(in)
	case op.regex():
		return e.regexes(values, in)
	}
	return e.textual(values, op, in)
}

// each emits an instruction for each value that make accepts, the others being
// equal to nothing.
func (e *emitter) each(values []value, in instruction, make func(value, *instruction) bool) int32 {
	entry := in.no
	for _, v := range slices.Backward(values) {
		one := instruction{field: in.field, rel: in.rel, yes: in.yes, no: entry}
		if make(v, &one) {
			entry = e.add(one)
		}
	}
	if entry == in.no { // nothing can be equal
		return e.add(instruction{op: opNever, field: in.field, yes: in.yes, no: in.no})
	}
	return entry
}

// longs emits comparisons of whole numbers and dates. A number with a fraction
// becomes the whole number beside it.
func (e *emitter) longs(values []value, in instruction) int32 {
	isDate := e.schema.Kind(in.field) == ecs.Date
	return e.each(values, in, func(v value, in *instruction) bool {
		var n int64
		switch {
		case isDate && v.kind != null:
			n, _ = dateOf(v) // the checker has read it
		case v.kind == long:
			n = v.n
		case v.kind == double:
			var ok bool
			if n, in.rel, ok = wholeBound(in.rel, v.x); !ok {
				return false
			}
			if in.rel == match { // every whole number is
				in.op = opExists
				return true
			}
		default:
			return false
		}
		in.op, in.arg = opLong, int32(len(e.longBounds))
		e.longBounds = append(e.longBounds, n)
		return true
	})
}

// wholeBound turns a comparison of whole numbers with x into one with a whole
// number. It is not ok if it is true of none, and match if it is true of all.
func wholeBound(rel operator, x float64) (n int64, whole operator, ok bool) {
	const beyond = 1 << 63 // the least double above all of int64
	floor := math.Floor(x)
	switch {
	case x != x:
		return 0, rel, false
	case rel == less || rel == lessEqual:
		if x >= beyond {
			return 0, match, true
		}
		if floor < -beyond || x == -beyond && rel == less {
			return 0, rel, false
		}
		if rel == less && floor == x {
			return int64(floor), less, true
		}
		return int64(floor), lessEqual, true
	case rel == greater || rel == greaterEqual:
		if x < -beyond {
			return 0, match, true
		}
		if x >= beyond {
			return 0, rel, false
		}
		if rel == greaterEqual && floor == x {
			return int64(floor), greaterEqual, true
		}
		return int64(floor), greater, true
	}
	if floor != x || x < -beyond || x >= beyond {
		return 0, rel, false
	}
	return int64(x), rel, true
}

// textual emits a comparison with texts and patterns: what is compared as a whole
// becomes one lookup and comes first, then the patterns.
func (e *emitter) textual(values []value, op operator, in instruction) int32 {
	var exact, patterns []string
	for _, v := range values {
		if v.kind == null {
			continue
		}
		text := string(v.text)
		if op.folds() {
			text = e.fold.text(text)
		}
		if op.pattern() && strings.ContainsAny(text, "*?") {
			patterns = append(patterns, text)
		} else {
			exact = append(exact, text)
		}
	}
	in.no = e.patterns(patterns, in)
	return e.exact(exact, in, len(patterns) == 0)
}

// exact emits a lookup of whole texts. Without any it is nothing, or where it is
// all there is a test that fails.
func (e *emitter) exact(texts []string, in instruction, alone bool) int32 {
	texts = slices.Compact(newTable(texts))
	switch len(texts) {
	case 0:
		if !alone {
			return in.no
		}
		in.op, in.fold = opNever, false
	case 1:
		in.op, in.arg = opEqual, e.text(texts[0])
	default:
		in.op, in.arg = opIn, int32(len(e.tables))
		e.tables = append(e.tables, texts)
	}
	return e.add(in)
}

// fewPatterns are tested one by one; more are sorted out by what a value must
// have to match each.
const fewPatterns = 2

func (e *emitter) patterns(patterns []string, in instruction) int32 {
	entry := in.no
	if len(patterns) <= fewPatterns {
		for _, p := range slices.Backward(patterns) {
			one := in
			one.no = entry
			entry = e.add(e.pattern(p, one))
		}
		return entry
	}
	for some := range slices.Chunk(patterns, maxPatterns) {
		one := in
		one.no, one.op, one.arg = entry, opAny, int32(len(e.lists))
		e.lists = append(e.lists, newPatterns(some, in.fold))
		entry = e.add(one)
	}
	return entry
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

// regexes emits a test for each regular expression; one without operators is a
// text, as in Elasticsearch.
func (e *emitter) regexes(values []value, in instruction) int32 {
	var exact []string
	entry := in.no
	for _, v := range slices.Backward(values) {
		r := e.regex(v, in.fold)
		if text, ok := r.literal(); ok {
			if in.fold {
				text = e.fold.text(text)
			}
			exact = append(exact, text)
			continue
		}
		// It folds by itself, since of a class not every member does.
		one := instruction{op: opRegex, field: in.field, arg: int32(len(e.regexs)), yes: in.yes, no: entry}
		if in.fold {
			one.rel = regexFold
		}
		e.regexs = append(e.regexs, r)
		entry = e.add(one)
	}
	in.no = entry
	return e.exact(exact, in, false)
}

func (e *emitter) regex(v value, fold bool) *regex {
	r, err := newRegex(string(v.text), fold, e.fold == FoldUnicode)
	if err != nil {
		panic("detector: " + err.Error()) // the checker has compiled it
	}
	return r
}

// eval emits a leaf that takes a machine to answer.
func (e *emitter) eval(n node, in instruction) int32 {
	l := &leaf{source: n.String()}
	l.term = e.term(l, n)
	l.weight = l.term.weight()
	in.op, in.arg = opEval, int32(len(e.leaves))
	e.leaves = append(e.leaves, l)
	return e.add(in)
}

// term compiles an expression of a leaf.
func (e *emitter) term(l *leaf, n node) *term {
	if c, ok := n.(*compare); ok {
		n = c.turned()
	}
	t := &term{node: n}
	switch n := n.(type) {
	case *literal:
		t.value = n.value
	case *field:
		t.slot = e.slot(l, n)
	case *call:
		if t.fold = n.fold; n.fn.constant {
			t.blocks = e.blocksOf(n.args[1:])
		}
	case *compare:
		t.fold = n.op.folds()
		if !n.op.pattern() && !n.op.regex() {
			t.right = e.constants(n)
			break
		}
		for _, r := range n.right {
			v := r.(*literal).value
			if n.op.regex() {
				t.regexs = append(t.regexs, e.regex(v, t.fold))
			} else if t.fold {
				t.globs = append(t.globs, newGlob(string(appendFolded(nil, v.text, java)), false))
			} else {
				t.globs = append(t.globs, newGlob(string(v.text), false))
			}
		}
	}
	for _, c := range children(n) {
		t.args = append(t.args, e.term(l, c))
	}
	return t
}

// constants are those that a field of dates or addresses is compared with, as
// its values are; nil for other comparisons.
func (e *emitter) constants(n *compare) *constants {
	f, ok := n.left.(*field)
	if !ok {
		return nil
	}
	known, ok := e.schema.Lookup(f.name)
	if !ok || isNull(n.right[0]) {
		return nil
	}
	t := &constants{}
	switch e.schema.Kind(known) {
	case ecs.IP:
		t.blocks = e.blocksOf(n.right)
	case ecs.Date:
		for _, r := range n.right {
			if at, err := dateOf(constantOf(r, e.fold)); err == nil {
				t.dates = append(t.dates, at)
			}
		}
	default:
		return nil
	}
	return t
}

// slot is the place of a field in the combinations of a leaf.
func (e *emitter) slot(l *leaf, n *field) int {
	f, known := e.schema.Lookup(n.name)
	if !known {
		return -1
	}
	if i := slices.Index(l.fields, f); i >= 0 {
		return i
	}
	l.fields = append(l.fields, f)
	l.kinds = append(l.kinds, e.schema.Kind(f))
	return len(l.fields) - 1
}

// constantOf is what an expression without fields comes to.
func constantOf(n node, fold Fold) value {
	if l, ok := n.(*literal); ok {
		return l.value
	}
	e := &emitter{program: program{schema: noFields}, fold: fold}
	return new(machine).eval(e.term(&leaf{}, n))
}

// noFields is a schema for expressions that have none.
var noFields = func() *ecs.Schema {
	s, err := ecs.NewSchema([]ecs.Def{{Name: "none", Kind: ecs.Keyword}})
	if err != nil {
		panic(err) // the line above is wrong
	}
	return s
}()
