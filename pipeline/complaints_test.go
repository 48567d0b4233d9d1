package pipeline

import (
	"maps"
	"testing"
	"testing/synctest"
	"time"
)

func TestComplaintsShowTenOfAKind(t *testing.T) {
	var c Complaints
	shownOf := map[string]int{}
	for i := range 25 {
		kind := []string{"a", "a", "a", "b", "c"}[i%5]
		if c.Show(kind) {
			shownOf[kind]++
		}
	}
	if want := map[string]int{"a": 10, "b": 5, "c": 5}; !maps.Equal(shownOf, want) {
		t.Errorf("shown %v, want %v", shownOf, want)
	}
	if rest, want := c.Rest(), map[string]int{"a": 5}; !maps.Equal(rest, want) {
		t.Errorf("the rest is %v, want %v", rest, want)
	}
}

func TestStandingTroubleIsSaidNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent
		said := 0
		for range 61 {
			if r.again("x") {
				said++
			}
			time.Sleep(time.Second) // of the bubble
		}
		if said != 3 {
			t.Errorf("said %d times in a minute, want 3", said)
		}
		if !r.again("y") {
			t.Error("another trouble is not said")
		}
	})
}
