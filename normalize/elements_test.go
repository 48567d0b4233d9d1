package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// walked is what a walk finds: the elements that were handed out, each as
// "index shape values", how many there are in all, and the fault.
type walked struct {
	elements []string
	count    int
	fault    string
}

func walk(m *members, value []byte, batch path) walked {
	var w walked
	it := m.elements(value, batch)
	for it.next() {
		w.elements = append(w.elements, strings.TrimSuffix(fmt.Sprintf("%d %s %s", it.index, it.shape, m.dump()), " "))
	}
	w.count = it.index + 1
	if m.err != nil {
		w.fault = string(m.err.Reason) + ": " + m.err.Error()
	}
	return w
}

// batchPaths are those of a reader whose path 0 is the batch.
var batchPaths = []string{"records", "a", "b.c"}

func TestElementsOfEveryWrapping(t *testing.T) {
	for _, c := range []struct {
		doc  string
		want []string
	}{
		{`{"a":1}`, []string{"0 record 1=1"}},
		{" \r\n{\"a\":1}\r\n\r\n", []string{"0 record 1=1"}},
		{"\xef\xbb\xbf{\"a\":1}", []string{"0 record 1=1"}},
		{`{}`, []string{"0 record"}},
		{"{\"a\":1}\n{\"a\":2}", []string{"0 lines 1=1", "1 lines 1=2"}},
		{"\r\n{\"a\":1}\r\n \t\r\n{\"a\":2}\r\n", []string{"0 lines 1=1", "1 lines 1=2"}},
		{`{"a":1}{"a":2} {"a":3}`, []string{"0 lines 1=1", "1 lines 1=2", "2 lines 1=3"}},
		{"{\n\"a\":\n[1,\n2]\n}\n{\n}", []string{"0 lines 1=1 2", "1 lines"}},
		{`[{"a":1},{"a":2}]`, []string{"0 array 1=1", "1 array 1=2"}},
		{" [\n{\"a\":1} ,\n{\"b\":{\"c\":2}}\n] \n", []string{"0 array 1=1", "1 array 2=2"}},
		{`[{"a":1}]`, []string{"0 array 1=1"}},
		{`[]`, nil},
		{` [ ] `, nil},
		{`{"records":[{"a":1},{"a":2}]}`, []string{"0 records 1=1", "1 records 1=2"}},
		{`{ "records" : [ ] }`, nil},
		{`{"records":[]}`, nil},
		{`{"x":{"records":[{"a":0}]},"y":["records"],"records":[{"a":1}],"a":2}`, []string{"0 records 1=1"}},
		{`{"records":[{"a":1}],"x":[1,{"y":"]}"}],"records":[{"a":2}]}`, []string{"0 records 1=1", "1 records 1=2"}},
		{`{"\u0072ecords":[{"a":1}]}`, []string{"0 records 1=1"}},
		{`{"x":1,"rec\u006frds":[{"a":1}]}`, []string{"0 records 1=1"}},
		{`{"records":{"a":1}}`, []string{"0 records 1=1"}},
		{`{"Records":[{"a":1}]}`, []string{"0 record"}},
		{`{"x":1,"records":[]}`, nil},
		{`{"a":1,"records":[]}`, []string{"0 record 1=1"}},
		{`{"x":{"records":[{"a":1}]},"a":2}`, []string{"0 record 1=2"}},
		{`[{"records":[{"a":1}]}]`, []string{"0 array 0={}"}},
		{`{"records":[{"records":[{"a":1}]}]}`, []string{"0 records 0={}"}},
		{"{\"records\":[{\"a\":1}]}\n[{\"a\":2}]\n{\"a\":3}", []string{"0 records 1=1", "1 array 1=2", "2 lines 1=3"}},
		{"{\"a\":1}[{\"a\":2}]", []string{"0 lines 1=1", "1 array 1=2"}},
		{"[]\n{\"a\":1}", []string{"0 lines 1=1"}},
	} {
		w := walk(newMembers(batchPaths), []byte(c.doc), 0)
		if diff := cmp.Diff(c.want, w.elements); diff != "" || w.fault != "" {
			t.Errorf("%q: fault %q (-want +got):\n%s", c.doc, w.fault, diff)
		}
	}
}

