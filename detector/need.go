package detector

import (
	"strings"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// need is leaves of a query one of which is true whenever the query is. A leaf is
// false of an absent field, so negations and tests for null give none.
type need struct {
	leaves   []*compare
	patterns int
	literals int
}

// needOf derives a need from leaves that allowed accepts, the one with the
// fewest patterns and then the fewest literals; nil if there is none. Elsewhere
// than in the rule itself a leaf may be over-approximated, never narrowed: a need
// only ever rules events out.
func needOf(n node, allowed func(*field, *compare) bool) *need { return derive(n, false, allowed) }

func derive(n node, negated bool, allowed func(*field, *compare) bool) *need {
	switch n := n.(type) {
	case *not:
		return derive(n.term, !negated, allowed)
	case *logic:
		if n.or == negated { // an and, by De Morgan if negated
			var best *need
			for _, t := range n.terms {
				if d := derive(t, negated, allowed); d != nil && d.better(best) {
					best = d
				}
			}
			return best
		}
		all := &need{}
		for _, t := range n.terms {
			d := derive(t, negated, allowed)
			if d == nil {
				return nil
			}
			all.leaves = append(all.leaves, d.leaves...)
			all.patterns += d.patterns
			all.literals += d.literals
		}
		return all
	case *compare:
		f, ok := n.left.(*field)
		if negated != n.op.negated() || !ok || n.op.order() || !allConstant(n.right) || !allowed(f, n) {
			return nil
		}
		d := &need{leaves: []*compare{n}, literals: len(n.right)}
		for _, r := range n.right {
			if isPattern(n.op, string(r.(*literal).value.text)) {
				d.patterns++
			}
		}
		return d
	}
	return nil
}

func (d *need) better(other *need) bool {
	return other == nil || d.patterns < other.patterns || d.patterns == other.patterns && d.literals < other.literals
}

// isPattern reports whether a constant to the right of op stands for more than
// itself.
func isPattern(op operator, text string) bool {
	return op.regex() || op.pattern() && strings.ContainsAny(text, "*?")
}

// allConstant reports whether all are texts as written.
func allConstant(list []node) bool {
	for _, n := range list {
		if l, ok := n.(*literal); !ok || l.value.kind != textual {
			return false
		}
	}
	return true
}

// Anchor is a text without which a rule cannot match: in every event that it
// matches one of the rule's anchors stands within a value of its field.
type Anchor struct {
	Field string
	Text  string // folded if Fold is set
	Fold  bool   // letters match in either case
}

// minAnchor is the least length of an anchor, in bytes: shorter ones are found
// everywhere.
const minAnchor = 3

// Anchors are the rule's anchors, none if it can match without any. They are
// about fields of processes whose values stand in raw records as they are.
func (r *Rule) Anchors() []Anchor {
	d := derive(r.query.cond, false, func(f *field, n *compare) bool {
		_, known := r.schema.Lookup(f.name)
		return known && carried(f.name) && len(r.anchorsOf(n)) == len(n.right)
	})
	if d == nil {
		return nil
	}
	var anchors []Anchor
	for _, n := range d.leaves {
		anchors = append(anchors, r.anchorsOf(n)...)
	}
	return anchors
}

// carried reports whether the values of a field stand in raw records letter by
// letter. Others are words that normalizers choose.
func carried(name string) bool {
	switch name {
	case "process.args", "process.command_line", "process.executable", "process.name", "process.title", "process.working_directory",
		"process.parent.args", "process.parent.command_line", "process.parent.executable", "process.parent.name", "process.parent.title",
		"process.parent.working_directory", "process.pe.original_file_name", "process.env_vars":
		return true
	}
	return false
}

// anchorsOf are the longest runs of plain text in the constants of a leaf that
// are long enough, one of each.
func (r *Rule) anchorsOf(n *compare) (anchors []Anchor) {
	for _, c := range n.right {
		text := string(c.(*literal).value.text)
		if n.op.regex() {
			return nil
		}
		if n.op.pattern() {
			text = longest(strings.FieldsFunc(text, func(c rune) bool { return c == '*' || c == '?' }))
		}
		if n.op.folds() {
			text = r.fold.text(text)
		}
		if len(text) >= minAnchor {
			anchors = append(anchors, Anchor{n.left.(*field).name, text, n.op.folds()})
		}
	}
	return anchors
}

func longest(runs []string) (longest string) {
	for _, r := range runs {
		if len(r) > len(longest) {
			longest = r
		}
	}
	return longest
}

// textField finds a field whose values are text.
func textField(schema *ecs.Schema, name string) (ecs.Field, bool) {
	f, known := schema.Lookup(name)
	return f, known && schema.Kind(f).Text() && schema.Kind(f) != ecs.IP
}
