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
	cmp.AllowUnexported(query{}, logic{}, not{}, compare{}, arithmetic{}, call{}, field{}, literal{}, value{}),
	cmpopts.IgnoreFields(query{}, "at"), cmpopts.IgnoreFields(not{}, "at"), cmpopts.IgnoreFields(arithmetic{}, "at"),
	cmpopts.IgnoreFields(call{}, "at"), cmpopts.IgnoreFields(field{}, "at"), cmpopts.IgnoreFields(literal{}, "at"),
	cmp.Comparer(func(a, b *function) bool { return a == b }),
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
	{"any where `a.b` == \"1\" and a.`b-c` == \"2\" and `x``y` == \"3\"", "any where a.b == \"1\" and `a.b-c` == \"2\" and `x``y` == \"3\""},
	{"any where `in`.`1` == null and ?`a b` != null", "any where `in.1` == null and ?`a b` != null"},
	{`any where a == 1 and b == -1 and c == 1.5 and d == .5 and e == 1. and f == 1e3 and g == -2.5E-3`,
		`any where a == 1 and b == -1 and c == 1.5 and d == 0.5 and e == 1.0 and f == 1000.0 and g == -0.0025`},
	{`any where a == 9223372036854775807 and b == -9223372036854775808 and c == 1e300`, `any where a == 9223372036854775807 and b == -9223372036854775808 and c == 1e+300`},
	{`any where + 1 == - 1 and a == + 5`, `any where 1 == -1 and a == 5`},
	{`any where true or false or a == true or null == b`, ``},
	{`any where a < 1 and b <= 2 and c > 3 and d >= 4 and 5 < e`, ``},
	{`any where a in (1, -2, 3.5, true, null, "x")`, ``},
	{`any where a regex "x.*" and b regex~ ("y", """z\d""")`, `any where a regex "x.*" and b regex~ ("y", "z\\d")`},
	{`any where a + b * c - d == 1`, `any where (a + (b * c)) - d == 1`},
	{`any where (a + b) * -c % 2 == 1`, `any where ((a + b) * (-c)) % 2 == 1`},
	{`any where - - a == --5`, `any where -(-a) == --5`},
	{`any where STARTSWITH(a, "x") and endswith~(b, "y") and length(c) > 3`, `any where startsWith(a, "x") and endsWith~(b, "y") and length(c) > 3`},
	{`any where null == (a > -1) and string(b == 1 or not c) : "true"`, ``},
	{`any where (a in ("x")) == true and (b : "y") != false`, ``},
	{`any where concat(a, 1 + 2, not b) == "x"`, ``},
	{`any where between(a, "b", "c", true) == "d" and cidrMatch(e, "10.0.0.0/8", "::1/128")`, ``},
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
	{"any where process.name == a23456789b23456789c23456789d23456789e23456789", `q.eql:1:27: unknown field "a23456789b23456789c23456789d23456789e23456789"; a text stands in double quotes`},
	{"process", `q.eql:1:8: expected "where" after the event category, found the end of the query`},
	{"process whre x", `q.eql:1:9: expected "where" after the event category, found "whre"`},
	{"process where", "q.eql:1:14: expected a condition, found the end of the query"},
	{"process where \n  // nothing", "q.eql:2:13: expected a condition, found the end of the query"},
	{`Process where process.name == "a"`, `q.eql:1:1: event category "Process" matches no event: it is written "process"`},
	{`file where file.name == "a"`, `q.eql:1:12: unknown field "file.name", the nearest is "host.name"`},
	{"sequence [process where true]", "q.eql:1:1: not a single-event query: sequence"},
	{"sample by host.id [any where true]", "q.eql:1:1: not a single-event query: sample"},
	{`any where process.name == "a" | head 5`, "q.eql:1:31: not a single-event query: a pipe is about several events"},
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
	{"any where process.name in ()", `q.eql:1:28: expected a value after "(", found ")"`},
	{`any where process.name in ("a",)`, `q.eql:1:32: expected a value after ",", found ")"`},
	{`any where process.name in ("a" "b")`, `q.eql:1:32: expected "," or ")" in the list, found the string "b"`},
	{`any where process.name : ("a"`, `q.eql:1:30: expected "," or ")" in the list, found the end of the query`},
	{"any where process.name == process.title", `q.eql:1:27: process.name == process.title: fields cannot be compared with fields`},
	{"any where length(process.name) == process.pid + 1", `q.eql:1:35: length(process.name) == process.pid + 1: fields cannot be compared with fields`},
	{`any where process.name in ("a", process.title)`, `q.eql:1:33: process.name in ("a", process.title): fields cannot be compared with fields`},
	{`any where (process.name == "a"`, `q.eql:1:31: expected "and", "or" or ")", found the end of the query`},
	{`any where process.name == "a")`, `q.eql:1:30: expected "and", "or" or the end of the query, found ")"`},
	{"any where process.name", `q.eql:1:11: field "process.name" is of kind keyword, a condition is a boolean`},
	{`any where process.interactive and length(process.name)`, `q.eql:1:35: function length gives a number, a condition is a boolean`},
	{`any where "a" or not 4 or null or process.pid + 1`, `q.eql:1:11: "a" is text, a condition is a boolean` + "\n" +
		`q.eql:1:22: 4 is a number, a condition is a boolean` + "\n" +
		`q.eql:1:27: null is null, a condition is a boolean` + "\n" +
		`q.eql:1:35: process.pid + 1 is a number, a condition is a boolean`},
	{`any where process.args[0] == "a"`, `q.eql:1:23: a place in an array cannot be asked for: "process.args" stands for any of its values`},
	{"any where `process.name == \"a\"", "q.eql:1:11: name is not closed by ` on its line"},
	{"any where `` == \"a\"", "q.eql:1:11: name in backticks is empty"},
	{"any where process.pid == 9223372036854775808", "q.eql:1:26: number 9223372036854775808: does not fit in 64 bits"},
	{"any where process.pid == 1e999", "q.eql:1:26: number 1e999: is beyond the range of double"},
	{"any where process.pid == 12ab", `q.eql:1:28: expected "and", "or" or the end of the query, found "ab"`},
	{"any where process.pid == ", `q.eql:1:26: expected a value after "==", found the end of the query`},
	{"any where 1 < process.pid < 5", `q.eql:1:27: expected "and", "or" or the end of the query, found "<"`},
	{"any where process.pid > null", `q.eql:1:11: process.pid > null is never true: null is compared by "==" and "!=" alone`},
	{`any where process.pid == "4"`, `q.eql:1:11: field "process.pid" is of kind long, "4" is text: "==" compares like with like`},
	{`any where user.id == 0`, `q.eql:1:11: field "user.id" is of kind keyword, 0 is a number: "==" compares like with like`},
	{`any where user.id in ("0", 0)`, `q.eql:1:11: field "user.id" is of kind keyword, 0 is a number: "in" compares like with like`},
	{`any where process.interactive > false`, `q.eql:1:11: field "process.interactive" is of kind boolean, ">" compares numbers or texts`},
	{`any where process.pid in~ (4)`, `q.eql:1:11: field "process.pid" is of kind long, "in~" compares text with text`},
	{`any where process.name in~ (4)`, `q.eql:1:29: 4 is a number, "in~" compares text with text`},
	{`any where process.name : 4`, `q.eql:1:26: expected a string after ":", found "4"`},
	{`any where process.name : process.title`, `q.eql:1:26: expected a string after ":", found "process"`},
	{`any where process.name like ("a", 4)`, `q.eql:1:35: expected a string after "like", found "4"`},
	{`any where process.name regex "a(b"`, `q.eql:1:30: regular expression "a(b": group "(" at character 2 is not closed`},
	{`any where startsWith(process.name)`, `q.eql:1:11: function startsWith takes 2 arguments, found 1`},
	{`any where substring(process.name, 1, 2, 3) == "a"`, `q.eql:1:11: function substring takes 2 or 3 arguments, found 4`},
	{`any where cidrMatch(host.ip)`, `q.eql:1:11: function cidrMatch takes 2 or more arguments, found 1`},
	{`any where startsWith(process.pid, "a")`, `q.eql:1:22: field "process.pid" is of kind long, argument 1 of startsWith is text`},
	{`any where cidrMatch(host.ip, "10.0.0.0/33", process.name)`, `q.eql:1:30: "10.0.0.0/33" is no address and no block of addresses like 10.0.0.0/8` + "\n" +
		`q.eql:1:45: argument 3 of cidrMatch is not a constant`},
	{`any where length~(process.name) > 1`, `q.eql:1:11: function length has no form length~: it does not compare letters`},
	{`any where wildcard(process.name, "a*")`, `q.eql:1:11: no function "wildcard": write field : ("…", "…")`},
	{`any where lower(process.name) == "a"`, `q.eql:1:11: no function "lower", there are add, between, cidrMatch, concat, divide, endsWith, indexOf, length, modulo, multiply, number, startsWith, string, stringContains, substring, subtract`},
	{`any where process.length(1) == 1`, `q.eql:1:11: no function "process.length"`},
	{`any where endsWith~ == "a"`, `q.eql:1:21: expected "(" after "endsWith~", found "=="`},
	{`any where process.name + 1 == 2`, `q.eql:1:11: field "process.name" is of kind keyword, "+" calculates with numbers`},
	{`any where process.pid == 1 / 0`, `q.eql:1:26: 1 / 0 has no value`},
	{`any where @timestamp > "yesterday" or process.start == true`, `q.eql:1:24: "yesterday" is no date: write one like "2026-01-31T00:00:00Z", or milliseconds since 1970` + "\n" +
		`q.eql:1:56: true is no date: write one like "2026-01-31T00:00:00Z", or milliseconds since 1970`},
	{`any where host.ip == "localhost" or host.ip < "10.0.0.1"`, `q.eql:1:22: "localhost" is no address and no block of addresses like 10.0.0.0/8` + "\n" +
		`q.eql:1:37: field "host.ip" is of kind ip, "<" does not compare addresses`},
	{`any where string(@timestamp) == "a"`, `q.eql:1:18: field "@timestamp" is of kind date, argument 1 of string is anything but a date`},
	{`any where process.in == "a"`, `q.eql:1:19: expected a name after "process.", found "in"`},
	{`any where process. == "a"`, `q.eql:1:20: expected a name after "process.", found "=="`},
	{`any where ? == "a"`, `q.eql:1:13: expected a field after "?", found "=="`},
	{`any where process.name # "a"`, "q.eql:1:24: unexpected character '#'"},
	{`any where process.name == "é😀" é`, "q.eql:1:32: unexpected character 'é'"},
	{"any where process.name == \"\xff\"", "q.eql:1:28: query is not UTF-8 text"},
	{`any where process.nme == "a" and user.nam == "b"`, `q.eql:1:11: unknown field "process.nme", the nearest is "process.name"` + "\n" +
		`q.eql:1:34: unknown field "user.nam", the nearest is "user.name"`},
	{"any where process.pid : \"4\"\n  or\n\tprocess.interactive == \"true\" or process.start in (\"2020\")", `q.eql:1:11: field "process.pid" is of kind long, ":" compares text with text` + "\n" +
		`q.eql:3:2: field "process.interactive" is of kind boolean, "true" is text: "==" compares like with like`},
	{`any where host.ip : "127*"`, `q.eql:1:11: field "host.ip" is of kind ip, ":" compares text with text`},
	{`any where process.name : ("a", "b*\u{01}") or process.name == "\u{01}"`, `q.eql:1:32: pattern "b*\u{01}" holds U+0001, which means nothing in a pattern`},
	{`process where process.nme : "\u{01}"`, `q.eql:1:15: unknown field "process.nme", the nearest is "process.name"` + "\n" +
		`q.eql:1:29: pattern "\u{01}" holds U+0001, which means nothing in a pattern`},
}

func TestCompileFaults(t *testing.T) {
	for _, c := range broken {
		_, err := Compile("q.eql", c.query, ecs.Default, FoldASCII)
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
		if _, err := Compile("q", c.query, ecs.Default, FoldASCII); err != nil {
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
	r, err := Compile("q", `any where process.name == "a"`, schema, FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	e := ecs.NewEvent(schema)
	e.Add(0, []byte("a"))
	if !r.Match(e) {
		t.Error("no match")
	}
	_, err = Compile("q", `process where process.name == "a"`, schema, FoldASCII)
	if want := `q:1:1: unknown field "event.category", which an event category asks for`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestCompileWarnings(t *testing.T) {
	r, err := Compile("q", "any where ?process.nme : \"a\" or\n  not ?user.nam == \"a\" or ?process.name == \"b\"", ecs.Default, FoldASCII)
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
