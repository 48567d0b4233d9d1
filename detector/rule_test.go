package detector

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with testdata/name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got), -update rewrites it:\n%s", path, diff)
	}
}

// eventOf is an event with the fields, each a name and its values.
func eventOf(t testing.TB, fields ...[]string) *ecs.Event {
	t.Helper()
	e := ecs.NewEvent(ecs.Default)
	for _, values := range fields {
		f, known := ecs.Default.Lookup(values[0])
		if !known {
			t.Fatalf("unknown field %q", values[0])
		}
		for _, v := range values[1:] {
			e.Add(f, []byte(v))
		}
	}
	return e
}

func mustCompile(t testing.TB, query string) *Rule {
	t.Helper()
	r, err := Compile("q", query, ecs.Default, FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type values = []string

// semantics are conditions on process.args with values that match and values
// that nearly do; none stands for an absent field.
var semantics = []struct {
	name, condition string
	match, miss     []values
}{
	{"Equal", `process.args == "Curl"`,
		[]values{{"Curl"}, {"x", "Curl"}, {"Curl", "x"}},
		[]values{{}, {""}, {"curl"}, {"Curl "}, {"xCurl"}, {"x", "y"}}},
	{"EqualHasNoWildcards", `process.args == "a*?"`,
		[]values{{"a*?"}},
		[]values{{"ab"}, {"a*b"}, {"a**"}, {"abc"}}},
	{"EqualEmpty", `process.args == ""`,
		[]values{{""}, {"x", ""}},
		[]values{{}, {" "}, {"x"}}},
	{"NotEqual", `process.args != "a"`,
		[]values{{}, {"A"}, {"b"}, {"b", "c"}},
		[]values{{"a"}, {"a", "b"}, {"b", "a"}}},
	{"Match", `process.args : "CuRL"`,
		[]values{{"curl"}, {"CURL"}, {"x", "cUrl"}},
		[]values{{}, {"curl.exe"}, {"cur"}, {"xcurl"}}},
	{"LikeFold", `process.args like~ "Curl*"`,
		[]values{{"curl"}, {"CURL.exe"}},
		[]values{{}, {"xcurl"}, {"cur"}}},
	{"Like", `process.args like "Curl*"`,
		[]values{{"Curl"}, {"Curl.exe"}},
		[]values{{}, {"curl"}, {"CURL"}, {"xCurl"}}},
	{"LikeWithoutWildcards", `process.args like "Curl"`,
		[]values{{"Curl"}},
		[]values{{"curl"}, {"Curl.exe"}}},
	{"In", `process.args in ("a", "B", "test*")`,
		[]values{{"a"}, {"B"}, {"test*"}, {"x", "a"}},
		[]values{{}, {"A"}, {"b"}, {"test"}, {"tester"}, {"test?"}}},
	{"InFold", `process.args in~ ("a", "B", "Test*")`,
		[]values{{"A"}, {"b"}, {"tEST*"}},
		[]values{{}, {"tester"}, {"ab"}}},
	{"InOne", `process.args in ("a?")`,
		[]values{{"a?"}},
		[]values{{"ab"}, {"A?"}}},
	{"NotIn", `process.args not in ("a", "b")`,
		[]values{{}, {"A"}, {"c", "d"}},
		[]values{{"a"}, {"c", "b"}}},
	{"NotInFold", `process.args not in~ ("a", "b")`,
		[]values{{}, {"c"}},
		[]values{{"A"}, {"c", "B"}}},
	{"NotIsComplement", `not process.args : "a*"`,
		[]values{{}, {"b"}, {"b", "c"}},
		[]values{{"a"}, {"b", "Ab"}}},
	{"NotNot", `not not process.args : "a"`,
		[]values{{"a"}, {"b", "A"}},
		[]values{{}, {"b"}}},
	{"LeavesAreApart", `process.args == "a" and process.args == "b"`,
		[]values{{"a", "b"}, {"b", "x", "a"}},
		[]values{{}, {"a"}, {"b"}, {"ab"}}},
	{"NegatedLeafBesideLeaf", `process.args == "a" and process.args != "b"`,
		[]values{{"a"}, {"a", "c"}},
		[]values{{}, {"b", "a"}, {"c"}}},
	{"AndBindsCloser", `process.args == "a" or process.args == "b" and process.args == "c"`,
		[]values{{"a"}, {"b", "c"}},
		[]values{{"b"}, {"c"}, {}}},
	{"NotBindsClosest", `not process.args == "a" and process.args == "b"`,
		[]values{{"b"}},
		[]values{{"a"}, {"a", "b"}, {}}},
	{"List", `process.args : ("a", "b*", "*c", "*d*", "e*f")`,
		[]values{{"A"}, {"bx"}, {"xC"}, {"xDx"}, {"eF"}, {"exf"}, {"x", "a"}},
		[]values{{}, {"ax"}, {"xb"}, {"cx"}, {"e"}, {"f"}, {"fe"}}},
	{"Exists", `process.args : "*"`,
		[]values{{""}, {"x"}, {"\n"}},
		[]values{{}}},
	{"ExistsTwoStars", `process.args like "**"`,
		[]values{{""}, {"x"}},
		[]values{{}}},
	{"NotExists", `not process.args like "*"`,
		[]values{{}},
		[]values{{""}, {"x"}}},
	{"OneCodePoint", `process.args : "?"`,
		[]values{{"x"}, {"é"}, {"😀"}, {"\n"}, {"\xff"}, {"\x80"}},
		[]values{{}, {""}, {"xy"}, {"e\u0301"}, {"\xff\xff"}, {"\xc3\x28"}}},
	{"AtLeastOneCodePoint", `process.args : "?*"`,
		[]values{{"x"}, {"xy"}, {"é"}},
		[]values{{}, {""}}},
	{"CodePointsBetween", `process.args like "a??z"`,
		[]values{{"aéxz"}, {"a😀\nz"}, {"a\xe2\x82z"}},
		[]values{{"aéz"}, {"axyzz"}, {"a😀z"}, {"a\xe2\x82\xacz"}}},
	{"CodePointsBehindStar", `process.args like "*??"`,
		[]values{{"ab"}, {"éa"}, {"xéa"}, {"😀😀"}},
		[]values{{"é"}, {"😀"}, {"a"}, {""}}},
	{"CodePointsBetweenStars", `process.args like "*a??b*"`,
		[]values{{"axyb"}, {"aa12b"}, {"xxa€€bxx"}, {"a1aéxb"}},
		[]values{{"a€b"}, {"axb"}, {"ab"}, {"axyzb"}}},
	{"StarCodePointStar", `process.args like "*?x?*"`,
		[]values{{"axb"}, {"éxé"}, {"xxx"}},
		[]values{{"xa"}, {"ax"}, {"xx"}, {"éx"}}},
	{"Drive", `process.args : "?:\\Users\\*"`,
		[]values{{`C:\users\`}, {`d:\USERS\x`}, {`é:\Users\x`}},
		[]values{{`:\Users\x`}, {`CC:\Users\x`}, {`C:\Users`}, {`C:/Users/x`}}},
	{"Prefix", `process.args : "/TMP/*"`,
		[]values{{"/tmp/"}, {"/Tmp/x\ny"}},
		[]values{{"/tmp"}, {"x/tmp/"}, {"/tmpx"}}},
	{"Suffix", `process.args like "*.exe"`,
		[]values{{".exe"}, {"a.exe"}, {"a\n.exe"}},
		[]values{{"exe"}, {"a.EXE"}, {"a.exe "}}},
	{"Contains", `process.args : "*a-b*"`,
		[]values{{"A-B"}, {"xxa-Bxx"}, {"a-a-b"}, {"\n\na-b"}},
		[]values{{"a-"}, {"ab"}, {"a-xb"}, {"-ba"}}},
	{"ContainsLetters", `process.args : "*aab*"`,
		[]values{{"aab"}, {"AAAB"}, {"aaAaB"}, {"xAaBx"}},
		[]values{{"ab"}, {"aaa"}, {"abaa"}, {""}}},
	{"ContainsWithCase", `process.args like "*aaB*"`,
		[]values{{"aaB"}, {"aaaB"}},
		[]values{{"aab"}, {"AaB"}}},
	{"OverlapIsNone", `process.args like "ab*ba"`,
		[]values{{"abba"}, {"abxba"}},
		[]values{{"aba"}, {"ab"}}},
	{"OverlapOfMiddle", `process.args like "*aba*aba*"`,
		[]values{{"abaaba"}, {"abaxaba"}},
		[]values{{"ababa"}, {"aba"}}},
	{"OrderOfSegments", `process.args like "*a*b*c*"`,
		[]values{{"abc"}, {"xaxbxcx"}, {"cbabc"}},
		[]values{{"acb"}, {"bca"}, {"ab"}, {"cba"}}},
	{"TailBehindMiddle", `process.args like "a*b*c"`,
		[]values{{"abc"}, {"axbxc"}, {"abcc"}, {"abcbc"}},
		[]values{{"ac"}, {"acb"}, {"abcx"}, {"acc"}}},
	{"TailNeedsItsOwn", `process.args like "*bc*c"`,
		[]values{{"bcc"}, {"bcxc"}},
		[]values{{"bc"}, {"abc"}}},
	{"NewlineIsACharacter", `process.args like "a*b?c"`,
		[]values{{"a\n\nb\nc"}, {"ab\rc"}},
		[]values{{"a\nb\n\nc"}}},
	{"SlashIsACharacter", `process.args like "/home/*/x"`,
		[]values{{"/home/a/x"}, {"/home/a/b/x"}, {"/home//x"}},
		[]values{{"/home/x"}}},
	{"NoEscape", `process.args like "a\\*"`,
		[]values{{`a\`}, {`a\x`}, {`a\*`}},
		[]values{{"a*"}, {"a"}}},
	{"SQLWildcardsAreCharacters", `process.args like "%_*"`,
		[]values{{"%_"}, {"%_x"}},
		[]values{{"ab"}, {"a_"}}},
	{"FoldsASCIIAlone", `process.args : ("k", "é", "s*")`,
		[]values{{"K"}, {"é"}, {"S"}, {"Sx"}},
		[]values{{"\u212a"}, {"É"}, {"\u017f"}, {"\u017fx"}}},
	{"FoldsNoBracket", `process.args : "[\\]^_@"`,
		[]values{{`[\]^_@`}},
		[]values{{"{|}~_`"}, {"{\\]^_@"}}},
	{"LiteralReplacementCharacter", `process.args : "\u{fffd}"`,
		[]values{{"\ufffd"}},
		[]values{{"\xff"}}},
	{"OptionalKnownField", `not ?process.args : "a"`,
		[]values{{}, {"b"}},
		[]values{{"a"}}},
	{"OptionalUnknownField", `?no.such : "*" or process.args : "a"`,
		[]values{{"a"}},
		[]values{{}, {"b"}}},
	{"NotOptionalUnknownField", `not ?no.such : "a" and process.args : "a"`,
		[]values{{"a"}},
		[]values{{}, {"b"}}},
	{"NotInOptionalUnknownField", `?no.such not in ("a") and ?no.such != "b" and process.args : "a"`,
		[]values{{"a"}},
		[]values{{}}},
	{"NoLimitOfLength", `process.args : "*needle"`,
		[]values{{strings.Repeat("x", 5000) + "NEEDLE"}},
		[]values{{strings.Repeat("x", 5000) + "NEEDL"}}},
}

func TestMatchSemantics(t *testing.T) {
	for _, c := range semantics {
		r := mustCompile(t, "any where "+c.condition)
		for _, v := range c.match {
			if !r.Match(eventOf(t, append(values{"process.args"}, v...))) {
				t.Errorf("%s: %s does not match %q\n%s", c.name, c.condition, v, r)
			}
		}
		for _, v := range c.miss {
			if r.Match(eventOf(t, append(values{"process.args"}, v...))) {
				t.Errorf("%s: %s matches %q\n%s", c.name, c.condition, v, r)
			}
		}
	}
}

func TestMatchCategory(t *testing.T) {
	name := values{"process.name", "a"}
	for _, c := range []struct {
		query string
		event *ecs.Event
		want  bool
	}{
		{`process where process.name == "a"`, eventOf(t, name, values{"event.category", "process"}), true},
		{`process where process.name == "a"`, eventOf(t, name, values{"event.category", "file", "process"}), true},
		{`process where process.name == "a"`, eventOf(t, name, values{"event.category", "Process"}), false},
		{`process where process.name == "a"`, eventOf(t, name), false},
		{`process where process.name == "b" or process.name == "a"`, eventOf(t, name), false},
		{`process where not process.name == "b"`, eventOf(t, name), false},
		{`"process" where process.name == "a"`, eventOf(t, name, values{"event.category", "process"}), true},
		{`any where process.name == "a"`, eventOf(t, name), true},
		{`any where process.name == "a"`, eventOf(t, name, values{"event.category", "file"}), true},
	} {
		if got := mustCompile(t, c.query).Match(c.event); got != c.want {
			t.Errorf("%s: %v of %s, want %v", c.query, got, c.event.AppendJSON(nil), c.want)
		}
	}
}

// TestMatchLongList looks up every entry of a list as long as the longest in
// Elastic's rules, and a neighbour of each.
func TestMatchLongList(t *testing.T) {
	var names []string
	for i := range 640 {
		names = append(names, strings.Repeat("x", i%40)+string(rune('a'+i%26))+strings.Repeat("Y", i/26))
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	list := "(" + strings.Join(quoted, ", ") + ")"
	exact := mustCompile(t, "any where process.name in "+list)
	folded := mustCompile(t, "any where process.name in~ "+list)
	for _, n := range names {
		for _, c := range []struct {
			rule *Rule
			name string
			want bool
		}{
			{exact, n, true}, {exact, n + "!", false}, {exact, strings.ToUpper(n), strings.ToUpper(n) == n},
			{folded, strings.ToUpper(n), true}, {folded, n[:len(n)-1] + "!", false},
		} {
			if got := c.rule.Match(eventOf(t, values{"process.name", c.name})); got != c.want {
				t.Errorf("%q: %v, want %v", c.name, got, c.want)
			}
		}
	}
}

func TestRuleListing(t *testing.T) {
	var b strings.Builder
	for _, query := range []string{
		`any where process.name : "WHOAMI.exe" and process.parent.name in~ ("a", "B") and process.command_line : "*/healthCheck*"`,
		`process where process.name == "a"`,
		`any where not (process.name == "a" or process.args like "b*") and user.name != "root"`,
		`any where process.args like~ ("a", "A", "*", "b", "c*", "*d", "*e*", "f?*g*")`,
		`any where (process.name == "a" or process.name == "b" and process.args : "c") and not user.id in ("0", "1", "0")`,
		`any where ?no.such : "a" or process.name == "\t\u{07}"`,
	} {
		b.WriteString(query + "\n" + mustCompile(t, query).String() + "\n")
	}
	golden(t, "listing.golden", b.String())
}

// TestMatchAllocs holds matching to its promise: nothing, whatever the test.
func TestMatchAllocs(t *testing.T) {
	rules := make([]*Rule, 0, len(semantics))
	for _, c := range semantics {
		r := mustCompile(t, "any where "+c.condition)
		r.ID = c.name
		rules = append(rules, r)
	}
	set, err := NewSet(rules)
	if err != nil {
		t.Fatal(err)
	}
	matched := make([]*Rule, 0, len(rules))
	for _, c := range []struct {
		name  string
		event *ecs.Event
	}{
		{"match", eventOf(t, values{"process.args", "a", "B", "test*", "é:\\Users\\x"})},
		{"miss", eventOf(t, values{"process.args", "/latest/meta-data", "--silent"})},
		{"absent", eventOf(t)},
	} {
		if n := testing.AllocsPerRun(100, func() { matched = set.Match(matched[:0], c.event) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", c.name, n)
		}
	}
}

// TestMatchIsLinear runs patterns on values made to be slow. Work that grew with
// the square of a megabyte would not end.
func TestMatchIsLinear(t *testing.T) {
	const size = 1 << 20
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{
		{"*a*b*c*", strings.Repeat("a", size), false},
		{"*a*a*a*a*a*a*b", strings.Repeat("a", size), false},
		{"*a?b*", strings.Repeat("a", size), false},
		{"*?a?b*", strings.Repeat("A", size), false},
		{"*aaaaaaaaaaaaaaab*", strings.Repeat("aA", size/2), false},
		{"*????????b", strings.Repeat("é", size/2), false},
		{"*/latest/meta-data/?*", strings.Repeat("/latest/meta-data.", size/18), false},
		{"*x", strings.Repeat("x", size), true},
	} {
		if got := mustCompile(t, "any where process.args : "+quote(c.pattern)).Match(eventOf(t, values{"process.args", c.value})); got != c.want {
			t.Errorf("%s: %v, want %v", c.pattern, got, c.want)
		}
	}
}
