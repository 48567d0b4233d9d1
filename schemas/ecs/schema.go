package ecs

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Kind is the Elasticsearch type of a field, as far as matching and encoding
// tell types apart.
type Kind uint8

// The kinds of ECS fields that process events use.
const (
	Keyword  Kind = iota // text, compared as a whole
	Wildcard             // text without a length limit, compared as a whole
	Long                 // a 64-bit integer
	Double               // a 64-bit float
	Boolean              // true or false
	Date                 // an instant, in nanoseconds since 1970 UTC
	IP                   // the text of an IPv4 or IPv6 address
)

var kindNames = [...]string{"keyword", "wildcard", "long", "double", "boolean", "date", "ip"}

// String is the kind's name in an Elasticsearch mapping.
func (k Kind) String() string { return kindNames[k] }

// Text reports whether values of the kind are text.
func (k Kind) Text() bool { return k == Keyword || k == Wildcard || k == IP }

// Tier tells how widely sources carry a field.
type Tier uint8

// The tiers, from the widest: a rule that keeps to Min runs on every source.
const (
	Min      Tier = iota // any source of process starts
	Sysmon               // sources with hashes, PE header fields, integrity levels
	Endpoint             // Elastic Defend alone
	Other                // read by a rule somewhere, written by no process start
)

var tierNames = [...]string{"MIN", "SYSMON", "ENDPOINT", "OTHER"}

// String is the tier's name.
func (t Tier) String() string { return tierNames[t] }

// Field is the place of a field in its schema and in the rows of that schema.
type Field uint16

// Def defines one field of a schema.
type Def struct {
	Name string // dotted, for example process.parent.name
	Kind Kind
	Tier Tier
	List bool // written as a JSON array even with one value ("normalize: array" in ECS)
}

// Schema is the fields that events of one sort can have. It is immutable and
// safe for concurrent use.
type Schema struct {
	defs   []Def
	byName map[string]Field
	sorted []Field    // in the order in which AppendJSON nests them
	paths  [][]string // by field: the name split at its dots
}

// NewSchema makes a schema in which Field(i) is defs[i]. It fails without any,
// on an empty or repeated name and on a name that is also the object around
// another, since such a pair cannot be nested.
func NewSchema(defs []Def) (*Schema, error) {
	if len(defs) == 0 {
		return nil, errors.New("schema has no fields")
	}
	s := &Schema{defs: slices.Clone(defs), byName: make(map[string]Field, len(defs))}
	for i, d := range defs {
		if d.Name == "" || slices.Contains(strings.Split(d.Name, "."), "") {
			return nil, fmt.Errorf("field %d: %q is no dotted name", i, d.Name)
		}
		if _, twice := s.byName[d.Name]; twice {
			return nil, fmt.Errorf("field %q is defined twice", d.Name)
		}
		s.byName[d.Name] = Field(i)
		s.sorted = append(s.sorted, Field(i))
		s.paths = append(s.paths, strings.Split(d.Name, "."))
	}
	slices.SortFunc(s.sorted, func(a, b Field) int { return slices.Compare(s.paths[a], s.paths[b]) })
	for i := 1; i < len(s.sorted); i++ {
		outer, inner := s.defs[s.sorted[i-1]].Name, s.defs[s.sorted[i]].Name
		if strings.HasPrefix(inner, outer+".") {
			return nil, fmt.Errorf("field %q is also the object around %q", outer, inner)
		}
	}
	return s, nil
}

// Len is the number of fields.
func (s *Schema) Len() int { return len(s.defs) }

// Def is the definition of f.
func (s *Schema) Def(f Field) Def { return s.defs[f] }

// Name is the dotted name of f.
func (s *Schema) Name(f Field) string { return s.defs[f].Name }

// Kind is the kind of f.
func (s *Schema) Kind(f Field) Kind { return s.defs[f].Kind }

// Lookup finds a field by its dotted name.
func (s *Schema) Lookup(name string) (Field, bool) {
	f, ok := s.byName[name]
	return f, ok
}

// Nearest is the field name that takes the fewest edits to reach from name; it
// is meant for error messages.
func (s *Schema) Nearest(name string) string {
	nearest := slices.MinFunc(s.defs, func(a, b Def) int {
		return levenshtein.ComputeDistance(name, a.Name) - levenshtein.ComputeDistance(name, b.Name)
	})
	return nearest.Name
}
