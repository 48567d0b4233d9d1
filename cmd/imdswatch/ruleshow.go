package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/detector"
)

const ruleShowUsage = `Show what rules ask for: what is told about each, the fields it reads, the sources it is meant
for by its index, its anchors (texts one of which is in every event that it matches), warnings,
and the program that its query was compiled to.

Usage:
  imdswatch rule show PATH...

  --output FORMAT   table (default on a terminal) or json (default in a pipe)

Example:
  imdswatch rule show builtin:imds

Faults and files that are not for us are lines on stderr. Exit code 1 if there is a fault.
Building blocks are shown whether they run or not. IMDSWATCH_FOLD is that of
"imdswatch run --help".
`

// shownRule is a rule as rule show writes it.
type shownRule struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	File          string            `json:"file"`
	Version       string            `json:"version"`
	Severity      detector.Severity `json:"severity"`
	RiskScore     int               `json:"risk_score"`
	Reference     string            `json:"reference"`
	Tags          []string          `json:"tags"`
	Threat        []detector.Threat `json:"threat"`
	BuildingBlock bool              `json:"building_block"`
	Index         []string          `json:"index"`
	Sources       []string          `json:"sources"`
	Fields        []shownField      `json:"fields"`
	Anchors       []shownAnchor     `json:"anchors"`
	Warnings      []string          `json:"warnings"`
	Program       []string          `json:"program"`
}

type shownField struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"` // "unknown" if events never have the field
	Optional bool   `json:"optional"`
}

type shownAnchor struct {
	Field string `json:"field"`
	Text  string `json:"text"`
	Fold  bool   `json:"fold"` // letters match in either case
}

func ruleShowCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "show PATH...", Long: ruleShowUsage, Args: rulePaths,
		RunE: func(c *cobra.Command, paths []string) error {
			how, err := output(out, c.OutOrStdout())
			if err != nil {
				return err
			}
			return showRules(c, paths, newPrinter(c.OutOrStdout(), how))
		},
	}
	c.Flags().StringVar(&out, "output", "", "")
	return c
}

func showRules(c *cobra.Command, paths []string, out *printer) error {
	settings, err := readRuleSettings(paths)
	if err != nil {
		return err
	}
	settings.buildingBlocks = true
	l, err := settings.load()
	if err != nil {
		return err
	}
	for _, f := range l.faults {
		fmt.Fprintln(c.ErrOrStderr(), f.Error())
	}
	for _, n := range l.notForUs {
		fmt.Fprintln(c.ErrOrStderr(), n.Error())
	}
	for _, r := range l.rules {
		if err := out.rule(newShownRule(r)); err != nil {
			return written(err)
		}
	}
	if err := out.flush(); err != nil {
		return written(err)
	}
	if len(l.faults) > 0 {
		return &exit{code: exitFaulty}
	}
	return nil
}

func newShownRule(r *detector.Rule) *shownRule {
	s := &shownRule{
		ID: r.ID, Name: r.Name, File: r.File, Version: r.Version, Severity: r.Severity, RiskScore: r.RiskScore, Reference: r.Reference,
		Tags: orNone(r.Tags), Threat: orNone(r.Threat), BuildingBlock: r.BuildingBlock != "",
		Index: orNone(r.Index), Sources: sourcesOf(r), Fields: []shownField{}, Anchors: []shownAnchor{}, Warnings: []string{},
		Program: strings.Split(strings.TrimSuffix(r.String(), "\n"), "\n"),
	}
	for _, f := range r.Fields() {
		s.Fields = append(s.Fields, shownField{f.Name, cmp.Or(f.Kind, "unknown"), f.Optional})
	}
	for _, a := range r.Anchors() {
		s.Anchors = append(s.Anchors, shownAnchor(a))
	}
	for _, w := range r.Warnings() {
		s.Warnings = append(s.Warnings, w.Error())
	}
	return s
}

// orNone is a list that JSON writes as one, never as null.
func orNone[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// rule writes a rule: JSON, or sections to read.
func (p *printer) rule(r *shownRule) error {
	if p.how == "json" {
		return p.encode(r)
	}
	p.section("rule", r.Name)
	p.section("id", r.ID)
	p.section("file", r.File)
	p.section("version", r.Version)
	p.section("severity", fmt.Sprintf("%s, risk score %d", r.Severity, r.RiskScore))
	p.section("reference", r.Reference)
	p.section("tags", strings.Join(r.Tags, ", "))
	p.section("threat", r.threat()...)
	if r.BuildingBlock {
		p.section("building block", "runs only with "+prefix+"_BUILDING_BLOCKS=true")
	}
	p.section("index", strings.Join(r.Index, ", "))
	p.section("sources", strings.Join(r.Sources, ", "))
	var fields, anchors []string
	for _, f := range r.Fields {
		line := text.Pad(f.Name, 32, ' ') + " " + f.Kind
		if f.Optional {
			line += ", optional"
		}
		fields = append(fields, line)
	}
	for _, a := range r.Anchors {
		line := fmt.Sprintf("%s %q", text.Pad(a.Field, 32, ' '), a.Text)
		if a.Fold {
			line += " in either case"
		}
		anchors = append(anchors, line)
	}
	if len(anchors) == 0 {
		anchors = []string{"none, it can match without any certain text"}
	}
	p.section("fields", fields...)
	p.section("anchors", anchors...)
	p.section("warnings", r.Warnings...)
	p.section("program", r.Program...)
	fmt.Fprintln(p.w)
	return nil
}

// threat is each tactic with its techniques.
func (r *shownRule) threat() (lines []string) {
	for _, t := range r.Threat {
		line := t.Tactic.ID + " " + t.Tactic.Name
		for _, technique := range t.Technique {
			for _, one := range slices.Concat([]detector.Technique{technique}, technique.Subtechnique) {
				line += ", " + one.ID + " " + one.Name
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// section writes lines beside a label; none if there is nothing to say.
func (p *printer) section(label string, lines ...string) {
	for i, line := range lines {
		if line == "" {
			continue
		}
		if i > 0 {
			label = ""
		}
		fmt.Fprintln(p.w, text.Pad(label, 16, ' ')+printable(line))
	}
}
