package detector

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

// How letters fold in a test.
const (
	exact = iota
	foldsASCII
	foldsUnicode
)

var foldings = [...]string{exact: "exact", foldsASCII: "ascii", foldsUnicode: "unicode"}

func compileRegex(pattern string, folding int) (*regex, error) {
	return newRegex(pattern, folding != exact, folding == foldsUnicode)
}

func mustRegex(tb testing.TB, pattern string, folding int) *regex {
	tb.Helper()
	r, err := compileRegex(pattern, folding)
	if err != nil {
		tb.Fatalf("%s: %v", pattern, err)
	}
	return r
}

// hardPattern needs more than maxStates states: which of the last 13 were an a.
const hardPattern = `(a|b)*a(a|b){12}`

var regexes = []struct {
	pattern string
	folding int
	match   []string
	miss    []string
}{
	// A whole value.
	{`ab`, exact, []string{"ab"}, []string{"", "a", "abc", "xab", "AB", "ab\n"}},
	{``, exact, []string{""}, []string{"a", "\n"}},
	{`()`, exact, []string{""}, []string{"()", "a"}},
	{`a()b`, exact, []string{"ab"}, []string{"a()b"}},
	{`^a$`, exact, []string{"^a$"}, []string{"a"}},
	{`a.c`, exact, []string{"abc", "a\nc", "aéc", "a😀c"}, []string{"ac", "abbc", "ae\u0301c"}},
	{`.*`, exact, []string{"", "a\nb", "\xff"}, nil},
	// Repeats, also of repeats.
	{`ab?`, exact, []string{"a", "ab"}, []string{"abb", ""}},
	{`ab*`, exact, []string{"a", "abbb"}, []string{"", "abab"}},
	{`ab+`, exact, []string{"ab", "abbb"}, []string{"a"}},
	{`x.*?`, exact, []string{"x", "xyz"}, []string{"", "yx"}},
	{`a+*`, exact, []string{"", "aaa"}, []string{"b"}},
	{`a{2}`, exact, []string{"aa"}, []string{"a", "aaa"}},
	{`a{2,}`, exact, []string{"aa", "aaaa"}, []string{"a"}},
	{`a{2,3}`, exact, []string{"aa", "aaa"}, []string{"a", "aaaa"}},
	{`a{02,003}`, exact, []string{"aa", "aaa"}, []string{"a", "aaaa"}},
	{`a{0}b`, exact, []string{"b"}, []string{"ab"}},
	{`a{2}{2}`, exact, []string{"aaaa"}, []string{"aa", "aaa"}},
	{`(ab){2}`, exact, []string{"abab"}, []string{"abb", "ab"}},
	// Unions; what would be an operator is a character where an atom begins.
	{`ab|c`, exact, []string{"ab", "c"}, []string{"abc", "ac"}},
	{`(|a)b`, exact, []string{"|ab"}, []string{"b", "ab"}},
	{`a||b`, exact, []string{"a", "|b"}, []string{"", "b"}},
	{`a|)`, exact, []string{"a", ")"}, []string{"", "a)"}},
	{`*a`, exact, []string{"*a"}, []string{"a", "aa"}},
	{`(?a)`, exact, []string{"?a"}, []string{"a", ""}},
	{`+{2}`, exact, []string{"++"}, []string{"+{2}"}},
	{`{`, exact, []string{"{"}, nil},
	{`&a`, exact, []string{"&a"}, []string{"a"}},
	{`a]b}`, exact, []string{"a]b}"}, nil},
	// Quotations and escapes.
	{`"a.*|\d"b`, exact, []string{`a.*|\db`}, []string{"aab", `"a.*|\d"b`}},
	{`"ab"+`, exact, []string{"ab", "abab"}, []string{"abb", `"ab"`}},
	{`""a`, exact, []string{"a"}, []string{`""a`}},
	{`\.\\\"\@\é`, exact, []string{`.\"@é`}, []string{`a\"@é`}},
	{`\d+`, exact, []string{"0", "19"}, []string{"", "a", "٣"}},
	{`\D`, exact, []string{"a", "\n", "٣", "\U0010ffff"}, []string{"0", "9"}},
	{`\w+`, exact, []string{"azAZ09_"}, []string{"-", "é", "[", "`", "@", "/", ":", "{"}},
	{`\W`, exact, []string{"-", "é", "[", "`", "@", "/", ":", "{", "\x00"}, []string{"a", "z", "A", "Z", "0", "9", "_"}},
	{`\s+`, exact, []string{" \t\n\r"}, []string{"\f", "\v", "\u00a0", "a"}},
	{`\S`, exact, []string{"\f", "\v", "\u00a0", "!", "\x08", "\x0e"}, []string{" ", "\t", "\n", "\r"}},
	// Classes.
	{`[abc-e]`, exact, []string{"a", "b", "c", "d", "e"}, []string{"f", "-", "ab", ""}},
	{`[^abc-e]`, exact, []string{"f", "\n", "é", "-"}, []string{"a", "d", ""}},
	{`[]a]`, exact, []string{"]", "a"}, []string{"", "]a"}},
	{`[^]a]`, exact, []string{"b"}, []string{"]", "a"}},
	{`[a\]\\\-\^]`, exact, []string{"a", "]", `\`, "-", "^"}, []string{"[", "_"}},
	{`[a^]`, exact, []string{"a", "^"}, []string{"b"}},
	{`[-a]`, exact, []string{"-", "a"}, []string{"b"}},
	{`[+--]`, exact, []string{"+", ",", "-"}, []string{"*", "."}},
	{`[\\-a]`, exact, []string{`\`, "-", "a"}, []string{"^", "_"}},
	{`[X-\]]`, exact, []string{"X", `\`, "]"}, []string{"^", "-"}},
	{`[\s\d-]`, exact, []string{" ", "5", "-"}, []string{"a", `\`}},
	{`[\W5]`, exact, []string{"-", "5"}, []string{"4", "a"}},
	{`[.*"#@|(~&<]`, exact, []string{".", "*", `"`, "#", "@", "|", "(", "~", "&", "<"}, []string{"a", ">"}},
	{`[α-ω]+`, exact, []string{"λογος"}, []string{"Λ", "a"}},
	{`[\d\D]`, exact, []string{"a", "1", "\n"}, []string{"", "ab"}},
	{`[^\d\D]`, exact, nil, []string{"", "a", "1"}},
	// Optional syntax.
	{`#`, exact, nil, []string{"", "#", "a"}},
	{`#|a`, exact, []string{"a"}, []string{"", "#"}},
	{`#*`, exact, []string{""}, []string{"#"}},
	{`a@b`, exact, []string{"ab", "a\n\nb", "a@b"}, []string{"a", "abc"}},
	{`@`, exact, []string{"", "x\ny"}, nil},
	{`@{2}x`, exact, []string{"x", "aax"}, []string{"", "xa"}},
	// Case.
	{`kS`, exact, []string{"kS"}, []string{"KS", "ks"}},
	{`kS-é`, foldsASCII, []string{"kS-é", "Ks-é"}, []string{"\u212aS-é", "kſ-é", "ks-É"}},
	{`kS-é`, foldsUnicode, []string{"\u212aſ-É", "Ks-é"}, []string{"k5-e"}},
	{"\u212a", foldsASCII, []string{"\u212a"}, []string{"k", "K"}},
	{"\u212a", foldsUnicode, []string{"k", "K", "\u212a"}, []string{"l"}},
	{`"kS"`, foldsASCII, []string{"Ks"}, []string{"\u212as"}},
	{`[k]`, foldsASCII, []string{"k", "K"}, []string{"\u212a", "j"}},
	{`[k]`, foldsUnicode, []string{"k", "K", "\u212a"}, []string{"j"}},
	{`[^k]`, foldsASCII, []string{"\u212a", "j"}, []string{"k", "K"}},
	{`[^k]`, foldsUnicode, []string{"j"}, []string{"k", "K", "\u212a"}},
	{`[a-z5]`, foldsUnicode, []string{"a", "k", "5"}, []string{"A", "K", "\u212a"}},
	{`[^a-z]`, foldsASCII, []string{"A", "K"}, []string{"a", "k"}},
	{`\w`, foldsUnicode, []string{"k", "K"}, []string{"\u212a", "ſ"}},
	{`[Kk]s`, exact, []string{"Ks", "ks"}, []string{"\u212as", "KS"}},
	{`[Kk` + "\u212a" + `]s`, exact, []string{"Ks", "ks", "\u212as"}, []string{"js", "KS", "\u212a"}},
	// A byte that is no UTF-8 is U+FFFD.
	{`.`, exact, []string{"\xff", "\xc3"}, []string{"\xff\xff", "\xe2\x82"}},
	{`[^a]`, exact, []string{"\xff"}, nil},
	{"\ufffd", exact, []string{"\ufffd", "\xff"}, []string{"\xc3\xa9", "a"}},
	{`[é-\ë]`, exact, []string{"ê"}, []string{"\xc3", "\xff"}},
	// Beyond the automaton.
	{hardPattern, exact, []string{"baaaabbbbbbbbbb", strings.Repeat("ab", 20) + "a"}, []string{"bbbbbbbbbbbbbbb", "a", strings.Repeat("ab", 20), strings.Repeat("ab", 20) + "ac"}},
	{`x\S.` + hardPattern, foldsUnicode, []string{"Xa\nA" + strings.Repeat("B", 12)}, []string{"x\n\na" + strings.Repeat("b", 12)}},
}

func TestRegexSemantics(t *testing.T) {
	for _, c := range regexes {
		r := mustRegex(t, c.pattern, c.folding)
		for _, v := range c.match {
			if !r.matches([]byte(v)) {
				t.Errorf("%s, %s: does not match %q", c.pattern, foldings[c.folding], v)
			}
		}
		for _, v := range c.miss {
			if r.matches([]byte(v)) {
				t.Errorf("%s, %s: matches %q", c.pattern, foldings[c.folding], v)
			}
		}
	}
}

func TestRegexFaults(t *testing.T) {
	deep := strings.Repeat("(", maxRegexDepth+1)
	for _, c := range []struct{ pattern, want string }{
		{`a~b`, `complement "~" at character 2 is not supported`},
		{`é&b`, `intersection "&" at character 2 is not supported`},
		{`(a&&b)`, `intersection "&" at character 3 is not supported`},
		{`éé<1-99>`, `interval "<1-99>" at character 3 is not supported`},
		{`<name>`, `named automaton "<name>" at character 1 is not supported`},
		{`a<1-9`, `interval "<" at character 2 is not closed`},
		{`a"b`, `quotation "\"" at character 2 is not closed`},
		{`a(b`, `group "(" at character 2 is not closed`},
		{`a(`, `group "(" at character 2 is not closed`},
		{`(a|)`, `group "(" at character 1 is not closed`},
		{`ab)c`, `parenthesis ")" at character 3 closes no group`},
		{`a|`, `union "|" at character 2 has no right side`},
		{`(a|`, `union "|" at character 3 has no right side`},
		{`a[`, `class "[" at character 2 is not closed`},
		{`a[^`, `class "[" at character 2 is not closed`},
		{`[]`, `class "[" at character 1 is not closed`},
		{`[\w.-]`, `class "[" at character 1 is not closed`}, // a range from . to ]
		{`[a-`, `class "[" at character 1 is not closed`},
		{`[\w`, `class "[" at character 1 is not closed`},
		{`[z-a]`, `range "z-a" at character 2 runs backwards`},
		{`[xa-]`, `range "a-]" at character 3 runs backwards`},
		{`[a-\w]`, `range "a-\\w" at character 2 ends in a class`},
		{`[\.-z]`, `range "\\.-" at character 2 begins with an escape, which depends on the version of Lucene`},
		{`[a-\`, `escape "\\" at character 4 is not complete`},
		{`[\`, `escape "\\" at character 2 is not complete`},
		{`é\`, `escape "\\" at character 2 is not complete`},
		{`a\n`, `escape "\\n" at character 2 has no meaning`},
		{`\Qa`, `escape "\\Q" at character 1 has no meaning`},
		{`[\b]`, `escape "\\b" at character 2 has no meaning`},
		{`a{`, `repeat "{" at character 2 is not {n}, {n,} or {n,m}`},
		{`a{,3}`, `repeat "{,3}" at character 2 is not {n}, {n,} or {n,m}`},
		{`a{x}`, `repeat "{x" at character 2 is not {n}, {n,} or {n,m}`},
		{`a{1,2`, `repeat "{1,2" at character 2 is not {n}, {n,} or {n,m}`},
		{`a{3,2}`, `repeat "{3,2}" at character 2 runs backwards`},
		{`a{1001}`, `repeat "{1001}" at character 2 has a count over 1000`},
		{`a{0,99999999999999999999}`, `repeat "{0,99999999999999999999}" at character 2 has a count over 1000`},
		{`a{99999999999999999999,}`, `repeat "{99999999999999999999,}" at character 2 has a count over 1000`},
		{`(a{40}){40}`, `pattern passes a limit of nested groups and repeats: invalid repeat count`},
		{`a` + strings.Repeat("?+", maxRegex/2-1), `pattern passes a limit of nested groups and repeats: expression nests too deeply`},
		{strings.Repeat(`"abcde"{1000}`, 3), `pattern has 15000 characters with its repeats written out, the limit is 10000`},
		{strings.Repeat("a", maxRegex+1), `pattern has 10001 characters, the limit is 10000`},
		{deep, `group "(" at character 201 is nested more than 200 deep`},
		{"a\xff", `pattern is not UTF-8 text`},
	} {
		for folding := range foldings {
			if _, err := compileRegex(c.pattern, folding); err == nil || err.Error() != c.want {
				t.Errorf("%.40s, %s\ngot  %v\nwant %s", c.pattern, foldings[folding], err, c.want)
			}
		}
	}
}

// TestRegexLimits compiles what is just within them.
func TestRegexLimits(t *testing.T) {
	deep := strings.Repeat("(a|b", maxRegexDepth) + strings.Repeat(")?c", maxRegexDepth)
	mustRegex(t, deep, foldsUnicode)
	if r := mustRegex(t, `a{1000}`, exact); !r.matches([]byte(strings.Repeat("a", 1000))) || r.matches([]byte(strings.Repeat("a", 999))) {
		t.Error("a{1000} is not a thousand times a")
	}
	long := strings.Repeat(`\S`, maxRegex/2)
	if r := mustRegex(t, long, exact); !r.matches([]byte(strings.Repeat("é", maxRegex/2))) || r.matches([]byte(long)) {
		t.Error("a long pattern does not match its own")
	}
}

func TestRegexLiteral(t *testing.T) {
	for _, c := range []struct {
		pattern, text string
		plain         bool
	}{
		{`wget`, "wget", true},
		{``, "", true},
		{`a(b()"c.*")\.\\é`, `abc.*.\é`, true},
		{`*a`, "*a", true},
		{`a.`, "", false},
		{`ab?`, "", false},
		{`a|b`, "", false},
		{`[a]`, "", false},
		{`\w`, "", false},
		{`a{1}`, "", false},
		{`@`, "", false},
		{`#`, "", false},
		{"a\ufffd", "", false}, // matches a\xff as well
	} {
		for folding := range foldings {
			text, plain := mustRegex(t, c.pattern, folding).literal()
			if plain != c.plain || plain && text != c.text {
				t.Errorf("%s, %s: %q, %v, want %q, %v", c.pattern, foldings[folding], text, plain, c.text, c.plain)
			}
		}
	}
}

// TestRegexAgreesWithTrees matches random trees both ways.
func TestRegexAgreesWithTrees(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	hits, total := 0, 0
	for range 5000 {
		seed := make([]byte, 60)
		for i := range seed {
			seed[i] = byte(random.Uint32())
		}
		h, n := agreeOnTree(t, seed, "ak")
		hits, total = hits+h, total+n
	}
	if hits < total/4 || hits > total*3/4 {
		t.Errorf("%d of %d values match: too few of one kind to tell anything", hits, total)
	}
}

func FuzzRegex(f *testing.F) {
	for i, v := range []string{"", "aK", "\u212aé\n", "\xff-]"} {
		f.Add([]byte(strings.Repeat(string(rune('0'+7*i)), 20)), v)
	}
	f.Fuzz(func(t *testing.T, seed []byte, value string) { agreeOnTree(t, seed, value) })
}

// agreeOnTree prints a tree that the seed makes and compares what its pattern
// matches with what the tree does, on value and on values made for the tree.
func agreeOnTree(t *testing.T, seed []byte, value string) (hits, total int) {
	t.Helper()
	d := dice(seed)
	folding := d.roll(len(foldings))
	tree := growTree(&d, 3)
	pattern := tree.pattern(&d)
	r := mustRegex(t, pattern, folding)
	sample := tree.sample(&d)
	swapped := strings.Map(func(c rune) rune {
		if strings.EqualFold(string(c), string(c^0x20)) {
			return c ^ 0x20
		}
		return c
	}, sample)
	_, last := utf8.DecodeLastRuneInString(sample)
	for _, v := range []string{value, sample, swapped, sample[:len(sample)-last], sample + value} {
		runes := []rune(v)
		from := make([]bool, len(runes)+1)
		from[0] = true
		want := tree.match(runes, from, folding)[len(runes)]
		if got := r.matches([]byte(v)); got != want {
			t.Fatalf("%s, %s: %v of %q, want %v", pattern, foldings[folding], got, v, want)
		}
		if total++; want {
			hits++
		}
	}
	return hits, total
}
