package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	goccy "github.com/goccy/go-json"
	"github.com/google/go-cmp/cmp"
)

// awkward are JSON texts, and texts that are nearly JSON, at which scanners
// have gone wrong.
var awkward = []string{
	``, ` `, `{`, `{}`, `{ }`, `[]`, `null`, `"`, `"\`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":[}`, `{"a":[1,]}`, `{}{}`, `{}x`,
	`{"a":1 }`, `{"a":-}`, `{"a":-0}`, `{"a":00}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":1e+}`, `{"a":1E-07}`, `{"a":1e999}`,
	`{"a":0x1}`, `{"a":+1}`, `{"a":1_0}`, `{"a":NaN}`, `{"a":Infinity}`, `{"a":tru}`, `{"a":truee}`, `{"a":nulll}`, `{"a":True}`,
	`{"a":12345678901234567890123456789012345678901234567890}`, `{"a":-9223372036854775808,"b":18446744073709551616}`,
	`{'a':1}`, `{"a":'b'}`, `{"a":"\u12"}`, `{"a":"\u123g"}`, `{"a":"\u0000"}`, `{"a":"\ud83d\ude00"}`, `{"a":"\ude00\ud83d"}`, `{"a":"\ud83d"}`,
	`{"a":"\ud83d\n"}`, `{"a":"\ud83d\ud83d\ude00"}`, `{"a":"\U0041"}`, `{"a":"\v"}`, `{"a":"\a"}`, `{"a":"\0"}`, `{"a":"\x41"}`, `{"a":"\'"}`, `{"a":"\\\\\\"}`, `{"a":"\\\\\""}`, `{"a":"\/"}`,
	"{\"a\":\"\t\"}", "{\"a\":\"\x00\"}", "{\"a\":\"\x1f\"}", "{\"a\":\"\x7f\"}", "{\"a\":\"\xff\"}", "{\"\xff\":1}", "{\"a\":\"\xed\xa0\x80\"}",
	"{\"a\":\"\xe2\x80\xa8\"}", "\xef\xbb\xbf{\"a\":1}", "\xef\xbb\xbf\xef\xbb\xbf{}", "\xff\xfe{\x00}\x00", "\x1f\x8b", "{\"a\":1}\x00", "{\"a\":1\x0b}",
	"{\"a\":1}\n", "{\"a\":1}\n{\"a\":2}", "//c\n{}", `{"a":/**/1}`, `{"a":{"b":1},"a":{"b":2},"a.b":3}`, `{"a":[{"b":[[1],{"c":2}]},null]}`,
	`{"\u0061":1,"a\u002eb":2,"":3,".":4,"a.":5}`, `{"ProcessID":4,"ProcessId":"0x10","processid":1}`, `{"event":"text","event.action":{"x":1}}`,
	`{"event":{"event_simpleName":"ProcessRollup2","event":{"aid":1}}}`, `{"winlog":{"event_data":{"Image":["a","b"]},"event_id":1}}`,
	`{"a":"0123456"}`, `{"a":"01234567"}`, `{"a":"012345678\""}`, `{"a":"0123456é7\\89"}`, strings.Repeat(`{"a":`, 30) + "1" + strings.Repeat("}", 30),
}

// seed adds the goldens, the awkward texts and, where a target takes them, a
// second text to each.
func seed(f *testing.F, add func(raw, next []byte)) {
	var texts [][]byte
	for _, a := range awkward {
		texts = append(texts, []byte(a))
	}
	for _, g := range goldens(f) {
		texts = append(texts, g.raw)
	}
	for i := range texts {
		add(texts[i], texts[(i*7+3)%len(texts)])
	}
}

// readers are the members that the sources declare, and some that meet the
// names fuzzing makes up.
func readers() []*members {
	dotted := newECSMembers().members
	dotted.strict = false // the oracle knows no fields
	plain := newMembers([]string{"a", "a.b", "a.b.c", "b|c.d", "event", "event.action", "ProcessId", "ProcessID", "\u00e9", "e1|e2|e3"})
	both := newMembers([]string{"a", "a.b", "a.b.c", "b|c.d", "event.action", "winlog.event_data.Image|Image"})
	both.dotted = true
	return []*members{plain, both, dotted, newMembers(csPaths), newMembers(winPaths)}
}

// declared are the paths of a reader's nodes, their steps joined by step.
func declared(m *members) map[string]path {
	paths := map[string]path{}
	var walk func(n int, prefix string)
	walk = func(n int, prefix string) {
		for _, c := range m.nodes[n].children {
			at := prefix + step + m.nodes[c].name
			if m.nodes[c].path >= 0 {
				paths[at] = m.nodes[c].path
			}
			walk(c, at)
		}
	}
	walk(0, "")
	return paths
}

// step stands between the names of a path: no decoder returns this byte.
const step = "\xff"

// tokens walks a valid document by encoding/json's tokens and calls visit with
// each value in its place, in the document's order and with repeated names;
// an object comes as the rune '{'. It returns how deep the document nests.
func tokens(d *json.Decoder, prefix string, dotted bool, visit func(at string, value any)) (depth int) {
	tok, err := d.Token()
	if err != nil {
		panic(err)
	}
	switch tok {
	case json.Delim('{'):
		visit(prefix, '{')
		for d.More() {
			tok, err := d.Token()
			if err != nil {
				panic(err)
			}
			name := tok.(string)
			if dotted {
				name = strings.ReplaceAll(name, ".", step)
			}
			depth = max(depth, tokens(d, prefix+step+name, dotted, visit))
		}
	case json.Delim('['):
		for d.More() {
			depth = max(depth, tokens(d, prefix, dotted, visit))
		}
	default:
		visit(prefix, tok)
		return 0
	}
	if _, err := d.Token(); err != nil {
		panic(err)
	}
	return depth + 1
}

