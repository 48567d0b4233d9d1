package detector

import (
	"slices"
	"strings"
	"testing"
)

func windowOf(s string) window { return window(s[0])<<16 | window(s[1])<<8 | window(s[2]) }

func TestWindowsOf(t *testing.T) {
	for _, c := range []struct{ pattern, want string }{
		{"", ""}, {"ab", ""}, {"abc", "abc"}, {"ABc", "abc"}, {"abcd", "abc bcd"}, {"*abc*", "abc"}, {"*ab*cd", ""}, {"ab?cde", "cde"},
		{"ab*", ""}, {"abc?d*efgh", "abc efg fgh"}, {"*é?a", ""}, {"*éa", "\xc3\xa9a"}, {"a b\n", "a b  b\n"}, {"***", ""}, {"[@`{", "[@` @`{"},
	} {
		var want []window
		for s := c.want; len(s) >= windowSize; s = s[min(len(s), windowSize+1):] {
			want = append(want, windowOf(s))
		}
		if got := slices.Collect(windowsOf(c.pattern)); !slices.Equal(got, want) {
			t.Errorf("%q: %x, want %x", c.pattern, got, want)
		}
	}
}

// found are the places at which the filter stops, and what stands there.
func found(s *windows, value string) (places []int, texts []string) {
	for at, w := s.next([]byte(value), 0); at >= 0; at, w = s.next([]byte(value), at+1) {
		places = append(places, at)
		texts = append(texts, string([]byte{byte(w >> 16), byte(w >> 8), byte(w)}))
	}
	return places, texts
}

// TestWindowsNext finds windows at the ends of values, next to each other and in
// either case.
func TestWindowsNext(t *testing.T) {
	var s windows
	for _, w := range []string{"abc", "bcd", "\xc3\xa9x", "\x00\x00\x00", "\xff\xff\xff"} {
		s.add(windowOf(w))
	}
	for _, c := range []struct {
		value  string
		places []int
	}{
		{"", nil}, {"ab", nil}, {"abc", []int{0}}, {"ABC", []int{0}}, {"xabc", []int{1}}, {"abcx", []int{0}}, {"xxabcxx", []int{2}},
		{"abcd", []int{0, 1}}, {"abcabc", []int{0, 3}}, {"ababc", []int{2}}, {"abxc", nil}, {"éX", []int{0}}, {"éx", []int{0}}, {"Éx", nil},
		{"\x00\x00", nil}, {"\x00\x00\x00\x00", []int{0, 1}}, {"\xff\xff\xff", []int{0}}, {"a\x00bc", nil}, {"xyzabC", []int{3}},
	} {
		if places, _ := found(&s, c.value); !slices.Equal(places, c.places) {
			t.Errorf("%q: windows at %v, want %v", c.value, places, c.places)
		}
	}
	if places, texts := found(&s, "xABCD"); !slices.Equal(texts, []string{"abc", "bcd"}) {
		t.Errorf("at %v stand %q", places, texts)
	}
}

// TestWindowsMissNone fills the filter and looks for each window by itself: it may
// stop too often, never too seldom.
func TestWindowsMissNone(t *testing.T) {
	var s windows
	var all []string
	for i := range 1000 {
		w := string([]byte{byte(i % 7 * 37), byte(i % 11 * 23), byte(i % 13 * 19)})
		all = append(all, strings.ToLower(w))
		s.add(windowOf(strings.ToLower(w)))
	}
	for _, w := range all {
		if len(w) != windowSize { // ToLower widens what is no text
			continue
		}
		if _, texts := found(&s, "\x01"+w+"\x02"); !slices.Contains(texts, w) {
			t.Errorf("window %q is not found", w)
		}
	}
}

func TestRareness(t *testing.T) {
	r := make(rareness)
	for _, p := range []string{"abcxyz", "abc", "bcx", "cxy", "a/b"} {
		r.learn(p)
	}
	for _, c := range []struct{ pattern, want string }{
		{"*abcxyz*", "xyz"}, {"*bcxy", "bcx"}, {"*new*abc*", "new"}, {"*ab*", ""}, {"*abca/b", "ca/"}, {"*qqqq/-*", "q/-"},
	} {
		w, ok := r.choose(c.pattern)
		if ok != (c.want != "") || ok && w != windowOf(c.want) {
			t.Errorf("%s: %x, %v, want %q", c.pattern, w, ok, c.want)
		}
	}
}