func TestElementsWithoutABatchMember(t *testing.T) {
	for doc, want := range map[string]string{
		`{"records":[{"a":1}],"a":2}`: "0 record 0={} 1=2",
		`{"a":2,"records":[{"a":1}]}`: "0 record 0={} 1=2",
	} {
		if w := walk(newMembers(batchPaths), []byte(doc), -1); len(w.elements) != 1 || w.elements[0] != want || w.fault != "" {
			t.Errorf("%s: %+v, want %s", doc, w, want)
		}
	}
}

func TestABadElementDoesNotHideItsNeighbours(t *testing.T) {
	for _, c := range []struct {
		doc   string
		want  []string
		fault string
	}{
		// alone
		{``, nil, `syntax: record is empty, want a JSON object (byte 0)`},
		{" \n", nil, `syntax: record is empty, want a JSON object (byte 2)`},
		{`nul`, nil, `syntax: record ends within a value (byte 3)`},
		{`null`, nil, `shape: want a JSON object (byte 0)`},
		{`"a"`, nil, `shape: want a JSON object (byte 0)`},
		{"\xff\xfe{\x00", nil, `encoding: record is UTF-16, want UTF-8 (byte 0)`},
		{`{"a":1`, []string{"0 record 1=1"}, `syntax: record ends within a value (byte 6)`},
		{`{"a":1,"x":"y`, []string{"0 record 1=1"}, `syntax: record ends within a value (byte 13)`},
		{`{"a":1}}`, []string{"0 record 1=1"}, `syntax: more text behind the end of the object (byte 7)`},
		{`{"a":1} x `, []string{"0 record 1=1"}, `syntax: more text behind the end of the object (byte 8)`},
		{`{"a":1,"records`, []string{"0 record 1=1"}, `syntax: record ends within a value (byte 15)`},
		// lines
		{"{\"a\":1}\n{\"a\":2,?}\n{\"a\":3}", []string{"0 lines 1=1", "1 lines 1=2", "2 lines 1=3"}, `syntax: element 1: want a member name in quotes (byte 15)`},
		{"{\"a\":1\n{\"a\":2}\n", []string{"0 lines 1=1", "1 lines 1=2"}, `syntax: element 0: want a comma or a closing brace (byte 7)`},
		{"{\"a\":\"x\r\n{\"a\":2}\n", []string{"0 lines", "1 lines 1=2"}, `syntax: element 0: control character in a string (byte 7)`},
		{"{\"a\":\"x\\\n{\"a\":2}\n", []string{"0 lines", "1 lines 1=2"}, `syntax: element 0: unknown escape in a string (byte 8)`},
		{"{\"a\":1}\nsome text {\"a\":2}\nmore\n\n{\"a\":3}", []string{"0 lines 1=1", "2 lines 1=2", "4 lines 1=3"}, `syntax: element 1: want a value (byte 8); 2 elements are bad`},
		{"{\"a\":1},{\"a\":2}", []string{"0 lines 1=1", "1 lines 1=2"}, `syntax: element 0: more text behind the end of the object (byte 7)`},
		{"{\"a\":[1,2}\n{\"a\":3}", []string{"0 lines 1=1 2", "1 lines 1=3"}, `syntax: element 0: want a comma or a closing bracket (byte 9)`},
		{"{\"a\":{\"}\":tru}}{\"a\":3}", []string{"0 lines 1={}", "1 lines 1=3"}, `syntax: element 0: want a value (byte 13)`},
		// an array
		{`[{"a":1},{"a":2,"x":tru},{"a":3}]`, []string{"0 array 1=1", "1 array 1=2", "2 array 1=3"}, `syntax: element 1: want a value (byte 23)`},
		{`[{"a":1},2,"x,{",null,[{"a":0}],{"a":3}]`, []string{"0 array 1=1", "5 array 1=3"}, `shape: element 1: want a JSON object (byte 9); 4 elements are bad`},
		{`[{"a":1},x y,[tru,[{]}],"z,]",{"a":3}]`, []string{"0 array 1=1", "4 array 1=3"}, `syntax: element 1: want a value (byte 9); 3 elements are bad`},
		{`[{"a":1},,{"a":3},]`, []string{"0 array 1=1", "2 array 1=3"}, `syntax: element 1: want a value (byte 9); 2 elements are bad`},
		{`[{"a":1} {"a":2}{"a":3}]`, []string{"0 array 1=1", "1 array 1=2", "2 array 1=3"}, `syntax: element 0: want a comma or a closing bracket (byte 9); 2 elements are bad`},
		{`[{"a":1}}, "x" ,{"a":2}x]`, []string{"0 array 1=1", "2 array 1=2"}, `syntax: element 0: want a comma or a closing bracket (byte 8); 3 elements are bad`},
		{`[{"a":1},{"a":2}`, []string{"0 array 1=1", "1 array 1=2"}, `syntax: record ends within a value (byte 16)`},
		{`[{"a":1},`, []string{"0 array 1=1"}, `syntax: record ends within a value (byte 9)`},
		{`[{"a":1},{"a":2,"b":"]},{"a":3}]`, []string{"0 array 1=1", "1 array 1=2"}, `syntax: element 1: want a comma or a closing brace (byte 26)`},
		{`[{"a":1}]]`, []string{"0 array 1=1"}, `syntax: element 1: want a value (byte 9)`},
		{`[`, nil, `syntax: record ends within a value (byte 1)`},
		{"[\n{\"a\":\"cut\n{\"a\":2},\n{\"a\":3}]", []string{"0 array", "1 array 1=2", "2 array 1=3"}, `syntax: element 0: control character in a string (byte 11)`},
		{`[[[{"a":1}]],{"a":2}]`, []string{"1 array 1=2"}, `shape: element 0: want a JSON object (byte 1)`},
		// an envelope
		{`{"records":[{"a":1},{"a":?},{"a":3}]}`, []string{"0 records 1=1", "1 records", "2 records 1=3"}, `syntax: element 1: want a value (byte 25)`},
		{`{"records":[{"a":1}],"x":?,"records":[{"a":2}]}`, []string{"0 records 1=1", "1 records 1=2"}, `syntax: want a value (byte 25)`},
		{`{"x":[1,2,"records":[{"a":1}]}`, []string{"0 records 1=1"}, `syntax: want a comma or a closing bracket (byte 19)`},
		{`{"x":{"records":?},"records":[{"a":1}]}`, []string{"0 records 1=1"}, `syntax: want a value (byte 16)`},
		{`{x:{,}"y" 1,"z,}":,"q\x":1,"records":[{"a":1}]`, []string{"0 records 1=1"}, `syntax: want a member name in quotes (byte 1)`},
		{`{"records":[{"a":1}] "x":1}`, []string{"0 records 1=1"}, `syntax: want a comma or a closing brace (byte 21)`},
		{`{"records":[{"a":1}],}`, []string{"0 records 1=1"}, `syntax: want a member name in quotes (byte 21)`},
		{`{"records":[{"a":1}],?,"x":2,?}`, []string{"0 records 1=1"}, `syntax: want a member name in quotes (byte 21)`},
		{`{"records":`, nil, `syntax: record ends within a value (byte 11)`},
		{`{"records":5}`, nil, `shape: element 0: want a JSON object (byte 11)`},
		{`{"records":x,"records":[{"a":1}]}`, []string{"1 records 1=1"}, `syntax: element 0: want a value (byte 11)`},
		{`{"records":{"a":?},"records":[{"a":1}]}`, []string{"0 records", "1 records 1=1"}, `syntax: element 0: want a value (byte 16)`},
		{"{\"x\":?,\n\"records\":[\n{\"a\":1},\n{\"a\":2}\n]}", []string{"0 records 1=1", "1 records 1=2"}, `syntax: want a value (byte 5)`},
		{"{\"records\":[{\"a\":1}]\n{\"records\":[{\"a\":2}]}", []string{"0 records 1=1", "1 records 1=2"}, `syntax: want a comma or a closing brace (byte 21)`},
	} {
		w := walk(newMembers(batchPaths), []byte(c.doc), 0)
		// The count stands in front of the place; the table has it behind, where it is read easier.
		want, many, _ := strings.Cut(c.fault, "; ")
		if many != "" {
			at := strings.LastIndex(want, " (byte")
			want = want[:at] + "; " + many + want[at:]
		}
		if diff := cmp.Diff(c.want, w.elements); diff != "" || w.fault != want {
			t.Errorf("%q:\n got %q\nwant %q (-want +got):\n%s", c.doc, w.fault, want, diff)
		}
	}
}

