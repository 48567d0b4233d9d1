package detector

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// Set is the rules that an event is judged by. It is immutable and safe for
// concurrent use; to change the rules, swap the set.
type Set struct {
	rules []*Rule
	hash  string
}

// NewSet makes a set of rules that were compiled for one schema. It fails if
// two of them have one id.
func NewSet(rules []*Rule) (*Set, error) {
	s := &Set{rules: slices.Clone(rules)}
	byID := make(map[string]*Rule, len(rules))
	for _, r := range rules {
		if other := byID[r.ID]; other != nil {
			return nil, fmt.Errorf("rule id %q is both in %s and in %s", r.ID, other.File, r.File)
		}
		byID[r.ID] = r
	}
	s.hash = hashRules(s.rules)
	return s, nil
}

// Match appends the rules that are true of e to dst, in the order of the set.
// With room in dst it allocates nothing.
func (s *Set) Match(dst []*Rule, e *ecs.Event) []*Rule {
	for _, r := range s.rules {
		if r.program.match(e) {
			dst = append(dst, r)
		}
	}
	return dst
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
