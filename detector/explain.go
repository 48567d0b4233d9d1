package detector

import (
	"fmt"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// Explanation is a condition of a query and what it came to on an event, with
// those it is made of below it: and, or and not, and at the ends of the branches
// what the query asks of fields. It owns its memory.
type Explanation struct {
	Text     string         `json:"text"` // "and", "or", "not", or the leaf as a query writes it
	Line     int            `json:"line"` // of the file the rule is in
	Col      int            `json:"col"`  // in code points
	Pass     bool           `json:"pass"`
	Values   []any          `json:"values"` // of the fields of a leaf; none where they are absent
	Children []*Explanation `json:"children"`
}

// Explain evaluates the query term by term, none left out, in the order of its
// text. The leaves are judged as Match judges them, each by its own program.
func (r *Rule) Explain(e *ecs.Event) *Explanation {
	view, memory := r.fold.fold(e)
	defer memory.release()
	x := explainer{r, e, view}
	root := x.node(r.query.cond)
	if r.query.any {
		return root
	}
	category := x.leaf(categoryOf(r.query))
	return &Explanation{
		Text: "and", Line: category.Line, Col: category.Col, Pass: category.Pass && root.Pass,
		Values: []any{}, Children: []*Explanation{category, root},
	}
}

type explainer struct {
	rule    *Rule
	e, view *ecs.Event
}

func (x *explainer) node(n node) *Explanation {
	var d *Explanation
	switch n := n.(type) {
	case *logic:
		d = x.at("and", n)
		if d.Pass = !n.or; n.or {
			d.Text = "or"
		}
		for _, t := range n.terms {
			c := x.node(t)
			if d.Children = append(d.Children, c); c.Pass == n.or {
				d.Pass = n.or
			}
		}
	case *not:
		c := x.node(n.term)
		d = x.at("not", n)
		d.Pass, d.Children = !c.Pass, append(d.Children, c)
	default:
		d = x.leaf(n)
	}
	return d
}

func (x *explainer) at(text string, n node) *Explanation {
	place := x.rule.source.place(spot{at: n.begins()})[0]
	return &Explanation{Text: text, Line: place.Line, Col: place.Col, Values: []any{}, Children: []*Explanation{}}
}

func (x *explainer) leaf(n node) *Explanation {
	d := x.at(n.String(), n)
	d.Pass = emitLeaf(n, x.rule.schema, x.rule.fold).match(x.e, x.view)
	names := fieldsOf(nil, n)
	for _, name := range names {
		f, known := x.rule.schema.Lookup(name)
		if !known {
			continue
		}
		values := x.e.Values(f)
		for i, v := range values {
			if i == maxShown {
				d.Values = append(d.Values, fmt.Sprintf("… and %d more", len(values)-i))
				break
			}
			one := shown(x.rule.schema.Kind(f), v)
			if len(names) > 1 {
				one = fmt.Sprintf("%s: %v", name, one)
			}
			d.Values = append(d.Values, one)
		}
	}
	return d
}

// What is shown of values, which can be thousands and have megabytes.
const (
	maxShown     = 100  // values of a field
	maxShownText = 1000 // code points of a text
)

func shown(k ecs.Kind, v ecs.Value) any {
	switch k {
	case ecs.Long:
		return v.Int()
	case ecs.Double:
		return v.Float()
	case ecs.Boolean:
		return v.Bool()
	case ecs.Date:
		return string(ecs.AppendDate(nil, v.Int()))
	}
	return cut(string(v.Text()), maxShownText)
}

// Decisive are the leaves that made the condition what it is: had each of them
// come out otherwise, it would have too. Of an and that is false they are those
// that failed, of an or that is true those that passed, else all.
func (d *Explanation) Decisive() []*Explanation {
	if len(d.Children) == 0 {
		return []*Explanation{d}
	}
	var leaves []*Explanation
	for _, c := range d.Children {
		some := d.Text == "and" && !d.Pass || d.Text == "or" && d.Pass
		if !some || c.Pass == d.Pass {
			leaves = append(leaves, c.Decisive()...)
		}
	}
	return leaves
}