// TestElementsAreCutAtTheirLimits wants the limits of the scanner for each
// element, and for what stands between.
func TestElementsAreCutAtTheirLimits(t *testing.T) {
	nested := func(levels int) string {
		return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels)
	}
	for _, c := range []struct {
		what, doc string
		elements  int
		fault     string
	}{
		{"deepest elements", `[` + nested(maxDepth) + `,{"a":1}]`, 2, ""},
		{"element too deep", `[` + nested(maxDepth+1) + `,{"a":1}]`, 2, "too_deep: element 0: record nests deeper than"},
		{"member of the envelope too deep", `{"x":` + nested(maxDepth+1) + `,"records":[{"a":1}]}`, 1, "too_deep: record nests deeper than"},
		{"most values of each", `[{"a":[1` + strings.Repeat(",1", maxValues-1) + `]},{"a":[1` + strings.Repeat(",1", maxValues-1) + `]}]`, 2, ""},
		{"too many values in one", `[{"a":[1` + strings.Repeat(",1", maxValues) + `]},{"a":1}]`, 2, "too_large: element 0: record has more than"},
		{"more elements than values", `{"x":1,"records":[{}` + strings.Repeat(",{}", maxValues) + `]}`, maxValues + 1, ""},
		{"record too large", `{"records":[{"a":1}` + strings.Repeat(" ", MaxRecord) + `]}`, 0, "too_large: record has"},
	} {
		m := newMembers(batchPaths)
		count := 0
		it := m.elements([]byte(c.doc), 0)
		for it.next() {
			count++
		}
		fault := ""
		if m.err != nil {
			fault = string(m.err.Reason) + ": " + m.err.Error()
		}
		if count != c.elements || !strings.HasPrefix(fault, c.fault) || (fault == "") != (c.fault == "") {
			t.Errorf("%s: %d elements, want %d, fault %q, want %q", c.what, count, c.elements, fault, c.fault)
		}
	}
}

