package detector

import (
	"strings"
	"testing"
	"unicode"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// TestFoldAgreesWithEqualFold folds every code point beside those that are one
// with it: they come to the same, and to that of no other.
func TestFoldAgreesWithEqualFold(t *testing.T) {
	class := make(map[rune]rune) // by what it folds to, one that does
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		f := simple(r)
		if other, found := class[f]; found {
			if !strings.EqualFold(string(other), string(r)) {
				t.Errorf("%U and %U fold to %U", other, r, f)
			}
		} else {
			class[f] = r
		}
		if next := unicode.SimpleFold(r); simple(next) != f {
			t.Errorf("%U folds to %U, %U to %U", r, f, next, simple(next))
		}
		if r < 0x80 && f != rune(lower[r]) || simple(f) != f {
			t.Errorf("%U folds to %U", r, f)
		}
	}
}

func TestFoldText(t *testing.T) {
	for _, c := range []struct{ text, inASCII, inSimple string }{
		{"", "", ""}, {"aBZ[`{@", "abz[`{@", "abz[`{@"}, {kelvin + longS, kelvin + longS, "ks"}, {"\u0130\u0131", "\u0130\u0131", "\u0130\u0131"},
		{"A\xffB\xc3", "a\xffb\xc3", "a\xffb\xc3"}, {"A\ufffdB", "a\ufffdb", "a\ufffdb"}, {"\U00010428X", "\U00010428x", "\U00010400x"},
	} {
		if got := FoldASCII.text(c.text); got != c.inASCII {
			t.Errorf("%q folds to %q, want %q", c.text, got, c.inASCII)
		}
		if got := FoldUnicode.text(c.text); got != c.inSimple {
			t.Errorf("%q folds to %q in Unicode, want %q", c.text, got, c.inSimple)
		}
	}
}

// TestFoldEvent is about what rules see and what is left of it behind them.
func TestFoldEvent(t *testing.T) {
	e := typed(t, values{args, "É" + kelvin, "", "a\xff"}, values{"process.name", strings.Repeat("K", 100)}, values{pid, "7"})
	if view, memory := FoldASCII.fold(e); view != e || memory != nil {
		t.Error("FoldASCII makes a view")
	}
	plain := typed(t, values{args, "aK~", ""}, values{pid, "200"})
	if view, memory := FoldUnicode.fold(plain); view != plain || memory != nil {
		t.Error("an event in ASCII has a view")
	}
	for range 3 {
		view, memory := FoldUnicode.fold(e)
		var got []string
		for _, f := range []ecs.Field{ecs.ProcessArgs, ecs.ProcessName} {
			for _, v := range view.Values(f) {
				got = append(got, string(v.Text()))
			}
		}
		if want := FoldUnicode.text("É") + "k||a\xff|" + strings.Repeat("k", 100); strings.Join(got, "|") != want {
			t.Errorf("view %q, want %q", got, want)
		}
		memory.release()
		if len(memory.event.Fields()) > 0 || len(memory.text) > 0 {
			t.Errorf("%d fields and %d bytes are left", len(memory.event.Fields()), len(memory.text))
		}
	}
	_, memory := FoldUnicode.fold(typed(t, values{args, strings.Repeat("é", keepText)}))
	if memory.release(); cap(memory.text) > keepText {
		t.Errorf("memory of %d bytes is kept", cap(memory.text))
	}

	// A view is of the schema of its event.
	other, err := ecs.NewSchema([]ecs.Def{{Name: "process.name"}})
	if err != nil {
		t.Fatal(err)
	}
	of := ecs.NewEvent(other)
	of.Add(0, []byte("É"))
	view, memory := FoldUnicode.fold(of)
	if view.Schema() != other || string(view.First(0)) != FoldUnicode.text("É") {
		t.Errorf("view %q of another schema", view.First(0))
	}
	memory.release()
}
