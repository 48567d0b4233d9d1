package detector

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// sameTree compares syntax trees without their places.
var sameTree = cmp.Options{
	cmp.AllowUnexported(query{}, logic{}, not{}, compare{}, field{}, text{}),
	cmpopts.IgnoreFields(query{}, "at"), cmpopts.IgnoreFields(field{}, "at"), cmpopts.IgnoreFields(text{}, "at"),
}

// printed are queries and how their tree prints.
var printed = []struct{ query, want string }{
	{`process where process.name == "a"`, ``},
	{`any where process.name == "a"`, ``},
	{`"process" where process.name == "a"`, `process where process.name == "a"`},
	{`"any" where process.name == "a"`, `"any" where process.name == "a"`},
	{`"my-category" where process.name == "a"`, ``},
	{"process  where\n\tprocess.name:(\"a\",\"b\")", `process where process.name : ("a", "b")`},
	{`any where a == "1" and b != "2" or c : "3"`, ``},
	{`any where a == "1" and (b != "2" or c : "3")`, ``},
	{`any where (a == "1" and b != "2") or c : "3"`, `any where a == "1" and b != "2" or c : "3"`},
	{`any where a == "1" and (b == "2" and c == "3")`, ``},
	{`any where (a == "1" or b == "2") or c == "3"`, ``},
	{`any where ((a == "1"))`, `any where a == "1"`},
	{`any where not a == "1" and b == "2"`, ``},
	{`any where not (a == "1" and b == "2")`, ``},
	{`any where not not (a == "1")`, `any where not not a == "1"`},
	{`any where a in ("1") and a in~ ("1", "2") and a not in ("3") and a not in~ ("4")`, ``},
	{`any where a like "1*" and a like~ ("1", "2*") and not a like "3"`, ``},
	{`any where ?a.b.c == "1" and ? a == "2"`, `any where ?a.b.c == "1" and ?a == "2"`},
	{`any where a . b == "1"`, `any where a.b == "1"`},
	{`any where @timestamp == "1" and _x == "2"`, ``},
	{"any where // to the end of the line\n a == /* in between */ \"1\" // at the end", `any where a == "1"`},
	{`any where a == "\b\t\n\f\r\"\'\\\u{41}\u{1F600}"`, `any where a == "\b\t\n\f\r\"\'\\A😀"`},
	{`any where a == "\u{00}\u{7f}"`, ``},
	{`any where a == "%_*?/ // /* not a comment */"`, ``},
	{`any where a == """C:\new"x"\"""`, `any where a == "C:\\new\"x\"\\"`},
	{`any where a == """two""""" and b == """"""`, `any where a == "two\"\"" and b == ""`},
	{`any where a == "" and b == ""`, ``},
	{`any where inn == "1" and order == "2" and where_ == "3" and nothing == "4"`, ``},
}

func TestParsePrints(t *testing.T) {
	for _, c := range printed {
		want := c.want
		if want == "" {
			want = c.query
		}
		q, fault := parse(c.query)
		if fault != nil {
			t.Errorf("%s\n%d: %s", c.query, fault.at, fault.message)
			continue
		}
		if got := q.String(); got != want {
			t.Errorf("%s\nprints as %s\nwant      %s", c.query, got, want)
		}
		again, fault := parse(q.String())
		if fault != nil {
			t.Errorf("%s\nprints as %s: %d: %s", c.query, q, fault.at, fault.message)
			continue
		}
		if diff := cmp.Diff(q, again, sameTree); diff != "" {
			t.Errorf("%s\nprints as %s, which reads otherwise:\n%s", c.query, q, diff)
		}
	}
}

func TestParsePrecedence(t *testing.T) {
	for _, c := range []struct{ query, same string }{
		{`any where not a == "1" and b == "2"`, `any where (not (a == "1")) and b == "2"`},
		{`any where a == "1" or b == "2" and c == "3"`, `any where a == "1" or (b == "2" and c == "3")`},
		{`any where not a == "1" or b == "2"`, `any where (not a == "1") or b == "2"`},
		{`any where a not in ("1") and b == "2"`, `any where (a not in ("1")) and (b == "2")`},
	} {
		a, fault := parse(c.query)
		b, fault2 := parse(c.same)
		if fault != nil || fault2 != nil {
			t.Fatalf("%s, %s: %v, %v", c.query, c.same, fault, fault2)
		}
		if diff := cmp.Diff(a, b, sameTree); diff != "" {
			t.Errorf("%s is not %s:\n%s", c.query, c.same, diff)
		}
	}
}