type hostileElement struct {
	what, head, fill, tail string
	elements               int // -1: many
}

// hostileElements are records that aim at the walk's time: each is head, as much
// of fill as goes in, tail.
var hostileElements = []hostileElement{
	{"arrays in arrays", ``, `[`, ``, 0},
	{"envelopes in envelopes", ``, `{"records":`, ``, 1},
	{"objects in objects", ``, `{"a":`, ``, 1},
	{"objects in a broken envelope", `{"x":?,"y":`, `{"a":`, ``, 1},
	{"envelopes in arrays", ``, `[{"records":`, ``, 1},
	{"objects on lines", ``, "{\"a\":\n", ``, -1},
	{"objects on lines with a fault behind them all", strings.Repeat("{\"a\":[\n", 200) + `"`, `x`, `"?`, 1},
	{"cut lines", ``, "{\"a\n", ``, -1},
	{"lines with an open brace", ``, "{\n", ``, -1},
	{"open braces", ``, `{`, ``, 1},
	{"opened strings", ``, `{"`, ``, 1},
	{"opened strings in an array", `[`, `{",`, ``, 1},
	{"names of the batch", ``, `{"records" `, ``, 0},
	{"names of the batch in a broken object", `{?`, `"records" `, ``, 1},
	{"envelopes without an end", `{"x":?`, `,"records":[{}`, ``, 1},
	{"batches", `{"x":1`, `,"records":[{}]`, `}`, -1},
	{"batches on lines", ``, "{\"records\":[{}]\n", ``, -1},
	{"late batches", `{"x":[0`, `,0`, `],"records":[{}]}`, 1},
	{"late batches of many", `{"x":1,"records":[{}`, `,{}`, `]}`, -1},
	{"bad elements", `[{x}`, `,{x}`, `]`, -1},
	{"no objects", `[1`, `,[]`, `]`, 0},
	{"no values", `[`, `,`, `]`, 0},
	{"no commas", `[`, `{}`, `]`, -1},
	{"closing brackets", ``, `]`, ``, 0},
	{"closing braces in an array", `[`, `}`, ``, 0},
	{"lines of text", ``, "x\n", ``, 0},
	{"commas of an envelope", `{"records":[]`, `,`, `}`, 0},
	{"broken members of an envelope", `{"records":[]`, `,"x":?`, `}`, 0},
	{"braces in an envelope", `{"records":[]?`, `{}`, `}`, 0},
	{"backslashes", `[{"a":"`, `\\`, ``, 1},
	{"white space", ``, ` `, ``, 0},
}

