package detector

import (
	"maps"
	"regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Limits of an automaton, beyond which there is none. They bound what a rule
// costs when it is loaded and as long as it is.
const (
	maxStates  = 2000
	maxClasses = 256     // so that a class is a byte
	maxSteps   = 4 << 20 // tests of an instruction, some tens of milliseconds
)

// dfa is a deterministic automaton that matches whole values: a walk along its
// table, one step a code point. Code points between which the pattern makes no
// difference are one class.
type dfa struct {
	ascii   [utf8.RuneSelf]uint8 // the class of a byte
	cuts    []rune               // where each class begins; it ends where the next one does
	next    []uint16             // states by state and class
	accepts []bool               // by state
	start   uint16
}

// A walk ends early in a state that no further text leaves, so what the table has
// behind these does not matter.
const (
	deadState uint16 = iota // refuses whatever follows
	fullState               // accepts whatever follows
)

// newDFA builds the automaton of a program without assertions. It is nil if a
// limit is passed.
func newDFA(prog *syntax.Prog) *dfa {
	d := &dfa{cuts: cuts(prog)}
	if len(d.cuts) > maxClasses {
		return nil
	}
	for c := range d.ascii {
		d.ascii[c] = d.class(rune(c))
	}
	s := subsets{prog: prog, seen: make([]int, len(prog.Inst)), round: 1, ids: map[string]uint16{"": deadState}}
	s.sets = [][]uint32{deadState: nil, fullState: nil}
	s.accepts = []bool{deadState: false, fullState: true}
	s.follow(uint32(prog.Start))
	d.start = s.state()
	for id, steps := 0, 0; id < len(s.sets); id++ {
		for _, r := range d.cuts {
			for _, pc := range s.sets[id] {
				if in := &prog.Inst[pc]; in.Op != syntax.InstMatch && in.MatchRune(r) {
					s.follow(in.Out)
				}
			}
			d.next = append(d.next, s.state())
			steps += len(s.sets[id])
		}
		if len(s.sets) > maxStates || steps > maxSteps {
			return nil
		}
	}
	d.accepts = s.accepts
	d.settle()
	return d
}

// cuts are the code points at which the answer of an instruction of prog can
// change, in order, from 0 on. An instruction has pairs of ends of ranges, or one
// code point, which may fold: the parser makes [Kk] a k that does.
func cuts(prog *syntax.Prog) []rune {
	at := map[rune]bool{0: true}
	for _, in := range prog.Inst {
		for i := 0; i+1 < len(in.Rune); i += 2 {
			at[in.Rune[i]], at[in.Rune[i+1]+1] = true, true
		}
		if len(in.Rune) != 1 {
			continue
		}
		r := in.Rune[0]
		at[r], at[r+1] = true, true
		if syntax.Flags(in.Arg)&syntax.FoldCase == 0 {
			continue
		}
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			at[f], at[f+1] = true, true
		}
	}
	delete(at, unicode.MaxRune+1)
	return slices.Sorted(maps.Keys(at))
}

// subsets numbers the sets of instructions that a program can be at together.
type subsets struct {
	prog    *syntax.Prog
	set     []uint32 // in the making
	seen    []int    // by instruction: the round it was last reached in
	round   int
	ids     map[string]uint16
	sets    [][]uint32
	accepts []bool // the set holds the instruction that matches
}

// follow adds to the set all instructions that read a code point, or match, and
// can be reached from pc without reading one.
func (s *subsets) follow(pc uint32) {
	if s.seen[pc] == s.round {
		return
	}
	s.seen[pc] = s.round
	switch in := &s.prog.Inst[pc]; in.Op {
	case syntax.InstAlt, syntax.InstAltMatch:
		s.follow(in.Out)
		s.follow(in.Arg)
	case syntax.InstNop, syntax.InstCapture:
		s.follow(in.Out)
	case syntax.InstFail:
	default:
		s.set = append(s.set, pc)
	}
}

// state is the number of the set, which it empties.
func (s *subsets) state() uint16 {
	slices.Sort(s.set)
	var key []byte
	matches := false
	for _, pc := range s.set {
		key = append(key, byte(pc), byte(pc>>8), byte(pc>>16))
		matches = matches || s.prog.Inst[pc].Op == syntax.InstMatch
	}
	id, known := s.ids[string(key)]
	if !known {
		id = uint16(len(s.sets))
		s.ids[string(key)] = id
		s.sets = append(s.sets, slices.Clone(s.set))
		s.accepts = append(s.accepts, matches)
	}
	s.set = s.set[:0]
	s.round++
	return id
}

// settle replaces by fullState the states from which only accepting ones are reached.
func (d *dfa) settle() {
	settled := slices.Clone(d.accepts)
	for changed := true; changed; {
		changed = false
		for id := len(settled) - 1; id >= 0; id-- { // most steps lead to a higher number
			if settled[id] && slices.ContainsFunc(d.row(uint16(id)), func(to uint16) bool { return !settled[to] }) {
				settled[id], changed = false, true
			}
		}
	}
	for i, to := range d.next {
		if settled[to] {
			d.next[i] = fullState
		}
	}
	if settled[d.start] {
		d.start = fullState
	}
}

// row holds the states behind a state by class.
func (d *dfa) row(id uint16) []uint16 {
	return d.next[int(id)*len(d.cuts):][:len(d.cuts)]
}

func (d *dfa) class(r rune) uint8 {
	i, begins := slices.BinarySearch(d.cuts, r)
	if !begins {
		i--
	}
	return uint8(i)
}

func (d *dfa) matches(value []byte) bool { return d.accepts[d.walk(value)] }

// walk returns the state behind value.
func (d *dfa) walk(value []byte) uint16 {
	at := d.start
	for i := 0; i < len(value) && at > fullState; {
		class, size := uint8(0), 1
		if c := value[i]; c < utf8.RuneSelf {
			class = d.ascii[c]
		} else {
			var r rune
			r, size = utf8.DecodeRune(value[i:]) // U+FFFD, 1 of a byte that is no UTF-8
			class = d.class(r)
		}
		at = d.next[int(at)*len(d.cuts)+int(class)]
		i += size
	}
	return at
}
