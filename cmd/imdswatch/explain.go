package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/pipeline"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

const explainUsage = `Tell of each raw record in files, or on stdin, what became of it and why: its outcome, and
for each rule which parts of the query passed and failed on which values.

Usage:
  imdswatch explain [FILE...]

  --source NAME     the kind of raw record, see imdswatch sources; auto, the default, tells
                    each record's by its own members
  --rules PATH      a rule file or folder, repeatable; else those of IMDSWATCH_RULES, else
                    builtin:imds
  --rule ID         show this rule alone, repeatable
  --whole           each file is one record; else each line is
  --output FORMAT   table, a tree (default on a terminal), or json (default in a pipe)

The outcome is alert, no_match (a process start that no rule matches), skipped (no process
start) or error (not readable, or not whole). For no_match the reason is what the nearest rule
lacked: the one with the fewest parts that would have had to come out otherwise. Where several
records make an event, as those of auditd do, each event that ends is told of, at its first
record. The variables are those of imdswatch scan. Exit code 1 if a record cannot be read.

Example:
  echo '{"event":{"module":"endpoint","kind":"event","category":["process"],
  "type":["start"],"action":"exec"},"host":{"os":{"type":"linux"}},"process":{"name":"curl","args":["curl",
  "http://169.254.169.254/latest/meta-data/hostname"]}}' |
    tr -d '\n' | imdswatch explain
`

type explain struct {
	reading
	ids  []string // of the rules to show, all if empty
	tell func(value []byte) *normalize.Source
}

func explainCommand() *cobra.Command {
	x := &explain{}
	c := &cobra.Command{Use: "explain [FILE...]", Long: explainUsage, Args: cobra.ArbitraryArgs}
	x.addFlags(c)
	c.Flags().StringArrayVar(&x.ids, "rule", nil, "")
	c.RunE = func(c *cobra.Command, files []string) error {
		if err := x.prepare(c, files); err != nil {
			return err
		}
		if err := x.missing(); err != nil {
			return err
		}
		x.tell = normalize.Teller()
		return x.run(x.print)
	}
	return c
}

// missing fails if a rule that was asked for does not run.
func (x *explain) missing() error {
	var errs []error
	for _, id := range x.ids {
		if !slices.ContainsFunc(x.set.Rules(), func(r *detector.Rule) bool { return r.ID == id }) {
			errs = append(errs, fmt.Errorf("--rule %q: none of the %d rules that run has this id", id, len(x.set.Rules())))
		}
	}
	return errors.Join(errs...)
}

// print prints what became of the records that a judgement decided.
func (x *explain) print(j *judgement) error {
	for _, f := range x.findings(j) {
		if err := x.out.finding(f); err != nil {
			return err
		}
	}
	return nil
}

// findings are one for the record, if its fate is decided, and one for each
// event that was held back and ended.
func (x *explain) findings(j *judgement) (findings []*finding) {
	events := j.judge.Events()
	if j.Fault != nil && j.Fault.Reason == pipeline.Panic {
		events = nil // what panicked once would again
	}
	for len(events) > 0 {
		n := 1
		for n < len(events) && events[n].Offset == events[0].Offset {
			n++
		}
		findings = append(findings, x.found(j, events[:n]))
		events = events[n:]
	}
	own := slices.ContainsFunc(findings, func(f *finding) bool { return f.Offset == j.record.Offset })
	switch {
	case own || j.end && j.Fault == nil:
	case j.Fault != nil:
		findings = append(findings, bare(j, j.Fault.Source, pipeline.Unreadable, j.Fault.Message))
	default:
		if source := x.sourceOf(j.record); !source.Joins || normalize.Blank(j.record.Value) { // else it is held back
			findings = append(findings, bare(j, source.Name, pipeline.Skipped, "no process start"))
		}
	}
	return findings
}

// sourceOf is the source of a record that gave no event. That of a blank record
// cannot be told.
func (x *explain) sourceOf(r *normalize.Record) *normalize.Source {
	if x.source.Name == "auto" {
		return cmp.Or(x.tell(r.Value), x.source)
	}
	return x.source
}

// bare is the finding on a record that gave no event.
func bare(j *judgement, source string, outcome pipeline.Outcome, reason string) *finding {
	return &finding{file: j.file, Offset: j.record.Offset, Source: source, Outcome: outcome.String(), Reason: reason, Events: []explainedEvent{}}
}

// found is the finding on a record, or on records that were joined, by the
// events of it.
func (x *explain) found(j *judgement, events []ecs.Event) *finding {
	f := &finding{Offset: events[0].Offset, Source: cmp.Or(events[0].Source, x.source.Name), Shape: events[0].Shape, file: j.file}
	var matched []string // ids of rules, whether they are shown or not
	for i := range events {
		e := &events[i]
		var matches []*detector.Rule
		for _, a := range j.Alerts {
			if a.Origin.Offset == e.Offset && a.Origin.Index == e.Index {
				matches = append(matches, a.Rule)
				if !slices.Contains(matched, a.Rule.ID) {
					matched = append(matched, a.Rule.ID)
				}
			}
		}
		one := explainedEvent{Index: e.Index, Event: e.AppendJSON(nil), Rules: []explainedRule{}}
		for _, r := range x.set.Rules() {
			if x.shows(r, f.Source) {
				one.Rules = append(one.Rules, newExplainedRule(r, e, slices.Contains(matches, r)))
			}
		}
		f.Events = append(f.Events, one)
	}
	damaged := j.Fault != nil && f.Offset == j.record.Offset
	switch {
	case len(matched) > 0:
		f.Outcome, f.Reason = pipeline.Alerting.String(), "matched by "+strings.Join(matched, ", ")
		if damaged {
			f.Reason += "; not read whole: " + j.Fault.Message
		}
	case damaged:
		f.Outcome, f.Reason = pipeline.Unreadable.String(), j.Fault.Message
	default:
		f.Outcome, f.Reason = pipeline.NoMatch.String(), f.lacked()
	}
	return f
}

// shows reports whether a rule is to be shown with events of a source.
func (x *explain) shows(r *detector.Rule, source string) bool {
	return (len(x.ids) == 0 || slices.Contains(x.ids, r.ID)) && x.rules.runs(r, source)
}
