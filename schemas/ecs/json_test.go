package ecs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestAppendJSONNestsByDots(t *testing.T) {
	s := schema(t, Def{Name: "b.y.z"}, Def{Name: "a", Kind: Long}, Def{Name: "b.x", Kind: Boolean}, Def{Name: "b.y.a", Kind: Double},
		Def{Name: "b-c"}, Def{Name: "d.list", List: true}, Def{Name: "at", Kind: Date}, Def{Name: "ip", Kind: IP})
	z, a, x, ya, bc, list, at, ip := Field(0), Field(1), Field(2), Field(3), Field(4), Field(5), Field(6), Field(7)
	for _, c := range []struct {
		want string
		fill func(e *Event)
	}{
		{`{}`, func(e *Event) {}},
		{`{"a":-7}`, func(e *Event) { e.AddInt(a, -7) }},
		{`{"a":[1,2]}`, func(e *Event) { e.AddInt(a, 1); e.AddInt(a, 2) }},
		{`{"b":{"x":true}}`, func(e *Event) { e.AddBool(x, true) }},
		{`{"b":{"y":{"z":""}}}`, func(e *Event) { e.Add(z, nil) }},
		{`{"b":{"x":[false,true],"y":{"a":0.25,"z":"v"}}}`, func(e *Event) {
			e.Add(z, []byte("v"))
			e.AddBool(x, false)
			e.AddFloat(ya, 0.25)
			e.AddBool(x, true)
		}},
		{`{"a":1,"b":{"y":{"z":"v"}},"b-c":"w","d":{"list":["one"]}}`, func(e *Event) {
			e.Add(bc, []byte("w"))
			e.Add(list, []byte("one"))
			e.Add(z, []byte("v"))
			e.AddInt(a, 1)
		}},
		{`{"d":{"list":["one","two",""]}}`, func(e *Event) {
			e.Add(list, []byte("one"))
			e.Add(list, []byte("two"))
			e.Add(list, nil)
		}},
		{`{"at":"1970-01-01T00:00:00.000Z","ip":"fe80::1"}`, func(e *Event) { e.AddInt(at, 0); e.Add(ip, []byte("fe80::1")) }},
		{`{"b":{"y":{"a":[null,null,null,1e+300]}}}`, func(e *Event) {
			for _, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e300} {
				e.AddFloat(ya, v)
			}
		}},
	} {
		e := NewEvent(s)
		c.fill(e)
		if got := string(e.AppendJSON([]byte("dst "))); got != "dst "+c.want {
			t.Errorf("got %s, want dst %s", got, c.want)
		}
	}
}

func TestAppendObjectWritesOneMemberOfAppendJSON(t *testing.T) {
	e := NewEvent(Default)
	e.AddInt(Timestamp, 0)
	e.Add(ProcessName, []byte("curl"))
	e.Add(ProcessParentPID, nil)
	e.Add(HostOSType, []byte("linux"))
	for _, c := range []struct{ name, want string }{
		{"host", `{"os":{"type":"linux"}}`},
		{"process", `{"name":"curl","parent":{"pid":0}}`},
		{"user", `{}`},
		{"@timestamp", `{}`}, // a field, not the object around fields
		{"proc", `{}`},
		{"process.parent", `{}`},
		{"", `{}`},
	} {
		if got := string(e.AppendObject(nil, c.name)); got != c.want {
			t.Errorf("%q is %s, want %s", c.name, got, c.want)
		}
	}
}

// TestAppendJSONSaysWhatTheEventHolds decodes random events and wants exactly
// the fields and values that were set.
func TestAppendJSONSaysWhatTheEventHolds(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	e := NewEvent(Default)
	for round := range 2000 {
		e.Reset()
		want := map[string]any{}
		for range r.IntN(30) {
			f := Field(r.IntN(Default.Len()))
			if e.Has(f) {
				continue
			}
			var values []any
			for range 1 + r.IntN(3)*r.IntN(2) {
				values = append(values, addRandom(e, f, r))
			}
			want[Default.Name(f)] = values
			if len(values) == 1 && !Default.Def(f).List {
				want[Default.Name(f)] = values[0]
			}
		}
		encoded := e.AppendJSON(nil)
		d := json.NewDecoder(bytes.NewReader(encoded))
		d.UseNumber()
		var tree map[string]any
		if err := d.Decode(&tree); err != nil {
			t.Fatalf("round %d: %v in %s", round, err, encoded)
		}
		if !utf8.Valid(encoded) {
			t.Fatalf("round %d: not UTF-8: %q", round, encoded)
		}
		got := map[string]any{}
		flatten(got, "", tree)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d (-set +decoded):\n%s\n%s", round, diff, encoded)
		}
	}
}

