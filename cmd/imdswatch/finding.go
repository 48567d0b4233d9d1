package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-json"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// finding is what became of a record, or of an event that was joined from
// several, and why.
type finding struct {
	Offset  int64            `json:"offset"`
	Source  string           `json:"source"`
	Shape   string           `json:"shape"`
	Outcome string           `json:"outcome"`
	Reason  string           `json:"reason"`
	Events  []explainedEvent `json:"events"`

	file string
}

type explainedEvent struct {
	Index int             `json:"index"`
	Event json.RawMessage `json:"event"`
	Rules []explainedRule `json:"rules"`
}

type explainedRule struct {
	ID         string                `json:"id"`
	Match      bool                  `json:"match"`
	ExceptedBy *string               `json:"excepted_by"`
	Tree       *detector.Explanation `json:"tree"`

	rule     *detector.Rule
	decisive []*detector.Explanation
	leaves   int
}

func newExplainedRule(r *detector.Rule, e *ecs.Event, match bool) explainedRule {
	tree := r.Explain(e)
	return explainedRule{ID: r.ID, Match: match, Tree: tree, rule: r, decisive: tree.Decisive(), leaves: leaves(tree)}
}

func leaves(tree *detector.Explanation) int {
	if len(tree.Children) == 0 {
		return 1
	}
	n := 0
	for _, c := range tree.Children {
		n += leaves(c)
	}
	return n
}

// nearer is negative if r came nearer to a match than other: fewer leaves would
// have had to come out otherwise, or as many of more.
func (r *explainedRule) nearer(other *explainedRule) int {
	return cmp.Or(len(r.decisive)-len(other.decisive), other.leaves-r.leaves)
}

// misses are the rules that did not match, the nearest to a match first.
func (e *explainedEvent) misses() (misses []*explainedRule) {
	for i := range e.Rules {
		if !e.Rules[i].Match {
			misses = append(misses, &e.Rules[i])
		}
	}
	slices.SortStableFunc(misses, (*explainedRule).nearer)
	return misses
}

// lacked says what the rule that came nearest to a match lacked.
func (f *finding) lacked() string {
	var nearest *explainedRule
	index := 0
	for i := range f.Events {
		if misses := f.Events[i].misses(); len(misses) > 0 && (nearest == nil || misses[0].nearer(nearest) < 0) {
			nearest, index = misses[0], f.Events[i].Index
		}
	}
	if nearest == nil {
		return "no rule is meant for source " + f.Source
	}
	var parts []string
	for _, leaf := range nearest.decisive[:min(shownLeaves, len(nearest.decisive))] {
		parts = append(parts, fmt.Sprintf("%s at %s:%d:%d is %v, saw %s",
			short(leaf.Text, maxLeaf), nearest.rule.File, leaf.Line, leaf.Col, leaf.Pass, seen(leaf.Values)))
	}
	reason := nearest.ID + ": " + strings.Join(parts, "; ")
	if more := len(nearest.decisive) - shownLeaves; more > 0 {
		reason += fmt.Sprintf("; and %d more", more)
	}
	if len(f.Events) > 1 {
		reason = fmt.Sprintf("event %d: %s", index, reason)
	}
	return reason
}

// What is shown of a leaf where the whole of it would hide the rest.
const (
	shownLeaves = 3   // of the nearest rule, in a reason
	maxLeaf     = 100 // code points of its text
	shownValues = 8
	maxValue    = 120 // code points
)

// seen are the values of a leaf's fields, texts as a query writes them.
func seen(values []any) string {
	if len(values) == 0 {
		return "no value"
	}
	var words []string
	for _, v := range values[:min(shownValues, len(values))] {
		if s, ok := v.(string); ok {
			words = append(words, strconv.Quote(short(s, maxValue)))
		} else {
			words = append(words, fmt.Sprint(v))
		}
	}
	if more := len(values) - shownValues; more > 0 {
		words = append(words, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ")
}
