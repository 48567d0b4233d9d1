package detector

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// ruled is a rule file with a query and further lines.
func ruled(query, more string) string {
	return head + more + "query = '''\n" + query + "\n'''\n"
}

// classOf is how a file came out: runs, not for us or fault.
func classOf(r *Rule, err error) string {
	var other *NotForUs
	var faults Faults
	switch {
	case err == nil && r != nil:
		return "runs"
	case errors.As(err, &other) && !errors.As(err, &faults) && r == nil:
		return "not for us"
	case errors.As(err, &faults) && r == nil:
		return "fault"
	}
	return "neither"
}

// TestLoadClassesOfQueries loads every query as a file by itself and in a rule
// file, where it begins in another line.
func TestLoadClassesOfQueries(t *testing.T) {
	for _, c := range []struct {
		query, class string
		line, col    int // in the query
		want         string
	}{
		{`process where process.name == "a"`, "runs", 0, 0, ""},
		{`"process" where process.name == "a"`, "runs", 0, 0, ""},
		{`any where process.name == "a"`, "runs", 0, 0, ""},
		{`process where ?process.nothing == "a" or process.name == "a"`, "runs", 0, 0, ""},
		{`any where ?file.name == "a" or process.name == "a"`, "runs", 0, 0, ""},

		{"sequence by host.id\n  [process where true]", "not for us", 1, 1, "sequence, a query about several events"},
		{"// about two\n  sequence with maxspan=1m [process where tru", "not for us", 2, 3, "sequence, a query about several events"},
		{"sample by host.id [process where true] [process where true]", "not for us", 1, 1, "sample, a query about several events"},
		{`file where file.name == "a"`, "not for us", 1, 1, `event category "file"`},
		{` registry where registry.path : "a" and process.nme == "b"`, "not for us", 1, 2, `event category "registry"`},
		{`file where process.name == "a"`, "not for us", 1, 1, `event category "file"`},
		{`"two words" where process.name == "a"`, "not for us", 1, 1, `event category "two words"`},
		{`processes where process.name == "a"`, "not for us", 1, 1, `event category "processes"`},
		{"any where process.name == \"a\" and\n  dns.question.name : \"b\"", "not for us", 2, 3, "any event, by fields that a process start does not have: dns.question.name"},
		{`any where file.extension == "a" or registry.path : "b"`, "not for us", 1, 11, "any event, by fields that a process start does not have: file.extension"},
		{`any where dns.question.name == "a" and process.pid : "b"`, "not for us", 1, 11, "any event, by fields that a process start does not have: dns.question.name"},

		{`Process where process.name == "a"`, "fault", 1, 1, `event category "Process" matches no event: it is written "process"`},
		{`PROCESS where process.name == "a"`, "fault", 1, 1, `event category "PROCESS" matches no event: it is written "process"`},
		{`"pRocess" where process.name == "a"`, "fault", 1, 1, `event category "pRocess" matches no event: it is written "process"`},
		{`any where process.nam == "a"`, "fault", 1, 11, `unknown field "process.nam", the nearest is "process.name"`},
		{`any where proces.nam == "a"`, "fault", 1, 11, `unknown field "proces.nam", the nearest is "process.name"`},
		{`process where not process.nme == "a"`, "fault", 1, 19, `unknown field "process.nme", the nearest is "process.name"`},
		{`process where process.name == "a" | head 5`, "fault", 1, 35, "not a single-event query: a pipe is about several events"},
		{`any where process.name == "a"` + "\n| tail 5", "fault", 2, 1, "not a single-event query: a pipe is about several events"},
		{`file where file.name = "a"`, "fault", 1, 22, `"=" is no operator: write "==", or ":" to disregard case`},
		{`process where process.pid : "a"`, "fault", 1, 15, `field "process.pid" is of kind long, ":" compares text with text`},
		{`Sequence [process where true]`, "fault", 1, 10, `expected "where" after the event category, found "["`},
		{`join [process where true]`, "not for us", 1, 1, "join, a query about several events"},
	} {
		for _, file := range []struct {
			name, text string
			lines      int // above the query
		}{{"dir/a.eql", c.query, 0}, {"dir/a.toml", ruled(c.query, ""), strings.Count(head, "\n") + 1}} {
			r, err := Load(file.name, []byte(file.text), ecs.Default, FoldASCII)
			if class := classOf(r, err); class != c.class {
				t.Errorf("%s: %s\n%s, want %s: %v", file.name, c.query, class, c.class, err)
				continue
			}
			if err == nil {
				continue
			}
			want := fmt.Sprintf("%s:%d:%d: ", file.name, file.lines+c.line, c.col)
			if c.class == "not for us" {
				want += "not for us: "
			}
			if want += c.want; err.Error() != want {
				t.Errorf("%s\ngot  %s\nwant %s", c.query, err, want)
			}
		}
	}
}

