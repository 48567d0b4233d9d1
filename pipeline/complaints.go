package pipeline

import "time"

// Complaints shows the first ten of each kind and counts the rest. The zero
// value is ready. It is not safe for concurrent use.
type Complaints struct{ seen map[string]int }

// shown is how many of a kind are shown.
const shown = 10

// Show counts one of the kind and reports whether to show it.
func (c *Complaints) Show(kind string) bool {
	if c.seen == nil {
		c.seen = map[string]int{}
	}
	c.seen[kind]++
	return c.seen[kind] <= shown
}

// Rest is how many of each kind were not shown.
func (c *Complaints) Rest() map[string]int {
	rest := map[string]int{}
	for kind, n := range c.seen {
		if n > shown {
			rest[kind] = n - shown
		}
	}
	return rest
}

// recent remembers what was said lately, for troubles that repeat until they
// end. The zero value is ready.
type recent struct{ said map[string]time.Time }

// quiet is how long a standing trouble is not said again.
const quiet = 30 * time.Second

// again reports whether it is time to say what (again).
func (r *recent) again(what string) bool {
	if r.said == nil {
		r.said = map[string]time.Time{}
	}
	now := time.Now()
	if now.Sub(r.said[what]) < quiet {
		return false
	}
	r.said[what] = now
	return true
}
