package detector

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// Set is the rules that an event is judged by. It is immutable and safe for
// concurrent use; to change the rules, swap the set.
type Set struct {
	rules  []*Rule
	hash   string
	fold   Fold
	groups []group
	scopes map[string]*Set // by source, if rules are limited to some
}

// group is up to groupSize rules and what finds those that match.
type group struct {
	rules    []*Rule
	programs []*program
	index    index    // nil where it would cost more than it saves
	in       ruleBits // the rules that are judged at all
}

// fewRules are tested one by one: an index in front of fewer costs more than it
// saves.
const fewRules = 16

// NewSet makes a set of rules that were compiled for one schema and one Fold. It
// fails if two of them have one id.
func NewSet(rules []*Rule) (*Set, error) {
	s := &Set{rules: slices.Clone(rules)}
	byID := make(map[string]*Rule, len(rules))
	for _, r := range rules {
		if other := byID[r.ID]; other != nil {
			return nil, fmt.Errorf("rule id %q is both in %s and in %s", r.ID, other.File, r.File)
		}
		if r.fold != rules[0].fold {
			return nil, fmt.Errorf("rule %q folds letters otherwise than %q", r.ID, rules[0].ID)
		}
		byID[r.ID], s.fold = r, r.fold
	}
	s.hash = hashRules(s.rules)
	for some := range slices.Chunk(s.rules, groupSize) {
		s.groups = append(s.groups, newGroup(some))
	}
	return s, nil
}

// newGroup compiles the rules anew for their place in a set: what the index or
// the stream has answered already is tested last.
func newGroup(rules []*Rule) group {
	g := group{rules: rules}
	settled := make(map[node]bool)
	if len(rules) >= fewRules {
		g.index, settled = newIndex(rules, rules[0].schema)
	}
	for i, r := range rules {
		g.in.set(i)
		g.programs = append(g.programs, emit(r.query, r.schema, r.fold, func(n node) bool { return settled[n] || usual(n) }))
	}
	return g
}

// usual reports whether a leaf is true of nearly every event there is.
func usual(n node) bool {
	c, ok := n.(*compare)
	if !ok {
		return false
	}
	f, ok := c.left.(*field)
	return ok && !c.op.negated() && (f.name == categoryField || f.name == "event.type" || f.name == "event.kind")
}

// Match appends the rules that are true of e to dst, in the order of the set.
// With room in dst it allocates nothing.
func (s *Set) Match(dst []*Rule, e *ecs.Event) []*Rule {
	view, memory := s.fold.fold(e)
	for i := range s.groups {
		g := &s.groups[i]
		left := g.in
		if g.index != nil {
			g.index.narrow(&left, view)
		}
		for word, set := range left {
			for ; set != 0; set &= set - 1 {
				if n := 64*word + bits.TrailingZeros64(set); g.programs[n].match(e, view) {
					dst = append(dst, g.rules[n])
				}
			}
		}
	}
	memory.release()
	return dst
}

// Scoped is the set with each rule limited to the sources that runs accepts for
// it; see For.
func (s *Set) Scoped(sources []string, runs func(rule *Rule, source string) bool) *Set {
	scoped := *s
	scoped.scopes = make(map[string]*Set, len(sources))
	for _, source := range sources {
		part := *s
		part.groups = slices.Clone(s.groups)
		for i := range part.groups {
			g := &part.groups[i]
			g.in = ruleBits{}
			for n, r := range g.rules {
				if runs(r, source) {
					g.in.set(n)
				}
			}
		}
		scoped.scopes[source] = &part
	}
	return &scoped
}

// For is the set as it judges events of a source: all of it, unless its rules are
// limited to some.
func (s *Set) For(source string) *Set {
	if part := s.scopes[source]; part != nil {
		return part
	}
	return s
}

// Rules are the rules of the set in its order.
func (s *Set) Rules() []*Rule { return slices.Clone(s.rules) }

// Hash names the set's content in hex: sets are equal in ids, versions and
// queries if their hashes are, whatever the order of their rules.
func (s *Set) Hash() string { return s.hash }

func hashRules(rules []*Rule) string {
	sorted := slices.Clone(rules)
	slices.SortFunc(sorted, func(a, b *Rule) int { return strings.Compare(a.ID, b.ID) })
	var framed []byte
	for _, r := range sorted {
		framed = appendFramed(framed, r.ID)
		framed = appendFramed(framed, r.Version)
		framed = appendFramed(framed, r.Query)
	}
	return digest(framed)
}

// appendFramed appends s behind its length, so that no two sequences of texts
// append to the same bytes.
func appendFramed(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint64(dst, uint64(len(s))), s...)
}

// digest is half a SHA-256 in hex: 32 digits, enough that no two inputs will
// ever meet in it.
func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}