// addRandom adds a value of the field's kind and returns what JSON makes of it.
func addRandom(e *Event, f Field, r *rand.Rand) any {
	switch Default.Kind(f) {
	case Long:
		n := int64(r.Uint64()) >> r.IntN(64)
		e.AddInt(f, n)
		return json.Number(fmt.Sprint(n))
	case Double:
		x := math.Float64frombits(r.Uint64())
		e.AddFloat(f, x)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil
		}
		return json.Number(fmt.Sprint(x))
	case Boolean:
		e.AddBool(f, r.IntN(2) == 0)
		return e.Values(f)[len(e.Values(f))-1].Bool()
	case Date:
		ns := int64(r.Uint64())
		e.AddInt(f, ns)
		layout := "2006-01-02T15:04:05.999999999Z"
		if ns%1e6 == 0 {
			layout = "2006-01-02T15:04:05.000Z"
		}
		return time.Unix(0, ns).UTC().Format(layout)
	default:
		text := make([]byte, r.IntN(12))
		for i := range text {
			text[i] = "ab\"\\/\n\x00\x1f\x7f\xc3\xa9\xff\xe2\x80\xa8\xf0\x9f"[r.IntN(17)]
		}
		e.Add(f, text)
		return string([]rune(string(text))) // each byte that is no UTF-8 to U+FFFD
	}
}

func flatten(dst map[string]any, prefix string, tree map[string]any) {
	for name, v := range tree {
		if object, ok := v.(map[string]any); ok {
			flatten(dst, prefix+name+".", object)
		} else {
			dst[prefix+name] = v
		}
	}
}

func TestAppendStringEscapes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, `""`},
		{`plain / text <&>`, `"plain / text <&>"`},
		{`C:\a "b"`, `"C:\\a \"b\""`},
		{"\n\r\t\b\f", `"\n\r\t\u0008\u000c"`},
		{"\x00\x1f\x7f", `"\u0000\u001f\u007f"`},
		{"é…\U0001f600", "\"é…\U0001f600\""},
		{"\u2028\u2029\u2027", "\"\\u2028\\u2029\u2027\""},
		{"a\xffb\xc3", "\"a\ufffdb\ufffd\""},
		{"\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""}, // a surrogate, which UTF-8 has not
		{"\ufffd", "\"\ufffd\""},
	} {
		if got := string(AppendString(nil, []byte(c.text))); got != c.want {
			t.Errorf("%q is written %s, want %s", c.text, got, c.want)
		}
	}
}

func FuzzAppendString(f *testing.F) {
	for _, seed := range []string{"", `C:\a "b"`, "\x00\x7f\u2028", "a\xffb\xc3", "\xed\xa0\x80", strings.Repeat("\\", 9)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		encoded := AppendString(nil, text)
		var got string
		if err := json.Unmarshal(encoded, &got); err != nil {
			t.Fatalf("%q is written %s: %v", text, encoded, err)
		}
		if want := string([]rune(string(text))); got != want {
			t.Errorf("%q comes back as %q, want %q", text, got, want)
		}
		if bytes.ContainsAny(encoded, "\n\r\x00\u2028\u2029") {
			t.Errorf("%q is written %q, which breaks line-based readers", text, encoded)
		}
	})
}

func TestAppendDateKeepsMillisecondsAndWhatIsFiner(t *testing.T) {
	for _, c := range []struct {
		ns   int64
		want string
	}{
		{0, "1970-01-01T00:00:00.000Z"},
		{1, "1970-01-01T00:00:00.000000001Z"},
		{-1, "1969-12-31T23:59:59.999999999Z"},
		{5e8, "1970-01-01T00:00:00.500Z"},
		{1767323045_678_900_000, "2026-01-02T03:04:05.6789Z"},
		{math.MaxInt64, "2262-04-11T23:47:16.854775807Z"},
		{math.MinInt64, "1677-09-21T00:12:43.145224192Z"},
	} {
		if got := string(AppendDate(nil, c.ns)); got != c.want {
			t.Errorf("%d is written %s, want %s", c.ns, got, c.want)
		}
	}
}
