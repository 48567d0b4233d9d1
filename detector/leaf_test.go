package detector

import (
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var regexFacts = []fact{
	{"RegexIsAboutTheWholeValue", inBoth, args, `$ regex "b+"`,
		[]values{{"b"}, {"x", "bbb"}}, []values{{}, {"abb"}, {"bba"}, {"bb\n"}, {"BB"}, {""}}},
	{"CaretAndDollarAreCharacters", inBoth, args, `$ regex "^a.*\u{24}"`,
		[]values{{"^a$"}, {"^axy$"}}, []values{{"a"}, {"axy"}, {"^a"}, {"a$"}}},
	{"DotIsALineBreak", inBoth, line, `$ regex "a.b.*"`,
		[]values{{"a\nb"}, {"a\nb\n\n"}, {"a😀b"}}, []values{{"ab"}, {"a\r\nb"}}},
	{"RegexDoesNotFold", inBoth, args, `$ regex "[ab]c+"`,
		[]values{{"ac"}, {"bcc"}}, []values{{"Ac"}, {"aC"}}},
	{"RegexFoldLeavesRanges", inBoth, args, `$ regex~ "[a-z0-9]+\\.EXE"`,
		[]values{{"a1.exe"}, {"zz.eXe"}}, []values{{"A1.exe"}, {"aZ.exe"}, {"a.exe.x"}}},
	{"RegexFoldsMembers", inBoth, args, `$ regex~ "[xyz]+(one|two)"`,
		[]values{{"XyOne"}, {"zTWO"}}, []values{{"aone"}, {"X"}}},
	{"RegexFoldsASCII", onlyASCII, args, `$ regex~ "[k]+s?\u{e9}"`,
		[]values{{"Ké"}, {"kSé"}}, []values{{kelvin + "é"}, {"k" + longS + "é"}, {"kÉ"}}},
	{"RegexFoldsUnicode", onlyUnicode, args, `$ regex~ "[k]+s?\u{e9}"`,
		[]values{{"Ké"}, {kelvin + "kÉ"}, {"k" + longS + "é"}}, []values{{"ke"}, {"\u03baé"}}},
	{"RegexFoldLeavesRangesBesideWideLetters", onlyUnicode, args, `$ regex~ "[A-Z]+\u{e9}"`,
		[]values{{"ABé"}, {"ABÉ"}}, []values{{"abé"}, {"aBÉ"}}},
	{"RegexWithoutOperatorsIsEquality", inBoth, args, `$ regex "a\\.b" or $ regex~ ("cd", "e\\+f")`,
		[]values{{"a.b"}, {"CD"}, {"E+F"}}, []values{{"axb"}, {"A.B"}, {"a\\.b"}, {"xcd"}, {"eef"}}},
	{"RegexListIsOr", inBoth, args, `$ regex ("a+", "plain", "[0-9]{2,3}")`,
		[]values{{"aaa"}, {"plain"}, {"12"}, {"x", "123"}}, []values{{"plains"}, {"1"}, {"1234"}, {"a1"}}},
	{"QuotesInRegexAreLiteral", inBoth, args, `$ regex """a"*."b"""`,
		[]values{{"a*.b"}}, []values{{"aab"}, {`a"*."b`}, {"a*xb"}}},
	{"LazyIsOptional", inBoth, args, `$ regex "a.*?"`,
		[]values{{"a"}, {"axyz"}}, []values{{"xa"}}},
	{"RegexOfNothing", inBoth, args, `$ regex ""`,
		[]values{{""}}, []values{{}, {"a"}}},
	{"NotRegexIsNoneOf", inBoth, args, `not $ regex "a.*"`,
		[]values{{}, {"b"}}, []values{{"b", "ab"}}},
	{"RegexOfAFunction", inBoth, args, `substring($, 1) regex~ "B[c-d]+"`,
		[]values{{"abcd"}, {"xBc"}}, []values{{}, {"bc"}, {"abC"}, {"abcde"}}},
}

const hostIP = "host.ip"

var addressFacts = []fact{
	{"AddressEqual", inBoth, hostIP, `$ == "10.1.2.3"`,
		[]values{{"10.1.2.3"}, {"::1", "10.1.2.3"}, {"::ffff:10.1.2.3"}, {"::ffff:a01:203"}},
		[]values{{}, {"10.1.2.30"}, {"10.1.2"}, {"::10.1.2.3"}, {"10.1.2.3%eth0"}, {"10.1.2.03"}, {"x"}}},
	{"AddressIsNoText", inBoth, hostIP, `$ == "2001:DB8::1"`,
		[]values{{"2001:db8::1"}, {"2001:0db8:0:0:0:0:0:1"}, {"2001:db8::0.0.0.1"}}, []values{{"2001:db8::10"}, {"2001:db8::"}}},
	{"AddressEqualABlock", inBoth, hostIP, `$ == "10.0.0.0/8"`,
		[]values{{"10.0.0.0"}, {"10.255.255.255"}}, []values{{"11.0.0.0"}, {"9.255.255.255"}, {"::a00:0"}}},
	{"AddressIn", inBoth, hostIP, `$ in ("127.0.0.0/8", "192.0.2.7", "fe80::/10")`,
		[]values{{"127.0.0.53"}, {"192.0.2.7"}, {"febf::1"}, {"8.8.8.8", "fe80::1"}}, []values{{}, {"128.0.0.1"}, {"192.0.2.8"}, {"fec0::1"}}},
	{"AddressNotIn", inBoth, hostIP, `$ not in ("10.0.0.0/8", "::1")`,
		[]values{{}, {"11.0.0.1", "::2"}, {"x"}}, []values{{"10.0.0.1"}, {"11.0.0.1", "::1"}}},
	{"AddressNotEqual", inBoth, hostIP, `$ != "::1"`,
		[]values{{}, {"::2"}}, []values{{"::1"}, {"0:0:0:0:0:0:0:1"}, {"::2", "::1"}}},
	{"CidrMatchV4", inBoth, hostIP, `cidrMatch($, "10.1.2.128/25", "172.16.0.0/12")`,
		[]values{{"10.1.2.128"}, {"10.1.2.255"}, {"172.31.255.255"}, {"1.1.1.1", "172.16.0.0"}},
		[]values{{}, {"10.1.2.127"}, {"10.1.3.128"}, {"172.32.0.0"}, {"172.15.255.255"}, {"::1"}, {"10.1.2"}}},
	{"CidrMatchV6", inBoth, hostIP, `cidrMatch($, "2001:db8:8000::/33", "::1/128")`,
		[]values{{"2001:db8:8000::"}, {"2001:db8:ffff:ffff::1"}, {"::1"}}, []values{{"2001:db8:7fff::"}, {"2001:db9:8000::"}, {"::2"}, {"::"}}},
	{"CidrMatchAll", inBoth, hostIP, `cidrMatch($, "0.0.0.0/0")`,
		[]values{{"0.0.0.0"}, {"255.255.255.255"}}, []values{{"::1"}, {"::fffe:1.2.3.4"}, {}}},
	{"CidrMatchOneAddress", inBoth, hostIP, `cidrMatch($, "10.0.0.1")`,
		[]values{{"10.0.0.1"}}, []values{{"10.0.0.2"}, {}}},
	{"BlockWithHostBits", inBoth, hostIP, `cidrMatch($, "10.1.2.3/8")`,
		[]values{{"10.9.9.9"}}, []values{{"11.1.2.3"}}},
	{"NotCidrMatch", inBoth, hostIP, `not CIDRMATCH($, "10.0.0.0/8") and cidrMatch($, "10.0.0.0/8") == false`,
		[]values{{}, {"11.1.1.1"}}, []values{{"11.1.1.1", "10.1.1.1"}}},
	{"BlockWithinAnExpression", inBoth, hostIP, `string($ == "10.0.0.0/8") == "true"`,
		[]values{{"10.1.1.1"}}, []values{{}, {"11.1.1.1"}}},
	{"AddressComparisonIsTrue", inBoth, hostIP, `($ == "::1") == true`,
		[]values{{"::1"}, {"0::1"}}, []values{{}, {"::2"}}},
}

var expressionFacts = []fact{
	{"ProductBeforeSum", inBoth, pid, `$ + 2 * 3 == 11`, []values{{"5"}}, []values{{"3"}, {"1"}, {}}},
	{"ParenthesesBeforeProduct", inBoth, pid, `($ + 2) * 3 == 21`, []values{{"5"}}, []values{{"15"}, {}}},
	{"SumFromTheLeft", inBoth, pid, `$ - 2 - 3 == 0`, []values{{"5"}}, []values{{"-1"}}},
	{"SumBeforeComparison", inBoth, pid, `1 + 1 < $ - 1`, []values{{"4"}}, []values{{"3"}, {"2"}}},
	{"SignOfAField", inBoth, pid, `-$ == 5 and - - $ == -5`, []values{{"-5"}}, []values{{"5"}, {}}},
	{"QuotientIsCutOff", inBoth, pid, `$ / 2 == 2`, []values{{"4"}, {"5"}}, []values{{"3"}, {"6"}, {}}},
	{"QuotientIsCutOffTowardsZero", inBoth, pid, `$ / 2 == -2`, []values{{"-4"}, {"-5"}}, []values{{"-3"}, {"-6"}}},
	{"QuotientOfDoubles", inBoth, pid, `$ / 2.0 == 2.5`, []values{{"5"}}, []values{{"4"}, {"2"}}},
	{"RemainderHasTheSignOfTheDividend", inBoth, pid, `$ % 3 == -2`, []values{{"-5"}, {"-2"}}, []values{{"5"}, {"1"}, {"4"}}},
	{"RemainderOfANegativeDivisor", inBoth, pid, `$ % -3 == 2`, []values{{"5"}}, []values{{"-5"}, {"3"}}},
	{"NothingIsDividedByZero", inBoth, pid, `not $ / ($ - $) == 0 and ($ / ($ - $)) == null`, []values{{}, {"0"}, {"5"}}, nil},
	{"SumIsNullWhereAFieldIs", inBoth, pid, `$ + 1 != 0`, []values{{}, {"0"}}, []values{{"-1"}, {"5", "-1"}}},
	{"FunctionsOfNumbers", inBoth, pid, `add($, 1) == 6 or subtract($, 1) == 6 or multiply($, 2) == 6 or divide($, 2) == 6 or modulo($, 100) == 6`,
		[]values{{"5"}, {"7"}, {"3"}, {"12"}, {"13"}, {"106"}}, []values{{}, {"14"}, {"1"}, {"66"}}},
	{"NotBeforeAndBeforeOr", inBoth, args, `not $ == "a" and $ == "b" or $ == "c"`,
		[]values{{"b"}, {"c"}, {"a", "c"}}, []values{{}, {"a"}, {"a", "b"}, {"d"}}},
	{"NotOfParentheses", inBoth, args, `not ($ == "a" and $ == "b" or $ == "c")`,
		[]values{{}, {"a"}, {"b"}}, []values{{"a", "b"}, {"c"}}},
	{"NotBindsLooserThanMatch", inBoth, args, `not $ : "a*" or $ like "b*"`,
		[]values{{}, {"b", "a"}, {"c"}}, []values{{"A"}, {"ax", "c"}}},
	{"OptionalKnownFieldIsAField", inBoth, args, `?$ != "a" and not ?$ : "b"`,
		[]values{{}, {"c"}}, []values{{"a"}, {"c", "B"}}},
	{"OptionalUnknownFieldIsAbsent", inBoth, args, `?no.such == null and not ?no.such : "*" and ?no.such != 5 and not ?no.such and $ == "a"`,
		[]values{{"a"}}, []values{{}, {"b"}}},
	{"OptionalUnknownFieldInAFunction", inBoth, args, `length(?no.such) == null and not startsWith(?no.such, $) and not ?no.such + 1 > 0`,
		[]values{{"a"}, {}}, nil},
	{"NumbersOfTexts", inBoth, args, `number($) == 31 or number($, 16) == 255`,
		[]values{{"31"}, {"0x1f"}, {"31.0"}, {"ff"}, {"0xFF"}}, []values{{}, {"1f"}, {"x"}, {"31 "}, {""}, {"fg"}}},
}

// TestRows is about conditions on more than one field.
func TestRows(t *testing.T) {
	type row = [][]string
	const executable, commandLine = "process.executable", "process.command_line"
	for _, c := range []struct {
		condition   string
		match, miss []row
	}{
		{`startsWith(process.executable, process.command_line)`,
			[]row{{{executable, "/bin/ls"}, {commandLine, "/bin"}}, {{executable, "x"}, {commandLine, "x"}}},
			[]row{{{executable, "/bin"}, {commandLine, "/bin/ls"}}, {{executable, "/bin"}}, {{commandLine, ""}}, {{executable, "X"}, {commandLine, "x"}}, {}}},
		{`startsWith~(process.executable, process.args)`,
			[]row{{{executable, "/Bin/ls"}, {args, "x", "/bIN"}}},
			[]row{{{executable, "/bin/ls"}, {args, "bin", "/bin/lsx"}}, {{executable, "/bin/ls"}}}},
		{`not endsWith(process.executable, process.name)`,
			[]row{{{executable, "/bin/ls"}, {"process.name", "sh"}}, {{executable, "/bin/ls"}}, {}},
			[]row{{{executable, "/bin/ls"}, {"process.name", "ls"}}, {{executable, "/bin/ls"}, {"process.name", "sh", "ls"}}}},
		{`stringContains(process.command_line, process.args) and length(process.name) == 2`,
			[]row{{{commandLine, "ls -la"}, {args, "x", "-la"}, {"process.name", "ls"}}},
			[]row{{{commandLine, "ls -la"}, {args, "-LA"}, {"process.name", "ls"}}, {{commandLine, "ls -la"}, {args, "-la"}, {"process.name", "l"}}}},
		{`process.pid + process.args_count == 10`,
			[]row{{{pid, "7"}, {"process.args_count", "3"}}, {{pid, "1", "7"}, {"process.args_count", "9", "0"}}},
			[]row{{{pid, "10"}}, {{pid, "5"}, {"process.args_count", "6"}}, {}}},
		{`concat(process.name, ":", process.pid) in ("a:1", "b:2")`,
			[]row{{{"process.name", "a"}, {pid, "1"}}, {{"process.name", "x", "b"}, {pid, "2", "1"}}},
			[]row{{{"process.name", "a"}, {pid, "2"}}, {{"process.name", "a"}}, {{"process.name", "A"}, {pid, "1"}}}},
	} {
		for fold := range FoldUnicode + 1 {
			r, err := Compile("q", "any where "+c.condition, ecs.Default, fold)
			if err != nil {
				t.Fatal(err)
			}
			set, err := NewSet([]*Rule{r})
			if err != nil {
				t.Fatal(err)
			}
			for _, fields := range c.match {
				see(t, "Rows", r, set, typed(t, fields...), true)
			}
			for _, fields := range c.miss {
				see(t, "Rows", r, set, typed(t, fields...), false)
			}
		}
	}
}

// TestAbsentField asks every kind of leaf about an event without fields. Each is
// false, and its complement true.
func TestAbsentField(t *testing.T) {
	for _, condition := range []string{
		`process.args == "a"`, `process.args == ""`, `process.args in ("a", "b")`, `process.args in~ ("")`, `process.args : "a"`,
		`process.args : "*"`, `process.args : "?*"`, `process.args : ("a*", "*b", "*c*", "d?", "*?")`, `process.args like "**"`,
		`process.args regex ".*"`, `process.args regex~ ""`, `process.args regex "#|@"`, `process.args < "a"`, `process.args >= ""`, `process.args != null`,
		`process.pid == 0`, `process.pid < 1`, `process.pid <= 1e300`, `process.pid in (0, 1)`, `process.pid == 0.5`, `0 == process.pid`,
		`process.Ext.relative_file_creation_time < 1`, `process.interactive`, `process.interactive == false`, `process.interactive in (true, false)`,
		`@timestamp > 0`, `@timestamp <= "2031"`, `host.ip == "::"`, `host.ip in ("::/0")`, `cidrMatch(host.ip, "::/0")`,
		`startsWith(process.args, "")`, `endsWith(process.args, "")`, `stringContains(process.args, "")`, `startsWith(process.args, process.args)`,
		`length(process.args) >= 0`, `substring(process.args, 0) == ""`, `substring(process.args, 0) : "*"`, `between(process.args, "a", "b") == ""`,
		`indexOf(process.args, "") == 0`, `concat(process.args, "a") : "*"`, `string(process.pid) : "*"`, `number(process.args) < 1`,
		`process.pid + 1 > 0`, `process.pid * 0 == 0`, `-process.pid <= 0`, `cidrMatch(?no.such, "::/0")`, `?no.such`, `?no.such : "*"`,
		`?no.such == false`, `?no.such < 5`, `?no.such in ("a")`, `?no.such != null`, `(process.pid > 0) != null`,
	} {
		for fold := range FoldUnicode + 1 {
			for _, c := range []struct {
				condition string
				want      bool
			}{{condition, false}, {"not " + condition, true}, {"not not " + condition, false}, {"not (" + condition + " or " + condition + ")", true}} {
				r, err := Compile("q", "any where "+c.condition, ecs.Default, fold)
				if err != nil {
					t.Fatal(err)
				}
				e := eventOf(t)
				if got := r.Match(e); got != c.want {
					t.Errorf("%s: %v, want %v\n%s", c.condition, got, c.want, r)
				}
				if got := r.Explain(e); got.Pass != c.want {
					t.Errorf("%s: explained as %v, want %v", c.condition, got.Pass, c.want)
				}
			}
		}
	}
	for _, condition := range []string{
		`process.args != "a"`, `process.args not in ("a", "b")`, `process.args not in~ ("a")`, `process.args == null`, `null == process.pid`,
		`process.pid != 0`, `process.pid not in (1, 2)`, `process.interactive != true`, `process.interactive != false`, `@timestamp != 0`,
		`host.ip != "::1"`, `length(process.args) != 0`, `startsWith(process.args, "a") == false`, `cidrMatch(host.ip, "::/0") != true`,
		`length(process.args) == null`, `null == (process.pid > 0)`, `process.pid + 1 != 1`, `substring(process.args, 0) not in ("a")`,
	} {
		if r := mustCompile(t, "any where "+condition); !r.Match(eventOf(t)) {
			t.Errorf("%s is false\n%s", condition, r)
		}
	}
}

// TestConstants is about conditions and parts of them that ask no field.
func TestConstants(t *testing.T) {
	for _, c := range []struct {
		condition string
		want      bool
	}{
		{`true`, true}, {`false`, false}, {`not false`, true}, {`true and true`, true}, {`false or false`, false}, {`true or false and false`, true},
		{`1 == 1.0`, true}, {`"a" == "A"`, false}, {`"a" : "A"`, true}, {`"a" in ("b", "a")`, true}, {`"b" > "a"`, true}, {`null == null`, true}, {`null != null`, false},
		{`5 != null`, true}, {`5 == null`, false}, {`length("abc") != 3`, false}, {`length("abc") not in (2, 4)`, true}, {`1 / 0 == 1`, false}, {`1 / 0 != 1`, true},

		// A null is false, and its complement true.
		{`startsWith(null, "a")`, false}, {`not startsWith(null, "a")`, true}, {`length(null) == 5`, false}, {`length(null) != 5`, true},
		{`length(null) in (5)`, false}, {`length(null) not in (5)`, true}, {`not length(null) > 5`, true}, {`startsWith(null, "a") != true`, true},

		// Constants beside a field decide or do not matter.
		{`false and process.name == "x"`, false}, {`true or process.name == "y"`, true}, {`true and process.name == "x"`, true},
		{`false or process.name == "y"`, false}, {`(true or process.name == "y") and not (false and process.name == "x")`, true},
		{`not (true and not process.name == "x")`, true}, {`(process.name == "x" and true and true) or false`, true},
	} {
		for fold := range FoldUnicode + 1 {
			r, err := Compile("q", "any where "+c.condition, ecs.Default, fold)
			if err != nil {
				t.Fatal(err)
			}
			set, err := NewSet([]*Rule{r})
			if err != nil {
				t.Fatal(err)
			}
			e := eventOf(t, values{"process.name", "x"})
			if got := r.Match(e); got != c.want || len(set.Match(nil, e)) > 0 != c.want || r.Explain(e).Pass != c.want {
				t.Errorf("%s: %v, want %v\n%s", c.condition, got, c.want, r)
			}
		}
	}
}

// TestNullWithinAnExpression is where a third truth value shows: what is null
// leaves open what the rest does not decide.
func TestNullWithinAnExpression(t *testing.T) {
	for _, c := range []struct{ expression, pid, want string }{
		{`process.pid > 5 or process.interactive`, "6", "true"}, {`process.pid > 5 or process.interactive`, "5", "null"},
		{`process.interactive or process.pid > 5`, "6", "true"}, {`process.interactive and process.pid > 5`, "6", "null"},
		{`process.interactive and process.pid > 5`, "5", "false"}, {`process.pid > 5 and process.interactive`, "5", "false"},
		{`not process.interactive`, "5", "null"}, {`not process.pid > 5`, "5", "true"}, {`not (process.interactive and process.pid > 5)`, "5", "true"},
		{`process.interactive == null`, "5", "true"}, {`process.pid == null`, "5", "false"}, {`null != process.interactive`, "5", "false"},
		{`process.interactive == false`, "5", "null"}, {`process.exit_code in (5, 6)`, "5", "null"}, {`process.pid not in (5, 6)`, "7", "true"},
		{`process.name : "*"`, "5", "null"}, {`process.name regex ".*"`, "5", "null"},
	} {
		e := typed(t, values{pid, c.pid})
		for _, result := range []string{"true", "false", "null"} {
			condition := "string(" + c.expression + `) == "` + result + `"`
			if result == "null" {
				condition = "string(" + c.expression + ") == null"
			}
			if r := mustCompile(t, "any where "+condition); r.Match(e) != (result == c.want) {
				t.Errorf("%s is not %s, for %s", c.expression, c.want, c.pid)
			}
		}
	}
}
