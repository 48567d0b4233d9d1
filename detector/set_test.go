package detector

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// named compiles a query under an id.
func named(t testing.TB, id, query string) *Rule {
	t.Helper()
	r, err := Compile(id, query, ecs.Default, FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func ids(rules []*Rule) string {
	var list []string
	for _, r := range rules {
		list = append(list, r.ID)
	}
	return strings.Join(list, " ")
}

func TestNewSetRefusesOneIDTwice(t *testing.T) {
	a, b := named(t, "x", `any where process.name == "a"`), named(t, "x", `any where process.name == "b"`)
	a.File, b.File = "one.toml", "two.eql"
	_, err := NewSet([]*Rule{a, named(t, "y", a.Query), b})
	if want := `rule id "x" is both in one.toml and in two.eql`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestSetMatch(t *testing.T) {
	rules := []*Rule{
		named(t, "3", `any where process.name : "a"`), named(t, "1", `any where process.name == "A"`), named(t, "2", `any where process.name like "?"`),
	}
	set, err := NewSet(rules)
	if err != nil {
		t.Fatal(err)
	}
	first := named(t, "first", `any where process.name == "a"`)
	for _, c := range []struct{ name, want string }{{"a", "first 3 2"}, {"A", "first 3 1 2"}, {"b", "first 2"}, {"bb", "first"}} {
		if got := ids(set.Match([]*Rule{first}, eventOf(t, values{"process.name", c.name}))); got != c.want {
			t.Errorf("%s: matched %q, want %q", c.name, got, c.want)
		}
	}
	rules[0] = first
	if got := ids(set.Rules()); got != "3 1 2" {
		t.Errorf("rules %q changed with the slice they were made from", got)
	}
	empty, err := NewSet(nil)
	if err != nil || len(empty.Match(nil, eventOf(t))) != 0 {
		t.Errorf("the empty set: %v", err)
	}
}

func TestSetHash(t *testing.T) {
	hash := func(rules ...*Rule) string {
		s, err := NewSet(rules)
		if err != nil {
			t.Fatal(err)
		}
		return s.Hash()
	}
	a, b := named(t, "a", `any where process.name == "a"`), named(t, "b", `any where process.name == "b"`)
	whole := hash(a, b)
	if len(whole) != 32 || hash(b, a) != whole {
		t.Errorf("hash %q, in the other order %q", whole, hash(b, a))
	}
	version, query := *b, *b
	version.Version = "2"
	query.Query += " "
	others := []string{whole, hash(), hash(a), hash(a, &version), hash(a, &query), hash(a, named(t, "c", b.Query))}
	slices.Sort(others)
	if len(slices.Compact(others)) != 6 {
		t.Errorf("different sets share a hash: %q", others)
	}
}

// TestSetIsShared matches with one set from many goroutines; the race detector
// watches.
func TestSetIsShared(t *testing.T) {
	var rules []*Rule
	for _, c := range semantics {
		rules = append(rules, named(t, c.name, "any where "+c.condition))
	}
	set, err := NewSet(rules)
	if err != nil {
		t.Fatal(err)
	}
	want := ids(set.Match(nil, eventOf(t, values{"process.args", "a", "b"})))
	var wait sync.WaitGroup
	for range 8 {
		event := eventOf(t, values{"process.args", "a", "b"})
		wait.Go(func() {
			var matched []*Rule
			for range 100 {
				matched = set.Match(matched[:0], event)
				if got := ids(matched); got != want {
					t.Errorf("matched %q, want %q", got, want)
					return
				}
				NewAlert(matched[0], event, Origin{}).AppendJSON(nil)
			}
		})
	}
	wait.Wait()
}