// broken are queries and their faults as Compile reports them.
var broken = []struct{ query, want string }{
	{"", "q.eql:1:1: expected an event category, found the end of the query"},
	{" \n ", "q.eql:2:2: expected an event category, found the end of the query"},
	{"any where process.name == a23456789b23456789c23456789d23456789e23456789", `q.eql:1:27: expected a string after "==", found "a23456789b23456789c23456789d23456789e234…"`},
	{"process", `q.eql:1:8: expected "where" after the event category, found the end of the query`},
	{"process whre x", `q.eql:1:9: expected "where" after the event category, found "whre"`},
	{"process where", "q.eql:1:14: expected a condition, found the end of the query"},
	{"process where \n  // nothing", "q.eql:2:13: expected a condition, found the end of the query"},
	{`Process where process.name == "a"`, `q.eql:1:1: not supported yet: event category "Process", only "process" and any are`},
	{`file where file.name == "a"`, `q.eql:1:1: not supported yet: event category "file", only "process" and any are`},
	{`"my cat" where process.name == "a"`, `q.eql:1:1: not supported yet: event category "my cat", only "process" and any are`},
	{"sequence [process where true]", "q.eql:1:1: not a single-event query: sequence"},
	{"sample by host.id [any where true]", "q.eql:1:1: not a single-event query: sample"},
	{`any where process.name == "a" | head 5`, "q.eql:1:31: not a single-event query: pipes"},
	{`any where process.name == "a" process.pid`, `q.eql:1:31: expected "and", "or" or the end of the query, found "process"`},
	{`any where process.name == "a" AND process.name == "b"`, `q.eql:1:31: expected "and", "or" or the end of the query, found "AND"`},
	{`any where process.name = "a"`, `q.eql:1:24: "=" is no operator: write "==", or ":" to disregard case`},
	{"any where process.name == 'a'", `q.eql:1:27: a string stands in double quotes, "…", not in single ones`},
	{`any where process.name == ?"a"`, `q.eql:1:27: a raw string is written """…""", not ?"…" or ?'…'`},
	{`any where process.name !: "a"`, `q.eql:1:24: "!:" is no operator: write not process.name : …`},
	{`any where process.name not like "a"`, `q.eql:1:24: "not" cannot stand before "like": write not process.name like …`},
	{`any where process.name not : "a"`, `q.eql:1:24: "not" cannot stand before ":": write not process.name : …`},
	{`any where process.name not == "a"`, `q.eql:1:28: expected "in" or "in~" after "not", found "=="`},
	{`any where process.name == "a`, `q.eql:1:27: string is not closed by " on its line`},
	{"any where process.name == \"a\n\"", `q.eql:1:27: string is not closed by " on its line`},
	{`any where process.name == "a\"`, `q.eql:1:27: string is not closed by " on its line`},
	{`any where process.name == "\d"`, `q.eql:1:28: unknown escape sequence "\d": a backslash is written \\`},
	{`any where process.name == "\u41"`, `q.eql:1:28: escape sequence "\u" is not of the form \u{…} with 2 to 8 hex digits`},
	{`any where process.name == "\u{4}"`, `q.eql:1:28: escape sequence "\u" is not of the form \u{…} with 2 to 8 hex digits`},
	{`any where process.name == "\u{123456789}"`, `q.eql:1:28: escape sequence "\u" is not of the form \u{…} with 2 to 8 hex digits`},
	{`any where process.name == "\u{d800}"`, `q.eql:1:28: escape sequence "\u{d800}" is no code point`},
	{`any where process.name == "\u{110000}"`, `q.eql:1:28: escape sequence "\u{110000}" is no code point`},
	{`any where process.name == """a"`, `q.eql:1:27: raw string """ is not closed by """ on its line`},
	{"any where process.name == \"\"\"a\n\"\"\"", `q.eql:1:27: raw string """ is not closed by """ on its line`},
	{`any where /* process.name == "a"`, `q.eql:1:11: comment "/*" is not closed by "*/"`},
	{`any where process.name in "a"`, `q.eql:1:27: expected a list (…) after "in", found the string "a"`},
	{"any where process.name in ()", `q.eql:1:28: expected a string after "in", found ")"`},
	{`any where process.name in ("a",)`, `q.eql:1:32: expected a string after "in", found ")"`},
	{`any where process.name in ("a" "b")`, `q.eql:1:32: expected "," or ")" in the list, found the string "b"`},
	{`any where process.name : ("a"`, `q.eql:1:30: expected "," or ")" in the list, found the end of the query`},
	{`any where process.name == ("a")`, `q.eql:1:27: expected a string after "==", found "("`},
	{"any where process.name == process.title", `q.eql:1:27: expected a string after "==", found "process"`},
	{`any where (process.name == "a"`, `q.eql:1:31: expected "and", "or" or ")", found the end of the query`},
	{`any where process.name == "a")`, `q.eql:1:30: expected "and", "or" or the end of the query, found ")"`},
	{"any where process.name", `q.eql:1:11: not supported yet: field "process.name" alone as a condition`},
	{`any where process.interactive and process.name == "a"`, `q.eql:1:11: not supported yet: field "process.interactive" alone as a condition`},
	{"any where process.pid == 4", "q.eql:1:26: not supported yet: numbers"},
	{"any where process.pid == -4", "q.eql:1:26: not supported yet: arithmetic"},
	{"any where 4 == process.pid", "q.eql:1:11: not supported yet: numbers"},
	{`any where "a" == process.name`, "q.eql:1:11: not supported yet: a literal to the left of an operator"},
	{"any where true", `q.eql:1:11: not supported yet: "true"`},
	{"any where process.interactive == true", `q.eql:1:34: not supported yet: "true"`},
	{"any where process.name != null", `q.eql:1:27: not supported yet: "null"`},
	{`any where process.name in ("a", null)`, `q.eql:1:33: not supported yet: "null"`},
	{"any where process.args_count >= 4", `q.eql:1:30: not supported yet: ">="`},
	{`any where process.name regex~ "a.*"`, `q.eql:1:24: not supported yet: "regex~"`},
	{`any where startsWith(process.name, "a")`, "q.eql:1:11: not supported yet: functions"},
	{`any where endsWith~(process.name, "a")`, "q.eql:1:11: not supported yet: functions"},
	{"any where process.pid + 1 == 2", "q.eql:1:23: not supported yet: arithmetic"},
	{"any where -process.pid == 2", "q.eql:1:11: not supported yet: arithmetic"},
	{`any where process.args[0] == "a"`, "q.eql:1:23: not supported yet: places in an array"},
	{"any where `process.name` == \"a\"", "q.eql:1:11: not supported yet: names in backticks"},
	{`any where process.in == "a"`, `q.eql:1:19: expected a name after "process.", found "in"`},
	{`any where process. == "a"`, `q.eql:1:20: expected a name after "process.", found "=="`},
	{`any where ? == "a"`, `q.eql:1:13: expected a field after "?", found "=="`},
	{`any where process.name # "a"`, "q.eql:1:24: unexpected character '#'"},
	{`any where process.name == "é😀" é`, "q.eql:1:32: unexpected character 'é'"},
	{"any where process.name == \"\xff\"", "q.eql:1:28: query is not UTF-8 text"},
	{`any where process.nme == "a" and user.nam == "b"`, `q.eql:1:11: unknown field "process.nme", the nearest is "process.name"` + "\n" +
		`q.eql:1:34: unknown field "user.nam", the nearest is "user.name"`},
	{"any where process.pid : \"4\"\n  or\n\tprocess.interactive == \"true\" or process.start in (\"2020\")", `q.eql:1:11: field "process.pid" is of kind long, ":" compares text with text` + "\n" +
		`q.eql:3:2: field "process.interactive" is of kind boolean, "==" compares text with text` + "\n" +
		`q.eql:3:35: field "process.start" is of kind date, "in" compares text with text`},
	{`any where host.ip == "127.0.0.1" or host.ip : "127*"`, `q.eql:1:11: not supported yet: comparing addresses, field "host.ip" is of kind ip` + "\n" +
		`q.eql:1:37: field "host.ip" is of kind ip, ":" compares text with text`},
	{`any where process.name : ("a", "b*\u{01}") or process.name == "\u{01}"`, `q.eql:1:32: pattern "b*\u{01}" holds U+0001, which means nothing in a pattern`},
	{`process where process.nme : "\u{01}"`, `q.eql:1:15: unknown field "process.nme", the nearest is "process.name"` + "\n" +
		`q.eql:1:29: pattern "\u{01}" holds U+0001, which means nothing in a pattern`},
}

