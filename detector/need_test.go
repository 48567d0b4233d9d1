package detector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

func TestAnchors(t *testing.T) {
	for _, c := range []struct {
		condition string
		fold      Fold
		want      string // field text, with ~ in front if letters match in either case
	}{
		{`process.name == "Curl"`, FoldASCII, `process.name "Curl"`},
		{`process.name : "Curl"`, FoldASCII, `~process.name "curl"`},
		{`process.name in ("Curl", "wget")`, FoldASCII, `process.name "Curl", process.name "wget"`},
		{`process.name in~ ("Curl", "wget")`, FoldASCII, `~process.name "curl", ~process.name "wget"`},
		{`process.args like "*/ab?MetaData/*cd"`, FoldASCII, `process.args "MetaData/"`},
		{`process.args : ("*one*", "two*three", "?four")`, FoldASCII, `~process.args "one", ~process.args "three", ~process.args "four"`},
		{`process.args in ("a*b", "?cd")`, FoldASCII, `process.args "a*b", process.args "?cd"`}, // no wildcards
		{`process.args == "*needle*"`, FoldASCII, `process.args "*needle*"`},
		{`process.args : "\u{c9}\u{212a}*"`, FoldASCII, `~process.args "É` + kelvin + `"`},
		{`process.args : "\u{c9}\u{212a}*"`, FoldUnicode, `~process.args "ék"`}, // É folds to the least of its letters, see below
		{`process.args == "\u{c9}\u{212a}"`, FoldUnicode, `process.args "É` + kelvin + `"`},
		{`not process.name != "curl"`, FoldASCII, `process.name "curl"`},
		{`not process.name not in ("curl")`, FoldASCII, `process.name "curl"`},
		{`not not process.name == "curl"`, FoldASCII, `process.name "curl"`},
		{`?process.name == "curl"`, FoldASCII, `process.name "curl"`},

		// And needs one of its terms, or all.
		{`process.name == "curl" and process.args : "*meta*"`, FoldASCII, `process.name "curl"`},
		{`process.name in ("a12", "b12", "c12") and process.args == "meta"`, FoldASCII, `process.args "meta"`},
		{`process.args : "*meta*" and not process.name == "curl"`, FoldASCII, `~process.args "meta"`},
		{`process.args : "*meta*" or process.name == "curl"`, FoldASCII, `~process.args "meta", process.name "curl"`},
		{`not (process.args != "meta" or process.name != "curl")`, FoldASCII, `process.args "meta"`},
		{`not (process.args != "meta" and process.name != "curl")`, FoldASCII, `process.args "meta", process.name "curl"`},
		{`(process.args == "meta" or process.pid == 5) and process.name == "curl"`, FoldASCII, `process.name "curl"`},

		// Conditions that are true without a certain text.
		{`process.args : "*meta*" or process.pid == 5`, FoldASCII, ""},
		{`process.args : "*meta*" or process.args : "*m*"`, FoldASCII, ""}, // too short
		{`process.args : ("*meta*", "*m?t?*")`, FoldASCII, ""},
		{`process.name == "ab"`, FoldASCII, ""},
		{`process.name : "*"`, FoldASCII, ""},
		{`not process.name == "curl"`, FoldASCII, ""},
		{`process.name != "curl"`, FoldASCII, ""},
		{`process.name not in ("curl", "wget")`, FoldASCII, ""},
		{`not (process.name == "curl" and process.args == "meta")`, FoldASCII, ""},
		{`process.name == null`, FoldASCII, ""},
		{`process.name != null`, FoldASCII, ""},
		{`process.name in ("curl", null)`, FoldASCII, ""},
		{`process.pid == 12345`, FoldASCII, ""},
		{`process.interactive == true`, FoldASCII, ""},
		{`process.name > "curl"`, FoldASCII, ""},
		{`process.name regex "curl"`, FoldASCII, ""},
		{`startsWith(process.name, "curl")`, FoldASCII, ""},
		{`substring(process.name, 0) == "curl"`, FoldASCII, ""},
		{`(process.name == "curl") == false`, FoldASCII, ""},
		{`null == (process.name == "curl")`, FoldASCII, ""},
		{`true`, FoldASCII, ""},

		// Values that a normalizer chooses, or may write otherwise.
		{`event.action == "exec"`, FoldASCII, ""},
		{`host.os.type == "linux"`, FoldASCII, ""},
		{`host.ip == "10.0.0.1"`, FoldASCII, ""},
		{`@timestamp == "2031-05-06"`, FoldASCII, ""},
		{`?process.nothing == "curl"`, FoldASCII, ""},
		{`process.name == "curl" or event.action == "exec"`, FoldASCII, ""},
		{`process.name == "curl" and event.action == "exec"`, FoldASCII, `process.name "curl"`},
	} {
		r, err := Compile("q", "process where "+c.condition, ecs.Default, c.fold)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range r.Anchors() {
			one := fmt.Sprintf("%s \"%s\"", a.Field, a.Text)
			if a.Fold {
				one = "~" + one
			}
			got = append(got, one)
		}
		want := c.want
		if c.fold == FoldUnicode && strings.HasPrefix(want, "~") { // which letter stands for all that fold to it is the code's choice
			want = strings.ReplaceAll(want, "é", FoldUnicode.text("É"))
		}
		if joined := strings.Join(got, ", "); joined != want {
			t.Errorf("%s: %s, want %s", c.condition, joined, want)
		}
	}
}

