package detector

import (
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// Fold is which letters are one where a rule disregards case.
type Fold uint8

const (
	// FoldASCII knows the letters of ASCII alone, as Elasticsearch did until
	// 2026: é is not É, and the Kelvin sign is not k.
	FoldASCII Fold = iota
	// FoldUnicode is Unicode's simple case folding, code point by code point, as
	// Elasticsearch does since then
	// (https://github.com/elastic/elasticsearch/pull/153513).
	FoldUnicode
)

// lower maps the capital letters of ASCII to small ones and every other byte to
// itself.
var lower = func() (t [256]byte) {
	for c := range t {
		t[c] = byte(c)
		if c >= 'A' && c <= 'Z' {
			t[c] += 'a' - 'A'
		}
	}
	return t
}()

// text folds s.
func (f Fold) text(s string) string {
	if f == FoldUnicode {
		return string(appendFolded(nil, []byte(s), simple))
	}
	b := []byte(s)
	for i, c := range b {
		b[i] = lower[c]
	}
	return string(b)
}

// simple is the code point that stands for all that fold to r: the small letter
// if they have one in ASCII, else the least of them.
func simple(r rune) rune {
	if r < utf8.RuneSelf {
		return rune(lower[r])
	}
	least := r
	for s := unicode.SimpleFold(r); s != r; s = unicode.SimpleFold(s) {
		least = min(least, s)
	}
	if least < utf8.RuneSelf {
		return rune(lower[least])
	}
	return least
}

// java folds as String.equalsIgnoreCase does, by which Elasticsearch compares
// what functions return.
func java(r rune) rune { return unicode.ToLower(unicode.ToUpper(r)) }

// appendFolded appends s with each code point folded. Bytes that are part of none
// stay as they are.
func appendFolded(dst, s []byte, fold func(rune) rune) []byte {
	for at := 0; at < len(s); {
		if c := s[at]; c < utf8.RuneSelf {
			dst = append(dst, lower[c])
			at++
			continue
		}
		r, size := utf8.DecodeRune(s[at:])
		if r == utf8.RuneError && size == 1 {
			dst = append(dst, s[at])
		} else {
			dst = utf8.AppendRune(dst, fold(r))
		}
		at += size
	}
	return dst
}

// folded is an event with all its text folded, and the memory of it.
type folded struct {
	event *ecs.Event
	text  []byte
}

var foldedEvents = sync.Pool{New: func() any { return new(folded) }}

// keepText is how many bytes an object keeps for its next use.
const keepText = 1 << 20

// fold is e as rules that disregard case see it: e itself where lower does all
// there is to do, which is nearly always. Give it to release behind its use.
func (f Fold) fold(e *ecs.Event) (*ecs.Event, *folded) {
	if f == FoldASCII || isASCII(e) {
		return e, nil
	}
	view := foldedEvents.Get().(*folded)
	if view.event == nil || view.event.Schema() != e.Schema() {
		view.event = ecs.NewEvent(e.Schema())
	}
	for _, field := range e.Fields() {
		for _, v := range e.Values(field) {
			start := len(view.text)
			view.text = appendFolded(view.text, v.Text(), simple)
			view.event.Add(field, view.text[start:len(view.text):len(view.text)])
		}
	}
	return view.event, view
}

// release gives the memory of a folded event back.
func (v *folded) release() {
	if v == nil {
		return
	}
	v.event.Reset()
	if v.text = v.text[:0]; cap(v.text) > keepText {
		v.text = nil
	}
	foldedEvents.Put(v)
}

func isASCII(e *ecs.Event) bool {
	for _, f := range e.Fields() {
		for _, v := range e.Values(f) {
			for _, c := range v.Text() {
				if c >= utf8.RuneSelf {
					return false
				}
			}
		}
	}
	return true
}