func TestCompileFaults(t *testing.T) {
	for _, c := range broken {
		_, err := Compile("q.eql", c.query, ecs.Default)
		var faults Faults
		if !errors.As(err, &faults) {
			t.Errorf("%q: error %v, want Faults", c.query, err)
			continue
		}
		if got := err.Error(); got != c.want {
			t.Errorf("%q\ngot  %s\nwant %s", c.query, got, c.want)
		}
	}
}

func TestCompileLimits(t *testing.T) {
	const leaf = `process.name == "a"`
	literals := func(n int) string {
		return `any where process.name in (` + strings.Repeat(`"a", `, n-1) + `"a")`
	}
	for _, c := range []struct {
		name, query, want string
	}{
		{"Nesting", "any where " + strings.Repeat("(", maxNesting) + leaf + strings.Repeat(")", maxNesting), ""},
		{"Nesting", "any where " + strings.Repeat("not ", maxNesting+1) + leaf, "q:1:811: nested more than 200 levels deep"},
		{"Nesting", "any where " + strings.Repeat("(", maxNesting+1) + leaf, "q:1:211: nested more than 200 levels deep"},
		{"Literals", literals(maxLiterals), ""},
		{"Literals", literals(maxLiterals + 1), "q:1:50028: more than 10000 literals in one query"},
		{"Chain", "any where " + strings.Repeat(leaf+" or ", 9000) + leaf, ""},
		{"Text", "any where " + leaf + strings.Repeat(" ", maxText), "q:1:1048577: query has 1048605 bytes, the limit is 1048576"},
		{"Name", "any where " + strings.Repeat("a", maxName+1) + ` == "a"`, "q:1:11: name of a field is longer than 256 bytes"},
	} {
		got := ""
		if _, err := Compile("q", c.query, ecs.Default); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestCompileForSchema compiles for a schema in which an event has no category.
func TestCompileForSchema(t *testing.T) {
	schema, err := ecs.NewSchema([]ecs.Def{{Name: "process.name", Kind: ecs.Keyword}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Compile("q", `any where process.name == "a"`, schema)
	if err != nil {
		t.Fatal(err)
	}
	e := ecs.NewEvent(schema)
	e.Add(0, []byte("a"))
	if !r.Match(e) {
		t.Error("no match")
	}
	_, err = Compile("q", `process where process.name == "a"`, schema)
	if want := `q:1:1: unknown field "event.category", which an event category asks for`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestCompileWarnings(t *testing.T) {
	r, err := Compile("q", "any where ?process.nme : \"a\" or\n  not ?user.nam == \"a\" or ?process.name == \"b\"", ecs.Default)
	if err != nil {
		t.Fatal(err)
	}
	want := "q:1:11: unknown field \"process.nme\" counts as absent, the nearest is \"process.name\"\n" +
		"q:2:7: unknown field \"user.nam\" counts as absent, the nearest is \"user.name\""
	if got := r.Warnings().Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// FuzzParse holds the parser to its printer: what a tree prints parses to an
// equal tree, which prints the same.
func FuzzParse(f *testing.F) {
	for _, c := range printed {
		f.Add(c.query)
	}
	for _, c := range broken {
		f.Add(c.query)
	}
	f.Fuzz(func(t *testing.T, s string) {
		q, fault := parse(s)
		if fault != nil {
			if fault.at < 0 || fault.at > len(s) || fault.message == "" {
				t.Fatalf("fault %+v of %q", *fault, s)
			}
			return
		}
		again, fault := parse(q.String())
		if fault != nil {
			t.Fatalf("%q prints as %q: %d: %s", s, q, fault.at, fault.message)
		}
		if diff := cmp.Diff(q, again, sameTree); diff != "" {
			t.Fatalf("%q prints as %q, which reads otherwise:\n%s", s, q, diff)
		}
		if q.String() != again.String() {
			t.Fatalf("%q prints as %q and then as %q", s, q, again)
		}
	})
}
