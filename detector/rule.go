// Package detector judges events by rules: queries in EQL, Elastic's event query
// language, with the meaning that Elasticsearch gives them.
//
// A query is compiled once, to a flat program that can be printed, and run
// without allocating. Rules and sets of rules are immutable. An event that a rule
// matches becomes an Alert, which owns its memory.
package detector

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// Rule is a compiled query and what is told about it in an alert. It is
// immutable and safe for concurrent use: its exported fields are there to be
// read.
type Rule struct {
	ID             string   `toml:"rule_id"`
	Name           string   `toml:"name"`
	Version        string   `toml:"version"` // empty if the rule has none
	Description    string   `toml:"description"`
	Note           string   `toml:"note"` // how to look into an alert, Markdown
	Severity       Severity `toml:"severity"`
	RiskScore      int      `toml:"risk_score"` // 0 to 100
	Reference      string   `toml:"reference"`  // where the rule comes from, or the first of References
	References     []string `toml:"references"`
	Authors        []string `toml:"author"`
	License        string   `toml:"license"`
	FalsePositives []string `toml:"false_positives"`
	Tags           []string `toml:"tags"`
	Threat         []Threat `toml:"threat"`
	Index          []string `toml:"index"` // patterns of the indices that it is meant for
	Query          string   `toml:"query"` // the text that was compiled
	File           string   `toml:"-"`     // the name the rule was loaded under

	// BuildingBlock is "default" in a rule whose alerts are there for other rules
	// to count, not for people to read; else it is empty.
	BuildingBlock string `toml:"building_block_type"`

	query    *query
	schema   *ecs.Schema
	fold     Fold
	source   source
	program  *program
	warnings Faults
}

// Threat is a tactic and the techniques by which it is pursued.
type Threat struct {
	Framework string      `toml:"framework" json:"framework,omitempty"`
	Tactic    Tactic      `toml:"tactic" json:"tactic"`
	Technique []Technique `toml:"technique" json:"technique,omitempty"`
}

// Tactic is an aim of an attacker.
type Tactic struct {
	ID        string `toml:"id" json:"id,omitempty"`
	Name      string `toml:"name" json:"name,omitempty"`
	Reference string `toml:"reference" json:"reference,omitempty"`
}

// Technique is a way to reach an aim. Those of a Subtechnique are empty.
type Technique struct {
	ID           string      `toml:"id" json:"id,omitempty"`
	Name         string      `toml:"name" json:"name,omitempty"`
	Reference    string      `toml:"reference" json:"reference,omitempty"`
	Subtechnique []Technique `toml:"subtechnique" json:"subtechnique,omitempty"`
}

// Severity is low, medium, high or critical.
type Severity string

// The severity and risk score of a rule that states none: a bare query.
const (
	defaultSeverity  Severity = "medium"
	defaultRiskScore int      = 47
)

// Number is the value of event.severity for s, those of Elastic's detection
// engine; 0 if s is no severity.
func (s Severity) Number() int64 {
	switch s {
	case "low":
		return 21
	case "medium":
		return 47
	case "high":
		return 73
	case "critical":
		return 99
	}
	return 0
}

// Compile compiles a bare query to a rule whose id and name are name, of medium
// severity, for events of the schema. Every error is a Faults.
func Compile(name, text string, schema *ecs.Schema, fold Fold) (*Rule, error) {
	r := bare(name, text)
	if _, faults := r.compile(source{name: name, file: text}, schema, fold); len(faults) > 0 {
		return nil, r.source.place(faults...)
	}
	return r, nil
}

func bare(name, text string) *Rule {
	return &Rule{ID: name, Name: name, Severity: defaultSeverity, RiskScore: defaultRiskScore, Query: text, File: name}
}

// compile compiles r.Query: parse, check, and without a fault emit. The checker
// is nil if the query does not parse.
func (r *Rule) compile(src source, schema *ecs.Schema, fold Fold) (*checker, []spot) {
	r.source, r.schema, r.fold = src, schema, fold
	q, fault := parse(r.Query)
	if fault != nil {
		return nil, []spot{*fault}
	}
	r.query = q
	c := check(q, schema, fold)
	if len(c.faults) == 0 {
		r.warnings = src.place(c.warnings...)
		r.program = emit(q, schema, fold, nil)
	}
	return c, c.faults
}

// Match reports whether the rule is true of e, an event of the schema that the
// rule was compiled for. It allocates nothing.
func (r *Rule) Match(e *ecs.Event) bool {
	view, memory := r.fold.fold(e)
	defer memory.release()
	return r.program.match(e, view)
}

// touches reports whether one of the values of f in e passes a test of the rule.
func (r *Rule) touches(f ecs.Field, e *ecs.Event) bool {
	view, memory := r.fold.fold(e)
	defer memory.release()
	return r.program.touches(f, e.Values(f), view.Values(f))
}

// Warnings are the places of the query that are legal and may still not be
// meant: optional fields that the schema lacks, and
// what Elasticsearch would read otherwise.
func (r *Rule) Warnings() Faults { return r.warnings }

// String lists the rule's program, an instruction a line.
func (r *Rule) String() string { return r.program.String() }

// Fault is something wrong with a rule, and where. Lines and columns count from
// 1; a column is a code point.
type Fault struct {
	Name      string // of the file
	Line, Col int
	Message   string // a lower-case clause
}

// Error is the fault as compilers print it: name:line:col: message.
func (f Fault) Error() string { return fmt.Sprintf("%s:%d:%d: %s", f.Name, f.Line, f.Col, f.Message) }

// Faults are all faults of a rule, in the order of its text.
type Faults []Fault

// Error is the faults, one a line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// source is the file in which a query stands.
type source struct {
	name string
	file string
	// origin maps an offset of the query to one of the file; nil if they are the
	// same text.
	origin func(at int) int
}

// place gives spots of the query their place in the file.
func (s source) place(spots ...spot) Faults {
	var faults Faults
	for _, p := range spots {
		if s.origin != nil {
			p.at = s.origin(p.at)
		}
		faults = append(faults, faultAt(s.name, s.file, p.at, p.message))
	}
	return faults
}

// faultAt is a fault at an offset of file, or at the code point around it.
func faultAt(name, file string, at int, message string) Fault {
	for at > 0 && at < len(file) && !utf8.RuneStart(file[at]) {
		at--
	}
	before := file[:min(at, len(file))]
	line := strings.LastIndexByte(before, '\n') + 1
	return Fault{
		Name:    name,
		Line:    1 + strings.Count(before, "\n"),
		Col:     1 + utf8.RuneCountInString(before[line:]),
		Message: message,
	}
}
