package ecs

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// schema makes a schema of the names, with the kinds in turn.
func schema(t testing.TB, defs ...Def) *Schema {
	t.Helper()
	s, err := NewSchema(defs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestNewSchemaRefusesWhatCannotBeNested(t *testing.T) {
	for _, c := range []struct{ names, want string }{
		{"a", ""},
		{"", "schema has no fields"},
		{"a.b a.c a.d.e", ""},
		{"a ab a1.b", ""}, // a prefix of the text, no object around the other
		{"a- a.b.c a0", ""},
		{"b a.b", ""}, // the same last part at two places
		{",", `field 1: "" is no dotted name`},
		{".a", `field 0: ".a" is no dotted name`},
		{"a a.", `field 1: "a." is no dotted name`},
		{"a..b", `field 0: "a..b" is no dotted name`},
		{"a.b c a.b", `field "a.b" is defined twice`},
		{"a a.b", `field "a" is also the object around "a.b"`},
		{"a.b.c x a.b", `field "a.b" is also the object around "a.b.c"`},
		{"a a-b a.b", `field "a" is also the object around "a.b"`}, // - sorts before the dot
		{"a.b.c.d a", `field "a" is also the object around "a.b.c.d"`},
	} {
		var defs []Def
		for name := range strings.FieldsSeq(strings.ReplaceAll(c.names, ",", "a , b")) {
			defs = append(defs, Def{Name: strings.Trim(name, ",")})
		}
		_, err := NewSchema(defs)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: error %q, want %q", c.names, got, c.want)
		}
	}
}

func TestSchemaKeepsItsOwnDefinitions(t *testing.T) {
	defs := []Def{{"a", Long, Sysmon, true}}
	s := schema(t, defs...)
	defs[0] = Def{Name: "b"}
	if diff := cmp.Diff(Def{"a", Long, Sysmon, true}, s.Def(0)); diff != "" {
		t.Errorf("definition changed with the caller's slice (-want +got):\n%s", diff)
	}
}

func TestLookupFindsEveryNameAndNoOther(t *testing.T) {
	for f := range Field(Default.Len()) {
		def := Default.Def(f)
		got, ok := Default.Lookup(def.Name)
		if !ok || got != f || Default.Name(f) != def.Name || Default.Kind(f) != def.Kind {
			t.Errorf("Lookup(%q) = %d, %v, want %d", def.Name, got, ok, f)
		}
	}
	for _, name := range []string{"", "process", "process.", "Process.name", "process.name.text", "process.nam"} {
		if f, ok := Default.Lookup(name); ok {
			t.Errorf("Lookup(%q) = %s, want nothing", name, Default.Name(f))
		}
	}
}

func TestNearestTakesTheFewestEdits(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"process.name", "process.name"},
		{"process.nmae", "process.name"},
		{"proces.args", "process.args"},
		{"process.argss", "process.args"},
		{"process.parent.nam", "process.parent.name"},
		{"process.commandline", "process.command_line"},
		{"host.os.typ", "host.os.type"},
		{"event.categories", "event.category"},
		{"winlog.event_data.SubjectUsername", "winlog.event_data.SubjectUserName"},
	} {
		if got := Default.Nearest(c.name); got != c.want {
			t.Errorf("Nearest(%q) = %q, want %q", c.name, got, c.want)
		}
	}
}

func TestKindsAndTiersHaveTheirNames(t *testing.T) {
	var kinds, tiers []string
	text := ""
	for k := Keyword; k <= IP; k++ {
		kinds = append(kinds, k.String())
		if k.Text() {
			text += k.String() + " "
		}
	}
	for tier := Min; tier <= Other; tier++ {
		tiers = append(tiers, tier.String())
	}
	got := strings.Join(kinds, " ") + "; text: " + text + "; " + strings.Join(tiers, " ")
	want := "keyword wildcard long double boolean date ip; text: keyword wildcard ip ; MIN SYSMON ENDPOINT OTHER"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