func (h *hostileElement) build(size int) []byte {
	return []byte(h.head + strings.Repeat(h.fill, max(0, size-len(h.head)-len(h.tail))/len(h.fill)) + h.tail)
}

// TestElementsAreNotBlownUp walks over the hostile records in linear time, or
// the test runs into its timeout, and without memory to speak of.
func TestElementsAreNotBlownUp(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("measures memory")
	}
	const size, most = 60 << 20, 120 << 20
	for _, h := range hostileElements {
		t.Run(strings.ReplaceAll(h.what, " ", "-"), func(t *testing.T) {
			value := h.build(size)
			m := newMembers(batchPaths)
			before := heap()
			count := 0
			it := m.elements(value, 0)
			for it.next() {
				count++
			}
			if used := heap().TotalAlloc - before.TotalAlloc; used > most {
				t.Errorf("%d MB allocated, want %d or less", used>>20, most>>20)
			}
			if count != h.elements && (h.elements >= 0 || count < 1000) {
				t.Errorf("%d elements, want %d, fault %v", count, h.elements, m.err)
			}
			runtime.KeepAlive(value)
		})
	}
}

// BenchmarkElementsHostile shows that the walk is linear: ten times the record
// must take ten times the time, so that the MB/s are the same.
func BenchmarkElementsHostile(b *testing.B) {
	for _, h := range hostileElements {
		for _, size := range []int{200 << 10, 2 << 20} {
			b.Run(fmt.Sprintf("what=%s/KB=%d", strings.ReplaceAll(h.what, " ", "-"), size>>10), func(b *testing.B) {
				value, m := h.build(size), newMembers(batchPaths)
				b.SetBytes(int64(len(value)))
				for b.Loop() {
					it := m.elements(value, 0)
					for it.next() {
					}
				}
			})
		}
	}
}

// oracle finds the elements of a valid record with encoding/json alone: the text
// of each object, "" for one that is something else. It gives up on scalars
// beside others, where a line's end matters.
func oracle(doc []byte) (elements []string, ok bool) {
	d := json.NewDecoder(bytes.NewReader(doc))
	for {
		var value json.RawMessage
		switch err := d.Decode(&value); {
		case errors.Is(err, io.EOF):
			return elements, true
		case err != nil:
			return nil, false
		}
		switch value[0] {
		case '[':
			elements = append(elements, oracleArray(value)...)
		case '{':
			batches, found := oracleBatches(value)
			if !found || known(value) && oracleEmpty(batches) {
				elements = append(elements, string(value))
			}
			for _, b := range batches {
				if b[0] == '[' {
					elements = append(elements, oracleArray(b)...)
				} else {
					elements = append(elements, oracleObject(b))
				}
			}
		default:
			return nil, false
		}
	}
}

