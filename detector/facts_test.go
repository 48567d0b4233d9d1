package detector

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// typed is an event with the fields, each a name and its values as a query would
// write them, dates in RFC 3339.
func typed(t testing.TB, fields ...[]string) *ecs.Event {
	t.Helper()
	e := ecs.NewEvent(ecs.Default)
	for _, values := range fields {
		f, known := ecs.Default.Lookup(values[0])
		if !known {
			t.Fatalf("unknown field %q", values[0])
		}
		for _, v := range values[1:] {
			var err error
			switch ecs.Default.Kind(f) {
			case ecs.Long:
				var n int64
				n, err = strconv.ParseInt(v, 10, 64)
				e.AddInt(f, n)
			case ecs.Double:
				var x float64
				x, err = strconv.ParseFloat(v, 64)
				e.AddFloat(f, x)
			case ecs.Boolean:
				e.AddBool(f, v == "true")
			case ecs.Date:
				var at time.Time
				at, err = time.Parse(time.RFC3339Nano, v)
				e.AddInt(f, at.UnixNano())
			default:
				e.Add(f, []byte(v))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return e
}

// How letters fold where a fact is about one of the ways.
const (
	inBoth      = ""
	onlyASCII   = "ascii"
	onlyUnicode = "unicode"
)

// fact is a condition on one field, with values that match and values that nearly
// do; none stands for an absent field.
type fact struct {
	name, fold, field, condition string // condition has $ for the field
	match, miss                  []values
}

const (
	args = "process.args"
	pid  = "process.pid"
	line = "process.command_line"
)

// kelvin, longS, micro and greekMu look like k, s and μ and fold to them in Unicode.
const (
	kelvin  = "\u212a"
	longS   = "\u017f"
	micro   = "\u00b5"
	greekMu = "\u03bc"
)

var facts = []fact{
	// Wildcards.
	{"StarCrossesLines", inBoth, line, `$ : "curl*169.254*"`,
		[]values{{"curl \\\n http://169.254/"}, {"CURL\r\n169.254"}}, []values{{}, {"xcurl 169.254"}, {"curl\n169 254"}}},
	{"QuestionMarkIsALineBreak", inBoth, line, `$ like "a?b"`,
		[]values{{"a\nb"}, {"a\rb"}, {"a\x00b"}}, []values{{"a\r\nb"}, {"ab"}}},
	{"QuestionMarkIsAnAstralCharacter", inBoth, args, `$ : "a?b"`,
		[]values{{"a😀b"}, {"A\U0001F600B"}}, []values{{"a😀😀b"}, {"ab"}}},
	{"QuestionMarkIsNoCombinedCharacter", inBoth, args, `$ : "caf?"`,
		[]values{{"café"}, {"cafe"}}, []values{{"cafe\u0301"}, {"caf"}}},
	{"CombiningAccentIsItsOwnCodePoint", inBoth, args, `$ : "caf??"`,
		[]values{{"cafe\u0301"}}, []values{{"café"}}},
	{"NothingIsNormalized", inBoth, args, `$ : ("é", "x*é")`,
		[]values{{"é"}, {"xé"}}, []values{{"e\u0301"}, {"xe\u0301"}, {"e"}}},
	{"BackslashIsACharacter", inBoth, args, `$ like "*\\temp\\?.exe"`,
		[]values{{`C:\temp\a.exe`}, {`\temp\é.exe`}}, []values{{`C:\temp\ab.exe`}, {`C:/temp/a.exe`}, {`C:\temp\?exe`}}},
	{"PatternWithoutWildcardsIsEquality", inBoth, args, `$ like "ab"`,
		[]values{{"ab"}, {"x", "ab"}}, []values{{"abc"}, {"xab"}, {"AB"}, {"ab\n"}}},
	{"MatchWithoutWildcardsFolds", inBoth, args, `$ : "ab"`,
		[]values{{"aB"}}, []values{{"abc"}, {"xab"}, {"ab "}}},
	{"ListIsOr", inBoth, args, `$ like ("a*", "*z", "m?m", "exact", "*in*")`,
		[]values{{"a"}, {"z"}, {"mm", "mxm"}, {"exact"}, {"xinx"}}, []values{{"ba", "zb"}, {"mxxm"}, {"exact1"}, {"A"}, {}}},
	{"InIsLiteralAboutStars", inBoth, args, `$ in ("*", "a*", "b?")`,
		[]values{{"*"}, {"a*"}, {"b?"}}, []values{{"a"}, {"ab"}, {"bx"}, {""}, {"**"}}},
	{"InFoldIsLiteralAboutStars", inBoth, args, `$ in~ ("Test*")`,
		[]values{{"test*"}, {"TEST*"}}, []values{{"test"}, {"tester"}}},
	{"InPassesOverNull", inBoth, args, `$ in (null, "a")`,
		[]values{{"a"}}, []values{{}, {"null"}, {""}}},
	{"EqualIsLiteralAboutStars", inBoth, args, `$ == "*"`,
		[]values{{"*"}, {"a", "*"}}, []values{{}, {""}, {"a"}, {"**"}}},
	{"NotEqualIsLiteralAboutStars", inBoth, args, `$ != "* /add*"`,
		[]values{{}, {"x /add"}, {"net user /add y"}}, []values{{"* /add*"}, {"x", "* /add*"}}},

	// Letters.
	{"OnlySomeOperatorsFold", inBoth, args, `$ == "a" or $ in ("b", "c") or $ like "d*" or $ regex "e+" or startsWith($, "f")`,
		[]values{{"a"}, {"c"}, {"dx"}, {"ee"}, {"fx"}}, []values{{"A"}, {"C"}, {"Dx"}, {"EE"}, {"Fx"}}},
	{"KelvinSignIsNoASCIILetter", onlyASCII, args, `$ : ("k", "*key*", "k?l") or $ in~ ("ok") or startsWith~($, "kx") or $ regex~ "ku+"`,
		[]values{{"K"}, {"xKEYx"}, {"KiL"}, {"OK"}, {"Kx"}, {"KUU"}},
		[]values{{kelvin}, {"x" + kelvin + "eyx"}, {kelvin + "il"}, {"o" + kelvin}, {kelvin + "x"}, {kelvin + "uu"}}},
	{"KelvinSignFoldsToK", onlyUnicode, args, `$ : ("k", "*key*", "k?l") or $ in~ ("ok") or startsWith~($, "kx") or $ regex~ "ku+"`,
		[]values{{"K"}, {kelvin}, {"x" + kelvin + "EYx"}, {kelvin + "iL"}, {"O" + kelvin}, {kelvin + "x"}, {kelvin + "uu"}},
		[]values{{"\u03ba"}, {"x" + kelvin + "x"}, {kelvin + "\u0301"}}},
	{"KelvinSignInThePattern", onlyASCII, args, `$ : ("\u{212a}", "\u{212a}x*")`,
		[]values{{kelvin}, {kelvin + "Xy"}}, []values{{"k"}, {"K"}, {"kx"}}},
	{"KelvinSignInThePatternFolds", onlyUnicode, args, `$ : ("\u{212a}", "\u{212a}x*")`,
		[]values{{kelvin}, {"k"}, {"K"}, {"Kxy"}}, []values{{"kk"}, {"x"}}},
	{"LongSIsNoASCIILetter", onlyASCII, args, `$ : ("s", "*.sh", "ssh*")`,
		[]values{{"S"}, {"x.SH"}, {"SSHd"}}, []values{{longS}, {"x." + longS + "h"}, {"s" + longS + "hd"}}},
	{"LongSFoldsToS", onlyUnicode, args, `$ : ("s", "*.sh", "ssh*")`,
		[]values{{"S"}, {longS}, {"x." + longS + "H"}, {longS + longS + "hd"}}, []values{{"ß"}, {"x." + longS}, {longS + "hd"}}},
	{"SharpSIsOneLetter", onlyUnicode, args, `$ : "stra?e" and $ : "STRA\u{1e9e}E"`,
		[]values{{"straße"}, {"Stra\u1e9ee"}}, []values{{"strasse"}, {"STRASSE"}, {"strase"}}},
	{"MuIsThreeLetters", onlyASCII, args, `$ : "1\u{b5}s"`,
		[]values{{"1" + micro + "S"}}, []values{{"1" + greekMu + "s"}, {"1\u039cs"}, {"1us"}}},
	{"MuIsOneLetter", onlyUnicode, args, `$ : "1\u{b5}s" and $ in~ ("1\u{39c}S") and $ like~ "*\u{3bc}?"`,
		[]values{{"1" + micro + "s"}, {"1" + greekMu + "s"}, {"1\u039cS"}}, []values{{"1us"}, {"1ms"}}},
	{"AccentedLettersAreApart", onlyASCII, args, `$ : ("\u{e9}", "\u{c9}x*", "\u{10400}")`,
		[]values{{"é"}, {"ÉX"}, {"\U00010400"}}, []values{{"É"}, {"éx"}, {"\U00010428"}}},
	{"AccentedLettersFold", onlyUnicode, args, `$ : ("\u{e9}", "\u{c9}x*", "\u{10400}")`,
		[]values{{"é"}, {"É"}, {"éX"}, {"\U00010428"}}, []values{{"e"}, {"ex"}, {"E\u0301"}}},
	{"SigmaHasThreeForms", onlyUnicode, args, `$ : "*\u{3a3}*"`,
		[]values{{"xς"}, {"σx"}, {"Σ"}}, []values{{"s"}, {"x"}}},
	{"TurkishLettersAreApart", onlyUnicode, args, `$ : "i"`,
		[]values{{"i"}, {"I"}}, []values{{"\u0130"}, {"\u0131"}, {"i\u0307"}}},
	{"FunctionsFoldAsJava", inBoth, args, `substring($, 0) : "k\u{e9}i"`,
		[]values{{"kéi"}, {"KÉI"}, {kelvin + "éI"}, {"ké\u0131"}, {"ké\u0130"}}, []values{{"kei"}, {"ké"}, {"kéii"}}},

	// Values.
	{"LengthHasNoLimit", inBoth, args, `$ : "*needle"`,
		[]values{{strings.Repeat("é", 5000) + "Needle"}}, []values{{strings.Repeat("é", 5000) + "needl"}}},
	{"ConjunctsAskDifferentValues", inBoth, args, `$ == "-o" and $ : "http*" and not $ == "-q"`,
		[]values{{"http://x", "-o"}, {"-o", "HTTPS"}}, []values{{"-o"}, {"http"}, {"-o", "-q", "http"}, {}}},
	{"RangesAskDifferentValues", inBoth, pid, `$ > 100 and $ < 200`,
		[]values{{"50", "500"}, {"150"}, {"199", "1"}}, []values{{}, {"50"}, {"500"}, {"100", "99"}, {"200", "201"}}},
	{"EqualsAskDifferentValues", inBoth, pid, `$ == 1 and $ == 2`,
		[]values{{"2", "1"}}, []values{{"1"}, {"2"}, {"3"}, {}}},
	{"NotRangeIsNoneOf", inBoth, pid, `not ($ > 100)`,
		[]values{{}, {"50"}, {"100", "1"}}, []values{{"101"}, {"50", "500"}}},
	{"NotEqualIsNoneOf", inBoth, pid, `$ != 5`,
		[]values{{}, {"4", "6"}}, []values{{"5"}, {"4", "5"}}},
	{"NotInIsNoneOf", inBoth, pid, `$ not in (5, 6)`,
		[]values{{}, {"4", "7"}}, []values{{"6"}, {"4", "5"}}},
	{"NotMatchIsNoneOf", inBoth, args, `not $ : "a?"`,
		[]values{{}, {"a", "b"}}, []values{{"b", "ax"}, {"AX"}}},
	{"NotOfAFunctionIsNoneOf", inBoth, args, `not length($) > 2`,
		[]values{{}, {"", "ab"}}, []values{{"ab", "abc"}}},
	{"StarIsExistence", inBoth, args, `$ like "*" and $ : "**" and $ like~ ("x", "*")`,
		[]values{{""}, {"a"}, {"\n"}}, []values{{}}},
	{"StarOfACommandLineIsExistence", inBoth, line, `$ : "*"`,
		[]values{{""}, {"a"}}, []values{{}}},
	{"EmptyTextIsAValue", inBoth, args, `$ != null and not $ == null and null != $`,
		[]values{{""}, {"a"}}, []values{{}}},
	{"AbsenceIsNull", inBoth, pid, `$ == null and null == $ and not $ != null`,
		[]values{{}}, []values{{"0"}, {"-1"}}},
	{"NullOfAComparison", inBoth, "process.exit_code", `null == ($ > -1)`,
		[]values{{}}, []values{{"0"}, {"-1"}, {"-1", "5"}}},
	{"NullOfAFunction", inBoth, args, `indexOf($, "b") == null`,
		[]values{{}, {"a"}, {"ab", "a"}}, []values{{"b"}, {"ab"}}},
	{"LiteralToTheLeft", inBoth, pid, `0 <= $ and 10 > $`,
		[]values{{"0"}, {"9"}, {"-5", "100", "3"}}, []values{{}, {"10"}, {"-1"}}},
	{"TextToTheLeft", inBoth, args, `"b" < $`,
		[]values{{"c"}, {"ba"}}, []values{{"b"}, {"B"}, {}}},
	{"BooleanField", inBoth, "process.interactive", `$`,
		[]values{{"true"}, {"false", "true"}}, []values{{}, {"false"}}},
	{"NotBooleanField", inBoth, "process.interactive", `not $`,
		[]values{{}, {"false"}}, []values{{"true"}, {"false", "true"}}},
	{"FalseIsNotAbsent", inBoth, "process.code_signature.trusted", `$ == false`,
		[]values{{"false"}, {"true", "false"}}, []values{{}, {"true"}}},
	{"NotTrueIsAbsentToo", inBoth, "process.code_signature.trusted", `$ != true`,
		[]values{{}, {"false"}}, []values{{"true"}, {"false", "true"}}},
	{"FunctionIsFalse", inBoth, args, `startsWith($, "a") == false`,
		[]values{{}, {"b"}, {"A"}}, []values{{"a"}, {"b", "ab"}}},
	{"FunctionIsNotTrue", inBoth, args, `true != stringContains~($, "A")`,
		[]values{{}, {"b"}}, []values{{"xax"}, {"b", "A"}}},
	{"NumbersInKeywordsAreText", inBoth, "user.id", `$ == "0"`,
		[]values{{"0"}}, []values{{"00"}, {"0.0"}, {}}},

	// Numbers, dates and the order of texts.
	{"FractionAboveAWholeNumber", inBoth, pid, `$ > 4.5`,
		[]values{{"5"}, {"1", "5"}}, []values{{}, {"4"}, {"-5"}}},
	{"FractionBelowAWholeNumber", inBoth, pid, `$ <= -4.5`,
		[]values{{"-5"}}, []values{{}, {"-4"}, {"5"}}},
	{"FractionIsNoWholeNumber", inBoth, pid, `$ == 4.5 or $ in (-4.5, 7.0)`,
		[]values{{"7"}}, []values{{"4"}, {"5"}, {"-4"}, {"-5"}}},
	{"NotAFraction", inBoth, pid, `$ != 4.5`,
		[]values{{}, {"4"}, {"5"}}, nil},
	{"WholeFractionIsANumber", inBoth, pid, `$ >= 5.0 and $ < 7.0 and $ != 6.0`,
		[]values{{"5"}}, []values{{"4"}, {"6"}, {"7"}, {"8"}}},
	{"BeyondAllWholeNumbers", inBoth, pid, `$ < 1e19 and $ > -1e19 and not $ > 1e19 and not $ <= -1e19`,
		[]values{{"9223372036854775807"}, {"-9223372036854775808"}}, []values{{}}},
	{"AtTheEndsOfWholeNumbers", inBoth, pid, `$ >= 9223372036854775807 or $ <= -9223372036854775808`,
		[]values{{"9223372036854775807"}, {"-9223372036854775808"}}, []values{{"9223372036854775806"}, {"-9223372036854775807"}, {}}},
	{"DoubleField", inBoth, "process.Ext.relative_file_creation_time", `$ >= 4.5 and $ < 300`,
		[]values{{"4.5"}, {"299.9"}, {"1", "1000"}}, []values{{}, {"4.4"}, {"300"}}},
	{"TextsAreOrderedByBytes", inBoth, args, `$ < "b" or $ >= "z~"`,
		[]values{{""}, {"a~"}, {"B"}, {"Z"}, {"é"}, {"😀"}, {"z~"}}, []values{{}, {"b"}, {"ba"}, {"z"}, {"zz"}}},
	{"AstralIsBehindTheRest", inBoth, args, `$ > "\u{ffff}"`,
		[]values{{"😀"}}, []values{{"\uffff"}, {"\ufffd"}, {"z"}}},
	{"DateAgainstText", inBoth, "@timestamp", `$ >= "2031-05-06T07:08:09.5Z" and $ < "2031-05-07"`,
		[]values{{"2031-05-06T07:08:09.5Z"}, {"2031-05-07T01:59:59+02:00"}, {"2030-01-01T00:00:00Z", "2032-01-01T00:00:00Z"}},
		[]values{{}, {"2031-05-06T07:08:09.499Z"}, {"2031-05-07T00:00:00Z"}}},
	{"DateWithAZone", inBoth, "process.start", `$ == "2031-05-06T09:08:09+02:00"`,
		[]values{{"2031-05-06T07:08:09Z"}}, []values{{"2031-05-06T09:08:09Z"}, {"2031-05-06T07:08:10Z"}, {}}},
	{"DateAgainstMilliseconds", inBoth, "@timestamp", `$ > 1000 and 3000 >= $ and $ not in (2000)`,
		[]values{{"1970-01-01T00:00:01.001Z"}, {"1970-01-01T00:00:03Z"}}, []values{{}, {"1970-01-01T00:00:01Z"}, {"1970-01-01T00:00:02Z"}, {"1970-01-01T00:00:03.001Z"}}},
	{"DateBehindAllNanoseconds", inBoth, "@timestamp", `$ < "9999-12-31" and $ < 253402214400000 and $ > "0001-01-01"`,
		[]values{{"2031-05-06T07:08:09Z"}}, []values{{}}},
	{"DateWithinAnExpression", inBoth, "@timestamp", `string($ > "2030-01-01") == "true" and string($ > 1000) == "true" and string($ < 4000000000000) == "true"`,
		[]values{{"2031-05-06T07:08:09Z"}}, []values{{}, {"2029-01-01T00:00:00Z"}}},
	{"DateComparisonIsTrue", inBoth, "@timestamp", `($ > "2030-01-01") == true`,
		[]values{{"2031-05-06T07:08:09Z"}}, []values{{}, {"2029-01-01T00:00:00Z"}}},
	{"ComparisonIsFalse", inBoth, args, `($ in ("a")) == false and ($ : "b") != true`,
		[]values{{}, {"c"}}, []values{{"a"}, {"b"}, {"c", "a"}}},
	{"ComparisonIsTrueFoldsAsWithout", onlyASCII, args, `($ : "k") == true`,
		[]values{{"K"}}, []values{{}, {kelvin}}},
}

// see checks what a rule says of an event, by itself, in a set and to a tree walk.
func see(t *testing.T, name string, r *Rule, s *Set, e *ecs.Event, want bool) {
	t.Helper()
	if got := r.Match(e); got != want {
		t.Errorf("%s, fold %d: %s is %v of %s, want %v\n%s", name, r.fold, r.Query, got, e.AppendJSON(nil), want, r)
	}
	if got := slices.Contains(s.Match(nil, e), r); got != want {
		t.Errorf("%s, fold %d: in a set %s is %v of %s, want %v", name, r.fold, r.Query, got, e.AppendJSON(nil), want)
	}
	for _, f := range r.Fields() { // the tree walk knows no dates
		if f.Kind == ecs.Date.String() {
			return
		}
	}
	if got := (oracle{e, r.fold}).query(r.query); got != want {
		t.Errorf("%s, fold %d: the tree walk says %s is %v of %s, want %v", name, r.fold, r.Query, got, e.AppendJSON(nil), want)
	}
}

func TestFacts(t *testing.T) {
	all := slices.Concat(facts, regexFacts, addressFacts, expressionFacts)
	for _, c := range semantics {
		one := fact{c.name, inBoth, args, c.condition, c.match, c.miss}
		if c.name == "FoldsASCIIAlone" {
			one.fold = onlyASCII
		}
		all = append(all, one)
	}
	for fold, way := range map[Fold]string{FoldASCII: onlyASCII, FoldUnicode: onlyUnicode} {
		var rules []*Rule
		for _, c := range all {
			r, err := Compile(c.name, "any where "+strings.ReplaceAll(c.condition, "$", c.field), ecs.Default, fold)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			rules = append(rules, r)
		}
		set, err := NewSet(rules)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range all {
			if c.fold != inBoth && c.fold != way {
				continue
			}
			for _, v := range c.match {
				see(t, c.name, rules[i], set, typed(t, append(values{c.field}, v...)), true)
			}
			for _, v := range c.miss {
				see(t, c.name, rules[i], set, typed(t, append(values{c.field}, v...)), false)
			}
		}
	}
}