// TestLoadClassesOfFiles is about what stands beside the query.
func TestLoadClassesOfFiles(t *testing.T) {
	const good, bad = `process where process.name == "a"`, `process where process.nme = "a"`
	for _, c := range []struct{ name, text, class, want string }{
		{"Plain", ruled(good, ""), "runs", ""},
		{"Production", ruled(good, "[metadata]\nmaturity = 'production'\n[rule]\n"), "fault", "a.toml:10:2: table rule already exists"},
		{"Production", "[metadata]\nmaturity = 'production'\n" + ruled(good, ""), "runs", ""},
		{"Development", "[metadata]\nmaturity = 'development'\n" + ruled(good, ""), "not for us", `maturity is "development", only "production" is run`},
		{"Deprecated", "[metadata]\nmaturity = 'deprecated'\n" + ruled(bad, ""), "not for us", `maturity is "deprecated", only "production" is run`},
		{"NoMaturity", "[metadata]\nmaturity = ''\n" + ruled(good, ""), "runs", ""},
		{"BuildingBlock", ruled(good, "building_block_type = 'default'\n"), "runs", ""},
		{"Filters", ruled(good, "") + "[[rule.filters]]\n[rule.filters.query.term]\na = 'b'\n", "not for us", "filters beside the query"},
		{"Filters", ruled(bad, "filters = [{ query = { term = { a = 'b' } } }]\n"), "not for us", "filters beside the query"},
		{"NoFilters", ruled(good, "filters = []\n"), "runs", ""},
		{"Override", ruled(good, "event_category_override = 'event.type'\n"), "not for us", `event category in field "event.type"`},
		{"OverrideByItself", ruled(good, "event_category_override = 'event.category'\n"), "runs", ""},
		{"Query", strings.Replace(ruled("process.name:a", ""), `type = "eql"`, `type = "query"`, 1), "not for us", `rule type is "query", only "eql" is run`},
		{"NewTerms", strings.Replace(ruled(good, ""), `type = "eql"`, `type = "new_terms"`, 1), "not for us", `rule type is "new_terms", only "eql" is run`},
		{"Kuery", strings.Replace(ruled("process.name:a", ""), `language = "eql"`, `language = "kuery"`, 1), "not for us", `rule language is "kuery", only "eql" is run`},
		{"Case", strings.Replace(ruled(good, ""), `language = "eql"`, `language = "EQL"`, 1), "not for us", `rule language is "EQL", only "eql" is run`},
		{"TypeBeforeMaturity", "[metadata]\nmaturity = 'development'\n" + strings.Replace(ruled(good, ""), `type = "eql"`, `type = "esql"`, 1), "not for us", `rule type is "esql", only "eql" is run`},
		{"NoType", strings.Replace(ruled(good, ""), `type = "eql"`, "", 1), "fault", `a.toml:1:2: key "type" is missing from [rule]`},
		{"NoLanguage", strings.Replace(ruled(good, ""), `language = "eql"`, "", 1), "fault", `a.toml:1:2: key "language" is missing from [rule]`},
		{"OtherTable", "[transform]\n[[transform.osquery]]\nquery = 'x'\n" + ruled(good, ""), "runs", ""},
	} {
		r, err := Load("a.toml", []byte(c.text), ecs.Default, FoldASCII)
		if class := classOf(r, err); class != c.class {
			t.Errorf("%s: %s, want %s: %v", c.name, class, c.class, err)
			continue
		}
		want := c.want
		if c.class == "not for us" {
			want = "a.toml: not for us: " + want
			var other *NotForUs
			if errors.As(err, &other); other.Reason != c.want || other.Line != 0 || other.Detail != "" {
				t.Errorf("%s: %+v", c.name, *other)
			}
		}
		if err != nil && err.Error() != want {
			t.Errorf("%s\ngot  %s\nwant %s", c.name, err, want)
		}
		if err == nil && (r.BuildingBlock == "default") != (c.name == "BuildingBlock") {
			t.Errorf("%s: building block %q", c.name, r.BuildingBlock)
		}
	}
}
