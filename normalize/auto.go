package normalize

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name:   "auto",
	Shapes: []string{"any"},
	Joins:  true,
	Key:    "that of the sources on the topic",
	Needs:  "records of any of the other sources; each is told by its own members",
	New:    func() Normalizer { return newAuto() },
})

// sign is one thing that tells a source; see Source.Marks.
type sign struct {
	path  path
	whole bool   // the record itself, not a member
	value string // "" asks for the member alone
}

// auto reads the records of every other source, each by the source it tells
// itself. A record can carry the signs of several: those that are more special
// come first in autoOrder. It joins for the sources that do.
type auto struct {
	*members
	marks       []mark
	sources     []*Source
	normalizers []Normalizer // by place in sources; made when first needed
	joined      []int        // of the last call; see Settled
	skipped     int
}

// mark is a set of signs that together tell a source.
type mark struct {
	source *Source
	place  int // of the source's normalizer
	signs  []sign
}

// autoOrder is the order in which sources are tried. A source that is not in it
// comes before ecs, which has the weakest signs.
var autoOrder = []string{"crowdstrike", "sentinelone", "m365", "laurel", "goaudit", "auditbeat", "endgame", "defend", "windows", "auditd"}

func newAuto() *auto {
	a := &auto{}
	var paths []string
	a.sources = Told()
	for place, s := range a.sources {
		for _, set := range s.Marks {
			m := mark{source: s, place: place}
			for _, text := range set {
				name, value, _ := strings.Cut(text, "=")
				p := slices.Index(paths, name)
				if p < 0 && name != "" {
					p = len(paths)
					paths = append(paths, name)
				}
				m.signs = append(m.signs, sign{path(p), name == "", value})
			}
			a.marks = append(a.marks, m)
		}
		a.normalizers = append(a.normalizers, nil)
	}
	a.members = newMembers(paths)
	a.dotted = true
	return a
}

// Told are the sources that auto tells apart, in the order of trying: all but
// itself.
func Told() []*Source {
	sources := slices.DeleteFunc(Sources(), func(s *Source) bool { return s.Name == "auto" })
	rank := func(s *Source) int {
		if i := slices.Index(autoOrder, s.Name); i >= 0 {
			return i
		}
		if s.Name == "ecs" {
			return len(autoOrder) + 1
		}
		return len(autoOrder)
	}
	slices.SortStableFunc(sources, func(a, b *Source) int { return rank(a) - rank(b) })
	return sources
}

// Teller is what tells a record's source by the record alone, as auto does; it
// answers nil where a record fits none. It is not safe for concurrent use.
func Teller() func(value []byte) *Source {
	a := newAuto()
	return func(value []byte) *Source {
		m, _ := a.tell(value)
		if m == nil {
			return nil
		}
		return m.source
	}
}

// tell is the mark of a record's source; nil if it fits none. Of a batch the
// first element tells.
//
// Members come before text, and the text that stands first before any other:
// what the user of a host writes, such as a command line, is no member's name
// and stands behind what his sensor writes. A category alone is the weakest sign:
// shippers set it too.
func (a *auto) tell(value []byte) (*mark, *Error) {
	a.reset()
	doc, _, err := text(value)
	if err != nil {
		return nil, err
	}
	at := bytes.IndexByte(doc, '{')
	isJSON := at >= 0 && len(bytes.Trim(doc[:at], "[ \t\r\n")) == 0
	if isJSON {
		a.restart(doc[at:], len(value)-len(doc)+at)
		a.value(0, 0, 0)
	}
	var weak, first *mark
	place := len(doc)
	for i := range a.marks {
		m := &a.marks[i]
		switch {
		case m.text():
			if s := m.signs[0]; !s.whole || !isJSON || a.err != nil {
				if p := a.placeOf(s, doc); p >= 0 && p < place {
					first, place = m, p
				}
			}
		case !a.fits(m):
		case !m.weak():
			return m, nil
		case weak == nil:
			weak = m
		}
	}
	if first == nil {
		first = weak
	}
	if first == nil {
		return nil, a.err
	}
	return first, nil
}

// weak reports whether a mark is one that documents of other sources have too.
func (m *mark) weak() bool { return m.source.Name == "ecs" && len(m.signs) == 1 }

// text reports whether a mark is a part of a text.
func (m *mark) text() bool { return strings.HasPrefix(m.signs[0].value, "*") }

