package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-json"

	"github.com/imdswatch/imdswatch/detector"
)

// finding writes what became of a record: JSON, or a tree to read.
func (p *printer) finding(f *finding) error {
	if p.how == "json" {
		return p.encode(f)
	}
	p.indented(0, "%s:%d  %s  %s", f.file, f.Offset+1, strings.TrimSpace(f.Source+" "+f.Shape), f.Outcome)
	p.indented(1, "%s", f.Reason)
	for i := range f.Events {
		if err := p.explained(&f.Events[i]); err != nil {
			return err
		}
	}
	fmt.Fprintln(p.w)
	return p.w.Flush() // somebody is watching
}

// maxTreeLeaf bounds a leaf's text, in code points, so that its values are seen
// behind it.
const maxTreeLeaf = 300

// shownMisses is how many of the rules that did not match are shown of an event.
const shownMisses = 3

// explained writes an event, the rules that matched it and those that came
// nearest.
func (p *printer) explained(e *explainedEvent) error {
	var r row
	if err := json.Unmarshal(e.Event, &r); err != nil {
		return err
	}
	p.indented(1, "event %d: %s", e.Index, r.commandLine())
	for i := range e.Rules {
		if e.Rules[i].Match {
			p.tree(&e.Rules[i])
		}
	}
	misses := e.misses()
	for _, miss := range misses[:min(shownMisses, len(misses))] {
		p.tree(miss)
	}
	if more := len(misses) - shownMisses; more > 0 {
		p.indented(2, "%d more rules do not match, --rule ID shows one", more)
	}
	return nil
}

// tree writes the query of a rule with what it came to.
func (p *printer) tree(r *explainedRule) {
	p.indented(2, "%s  %s  %s  %s", mark(r.Match), r.ID, r.rule.Name, r.rule.File)
	p.branch(3, r.Tree, r.decisive)
}

func (p *printer) branch(depth int, tree *detector.Explanation, decisive []*detector.Explanation) {
	line := fmt.Sprintf("%s  %d:%d  %s", mark(tree.Pass), tree.Line, tree.Col, short(tree.Text, maxTreeLeaf))
	if len(tree.Children) == 0 {
		line += "  saw " + seen(tree.Values)
	}
	if slices.Contains(decisive, tree) {
		line += "  <- decides"
	}
	p.indented(depth, "%s", line)
	for _, c := range tree.Children {
		p.branch(depth+1, c, decisive)
	}
}

func mark(pass bool) string {
	if pass {
		return "✓ PASS"
	}
	return "✗ FAIL"
}

// indented writes a line of which nothing steers the terminal.
func (p *printer) indented(depth int, format string, args ...any) {
	fmt.Fprintln(p.w, strings.Repeat("  ", depth)+printable(fmt.Sprintf(format, args...)))
}
