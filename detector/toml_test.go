package detector

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// head is the beginning of a rule file, seven lines, that lacks its query.
const head = `[rule]
rule_id = "r-1"
name = "A rule"
severity = "low"
risk_score = 21
type = "eql"
language = "eql"
`

func TestLoadTOML(t *testing.T) {
	text := `
[metadata]
maturity = "production"

[rule]
author = ["a", "b"]
description = """
one
two
"""
false_positives = ["f"]
language = "eql"
license = "l"
name = "A rule"
note = "n"
references = ["https://first", "https://second"]
risk_score = 73
rule_id = "r-1"
severity = "high"
tags = ["t"]
timestamp_override = "event.ingested"
type = "eql"
query = '''
any where process.name == "C:\\a"
'''

[[rule.threat]]
framework = "MITRE ATT&CK"
[[rule.threat.technique]]
id = "T1"
name = "t1"
reference = "https://t1"
[[rule.threat.technique.subtechnique]]
id = "T1.1"
name = "t11"
reference = "https://t11"
[rule.threat.tactic]
id = "TA1"
name = "ta1"
reference = "https://ta1"
`
	got, err := Load("rules/a.toml", []byte(text), ecs.Default, FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	want := &Rule{
		ID: "r-1", Name: "A rule", Description: "one two", Note: "n", Severity: "high", RiskScore: 73,
		Reference: "https://first", References: []string{"https://first", "https://second"}, Authors: []string{"a", "b"},
		License: "l", FalsePositives: []string{"f"}, Tags: []string{"t"},
		Threat: []Threat{{
			Framework: "MITRE ATT&CK",
			Tactic:    Tactic{"TA1", "ta1", "https://ta1"},
			Technique: []Technique{{"T1", "t1", "https://t1", []Technique{{ID: "T1.1", Name: "t11", Reference: "https://t11"}}}},
		}},
		Query: "any where process.name == \"C:\\\\a\"\n", File: "rules/a.toml",
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Rule{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !got.Match(eventOf(t, values{"process.name", `C:\a`})) || got.Match(eventOf(t, values{"process.name", `C:\\a`})) {
		t.Errorf("the query reads otherwise:\n%s", got)
	}
}

func TestLoadEQL(t *testing.T) {
	got, err := Load("rules/my rule.v2.eql", []byte(`any where process.name == "a"`), ecs.Default, FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	want := &Rule{
		ID: "my rule.v2", Name: "my rule.v2", Severity: "medium", RiskScore: 47,
		Query: `any where process.name == "a"`, File: "rules/my rule.v2.eql",
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Rule{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestLoadFaults(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a.eql", "any where\n  process.nme == \"a\"", `a.eql:2:3: unknown field "process.nme", the nearest is "process.name"`},
		{"a.yml", "", `a.yml:1:1: expected a file ending in .toml or .eql, found ".yml"`},

		// Places of a query in its file, by the way in which it is written.
		{"a.toml", head + "query = 'any where process.nme == \"a\"'", `a.toml:8:20: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", head + "query = '''any where process.nme == \"a\"'''", `a.toml:8:22: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", head + "query = '''\nany where\n  process.nme == \"a\"\n'''", `a.toml:10:3: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", strings.ReplaceAll(head, "\n", "\r\n") + "query = '''\r\nany where\r\n  process.nme == \"a\"\r\n'''", `a.toml:10:3: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", head + `query = "any where process.nme == \"a\""`, `a.toml:8:20: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", head + `query = "any where process.name == \"a\" or process.nme == \"a\""`, `a.toml:8:45: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", head + `query = "any where process.name == \"\\\\\u00e9\U0001F600\x41é\" or process.nme == \"a\""`, `a.toml:8:69: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", head + `query = "any where process.name == \"\\d\""`, `a.toml:8:38: unknown escape sequence "\d": a backslash is written \\`},
		{"a.toml", head + "query = \"\"\"\nany where \\\n    \\\n  process.nme == \"a\"\n\"\"\"", `a.toml:11:3: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", head + "query = \"\"\"any where \t\\  \n  process.nme == \"a\" \"b\" \"\"\"", `a.toml:9:22: expected "and", "or" or the end of the query, found the string "b"`},
		{"a.toml", head + "query = '''any where process.name == \"a\" or '''", `a.toml:8:45: expected a condition, found the end of the query`},
		{"a.toml", head + "query = \"any where \\t\"", `a.toml:8:22: expected a condition, found the end of the query`},
		{"a.toml", head + "\"query\" = 'any where process.nme == \"a\"'", `a.toml:8:22: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", strings.TrimPrefix(strings.ReplaceAll("\n"+strings.TrimPrefix(head, "[rule]"), "\n", "\nrule."), "\nrule.\n") +
			"query = 'any where process.nme == \"a\"'", `a.toml:7:25: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", `rule = { rule_id = "r", name = "n", severity = "low", type = "eql", language = "eql", query = 'any where process.nme == "a"' }`,
			`a.toml:1:106: unknown field "process.nme", the nearest is "process.name"`},
		{"a.toml", head + "query = '''\nany where\n  process.nme == \"a\" or\n  process.pid : \"4\"\n'''",
			`a.toml:10:3: unknown field "process.nme", the nearest is "process.name"` + "\n" +
				`a.toml:11:3: field "process.pid" is of kind long, ":" compares text with text`},

		// Faults of the file itself.
		{"a.toml", "", `a.toml:1:1: table [rule] is missing`},
		{"a.toml", "# nothing\n\n[rule]\n", `a.toml:3:2: key "rule_id" is missing from [rule]` + "\n" +
			`a.toml:3:2: key "name" is missing from [rule]` + "\n" +
			`a.toml:3:2: key "type" is missing from [rule]` + "\n" +
			`a.toml:3:2: key "language" is missing from [rule]` + "\n" +
			`a.toml:3:2: key "severity" is missing from [rule]` + "\n" +
			`a.toml:3:2: key "query" is missing from [rule]`},
		{"a.toml", head, `a.toml:1:2: key "query" is missing from [rule]`},
		{"a.toml", head + "query = ''", `a.toml:8:9: key "query" is empty`},
		{"a.toml", strings.Replace(head, "low", "lowish", 1) + "query = 'any where user.name == \"a\"'", `a.toml:4:12: severity "lowish" is none of "low", "medium", "high", "critical"`},
		{"a.toml", strings.Replace(head, "low", "lowish", 1) + "query = ''",
			`a.toml:4:12: severity "lowish" is none of "low", "medium", "high", "critical"` + "\n" + `a.toml:8:9: key "query" is empty`},
		{"a.toml", strings.Replace(head, "21", "101", 1) + "query = 'any where user.name == \"a\"'", `a.toml:5:14: risk_score 101 is not between 0 and 100`},
		{"a.toml", strings.Replace(head, "21", `"21"`, 1) + "query = 'any where user.name == \"a\"'", `a.toml:5:14: key "rule.risk_score" cannot be of type string`},
		{"a.toml", head + "query = 4", `a.toml:8:9: key "rule.query" cannot be of type integer`},
		{"a.toml", head + "query = 'a", `a.toml:8:10: unterminated literal string`},
		{"a.toml", head + "query = 'é", `a.toml:8:10: unterminated literal string`},
		{"a.toml", head + "é = 'a'", `a.toml:8:1: invalid character at start of key: U+00C3 'Ã'`},
		{"a.toml", head + "note = 'é' 'b'", `a.toml:8:12: expected newline but got U+0027 '''`},
		{"a.toml", head + "name = 'b'", `a.toml:8:1: key name is already defined`},
		{"a.toml", "[[rule]]\nname = 'b'", `a.toml:1:3: cannot store an array table in a struct`},
		{"a.toml", "\xff", `a.toml:1:1: invalid character at start of key: U+00FF 'ÿ'`},
	} {
		_, err := Load(c.name, []byte(c.text), ecs.Default, FoldASCII)
		var faults Faults
		if !errors.As(err, &faults) {
			t.Errorf("%s: error %v, want Faults", c.text, err)
			continue
		}
		if got := err.Error(); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.text, got, c.want)
		}
	}
}

func TestLoadNotForUs(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"[rule]\ntype = 'query'\nlanguage = 'kuery'\nquery = 'a:b'", `a.toml: not for us: rule type is "query", only "eql" is run`},
		{"[rule]\ntype = 'machine_learning'", `a.toml: not for us: rule type is "machine_learning", only "eql" is run`},
		{"[rule]\nlanguage = 'esql'", `a.toml: not for us: rule language is "esql", only "eql" is run`},
	} {
		_, err := Load("a.toml", []byte(c.text), ecs.Default, FoldASCII)
		var other *NotForUs
		if !errors.As(err, &other) {
			t.Errorf("%q: error %v, want a *NotForUs", c.text, err)
		} else if got := err.Error(); got != c.want {
			t.Errorf("%q: got %q, want %q", c.text, got, c.want)
		}
	}
}

// TestUnescapedMapsEveryOffset maps each byte of a value back to its source.
func TestUnescapedMapsEveryOffset(t *testing.T) {
	for _, c := range []struct{ source, value, want string }{
		{`'a"b'`, `a"b`, "123"},
		{"'''\nab'''", "ab", "45"},
		{"'''\r\nab'''", "ab", "56"},
		{`"a\tb"`, "a\tb", "124"},
		{`"\u0041b"`, "Ab", "17"},
		{`"é\"b"`, `é"b`, "1235"},
		{`"\u00e9b"`, "éb", "117"},
		{"\"\"\"\n\\\n  a\\\n\nb\"\"\"", "ab", "8<"},
	} {
		got := ""
		for i := range len(c.value) {
			got += string(rune('0' + unescaped(c.source, i)))
		}
		if got != c.want {
			t.Errorf("%q: places %q, want %q", c.source, got, c.want)
		}
	}
}

// FuzzLoad looks for a file on which placing a fault goes wrong.
func FuzzLoad(f *testing.F) {
	f.Add(head + "query = '''\nany where process.nme == \"a\"'''")
	f.Add(head + `query = "any where \u00e9\\\"\x41"`)
	f.Add(head + "query = \"\"\"\\\n\r\n any where\\  \n\"\"\"")
	f.Add("rule = {query = 'a', type = 'eql'}\n[rule.threat]")
	if text, err := os.ReadFile("rules/imds-credential-access.toml"); err == nil {
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Load("a.toml", []byte(text), ecs.Default, FoldASCII)
		var faults Faults
		if !errors.As(err, &faults) {
			return
		}
		lines := strings.Split(text, "\n")
		for _, fault := range faults {
			if fault.Line < 1 || fault.Line > len(lines) || fault.Col < 1 || fault.Col > 1+len([]rune(lines[fault.Line-1])) {
				t.Fatalf("%v is not in %q", fault, text)
			}
		}
	})
}
