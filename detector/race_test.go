//go:build race

package detector

// underRace says that the race detector is on, which takes from pools at random.
const underRace = true
