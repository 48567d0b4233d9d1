package detector

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// The oracle walks the syntax tree and compares code points one by one. It
// shares nothing with the program but the parser. A value is nil for null, a
// bool, an int64, a float64 or a string.

type oracle struct {
	e    *ecs.Event
	fold Fold
}

func (o oracle) query(q *query) bool {
	if !q.any && !slices.Contains(o.values("event.category"), any(q.category)) {
		return false
	}
	return o.condition(q.cond)
}

func (o oracle) condition(n node) bool {
	switch n := n.(type) {
	case *not:
		return !o.condition(n.term)
	case *logic:
		result := !n.or
		for _, t := range n.terms {
			if n.or {
				result = result || o.condition(t)
			} else {
				result = result && o.condition(t)
			}
		}
		return result
	case *compare:
		if n.op.negated() {
			return !o.condition(n.positive())
		}
		n = n.turned()
		if l, ok := n.right[0].(*literal); ok && n.op == equal && l.value.kind == boolean && isCondition(n.left) {
			return o.condition(n.left) == l.value.isTrue()
		}
		// A comparison of a field alone is a query, in which text folds as fold
		// says; others are scripts, in which it folds as in Java.
		_, plain := n.left.(*field)
		for _, row := range o.rows(fieldsOf(nil, n)) {
			if s := (script{row, o.fold, !plain}); s.eval(n) == true {
				return true
			}
		}
		return false
	}
	for _, row := range o.rows(fieldsOf(nil, n)) {
		native := false
		if c, ok := n.(*call); ok {
			_, native = c.args[0].(*field)
			native = native && len(fieldsOf(nil, n)) == 1 && !slices.ContainsFunc(c.args[1:], hasFields)
		}
		if s := (script{row, o.fold, !native}); s.eval(n) == true {
			return true
		}
	}
	return false
}

// isCondition reports whether an expression other than a field is true or false.
func isCondition(n node) bool {
	switch n := n.(type) {
	case *compare, *logic, *not:
		return true
	case *call:
		return n.fn.result == booleans
	}
	return false
}

func isAddress(n node) bool {
	f, ok := n.(*field)
	if !ok {
		return false
	}
	known, ok := ecs.Default.Lookup(f.name)
	return ok && ecs.Default.Kind(known) == ecs.IP
}

// values are the values of the named field.
func (o oracle) values(name string) (list []any) {
	f, known := o.e.Schema().Lookup(name)
	if !known {
		return nil
	}
	for _, v := range o.e.Values(f) {
		switch o.e.Schema().Kind(f) {
		case ecs.Long, ecs.Date:
			list = append(list, v.Int())
		case ecs.Double:
			list = append(list, v.Float())
		case ecs.Boolean:
			list = append(list, v.Bool())
		default:
			list = append(list, string(v.Text()))
		}
	}
	return list
}

// rows are all combinations of the values of the fields.
func (o oracle) rows(names []string) []map[string]any {
	rows := []map[string]any{{}}
	for _, name := range names {
		values := o.values(name)
		if len(values) == 0 {
			values = []any{nil}
		}
		var longer []map[string]any
		for _, row := range rows {
			for _, v := range values {
				next := map[string]any{name: v}
				for k, v := range row {
					next[k] = v
				}
				longer = append(longer, next)
			}
		}
		rows = longer
	}
	return rows
}

// script evaluates an expression for one combination of values.
type script struct {
	row  map[string]any
	fold Fold
	java bool // text folds as in Java
}

func (s script) same(a, b rune) bool {
	if a == b {
		return true
	}
	if s.java {
		return a >= 0 && b >= 0 && unicode.ToLower(unicode.ToUpper(a)) == unicode.ToLower(unicode.ToUpper(b))
	}
	if s.fold == FoldUnicode {
		return a >= 0 && b >= 0 && strings.EqualFold(string(a), string(b))
	}
	small := func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 32
		}
		return r
	}
	return small(a) == small(b)
}

func exactly(a, b rune) bool { return a == b }

