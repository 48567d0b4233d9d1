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

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

//go:embed rules/imds-credential-access.toml
var builtin []byte

// Builtin is the built-in rule, credentials asked from an instance metadata
// service on a command line, compiled for the schema. With ecs.Default it does
// not fail.
func Builtin(schema *ecs.Schema) (*Rule, error) {
	return loadTOML("builtin:imds", string(builtin), schema)
}

// NotForUs is a rule file that is well-formed and that no event could be judged
// by here: a rule of another language or type.
type NotForUs struct {
	Name   string // of the file
	Reason string // a lower-case clause
}

// Error is the file's name and the reason.
func (n *NotForUs) Error() string { return n.Name + ": not for us: " + n.Reason }

// Load compiles a rule file. name is the file's path or name and ends in .toml,
// for a rule in the layout of github.com/elastic/detection-rules, or in .eql, for
// a bare query whose id and name are the file's base name and whose severity is
// medium.
//
// An error is a *NotForUs or a Faults with places in the file, also for a query
// inside TOML.
func Load(name string, text []byte, schema *ecs.Schema) (*Rule, error) {
	file := string(text)
	switch ext := path.Ext(name); ext {
	case ".eql":
		r := bare(strings.TrimSuffix(path.Base(name), ext), file)
		r.File = name
		if err := r.compile(source{name: name, file: file}, schema); err != nil {
			return nil, err
		}
		return r, nil
	case ".toml":
		return loadTOML(name, file, schema)
	default:
		return nil, Faults{{name, 1, 1, fmt.Sprintf("expected a file ending in .toml or .eql, found %q", ext)}}
	}
}

// document is the part of a rule file that is read. Other keys are allowed: the
// layout has many that matter to Elastic's products alone.
type document struct {
	Rule struct {
		Rule
		Language string `toml:"language"`
		Type     string `toml:"type"`
	} `toml:"rule"`
}

func loadTOML(name, file string, schema *ecs.Schema) (*Rule, error) {
	var d document
	if err := toml.Unmarshal([]byte(file), &d); err != nil {
		return nil, Faults{tomlFault(name, file, err)}
	}
	for _, k := range []struct{ key, value string }{{"type", d.Rule.Type}, {"language", d.Rule.Language}} {
		if k.value != "" && k.value != "eql" {
			return nil, &NotForUs{name, fmt.Sprintf("rule %s is %q, only \"eql\" is run", k.key, k.value)}
		}
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
	if err := r.compile(source{name, file, origin}, schema); err != nil {
		return nil, err
	}
	return r, nil
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
