package detector

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/agnivade/levenshtein"
	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

//go:embed rules/imds-credential-access.toml
var builtin []byte

// Builtin is the built-in rule, credentials asked from an instance metadata
// service on a command line, compiled for the schema. With ecs.Default it does
// not fail.
func Builtin(schema *ecs.Schema, fold Fold) (*Rule, error) {
	return loadTOML("builtin:imds", string(builtin), schema, fold)
}

// NotForUs is a rule file that is well-formed and that no event could be judged
// by here: a rule of another language or type, about several events or about
// events of another kind.
type NotForUs struct {
	Name      string // of the file
	Line, Col int    // of what decides it, 0 if that is the whole file
	Reason    string // a lower-case clause, one of few, to be counted by
	Detail    string // what exactly, possibly empty
}

// Error is the file's name and the reason.
func (n *NotForUs) Error() string {
	place := n.Name
	if n.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", n.Name, n.Line, n.Col)
	}
	if n.Detail != "" {
		return fmt.Sprintf("%s: not for us: %s: %s", place, n.Reason, n.Detail)
	}
	return fmt.Sprintf("%s: not for us: %s", place, n.Reason)
}

// Load compiles a rule file. name is the file's path or name and ends in .toml,
// for a rule in the layout of github.com/elastic/detection-rules, or in .eql, for
// a bare query whose id and name are the file's base name and whose severity is
// medium.
//
// An error is a *NotForUs or a Faults with places in the file, also for a query
// inside TOML.
func Load(name string, text []byte, schema *ecs.Schema, fold Fold) (*Rule, error) {
	file := string(text)
	switch ext := path.Ext(name); ext {
	case ".eql":
		r := bare(strings.TrimSuffix(path.Base(name), ext), file)
		r.File = name
		return r.load(source{name: name, file: file}, schema, fold)
	case ".toml":
		return loadTOML(name, file, schema, fold)
	default:
		return nil, Faults{{name, 1, 1, fmt.Sprintf("expected a file ending in .toml or .eql, found %q", ext)}}
	}
}

// load compiles the query of a rule file and tells what is wrong with it from
// what is only meant for others.
func (r *Rule) load(src source, schema *ecs.Schema, fold Fold) (*Rule, error) {
	c, faults := r.compile(src, schema, fold)
	notForUs := func(at int, reason, detail string) error {
		place := src.place(spot{at: at})[0]
		return &NotForUs{r.File, place.Line, place.Col, reason, detail}
	}
	switch {
	case c == nil && faults[0].many != "":
		return nil, notForUs(faults[0].at, faults[0].many+", a query about several events", "")
	case c == nil:
		return nil, src.place(faults...)
	case !r.query.any && !strings.EqualFold(r.query.category, "process") && !strings.EqualFold(r.query.category, "any"): // in other letters it is a fault
		return nil, notForUs(r.query.at, fmt.Sprintf("event category %q", r.query.category), "")
	case r.query.any && c.foreign():
		return nil, notForUs(c.unknown[0].at, "any event, by fields that a process start does not have", c.unknown[0].name)
	case len(faults) > 0:
		return nil, src.place(faults...)
	}
	return r, nil
}

// foreign reports whether a query about any event reads fields of other events:
// fields that the schema lacks and that are no slip of the pen.
func (c *checker) foreign() bool {
	const slip = 2 // edits
	for _, f := range c.unknown {
		if levenshtein.ComputeDistance(f.name, c.schema.Nearest(f.name)) <= slip {
			return false
		}
	}
	return len(c.unknown) > 0
}

// document is the part of a rule file that is read. Other keys are allowed: the
// layout has many that matter to Elastic's products alone.
type document struct {
	Metadata struct {
		Maturity string `toml:"maturity"`
	} `toml:"metadata"`
	Rule struct {
		Rule
		Language         string `toml:"language"`
		Type             string `toml:"type"`
		Filters          []any  `toml:"filters"`
		CategoryOverride string `toml:"event_category_override"`
	} `toml:"rule"`
}

// notForUs is why no event can be judged by the rule, whatever its query; nil if
// it may be.
func (d *document) notForUs(name string) error {
	r := &d.Rule
	n := &NotForUs{Name: name}
	switch {
	case r.Type != "" && r.Type != "eql":
		n.Reason = fmt.Sprintf("rule type is %q, only \"eql\" is run", r.Type)
	case r.Language != "" && r.Language != "eql":
		n.Reason = fmt.Sprintf("rule language is %q, only \"eql\" is run", r.Language)
	case d.Metadata.Maturity != "" && d.Metadata.Maturity != "production":
		n.Reason = fmt.Sprintf("maturity is %q, only \"production\" is run", d.Metadata.Maturity)
	case len(r.Filters) > 0:
		n.Reason = "filters beside the query"
	case r.CategoryOverride != "" && r.CategoryOverride != categoryField:
		n.Reason = fmt.Sprintf("event category in field %q", r.CategoryOverride)
	default:
		return nil
	}
	return n
}

func loadTOML(name, file string, schema *ecs.Schema, fold Fold) (*Rule, error) {
	var d document
	if err := toml.Unmarshal([]byte(file), &d); err != nil {
		return nil, Faults{tomlFault(name, file, err)}
	}
	if err := d.notForUs(name); err != nil {
		return nil, err
	}
	keys := locate(file)
	if faults := d.faults(name, file, keys); len(faults) > 0 {
		return nil, faults
	}
	r := &d.Rule.Rule
	r.File = name
	r.Description = strings.Join(strings.Fields(r.Description), " ") // wrapped in the file
	if r.Reference == "" && len(r.References) > 0 {
		r.Reference = r.References[0]
	}
	query := keys["query"]
	origin := func(at int) int { return query.at + unescaped(file[query.at:query.end], at) }
	return r.load(source{name, file, origin}, schema, fold)
}

