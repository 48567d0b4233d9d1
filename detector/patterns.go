package detector

import (
	"math/bits"
	"strings"
	"unicode/utf8"
)

// patterns is a list of up to 64 patterns, any of which may match. Those that a
// value can match at all are told by how it begins, and where a pattern begins
// with a star by a window of it that the value must have; only these are tried.
type patterns struct {
	sources  []string // as compiled, for listings
	anchored []glob
	opening  *opening // of anchored
	floating []glob
	windows  []window // of floating
	filter   windows
	blind    []glob // that begin with a star and have no window
}

const maxPatterns = 64

// opening says for a byte at one of the first places of a value which
// patterns it may belong to, a bit each.
type opening [openingSize][256]uint64

// openingSize is how many places are looked at.
const openingSize = 8

// newPatterns compiles patterns that are folded already if fold is set.
func newPatterns(list []string, fold bool) *patterns {
	p := &patterns{sources: list}
	rare := make(rareness)
	for _, s := range list {
		rare.learn(s)
	}
	for _, s := range list {
		g := newGlob(s, fold)
		w, ok := rare.choose(s)
		switch {
		case s[0] != '*':
			p.anchored = append(p.anchored, g)
		case ok:
			p.floating = append(p.floating, g)
			p.windows = append(p.windows, w)
			p.filter.add(w)
		default:
			p.blind = append(p.blind, g)
		}
	}
	if len(p.anchored) > 0 {
		p.opening = new(opening)
	}
	for i := range p.anchored {
		p.opening.add(p.anchored[i].source, 1<<i, fold)
	}
	return p
}

// add notes how a pattern begins: up to the first star, behind which any byte may
// stand. A ? may be several bytes of a value, all above ASCII; begins stops there,
// so a place behind a ? is that of a value in ASCII.
func (o *opening) add(pattern string, bit uint64, fold bool) {
	literal, _, _ := strings.Cut(pattern, "*")
	for place := range o {
		switch {
		case place >= len(literal) || literal[place] == '?':
			for c := range o[place] {
				o[place][c] |= bit
			}
		default:
			for c := range o[place] {
				if byte(c) == literal[place] || fold && lower[c] == literal[place] {
					o[place][c] |= bit
				}
			}
		}
	}
}

func (p *patterns) matches(value []byte) bool {
	return p.begins(value) || p.contains(value) || p.isBlind(value)
}

// begins tries the patterns that can begin as value does.
func (p *patterns) begins(value []byte) bool {
	if len(p.anchored) == 0 {
		return false
	}
	mask := ^uint64(0) >> (maxPatterns - len(p.anchored))
	for place := range min(openingSize, len(value)) {
		c := value[place]
		if mask &= p.opening[place][c]; mask == 0 || c >= utf8.RuneSelf {
			break // behind other code points places differ from those of the pattern
		}
	}
	for ; mask != 0; mask &= mask - 1 {
		if p.anchored[bits.TrailingZeros64(mask)].matches(value) {
			return true
		}
	}
	return false
}

// contains tries the patterns whose window value has, each once.
func (p *patterns) contains(value []byte) bool {
	if len(p.floating) == 0 {
		return false
	}
	var tried uint64
	for at, w := p.filter.next(value, 0); at >= 0; at, w = p.filter.next(value, at+1) {
		for i, of := range p.windows {
			if of != w || tried&(1<<i) != 0 {
				continue
			}
			if p.floating[i].matches(value) {
				return true
			}
			tried |= 1 << i
		}
	}
	return false
}

func (p *patterns) isBlind(value []byte) bool {
	for i := range p.blind {
		if p.blind[i].matches(value) {
			return true
		}
	}
	return false
}
