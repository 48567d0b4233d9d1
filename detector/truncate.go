package detector

import (
	"slices"
	"unicode/utf8"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// minTruncated is the least that Truncate leaves of a field, in bytes: any
// identifier, and enough of a command line to recognise it.
const minTruncated = 64

// Truncate makes what AppendJSON appends no longer than limit bytes, as far as
// cutting the event's texts goes: the longest first, each to a beginning that is
// still UTF-8, and of a list those values first that the rule looked for. The
// alert then says which fields were cut.
func (a *Alert) Truncate(limit int) {
	most := 0
	for f := range ecs.Field(a.event.Schema().Len()) {
		most = max(most, a.size(f))
	}
	var encoded []byte
	for most > minTruncated {
		if encoded = a.AppendJSON(encoded[:0]); len(encoded) <= limit {
			return
		}
		most = max(most/2, minTruncated)
		for f := range ecs.Field(a.event.Schema().Len()) {
			if a.size(f) > most {
				a.cut(f, most)
			}
		}
	}
}

// size is how many bytes the texts of f take, with what JSON puts between them.
func (a *Alert) size(f ecs.Field) int {
	size := 0
	for _, v := range a.event.Values(f) {
		if len(v.Text()) > 0 {
			size += len(v.Text()) + len(`,""`)
		}
	}
	return size
}

// cut leaves at most size bytes of f.
func (a *Alert) cut(f ecs.Field, size int) {
	values := slices.Clone(a.event.Values(f))
	kept := make([][]byte, len(values))
	one := ecs.NewEvent(a.event.Schema())
	for _, wanted := range []bool{true, false} {
		for i, v := range values {
			room := size - len(`,""`)
			one.Reset()
			one.Add(f, v.Text())
			if room <= 0 || a.Rule.touches(f, one) != wanted {
				continue
			}
			kept[i] = prefix(v.Text(), room)
			size -= len(kept[i]) + len(`,""`)
		}
	}
	a.event.Clear(f)
	for _, text := range kept {
		if text != nil {
			a.event.Add(f, text)
		}
	}
	name := a.event.Schema().Name(f)
	if at, found := slices.BinarySearch(a.truncated, name); !found {
		a.truncated = slices.Insert(a.truncated, at, name)
	}
}

// prefix is at most size bytes of s and ends where a code point does.
func prefix(s []byte, size int) []byte {
	if len(s) <= size {
		return s
	}
	for size > 0 && !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}