func oracleArray(array []byte) (elements []string) {
	var values []json.RawMessage
	if err := json.Unmarshal(array, &values); err != nil {
		panic(err)
	}
	for _, v := range values {
		elements = append(elements, oracleObject(v))
	}
	return elements
}

func oracleObject(value []byte) string {
	if value[0] != '{' {
		return ""
	}
	return string(value)
}

// oracleEmpty reports whether there is nothing but arrays in the batches: an
// object with something better to say is itself then.
func oracleEmpty(batches []json.RawMessage) bool {
	for _, b := range batches {
		if len(bytes.Trim(b, "[], \t\r\n")) > 0 {
			return false
		}
	}
	return true
}

// known reports whether an object that does not begin with its batch has
// another member that the reader of the test declares.
func known(object []byte) bool {
	m := newMembers(batchPaths[1:])
	return m.read(object) == nil && m.dump() != "" && !bytes.HasPrefix(bytes.TrimLeft(object[1:], " \t\r\n"), []byte(`"records"`))
}

// oracleBatches are the values of every member "records" of an object.
func oracleBatches(object []byte) (values []json.RawMessage, found bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		panic(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			panic(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			panic(err)
		}
		if name == "records" {
			values, found = append(values, value), true
		}
	}
	return values, found
}

// depth is how deep a valid text nests.
func depth(doc string) int {
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	return tokens(d, "", false, func(string, any) {})
}

// FuzzElements wants, of every text, that the walk ends with places within it,
// and of valid batches that it finds the elements that encoding/json finds.
func FuzzElements(f *testing.F) {
	seed(f, func(raw, _ []byte) {
		f.Add(raw)
		f.Add([]byte(`{"x":null,"records":[` + string(raw) + `]}`))
		f.Add([]byte(`[{"a":1},` + string(raw) + `]`))
	})
	for _, h := range hostileElements {
		f.Add(h.build(300))
	}
	m, alone := newMembers(batchPaths), newMembers(batchPaths)
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		w := walk(m, raw, 0)
		if !bytes.Equal(before, raw) {
			t.Fatalf("record changed from %q to %q", before, raw)
		}
		if m.err != nil && (m.err.Byte < 0 || m.err.Byte > len(raw)) {
			t.Fatalf("%d bytes: %v", len(raw), m.err)
		}
		doc := bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
		if _, _, err := text(raw); err != nil {
			return
		}
		elements, ok := oracle(doc)
		if !ok || len(doc) == 0 {
			return
		}
		want := walked{count: len(elements)}
		for i, e := range elements {
			if e == "" {
				want.fault = "shape"
				continue
			}
			if depth(e) > maxDepth {
				return
			}
			if err := alone.read([]byte(e)); err != nil {
				t.Fatalf("element %d, %s: %v", i, e, err)
			}
			want.elements = append(want.elements, strings.TrimSuffix(fmt.Sprintf("%d %s", i, alone.dump()), " "))
		}
		for i, e := range w.elements { // the shape is for the tables
			index, rest, _ := strings.Cut(e, " ")
			_, values, _ := strings.Cut(rest, " ")
			w.elements[i] = strings.TrimSuffix(index+" "+values, " ")
		}
		if want.fault == "" && strings.HasPrefix(w.fault, "too_deep") {
			return // what stands beside the elements may nest too deep as well
		}
		if len(bytes.TrimLeft(doc, " \t\r\n")) == 0 {
			want.fault = "syntax"
		}
		w.fault, _, _ = strings.Cut(w.fault, ":")
		if diff := cmp.Diff(want, w, cmp.AllowUnexported(walked{})); diff != "" {
			t.Fatalf("%q (-encoding/json +walk):\n%s", raw, diff)
		}
	})
}