// faults are what is missing from a rule, or cannot be.
func (d *document) faults(name, file string, keys map[string]span) Faults {
	var faults Faults
	faultf := func(key, format string, args ...any) {
		faults = append(faults, faultAt(name, file, keys[key].at, fmt.Sprintf(format, args...)))
	}
	if len(keys) == 0 {
		faultf("", "table [rule] is missing")
		return faults
	}
	r := &d.Rule
	for _, k := range []struct{ key, value string }{
		{"rule_id", r.ID}, {"name", r.Name}, {"type", r.Type}, {"language", r.Language},
		{"severity", string(r.Severity)}, {"query", r.Query},
	} {
		if _, found := keys[k.key]; !found {
			faultf("", "key %q is missing from [rule]", k.key)
		} else if k.value == "" {
			faultf(k.key, "key %q is empty", k.key)
		}
	}
	if r.Severity != "" && r.Severity.Number() == 0 {
		faultf("severity", `severity %q is none of "low", "medium", "high", "critical"`, r.Severity)
	}
	if r.RiskScore < 0 || r.RiskScore > 100 {
		faultf("risk_score", "risk_score %d is not between 0 and 100", r.RiskScore)
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Or(a.Line-b.Line, a.Col-b.Col) })
	return faults
}

// tomlFault is a fault that the TOML decoder found.
func tomlFault(name, file string, err error) Fault {
	var decode *toml.DecodeError
	if !errors.As(err, &decode) {
		return Fault{name, 1, 1, err.Error()}
	}
	line, col := decode.Position() // a column in bytes
	at := 0
	for range line - 1 {
		at += strings.IndexByte(file[at:], '\n') + 1
	}
	message := strings.TrimPrefix(decode.Error(), "toml: ")
	if kind, wrong := strings.CutPrefix(message, "cannot decode TOML "); wrong { // and goes on in terms of Go
		kind, _, _ = strings.Cut(kind, " into")
		message = fmt.Sprintf("key %q cannot be of type %s", strings.Join(decode.Key(), "."), kind)
	}
	return faultAt(name, file, at+col-1, message)
}

// span is a part of a file, in bytes.
type span struct{ at, end int }

// locate finds the values of the keys of the table rule, and under the empty
// key the table itself. The file has been decoded before, so it parses.
func locate(file string) map[string]span {
	keys := make(map[string]span)
	var p unstable.Parser
	p.Reset([]byte(file))
	table := ""
	for p.NextExpression() {
		n := p.Expression()
		switch n.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = dotted(n.Key())
			if table == "rule" {
				at := int(n.Child().Raw.Offset)
				keys[""] = span{at, at}
			}
		case unstable.KeyValue:
			locateKey(keys, table, n)
		}
	}
	return keys
}

// locateKey adds a key of the named table, and those of an inline table below it.
func locateKey(keys map[string]span, table string, n *unstable.Node) {
	name := strings.TrimPrefix(table+"."+dotted(n.Key()), ".")
	value := n.Value()
	if value.Kind == unstable.InlineTable {
		for it := value.Children(); it.Next(); {
			locateKey(keys, name, it.Node())
		}
	}
	if key, ok := strings.CutPrefix(name, "rule."); ok {
		at := int(value.Raw.Offset)
		keys[key] = span{at, at + int(value.Raw.Length)}
	}
}

func dotted(key unstable.Iterator) string {
	var parts []string
	for key.Next() {
		parts = append(parts, string(key.Node().Data))
	}
	return strings.Join(parts, ".")
}

// unescaped maps an offset of a TOML string's value to one of its source, which
// is well-formed. An offset inside the value of an escape sequence maps to the
// sequence's beginning.
func unescaped(source string, at int) int {
	i := 1
	if delimiter := source[:1]; strings.HasPrefix(source, strings.Repeat(delimiter, 3)) {
		i = 3 + lineBreak(source[3:]) // the first line break is not part of the value
	}
	if source[0] == '\'' {
		return i + at
	}
	for at > 0 && i < len(source) {
		step, value := 1, 1
		if source[i] == '\\' {
			step, value = escape(source[i:])
		}
		if value > at {
			break
		}
		i, at = i+step, at-value
	}
	for i < len(source) && source[i] == '\\' { // an escaped line break belongs to what follows it
		step, value := escape(source[i:])
		if value > 0 {
			break
		}
		i += step
	}
	return i
}

// escape is the length of the escape sequence at the start of s, and that of its
// value (https://toml.io/en/v1.1.0#string).
func escape(s string) (size, value int) {
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]
	switch {
	case digits > 0:
		r, _ := strconv.ParseUint(s[2:2+digits], 16, 32)
		return 2 + digits, utf8.RuneLen(rune(r))
	case strings.IndexByte(" \t\r\n", s[1]) >= 0:
		return len(s) - len(strings.TrimLeft(s[1:], " \t\r\n")), 0
	}
	return 2, 1
}

func lineBreak(s string) int {
	switch {
	case strings.HasPrefix(s, "\r\n"):
		return 2
	case strings.HasPrefix(s, "\n"):
		return 1
	}
	return 0
}
