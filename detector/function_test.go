package detector

import (
	"math"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// TestFunctions asks for the result of a call, of a field and of a constant, and
// that it is nothing near.
func TestFunctions(t *testing.T) {
	for _, c := range []struct{ call, value, want, near string }{ // call has $ for the value
		{`length($)`, "", "0", "null"},
		{`length($)`, "abc", "3", "4"},
		{`length($)`, "a😀b", "4", "3"}, // UTF-16 has two units for it
		{`length($)`, "e\u0301é", "3", "2"},
		{`LENGTH($)`, "\n\r", "2", "0"},

		{`substring($, 1)`, "hello", `"ello"`, `"hello"`},
		{`substring($, 1, 3)`, "hello", `"el"`, `"ell"`},
		{`substring($, 0, 5)`, "hello", `"hello"`, `"hell"`},
		{`substring($, 0, 99)`, "hello", `"hello"`, `null`},
		{`substring($, 5)`, "hello", `""`, `"o"`},
		{`substring($, 99)`, "hello", `""`, `null`},
		{`substring($, -2)`, "hello", `"lo"`, `"o"`},
		{`substring($, -99)`, "hello", `"hello"`, `""`},
		{`substring($, -99, 2)`, "hello", `"he"`, `""`},
		{`substring($, -3, -1)`, "hello", `"ll"`, `"llo"`},
		{`substring($, 0, -1)`, "hello", `"hell"`, `"hello"`},
		{`substring($, 3, 1)`, "hello", `""`, `"el"`},
		{`substring($, 0, -99)`, "hello", `""`, `"hello"`},
		{`substring($, 1, 3)`, "a😀b", `"😀"`, `"😀b"`},
		{`substring($, -1)`, "a😀b", `"b"`, `"😀b"`},
		{`Substring($, 2)`, "éa\n", `"\n"`, `"a\n"`},

		{`indexOf($, "b")`, "abab", "1", "3"},
		{`indexOf($, "b", 2)`, "abab", "3", "1"},
		{`indexOf($, "b", 3)`, "abab", "3", "null"},
		{`indexOf($, "b", 4)`, "abab", "null", "3"},
		{`indexOf($, "b", 99)`, "abab", "null", "4"},
		{`indexOf($, "b", -5)`, "abab", "1", "0"},
		{`indexOf($, "B")`, "abab", "null", "1"},
		{`indexOf~($, "Ab", 1)`, "aBAB", "2", "0"},
		{`indexOf($, "b")`, "a😀b", "3", "2"},
		{`indexOf($, "b", 3)`, "a😀b", "3", "null"},
		{`indexOf($, "")`, "abc", "0", "null"},
		{`indexOf($, "😀", 2)`, "a😀b", "null", "1"},

		{`between($, "[", "]")`, "a[b]c]d", `"b"`, `"b]c"`},
		{`between($, "[", "]", true)`, "a[b]c]d", `"b]c"`, `"b"`},
		{`between($, "[", "]", false)`, "a[b]c]d", `"b"`, `"b]c"`},
		{`between($, "a", "a")`, "xaya", `"y"`, `""`},
		{`between($, "[", "]")`, "a]b[c", `""`, `"c"`},
		{`between($, "(", "]")`, "a[b]c", `""`, `null`},
		{`between($, "X", "Y")`, "axbyc", `""`, `"b"`},
		{`between~($, "X", "Y")`, "axBYc", `"B"`, `"b"`},
		{`between~($, "é", "\u{1e9e}", true)`, "aÉ😀bß-ßc", `"😀bß-"`, `"😀b"`},
		{`between~($, "K", "s")`, "\u0130" + kelvin + "\u2c62\u0130x\u017fs", `"` + "\u2c62\u0130x" + `"`, `""`}, // letters whose small ones take more or fewer bytes
		{`between($, "", "]")`, "a]", `"a]"`, `"a"`},

		{`startsWith($, "ab")`, "abc", "true", "false"},
		{`startsWith($, "abcd")`, "abc", "false", "true"},
		{`startsWith($, "AB")`, "abc", "false", "true"},
		{`startsWith~($, "AB")`, "abc", "true", "false"},
		{`STARTSWITH($, "")`, "", "true", "null"},
		{`endsWith($, "bc")`, "abc", "true", "false"},
		{`endsWith($, "b")`, "abc", "false", "true"},
		{`endsWith($, "BC")`, "abc", "false", "true"},
		{`endswith~($, "BC")`, "abc", "true", "false"},
		{`stringContains($, "b")`, "abc", "true", "false"},
		{`stringContains($, "ac")`, "abc", "false", "true"},
		{`stringContains($, "*")`, "abc", "false", "true"}, // no wildcard
		{`stringContains($, "?")`, "a?c", "true", "false"},
		{`endsWith($, "\\")`, `a\`, "true", "false"},
		{`stringcontains~($, "É")`, "aéc", "true", "null"},

		{`concat($)`, "a", `"a"`, `"A"`},
		{`concat("x", $, 1, -2.5, true, 1.0)`, "é", `"xé1-2.5true1.0"`, `"xé1-2.5true1"`},
		{`concat($, null)`, "a", "null", `"a"`},
		{`string($)`, "7", `"7"`, "null"},
		{`string(length($))`, "abc", `"3"`, `"3.0"`},
		{`string(length($) * 1.0)`, "abc", `"3.0"`, `"3"`},
		{`string(length($) * 1e7)`, "a", `"1.0E7"`, `"10000000"`},
		{`string(length($) / 1024.0)`, "a", `"9.765625E-4"`, `"0.0009765625"`},
		{`string(length($) > 1)`, "a", `"false"`, `"true"`},

		{`number($)`, "31", "31", "49"},
		{`number($)`, "-31", "-31", "31"},
		{`number($)`, "31.5", "31.5", "31"},
		{`number($)`, "0x1f", "31", "0"},
		{`number($)`, "1f", "null", "31"},
		{`number($)`, "", "null", "0"},
		{`number($)`, " 1", "null", "1"},
		{`number($, 16)`, "1f", "31", "1"},
		{`number($, 16)`, "0x1F", "31", "null"},
		{`number($, 8)`, "077", "63", "77"},
		{`number($, 8)`, "8", "null", "8"},
		{`number($, 36)`, "zz", "1295", "null"},
		{`number($, 37)`, "zz", "null", "1295"},
		{`number($)`, "9223372036854775808", "null", "9223372036854775807"},

		{`add(length($), 2)`, "a", "3", "1"},
		{`subtract(2, length($))`, "abc", "-1", "1"},
		{`multiply(length($), 2.5)`, "ab", "5.0", "4"},
		{`divide(5, length($))`, "ab", "2", "2.5"},
		{`divide(5.0, length($))`, "ab", "2.5", "2"},
		{`divide(5, length($))`, "", "null", "0"},
		{`modulo(-5, length($))`, "abc", "-2", "1"},
		{`modulo(5, 0 - length($))`, "abc", "2", "-2"},
		{`modulo(5.5, length($))`, "ab", "1.5", "1"},
	} {
		for _, of := range []string{args, quote(c.value)} {
			call := strings.ReplaceAll(c.call, "$", of)
			e := eventOf(t, values{args, c.value})
			if r := compileFunction(t, call+" == "+c.want); !r.Match(e) {
				t.Errorf("%s is not %s for %q\n%s", call, c.want, c.value, r)
			}
			if r := compileFunction(t, call+" == "+c.near); r.Match(e) {
				t.Errorf("%s is %s for %q\n%s", call, c.near, c.value, r)
			}
		}
	}
}

// compileFunction compiles with the folding in which all functions fold alike.
func compileFunction(t *testing.T, condition string) *Rule {
	t.Helper()
	r, err := Compile("q", "any where "+condition, ecs.Default, FoldUnicode)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestFunctionsOfNull gives every function a null in the place of each argument.
func TestFunctionsOfNull(t *testing.T) {
	for _, call := range []string{
		`length(@)`, `substring(@, 1)`, `substring("a", @)`, `substring("a", 0, @)`, `indexOf(@, "a")`, `indexOf("a", @)`, `indexOf("a", "a", @)`,
		`between(@, "a", "b")`, `between("a", @, "b")`, `between("a", "b", @)`, `between("a", "b", "c", @)`, `startsWith(@, "a")`, `startsWith("a", @)`,
		`endsWith~(@, "a")`, `endsWith("a", @)`, `stringContains(@, "")`, `stringContains("a", @)`, `concat(@)`, `concat("a", @)`, `string(@)`,
		`number(@)`, `cidrMatch(@, "::/0")`, `add(@, 1)`, `add(1, @)`, `subtract(1, @)`, `multiply(@, 0)`, `divide(@, 1)`, `modulo(1, @)`,
	} {
		for _, null := range []string{"null", "?no.such"} {
			one := strings.ReplaceAll(call, "@", null)
			if r := mustCompile(t, "any where "+one+" == null"); !r.Match(eventOf(t)) {
				t.Errorf("%s is a value\n%s", one, r)
			}
		}
	}
}

func TestFunctionsFold(t *testing.T) {
	for _, c := range []struct {
		condition, value  string
		inASCII, inSimple bool
	}{
		// Of a field and a constant, which is a query, letters fold as Fold says.
		{`startsWith~(process.args, "\u{e9}")`, "Éa", false, true},
		{`endsWith~(process.args, "k")`, "a" + kelvin, false, true},
		{`stringContains~(process.args, "s\u{3bc}")`, "a" + longS + micro + "b", false, true},
		{`stringContains~(process.args, "I")`, "\u0131", false, false},
		// Elsewhere they fold as in Java.
		{`startsWith~(process.args, concat("\u{e9}", process.args))`, "É", false, false},
		{`startsWith~(substring(process.args, 0), "\u{e9}")`, "Éa", true, true},
		{`endsWith~(concat(process.args, ""), "k")`, "a" + kelvin, true, true},
		{`stringContains~(substring(process.args, 0), "I")`, "\u0131", true, true},
		{`indexOf~(process.args, "\u{e9}") == 1`, "aÉ", true, true},
		{`between~(process.args, "\u{e9}", "K") == "x"`, "Éx" + kelvin, true, true},
		{`substring(process.args, 0) in~ ("\u{e9}")`, "É", true, true},
		{`substring(process.args, 0) like~ "\u{e9}*?"`, "Éx", true, true},
		{`substring(process.args, 0) == "\u{e9}"`, "É", false, false},
		{`substring(process.args, 0) like "\u{e9}*"`, "Éx", false, false},
	} {
		for fold, want := range []bool{FoldASCII: c.inASCII, FoldUnicode: c.inSimple} {
			r, err := Compile("q", "any where "+c.condition, ecs.Default, Fold(fold))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Match(eventOf(t, values{args, c.value})); got != want {
				t.Errorf("fold %d: %s is %v of %q\n%s", fold, c.condition, got, c.value, r)
			}
		}
	}
}

func TestComputeAtTheEnds(t *testing.T) {
	const least, most = math.MinInt64, math.MaxInt64
	long, nothing := longOf, value{}
	for _, c := range []struct {
		op         byte
		a, b, want value
	}{
		{'+', long(most), long(1), nothing}, {'+', long(most), long(0), long(most)}, {'+', long(most), long(-1), long(most - 1)},
		{'+', long(least), long(-1), nothing}, {'+', long(least), long(0), long(least)}, {'+', long(least), long(most), long(-1)},
		{'+', long(least), long(least), nothing}, {'+', long(most), long(most), nothing}, {'+', long(0), long(0), long(0)},
		{'-', long(least), long(1), nothing}, {'-', long(most), long(-1), nothing}, {'-', long(0), long(least), nothing},
		{'-', long(-1), long(least), long(most)}, {'-', long(least), long(least), long(0)}, {'-', long(least), long(0), long(least)},
		{'-', long(most), long(most), long(0)}, {'-', long(1), long(2), long(-1)},
		{'*', long(least), long(-1), nothing}, {'*', long(-1), long(least), nothing}, {'*', long(least), long(1), long(least)},
		{'*', long(least), long(0), long(0)}, {'*', long(0), long(least), long(0)}, {'*', long(most), long(2), nothing},
		{'*', long(most), long(-1), long(-most)}, {'*', long(1 << 32), long(1 << 31), nothing}, {'*', long(-1 << 32), long(1 << 31), long(least)},
		{'/', long(least), long(-1), nothing}, {'/', long(least), long(1), long(least)}, {'/', long(1), long(0), nothing},
		{'/', long(0), long(-1), long(0)}, {'/', long(7), long(-2), long(-3)}, {'/', long(least), long(least), long(1)},
		{'%', long(least), long(-1), long(0)}, {'%', long(1), long(0), nothing}, {'%', long(-7), long(2), long(-1)},
		{'%', long(7), long(-2), long(1)}, {'%', long(least), long(most), long(-1)}, {'%', long(5), long(-1), long(0)},
		{'/', doubleOf(1), long(0), doubleOf(math.Inf(1))}, {'/', long(-1), doubleOf(0), doubleOf(math.Inf(-1))},
		{'*', doubleOf(1e308), long(10), doubleOf(math.Inf(1))}, {'%', doubleOf(-5.5), long(2), doubleOf(-1.5)},
		{'+', long(most), doubleOf(1), doubleOf(1 << 63)}, {'-', long(1), doubleOf(0.5), doubleOf(0.5)},
		{'+', nothing, long(1), nothing}, {'*', long(0), nothing, nothing}, {'-', doubleOf(1), nothing, nothing},
	} {
		got := compute(c.op, c.a, c.b)
		if got.kind != c.want.kind || got.n != c.want.n || got.x != c.want.x {
			t.Errorf("%s %c %s is %s, want %s", c.a, c.op, c.b, got, c.want)
		}
		if got.kind == long(0).kind { // the same by numbers without a limit
			if want := number2(c.op, c.a.n, c.b.n); want != got.n {
				t.Errorf("%s %c %s is %s, want %v", c.a, c.op, c.b, got, want)
			}
		}
	}
}

// TestWholeBound holds the bound beside a fraction to the fraction, on whole
// numbers around it.
func TestWholeBound(t *testing.T) {
	some := []int64{math.MinInt64, math.MinInt64 + 1, -1 << 53, -6, -5, -4, -1, 0, 1, 4, 5, 6, 1 << 53, math.MaxInt64 - 1, math.MaxInt64}
	bounds := []float64{
		-5.5, -5, -4.5, -0.5, 0, math.Copysign(0, -1), 0.5, 4.5, 5, 5.5, 1 << 53, -1 << 53, 1 << 63, -1 << 63,
		math.Nextafter(1<<63, 0), math.Nextafter(-1<<63, -math.MaxFloat64), 1e300, -1e300, math.Inf(1), math.Inf(-1), math.NaN(),
	}
	for _, rel := range []operator{equal, less, lessEqual, greater, greaterEqual} {
		for _, x := range bounds {
			n, whole, ok := wholeBound(rel, x)
			for _, v := range some {
				got := ok && (whole == match || ordered(whole, v, n))
				if want := ordered(rel, v, x); got != want {
					t.Errorf("%d %s %v is %v by %s %d", v, rel, x, got, whole, n)
				}
			}
		}
	}
}
