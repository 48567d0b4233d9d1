//go:build race

package normalize

// underRace says that the race detector is on, which allocates.
const underRace = true