func (s script) eval(n node) any {
	switch n := n.(type) {
	case *literal:
		switch n.value.kind {
		case boolean:
			return n.value.n != 0
		case long:
			return n.value.n
		case double:
			return n.value.x
		case textual:
			return string(n.value.text)
		}
		return nil
	case *field:
		return s.row[n.name]
	case *not:
		if v, ok := s.eval(n.term).(bool); ok {
			return !v
		}
		return nil
	case *logic:
		var result any = !n.or
		for _, t := range n.terms {
			v := s.eval(t)
			if v == n.or {
				return n.or
			}
			if v == nil {
				result = nil
			}
		}
		return result
	case *arithmetic:
		if n.left == nil {
			return number2('-', int64(0), s.eval(n.right))
		}
		return number2(n.op, s.eval(n.left), s.eval(n.right))
	case *call:
		return s.call(n)
	}
	c := n.(*compare)
	v := s.compare(c)
	if b, ok := v.(bool); ok && c.op.negated() {
		return !b
	}
	return v
}

func (s script) compare(n *compare) any {
	n = n.turned()
	left := s.eval(n.left)
	null := func(n node) bool { l, ok := n.(*literal); return ok && l.value.kind == null }
	if n.op == equal || n.op == notEqual {
		if null(n.left) || null(n.right[0]) {
			return left == nil && s.eval(n.right[0]) == nil
		}
	}
	if left == nil {
		return nil
	}
	var result any = false
	for _, r := range n.right {
		right := s.eval(r)
		if right == nil {
			if !null(r) {
				result = nil
			}
			continue
		}
		if isAddress(n.left) && inBlock(left.(string), right.(string)) || !isAddress(n.left) && s.related(n.op, left, right) {
			return true
		}
	}
	return result
}

func (s script) related(op operator, a, b any) bool {
	x, textA := a.(string)
	y, textB := b.(string)
	if textA != textB {
		return false
	}
	if !textA {
		return ordered(op, a, b)
	}
	same := exactly
	if op.folds() {
		same = s.same
	}
	switch {
	case op.pattern():
		return walkGlob(points(x), points(y), same)
	case op.regex():
		r, err := newRegex(y, op.folds(), s.fold == FoldUnicode) // its own tests hold it to an oracle
		return err == nil && r.matches([]byte(x))
	case op.order():
		return ordered(op, int64(strings.Compare(x, y)), int64(0))
	}
	return slices.EqualFunc(points(x), points(y), same)
}

// walkGlob fills a table: row[j] says whether the first j points of the pattern
// match the points of the value so far.
func walkGlob(value, pattern []rune, same func(a, b rune) bool) bool {
	row := make([]bool, len(pattern)+1)
	row[0] = true
	for j, p := range pattern {
		row[j+1] = row[j] && p == '*'
	}
	for _, v := range value {
		next := make([]bool, len(row))
		for j, p := range pattern {
			switch p {
			case '*':
				next[j+1] = next[j] || row[j+1]
			case '?':
				next[j+1] = row[j]
			default:
				next[j+1] = row[j] && same(v, p)
			}
		}
		row = next
	}
	return row[len(pattern)]
}

// points are the code points of s. A byte that is part of none is a negative
// number of its own.
func points(s string) []rune {
	var list []rune
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && size == 1 {
			r = -1 - rune(s[0])
		}
		list = append(list, r)
		s = s[size:]
	}
	return list
}

// unpoints is the text of code points.
func unpoints(list []rune) string {
	var b strings.Builder
	for _, r := range list {
		if r < 0 {
			b.WriteByte(byte(-1 - r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// indexPoints is the first place of part in s from at on, -1 if there is none.
func indexPoints(s, part []rune, at int, same func(a, b rune) bool) int {
	for ; at+len(part) <= len(s); at++ {
		if slices.EqualFunc(s[at:at+len(part)], part, same) {
			return at
		}
	}
	return -1
}

// size is the length of points as Java counts.
func size(list []rune) (n int) {
	for _, r := range list {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}

// atSize is the number of points in front of a place as Java counts.
func atSize(list []rune, place int) int {
	for i := range list {
		if size(list[:i+1]) > place {
			return i
		}
	}
	return len(list)
}

func textOfAny(v any) string {
	switch v := v.(type) {
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return string(appendDouble(nil, v))
	}
	return v.(string)
}
