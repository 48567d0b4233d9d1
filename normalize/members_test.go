package normalize

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dump is every value of every declared path as "path=value value…", strings
// in quotes, objects as {}.
func (m *members) dump() string {
	var b strings.Builder
	for p := range m.slots {
		if !m.has(path(p)) {
			continue
		}
		fmt.Fprintf(&b, "%d=", p)
		for k := m.first(path(p)); k != 0; k = m.next(k) {
			switch m.found[k].kind {
			case '"', '\\', '&':
				fmt.Fprintf(&b, "%q ", m.at(k))
			case 'n':
				b.WriteString("null ")
			case '{', '.':
				b.WriteString("{} ")
			default:
				fmt.Fprintf(&b, "%s ", m.at(k))
			}
		}
	}
	return strings.TrimSuffix(b.String(), " ")
}

func TestReadFindsDeclaredMembersAndNoOthers(t *testing.T) {
	for _, c := range []struct {
		what, paths, doc, want string
		dotted                 bool
	}{
		{what: "nothing declared is there", paths: "a", doc: `{"b":1,"c":{"a":2}}`},
		{what: "names match in case", paths: "ProcessId ProcessID", doc: `{"PROCESSID":1,"ProcessID":2,"processid":3}`, want: `1=2`},
		{what: "both spellings are told apart", paths: "ProcessId ProcessID", doc: `{"ProcessID":2,"ProcessId":"3"}`, want: `0="3" 1=2`},
		{what: "same length, first, middle and last letter", paths: "abcde", doc: `{"axcxe":1,"abcde":2,"aecbe":3}`, want: `0=2`},
		{what: "a path leads down", paths: "a.b.c", doc: `{"a":{"b":{"c":"v","d":1},"c":2},"c":3}`, want: `0="v"`},
		{what: "a dot in a name is a letter", paths: "a.b", doc: `{"a.b":1}`},
		{what: "a dot in a name leads down", paths: "a.b.c a.d", doc: `{"a.b":{"c":1},"a.b.c":2,"a":{"b.c":3,"d":4},"a.":5,".a":6,"a..d":7}`, want: `0=1 2 3 1=4`, dotted: true},
		{what: "arrays stand for their elements", paths: "a.b", doc: `{"a":[{"b":[1,[2,"x"]]},3,[{"b":4}]]}`, want: `0=1 2 "x" 4`},
		{what: "an empty array is absence", paths: "a", doc: `{"a":[],"b":[[]]}`},
		{what: "a repeated member has all its values", paths: "a b", doc: `{"a":1,"b":2,"a":3,"a":[4]}`, want: `0=1 3 4 1=2`},
		{what: "spellings share a path", paths: "a.b|c", doc: `{"c":1,"a":{"b":2,"c":3},"b":4}`, want: `0=1 2`},
		{what: "an object between and a value at its end", paths: "a a.b", doc: `{"a":{"b":1},"a":2}`, want: `0={} 2 1=1`},
		{what: "all kinds", paths: "a", doc: `{"a":["s","",true,false,null,0,-1.5e+3,{}]}`, want: `0="s" "" true false null 0 -1.5e+3 {}`},
		{what: "numbers keep their digits", paths: "a", doc: `{"a":[12345678901234567890,1.10,1E2]}`, want: `0=12345678901234567890 1.10 1E2`},
		{what: "escapes in names", paths: "a.b", doc: `{"\u0061":{"\u0062":1},"a\u002eb":2}`, want: `0=1`},
		{what: "escapes in texts", paths: "a", doc: `{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, want: `0="\"\\/\b\f\n\r\té😀"`},
		{what: "half surrogates", paths: "a", doc: `{"a":["\ud83d","\ud83dx","\ude00","\ud83d\u0041","\ud83d\ud83d\ude00"]}`, want: `0="�" "�x" "�" "�A" "�😀"`},
		{what: "bytes that are no UTF-8 stay", paths: "a", doc: "{\"a\":\"\xff\x7f\"}", want: `0="\xff\x7f"`},
		{what: "white space", paths: "a b", doc: " \t\r\n{ \"a\" : [ 1 , 2 ] , \"b\"\n:\t{ } } \n", want: `0=1 2 1={}`},
		{what: "byte order mark", paths: "a", doc: "\xef\xbb\xbf{\"a\":1}", want: `0=1`},
		{what: "empty names", paths: "a", doc: `{"":1,"a":2}`, want: `0=2`},
	} {
		m := newMembers(strings.Fields(c.paths))
		m.dotted = c.dotted
		if err := m.read([]byte(c.doc)); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
		if got := m.dump(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}

func TestReadKeepsWhatStandsBeforeAFault(t *testing.T) {
	for _, c := range []struct{ doc, found, want string }{
		{``, ``, `syntax: record is empty, want a JSON object (byte 0)`},
		{" \n ", ``, `syntax: record is empty, want a JSON object (byte 3)`},
		{"\xef\xbb\xbf ", ``, `syntax: record is empty, want a JSON object (byte 4)`},
		{`[{"a":1}]`, ``, `shape: record is no JSON object (byte 0)`},
		{`"a"`, ``, `shape: record is no JSON object (byte 0)`},
		{`nul`, ``, `syntax: record ends within a value (byte 3)`},
		{`hello`, ``, `syntax: want a value (byte 0)`},
		{`{"a":1}{"a":2}`, `0=1`, `syntax: more text behind the end of the object (byte 7)`},
		{`{"a":1`, `0=1`, `syntax: record ends within a value (byte 6)`},
		{`{"a":1,`, `0=1`, `syntax: record ends within a value (byte 7)`},
		{`{"a":1,}`, `0=1`, `syntax: want a member name in quotes (byte 7)`},
		{`{"a":1 "b":2}`, `0=1`, `syntax: want a comma or a closing brace (byte 7)`},
		{`{"a" 1}`, ``, `syntax: want a colon behind a member name (byte 5)`},
		{`{a:1}`, ``, `syntax: want a member name in quotes (byte 1)`},
		{`{"a":[1,2`, `0=1 2`, `syntax: record ends within a value (byte 9)`},
		{`{"a":[1,2}`, `0=1 2`, `syntax: want a comma or a closing bracket (byte 9)`},
		{`{"a":[1,]}`, `0=1`, `syntax: want a value (byte 8)`},
		{`{"a":"v","b":"half`, `0="v"`, `syntax: record ends within a value (byte 18)`},
		{`{"a":"v","b":"half\`, `0="v"`, `syntax: record ends within a value (byte 19)`},
		{"{\"a\":\"v\",\"b\":\"x\ny\"}", `0="v"`, `syntax: control character in a string (byte 15)`},
		{`{"a":"\x"}`, ``, `syntax: unknown escape in a string (byte 7)`},
		{`{"a":"\u12g4"}`, ``, `syntax: want four hex digits behind \u (byte 10)`},
		{`{"a":tru}`, ``, `syntax: want a value (byte 8)`},
		{`{"a":01}`, `0=0`, `syntax: want a comma or a closing brace (byte 6)`},
		{`{"a":-}`, ``, `syntax: want a value (byte 6)`},
		{`{"a":1.}`, ``, `syntax: want a digit behind the point (byte 7)`},
		{`{"a":1e+}`, ``, `syntax: want a digit in the exponent (byte 8)`},
		{`{"a":+1}`, ``, `syntax: want a value (byte 5)`},
		{"\xef\xbb\xbf{\"a\":?}", ``, `syntax: want a value (byte 8)`},
		{"\xff\xfe{\x00", ``, `encoding: record is UTF-16, want UTF-8 (byte 0)`},
		{"\xfe\xff\x00{", ``, `encoding: record is UTF-16, want UTF-8 (byte 0)`},
		{"{\x00\"\x00", ``, `encoding: record is UTF-16, want UTF-8 (byte 0)`},
		{"\x00{\x00\"", ``, `encoding: record is UTF-16, want UTF-8 (byte 0)`},
		{"\x1f\x8b\x08\x00", ``, `encoding: record is gzip, want text (byte 0)`},
	} {
		m := newMembers([]string{"a", "b"})
		got := ""
		if err := m.read([]byte(c.doc)); err != nil {
			got = string(err.Reason) + ": " + err.Error()
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.doc, got, c.want)
		}
		if found := m.dump(); found != c.found {
			t.Errorf("%q: found %s, want %s", c.doc, found, c.found)
		}
	}
}

func TestTextIsTheLastValueAndEqualAsksForAny(t *testing.T) {
	m := newMembers([]string{"a", "b", "c", "d"})
	if err := m.read([]byte(`{"a":"x","a":"\u0079","b":null,"c":12,"c":true}`)); err != nil {
		t.Fatal(err)
	}
	for p, want := range []string{"y", "", "true", ""} {
		if got := m.text(path(p)); string(got) != want || (got == nil) != (want == "") {
			t.Errorf("text of %d is %q, want %q", p, got, want)
		}
	}
	for _, c := range []struct {
		p    path
		text string
		want bool
	}{
		{0, "x", true}, {0, "y", true}, {0, "z", false}, {0, "", false}, {0, "X", false},
		{1, "null", false}, {1, "", true}, // null has no text; no caller asks for the empty one
		{2, "12", true}, {2, "true", true}, {3, "", false},
	} {
		if got := m.equal(c.p, c.text); got != c.want {
			t.Errorf("equal(%d, %q) = %v, want %v", c.p, c.text, got, c.want)
		}
	}
	if !m.has(1) || m.has(3) {
		t.Error("null is a member that the record has, absence is not")
	}
}

func TestAtOfAnObjectIsAFault(t *testing.T) {
	m := newMembers([]string{"a"})
	if err := m.read([]byte(`{"a":{"b":1}}`)); err != nil {
		t.Fatal(err)
	}
	if v := m.text(0); v != nil || m.err == nil || m.err.Reason != Shape || m.err.Byte != 5 {
		t.Errorf("text is %q, fault %v", v, m.err)
	}
}

func TestReadStopsAtItsLimits(t *testing.T) {
	nested := func(levels int) string {
		return `{"a":` + strings.Repeat("[", levels-1) + "1" + strings.Repeat("]", levels-1) + `}`
	}
	objects := func(levels int) string { return strings.Repeat(`{"b":`, levels) + "1" + strings.Repeat("}", levels) }
	many := func(n int) string { return `{"a":[` + strings.Repeat("1,", n-1) + `1],"b":"late"}` }
	for _, c := range []struct {
		what, doc string
		reason    Reason
	}{
		{"deepest arrays", nested(maxDepth), ""},
		{"arrays too deep", nested(maxDepth + 1), TooDeep},
		{"deepest objects", objects(maxDepth), ""},
		{"objects too deep", objects(maxDepth + 1), TooDeep},
		{"arrays without an end", strings.Repeat("[", 1<<20), TooDeep},
		{"most values", many(maxValues - 1), ""},
		{"too many values", many(maxValues + 1), TooLarge},
		{"largest record", `{"a":"` + strings.Repeat("x", MaxRecord-8) + `"}`, ""},
		{"record too large", `{"a":"` + strings.Repeat("x", MaxRecord-7) + `"}`, TooLarge},
	} {
		m := newMembers([]string{"a", "b"})
		err := m.read([]byte(c.doc))
		if (err == nil) != (c.reason == "") || err != nil && err.Reason != c.reason {
			t.Errorf("%s: %v, want reason %q", c.what, err, c.reason)
		}
	}
}

// TestReadCarriesNothingOver reads a record of each size after a large one, and
// wants neither its values nor its memory.
func TestReadCarriesNothingOver(t *testing.T) {
	m := newMembers([]string{"a", "b"})
	large := []byte(`{"a":["` + strings.Repeat(`\\`, keepBytes) + `"` + strings.Repeat(`,"b"`, 2*keepValues) + `],"b":2}`)
	for range 2 {
		if err := m.read(large); err != nil {
			t.Fatal(err)
		}
		m.dump()
		if err := m.read([]byte(`{"a":"\u0061"}`)); err != nil {
			t.Fatal(err)
		}
		if got := m.dump(); got != `0="a"` {
			t.Errorf("found %s, want 0=\"a\"", got)
		}
		if cap(m.found) > keepValues || cap(m.buf) > keepBytes {
			t.Errorf("%d values and %d bytes are kept", cap(m.found), cap(m.buf))
		}
	}
	names := []byte(`{"a":"\u0061"` + strings.Repeat(`,"\u0062":1`, 100) + `}`)
	for range 100 {
		if err := m.read(names); err != nil || string(m.text(0)) != "a" || !m.has(1) {
			t.Fatalf("error %v, found %s", err, m.dump())
		}
		for range 100 {
			if !m.equal(0, "a") {
				t.Fatal("a is not a")
			}
		}
	}
	if cap(m.buf) > 64 {
		t.Errorf("%d bytes of scratch for texts of one letter", cap(m.buf))
	}
	if err := m.read([]byte("\xff\xfe")); err == nil || m.dump() != "" {
		t.Errorf("error %v, found %s in a record that was not read", err, m.dump())
	}
}

func TestViewsDoNotReachIntoTheirNeighbours(t *testing.T) {
	m := newMembers([]string{"a", "b"})
	record := []byte(`{"a":["plain",12,true],"b":["\u0061b","\u0063d"]}`)
	before := bytes.Clone(record)
	if err := m.read(record); err != nil {
		t.Fatal(err)
	}
	var views [][]byte
	for p := range path(2) {
		for k := m.first(p); k != 0; k = m.next(k) {
			views = append(views, m.at(k))
		}
	}
	for _, v := range views {
		_ = append(v, "overrun"...)
	}
	if diff := cmp.Diff([]string{"plain", "12", "true", "ab", "cd"}, strings.Fields(string(bytes.Join(views, []byte(" "))))); diff != "" {
		t.Errorf("appending to one view changed another (-want +got):\n%s", diff)
	}
	if !bytes.Equal(before, record) {
		t.Errorf("appending to a view changed the record: %s", record)
	}
}