// fits reports whether the record has all the members of a mark.
func (a *auto) fits(m *mark) bool {
	for _, s := range m.signs {
		if !a.has(s.path) || s.value != "" && !a.holds(s) {
			return false
		}
	}
	return true
}

// holds reports whether a member has the value of a sign, in either case; ? is
// any byte, and a star at the end stands for anything.
func (a *auto) holds(s sign) bool {
	want, open := strings.CutSuffix(s.value, "*")
	from := len(a.buf)
	for k := a.first(s.path); k != 0; k = a.next(k) {
		if a.isObject(k) {
			continue
		}
		v := a.at(k)
		a.buf = a.buf[:from]
		if open && len(v) > len(want) {
			v = v[:len(want)]
		}
		if len(v) == len(want) && alike(v, want) {
			return true
		}
	}
	return false
}

// alike reports whether v is want in either case, ASCII both and of one length.
func alike(v []byte, want string) bool {
	for i, c := range v {
		if w := want[i]; w != '?' && c != w && (c|0x20 != w|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}

// placeOf is where the text of a sign first stands in the record, or in a
// member; -1 if nowhere.
func (a *auto) placeOf(s sign, doc []byte) int {
	want := []byte(strings.Trim(s.value, "*"))
	if s.whole {
		return bytes.Index(doc, want)
	}
	from := len(a.buf)
	for k := a.first(s.path); k != 0; k = a.next(k) {
		if a.isObject(k) {
			continue
		}
		p := bytes.Index(a.at(k), want)
		a.buf = a.buf[:from]
		if p >= 0 {
			return p
		}
	}
	return -1
}

// Normalize has the record read by the source it tells. The events and the
// error carry that source's name.
func (a *auto) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	a.joined, a.skipped = a.joined[:0], 0
	m, fault := a.tell(r.Value)
	if m == nil {
		if fault == nil {
			fault = failf(Shape, 0, "record fits no source")
		}
		return dst, fault
	}
	if a.normalizers[m.place] == nil {
		a.normalizers[m.place] = m.source.New()
	}
	from := len(dst)
	dst, err := a.normalizers[m.place].Normalize(dst, r)
	a.settle(m.place, dst[from:], m.source.Name, err)
	if _, joins := a.normalizers[m.place].(Joiner); !joins && !r.Time.IsZero() {
		dst = a.expire(dst, r.Time) // a topic that is never silent must not hold events for ever
	}
	if fault, ok := errors.AsType[*Error](err); ok {
		fault.Source = m.source.Name
	}
	return dst, err
}

// settle names the source of events and accounts for the records they came of.
func (a *auto) settle(place int, events []ecs.Event, source string, err error) {
	for i := range events {
		events[i].Source = source
	}
	if joiner, ok := a.normalizers[place].(Joiner); ok {
		joined, skipped := joiner.Settled()
		a.joined = append(a.joined, joined...)
		a.skipped += skipped
		return
	}
	for i := range events {
		records := 0
		if i == 0 && err == nil {
			records = 1
		}
		a.joined = append(a.joined, records)
	}
	if len(events) == 0 && err == nil {
		a.skipped++
	}
}

// Expire appends what the sources that join give up.
func (a *auto) Expire(dst []ecs.Event, now time.Time) []ecs.Event {
	a.joined, a.skipped = a.joined[:0], 0
	return a.expire(dst, now)
}

func (a *auto) expire(dst []ecs.Event, now time.Time) []ecs.Event {
	for place, source := range a.sources {
		if joiner, ok := a.normalizers[place].(Joiner); ok && joiner.Pending() > 0 {
			from := len(dst)
			dst = joiner.Expire(dst, now)
			a.settle(place, dst[from:], source.Name, nil)
		}
	}
	return dst
}

// Safe is the least of the sources that join.
func (a *auto) Safe(next int64) int64 {
	for _, n := range a.normalizers {
		if joiner, ok := n.(Joiner); ok {
			next = joiner.Safe(next)
		}
	}
	return next
}

// Reset makes them all forget.
func (a *auto) Reset() { clear(a.normalizers) }

// Settled is that of the source whose record it was.
func (a *auto) Settled() (joined []int, skipped int) { return a.joined, a.skipped }

// Pending is that of all.
func (a *auto) Pending() (n int) {
	for _, normalizer := range a.normalizers {
		if joiner, ok := normalizer.(Joiner); ok {
			n += joiner.Pending()
		}
	}
	return n
}