// randomObject is an object whose strings are full of what structure is made of.
func randomObject(r *rand.Rand, levels int) string {
	word := func() string {
		pieces := []string{"{", "}", "[", "]", ",", ":", `\"`, `\\`, "records", "x", `\u007b`, " "}
		var b strings.Builder
		for range r.IntN(6) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		return `"` + b.String() + `"`
	}
	var value func(levels int) string
	value = func(levels int) string {
		switch n := r.IntN(7); {
		case n == 0 && levels > 0:
			return randomObject(r, levels-1)
		case n == 1 && levels > 0:
			return "[" + value(levels-1) + "," + value(levels-1) + "]"
		case n == 2:
			return "null"
		case n == 3:
			return fmt.Sprint(r.IntN(1000))
		default:
			return word()
		}
	}
	return fmt.Sprintf(`{"a":%s,"b":{"c":%s},"x":%s}`, value(levels), value(levels), value(levels))
}

// balanced reports whether the braces outside an object's strings are balanced
// by its last byte and not before, and its strings end.
func balanced(object string) bool {
	level, quoted := 0, false
	for i := 0; i < len(object); i++ {
		switch c := object[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			level++
		case c == '}':
			if level--; level == 0 {
				return i == len(object)-1
			}
		}
	}
	return false
}

// FuzzElementsCorrupted puts one wrong byte into one element of a batch. As long
// as it leaves braces and quotes balanced, all the others must be found, each as
// it is alone and with its own index, and the fault must name the element.
func FuzzElementsCorrupted(f *testing.F) {
	for n := range uint64(40) {
		f.Add(n, uint16(n*131), uint8(n*7), uint8(n))
	}
	m, alone := newMembers(batchPaths), newMembers(batchPaths)
	f.Fuzz(func(t *testing.T, random uint64, at uint16, wrong, wrapping uint8) {
		r := rand.New(rand.NewPCG(random, 1))
		elements := make([]string, 2+r.IntN(6))
		for i := range elements {
			elements[i] = randomObject(r, 2)
		}
		broken := r.IntN(len(elements))
		e := []byte(elements[broken])
		e[1+int(at)%(len(e)-2)] = wrong
		elements[broken] = string(e)
		if strings.Contains(elements[broken], `"records":`) {
			return // it looks like an envelope now
		}
		if !balanced(elements[broken]) || wrong == '\n' || wrong == 0 { // a zero byte is for UTF-16
			return
		}
		var doc string
		switch wrapping % 6 {
		case 0:
			doc = `{"records":[` + strings.Join(elements, ",") + `]}`
		case 1:
			doc = `{"x":[{"records":[{}]}],"records" : [` + strings.Join(elements, " ,\n ") + `],"y":"records"}`
		case 2:
			doc = "[" + strings.Join(elements, ",") + "]"
		case 3:
			doc = strings.Join(elements, "\n") + "\n"
		case 4:
			doc = strings.Join(elements, "\r\n\r\n")
		case 5:
			doc = strings.Join(elements, "")
		}
		want := map[string]bool{}
		for i, e := range elements {
			if i != broken {
				if err := alone.read([]byte(e)); err != nil {
					t.Fatalf("%s: %v", e, err)
				}
				want[strings.TrimSuffix(fmt.Sprintf("%d %s", i, alone.dump()), " ")] = true
			}
		}
		w := walk(m, []byte(doc), 0)
		for _, e := range w.elements {
			index, rest, _ := strings.Cut(e, " ")
			_, values, _ := strings.Cut(rest, " ")
			delete(want, strings.TrimSuffix(index+" "+values, " "))
		}
		if len(want) > 0 || w.count != len(elements) {
			t.Fatalf("%d elements of %d found, lost: %v\nin %s\nwith the broken one %s", w.count, len(elements), want, doc, elements[broken])
		}
		valid := json.Valid([]byte(elements[broken]))
		names := fmt.Sprintf(": element %d: ", broken)
		if valid && w.fault != "" || !valid && !strings.Contains(w.fault, names) {
			t.Fatalf("fault %q of element %d, valid %v: %s", w.fault, broken, valid, elements[broken])
		}
	})
}