// TestNeedPicksTheFewest asks which leaves rule events out, the cheapest first.
func TestNeedPicksTheFewest(t *testing.T) {
	for _, c := range []struct{ condition, want string }{
		{`process.name == "a" and process.args == "b"`, `process.name == "a"`},
		{`process.name : "a*" and process.args == "b"`, `process.args == "b"`},
		{`process.name in ("a", "b") and process.args == "c"`, `process.args == "c"`},
		{`process.name in ("a", "b") and process.args : "c*"`, `process.name in ("a", "b")`},
		{`process.name : ("a*", "b") and process.args : ("c*", "d*")`, `process.name : ("a*", "b")`},
		{`process.name regex "ab" and process.args : ("a", "b", "c")`, `process.args : ("a", "b", "c")`},
		{`(process.name == "a" or process.args == "b") and process.name in ("c", "d", "e")`, `process.name == "a", process.args == "b"`},
		{`(process.name == "a" or process.args : "b*") and process.name in ("c", "d", "e")`, `process.name in ("c", "d", "e")`},
		{`not (process.name != "a" or process.args not in ("b", "c"))`, `process.name != "a"`},
		{`not (process.name != "a" and process.args not in ("b", "c"))`, `process.name != "a", process.args not in ("b", "c")`},
		{`"a" == process.name`, ``},
		{`process.name >= "a" and process.pid in (1, 2) and length(process.name) == 2`, ``},
		{`not process.name : "a" and process.args != null`, ``},
	} {
		q, fault := parse("any where " + c.condition)
		if fault != nil {
			t.Fatalf("%s: %s", c.condition, fault.message)
		}
		var got []string
		if d := needOf(q.cond, func(*field, *compare) bool { return true }); d != nil {
			for _, n := range d.leaves {
				got = append(got, n.String())
			}
		}
		if joined := strings.Join(got, ", "); joined != c.want {
			t.Errorf("%s needs %q, want %q", c.condition, joined, c.want)
		}
	}
	q, _ := parse(`any where process.name == "a" and process.args : ("b", "c")`)
	d := needOf(q.cond, func(f *field, _ *compare) bool { return f.name == args })
	if d == nil || len(d.leaves) != 1 || d.leaves[0].String() != `process.args : ("b", "c")` {
		t.Errorf("of one field: %v", d)
	}
}

// worded is a condition that asks a field for longer texts than random ones are.
func (c choices) worded() node {
	ops := []operator{equal, notEqual, match, in, inFold, notIn, like, likeFold}
	n := &compare{op: ops[c.next(len(ops))], left: c.field(textFields[:2])}
	n.list = n.op > greaterEqual
	for range 1 + c.next(3) {
		word := c.of("", "*", "?", "a*") + c.of("aab", "kKs", "Éſk", "-aAb-", "\u212aſ") + c.of("", "*", "?é", "*a")
		if n.right = append(n.right, &literal{value: textOf(word)}); !n.list {
			break
		}
	}
	if n.op.negated() {
		return &not{term: n}
	}
	return n
}

// TestAnchorsStand looks for an anchor in every random event that a random rule
// matches.
func TestAnchorsStand(t *testing.T) {
	c := choices{rand.New(rand.NewPCG(31, 32)).IntN}
	matches := 0
	for range 10_000 {
		q := &query{any: true, cond: &logic{or: c.next(2) == 0, terms: []node{c.worded(), c.worded()}}}
		if c.next(2) == 0 {
			q.cond = &logic{terms: []node{q.cond, c.condition(1)}}
		}
		fold := Fold(c.next(2))
		r, err := Compile("q", q.String(), ecs.Default, fold)
		if err != nil {
			continue
		}
		anchors := r.Anchors()
		if len(anchors) == 0 {
			continue
		}
		e := c.event(q)
		if !r.Match(e) {
			continue
		}
		matches++
		if !slices.ContainsFunc(anchors, func(a Anchor) bool { return stands(a, fold, e) }) {
			t.Fatalf("fold %d: %s\nmatches %s\nin which none stands of %v", fold, q, dump(e), anchors)
		}
	}
	if matches < 500 {
		t.Errorf("only %d matches of rules with anchors", matches)
	}
}

// stands reports whether an anchor stands in a value of its field.
func stands(a Anchor, fold Fold, e *ecs.Event) bool {
	same := exactly
	if a.Fold {
		same = script{fold: fold}.same
	}
	for _, v := range (oracle{e, fold}).values(a.Field) {
		if indexPoints(points(v.(string)), points(a.Text), 0, same) >= 0 {
			return true
		}
	}
	return false
}