// visitTree does the same for a decoded tree, without an order.
func visitTree(v any, prefix string, dotted bool, visit func(at string, value any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(prefix, '{')
		for name, below := range v {
			if dotted {
				name = strings.ReplaceAll(name, ".", step)
			}
			visitTree(below, prefix+step+name, dotted, visit)
		}
	case []any:
		for _, element := range v {
			visitTree(element, prefix, dotted, visit)
		}
	default:
		visit(prefix, v)
	}
}

// spell is a decoded value as spellings has it.
func spell(v any) string {
	switch v := v.(type) {
	case string:
		return "text " + v
	case rune:
		return "object"
	case nil:
		return "null"
	default: // goccy.Number and json.Number are strings, bool prints as in JSON
		return fmt.Sprint(v)
	}
}

// spellings are the values a reader found, by path.
func spellings(m *members) map[path][]string {
	all := map[path][]string{}
	for p := range path(len(m.slots)) {
		for k := m.first(p); k != 0; k = m.next(k) {
			s := "object"
			switch m.found[k].kind {
			case '"', '\\':
				s = "text " + string([]rune(string(m.at(k)))) // decoders put U+FFFD for each byte that is no UTF-8
			case 'n':
				s = "null"
			case '{', '.':
			default:
				s = string(m.at(k))
			}
			all[p] = append(all[p], s)
		}
	}
	return all
}

// unwrapped is a value without the header of a schema registry's serializer: a
// zero, an id of four bytes, and JSON.
func unwrapped(raw []byte) []byte {
	utf16 := len(raw) > 5 && raw[1] != 0 && raw[2] == 0 && raw[4] == 0
	if len(raw) > 5 && raw[0] == 0 && !utf16 && bytes.IndexByte([]byte("{[< \t\r\n"), raw[5]) >= 0 {
		return raw[5:]
	}
	return raw
}

// FuzzMembers holds the reader against two decoders: it accepts what
// encoding/json accepts and finds what a walk over the decoded document finds.
func FuzzMembers(f *testing.F) {
	seed(f, func(raw, next []byte) { f.Add(raw, next) })
	all := readers()
	f.Fuzz(func(t *testing.T, raw, next []byte) {
		before, doc := bytes.Clone(raw), bytes.TrimPrefix(unwrapped(raw), []byte("\xef\xbb\xbf"))
		valid := json.Valid(doc)
		goccyErr := goccyDecode(doc, new(any))
		for _, m := range all {
			fault := m.read(raw)
			if fault != nil && (fault.Byte < 0 || fault.Byte > len(raw)) {
				t.Fatalf("%v, of %d bytes", fault, len(raw))
			}
			found := spellings(m)
			m.read(next)
			spellings(m)
			if again := m.read(raw); again != nil && *again != *fault || (again == nil) != (fault == nil) {
				t.Fatalf("error %v, at the second reading %v", fault, again)
			}
			if diff := cmp.Diff(found, spellings(m)); diff != "" {
				t.Fatalf("after another record (-first +second):\n%s", diff)
			}
			if !bytes.Equal(raw, before) {
				t.Fatalf("record changed from %q to %q", before, raw)
			}
			if fault == nil && goccyErr != nil {
				t.Fatalf("accepted, goccy says %v", goccyErr)
			}
			if !valid || doc[bytes.IndexFunc(doc, notSpace)] != '{' {
				if fault == nil {
					t.Fatal("accepted, but it is no JSON object")
				}
				continue
			}
			wanted := map[path][]string{}
			paths := declared(m)
			visit := func(at string, v any) {
				if p, ok := paths[at]; ok {
					wanted[p] = append(wanted[p], spell(v))
				}
			}
			d := json.NewDecoder(bytes.NewReader(doc))
			d.UseNumber()
			if depth := tokens(d, "", m.dotted, visit); depth > maxDepth {
				if fault == nil || fault.Reason != TooDeep {
					t.Fatalf("%d levels deep: %v", depth, fault)
				}
				continue
			}
			if fault != nil {
				t.Fatalf("valid JSON object: %v", fault)
			}
			if diff := cmp.Diff(wanted, found); diff != "" {
				t.Fatalf("values (-encoding/json +found):\n%s", diff)
			}
			compareGoccy(t, m, doc, paths, found)
		}
	})
}

func notSpace(r rune) bool { return !strings.ContainsRune(" \t\r\n", r) }

func goccyDecode(doc []byte, v any) error {
	d := goccy.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more behind the value")
	}
	return nil
}

// compareGoccy compares the values as sets, since a decoded tree has no order,
// and leaves out documents that repeat a name, since it has only the last.
func compareGoccy(t *testing.T, m *members, doc []byte, paths map[string]path, found map[path][]string) {
	var tree any
	if goccyDecode(doc, &tree) != nil {
		return
	}
	count, values := 0, map[path][]string{}
	visitTree(tree, "", m.dotted, func(at string, v any) {
		count++
		if p, ok := paths[at]; ok {
			values[p] = append(values[p], spell(v))
		}
	})
	d, total := json.NewDecoder(bytes.NewReader(doc)), 0
	d.UseNumber()
	tokens(d, "", false, func(string, any) { total++ })
	if count != total {
		return // a repeated name
	}
	sorted := map[path][]string{}
	for p, v := range found {
		sorted[p] = slices.Sorted(slices.Values(v))
		slices.Sort(values[p])
	}
	if diff := cmp.Diff(values, sorted); diff != "" {
		t.Fatalf("values (-goccy +found):\n%s", diff)
	}
}
