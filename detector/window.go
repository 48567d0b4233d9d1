package detector

// A window is three bytes in a row of a pattern's plain text, in small letters of
// ASCII. A value that matches the pattern has them too, so one pass over a value
// finds which of many patterns it may match at all.
type window uint32

// windowSize is the length of a window: with two most values have some window of
// most rules, and four would be more than many patterns have.
const windowSize = 3

// windows is a set of windows as a Bloom filter with one hash, small enough that
// those of many rules stay in the processor's cache.
type windows [64]uint64

func (w window) place() (word, bit uint32) {
	h := uint32(w) * 0x9E3779B1 >> 20 // the golden ratio spreads what is alike
	return h / 64, h % 64
}

func (s *windows) add(w window) {
	word, bit := w.place()
	s[word] |= 1 << bit
}

// next finds the first window of value at or behind at that may be in the set and
// returns where it begins, -1 if there is none.
func (s *windows) next(value []byte, at int) (int, window) {
	if len(value)-at < windowSize {
		return -1, 0
	}
	w := window(lower[value[at]])<<8 | window(lower[value[at+1]])
	for i := at + 2; i < len(value); i++ {
		w = (w<<8 | window(lower[value[i]])) & (1<<(8*windowSize) - 1)
		if word, bit := w.place(); s[word]&(1<<bit) != 0 {
			return i - 2, w
		}
	}
	return -1, 0
}

// rareness counts in how many texts each window stands: what many rules ask for
// many events have.
type rareness map[window]int

// learn counts the windows of a pattern.
func (r rareness) learn(pattern string) {
	for w := range windowsOf(pattern) {
		r[w]++
	}
}

// choose picks the window of a pattern that is seldom elsewhere; not ok if the
// pattern has no three bytes of plain text in a row.
func (r rareness) choose(pattern string) (rarest window, ok bool) {
	best := 0
	for w := range windowsOf(pattern) {
		// Of equals the one that has the least of letters, of which words are made.
		cost := 64 * r[w]
		for i := range windowSize {
			cost -= rarity(byte(w >> (8 * i)))
		}
		if !ok || cost < best {
			rarest, best, ok = w, cost, true
		}
	}
	return rarest, ok
}

// windowsOf are the windows of a pattern, those with a wildcard left out.
func windowsOf(pattern string) func(yield func(window) bool) {
	return func(yield func(window) bool) {
		w, plain := window(0), 0
		for i := range len(pattern) {
			c := pattern[i]
			if c == '*' || c == '?' {
				plain = 0
				continue
			}
			w = (w<<8 | window(lower[c])) & (1<<(8*windowSize) - 1)
			if plain++; plain >= windowSize && !yield(w) {
				return
			}
		}
	}
}
