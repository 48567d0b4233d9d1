package normalize

import (
	"bytes"
	"slices"
	"strings"
)

// path is the place of a declared member among the paths of its reader.
type path int

// members finds, in one pass over a JSON record and without allocating, the
// members a source declared by their dotted paths.
//
// Names match exactly, case included: decoders that fold case confuse
// ProcessID, the logging service, with ProcessId, the new process, and real
// records carry both. A path leads through arrays as if their elements stood
// alone, as Elasticsearch flattens documents, so a member can have several
// values. A member that a record repeats has all its values: nothing hides
// behind a duplicate.
//
// What a read found is valid until the next read.
type members struct {
	nodes  []node
	slots  []slot // by path
	dotted bool   // a name with dots in it leads down like nested objects
	strict bool   // a value where an object is declared is a fault

	doc   []byte
	found []member // from 1; 0 is "none"
	buf   []byte   // text that is not a view of doc; reset by length
	base  int      // where doc begins in the record, for the places of errors
	args  [][]byte // scratch of setArgs
	err   *Error   // the first fault of the record

	faults int // how many there were
	last   int // where in doc the last one is
}

// node is one step of the declared paths.
type node struct {
	name     string
	path     path // -1 where no path ends
	children []int
	buckets  []int16 // hash of a name to the first child, -1 if none
	chain    []int16 // by child: the next one with the same hash
}

type slot struct{ first, last int32 }

// member is one value of a declared path.
type member struct {
	text  []byte // as it is written: a view of the document
	start int32  // where in the document
	next  int32
	kind  byte // '"' plain string, '\\' string with escapes, '&' XML with entities, '0' number, 't', 'f', 'n', '{', '.' object around others
}

// maxValues bounds the values a record can make a reader collect. An exec on
// Linux carries some 230,000 arguments with the usual limit of a stack, and a
// record of 1.5 MB cannot hold more; a value costs some 100 bytes.
const maxValues = 1 << 19

// maxStarts bounds the events a record can make. The largest record that a broker
// takes by default has room for some 500 real ones, but for ten times as many of
// the shortest texts that are taken for one, and each costs a row of 4 KB.
const maxStarts = 1 << 14

// keepValues and keepBytes are the memory a reader keeps for the next record;
// beyond that one hostile record would cost its size for ever.
const (
	keepValues = 1 << 12
	keepBytes  = 1 << 20
)

// newMembers declares the members to find. Several spellings of one member are
// separated by "|".
func newMembers(paths []string) *members {
	m := &members{nodes: []node{{path: -1}}, slots: make([]slot, len(paths))}
	for p, spellings := range paths {
		for dotted := range strings.SplitSeq(spellings, "|") {
			n := 0
			for name := range strings.SplitSeq(dotted, ".") {
				n = m.child(n, name)
			}
			m.nodes[n].path = path(p)
		}
	}
	for n := range m.nodes {
		m.nodes[n].index(m.nodes)
	}
	return m
}

// child is the node of name below n, made if it is new.
func (m *members) child(n int, name string) int {
	for _, c := range m.nodes[n].children {
		if m.nodes[c].name == name {
			return c
		}
	}
	m.nodes = append(m.nodes, node{name: name, path: -1})
	m.nodes[n].children = append(m.nodes[n].children, len(m.nodes)-1)
	return len(m.nodes) - 1
}

func (n *node) index(nodes []node) {
	if len(n.children) == 0 {
		return
	}
	size := 4
	for size < 2*len(n.children) {
		size *= 2
	}
	n.buckets = slices.Repeat([]int16{-1}, size)
	n.chain = make([]int16, len(n.children))
	for i, c := range n.children {
		b := hashName([]byte(nodes[c].name)) & uint(size-1)
		n.chain[i], n.buckets[b] = n.buckets[b], int16(i)
	}
}

// hashName mixes the length and three bytes, which tells the names of real
// records apart well enough.
func hashName(name []byte) uint {
	if len(name) == 0 {
		return 0
	}
	return uint(len(name)) + uint(name[0])*3 + uint(name[len(name)/2])*7 + uint(name[len(name)-1])*13
}

// step is the node below n that name leads to, -1 if nothing declared is there.
func (m *members) step(n int, name []byte) int {
	from := &m.nodes[n]
	if len(from.buckets) == 0 {
		return -1
	}
	for i := from.buckets[hashName(name)&uint(len(from.buckets)-1)]; i >= 0; i = from.chain[i] {
		if c := from.children[i]; m.nodes[c].name == string(name) {
			return c
		}
	}
	if !m.dotted {
		return -1
	}
	if dot := bytes.IndexByte(name, '.'); dot >= 0 {
		if c := m.step(n, name[:dot]); c >= 0 {
			return m.step(c, name[dot+1:])
		}
	}
	return -1
}

// read scans the record, a JSON object. On an error the members in front of the
// fault are there all the same, so a record that was cut off can still be
// judged by what came through.
func (m *members) read(value []byte) *Error {
	m.reset()
	m.doc, m.base, m.err = text(value)
	if m.err != nil {
		return m.err
	}
	m.document()
	return m.err
}

func (m *members) reset() {
	clear(m.slots)
	clear(m.found) // a view left behind would keep its record alive
	m.found, m.buf, m.doc, m.err = m.found[:0], m.buf[:0], nil, nil
	if cap(m.found) > keepValues {
		m.found = nil
	}
	if cap(m.buf) > keepBytes {
		m.buf = nil
	}
	if cap(m.args) > keepValues {
		m.args = nil
	}
	m.found = append(m.found, member{})
}

// nested scans a JSON object that is text in the record, k, as if its members
// stood in the record.
func (m *members) nested(k int32) { m.within(k, m.at(k), m.document) }

// within runs scan over a text of the record, k.
func (m *members) within(k int32, text []byte, scan func()) {
	doc, base := m.doc, m.base
	m.doc, m.base = text, base+int(m.found[k].start)
	scan()
	m.doc, m.base = doc, base
}

// isObject reports whether a value is an object.
func (m *members) isObject(k int32) bool { return m.found[k].kind == '{' || m.found[k].kind == '.' }

// isText reports whether a value is a string.
func (m *members) isText(k int32) bool { return m.found[k].kind == '"' || m.found[k].kind == '\\' }

// restart makes ready for another read within one record: what was found is
// forgotten, what was unescaped stays.
func (m *members) restart(doc []byte, base int) {
	clear(m.slots)
	m.found = append(m.found[:0], member{})
	m.doc, m.base = doc, base
}

// fail notes a fault at place i of the document; the first one stands.
func (m *members) fail(reason Reason, i int, format string, args ...any) {
	m.faults, m.last = m.faults+1, i
	if m.err == nil {
		m.err = failf(reason, m.base+i, format, args...)
	}
}

func (m *members) record(p path, kind byte, start, end int) {
	if len(m.found) > maxValues {
		m.fail(TooLarge, start, "record has more than %d values", maxValues)
		return
	}
	k := int32(len(m.found))
	m.found = append(m.found, member{kind: kind, start: int32(start), text: m.doc[start:end:end]})
	s := &m.slots[p]
	if s.first == 0 {
		s.first = k
	} else {
		m.found[s.last].next = k
	}
	s.last = k
}

// has reports whether the record has the member with any value, null included.
func (m *members) has(p path) bool { return m.slots[p].first != 0 }

// text is the last value of a member: the text of a string, the digits of a
// number, true or false; nil if the member is absent or null. It is a view,
// valid until the next read.
func (m *members) text(p path) []byte {
	if k := m.slots[p].last; k != 0 {
		return m.at(k)
	}
	return nil
}

// first is the first value of a member, 0 if there is none; next goes on.
func (m *members) first(p path) int32 { return m.slots[p].first }
func (m *members) next(k int32) int32 { return m.found[k].next }

// at is the text of one value; nil for null. An object, where a value is
// declared, is a fault of the record.
func (m *members) at(k int32) []byte {
	v := &m.found[k]
	from := len(m.buf)
	switch v.kind {
	case '\\':
		m.buf = unescape(m.buf, v.text)
	case '&':
		m.buf = unescapeXML(m.buf, v.text)
	case 'n', '.':
		return nil
	case '{':
		m.fail(Shape, int(v.start), "member is an object, want a value")
		return nil
	default:
		return v.text
	}
	return m.buf[from:len(m.buf):len(m.buf)]
}

// equal reports whether any value of a member is want.
func (m *members) equal(p path, want string) bool {
	return m.any(p, func(v []byte) bool { return string(v) == want })
}

// any reports whether is is true of any value of a member.
func (m *members) any(p path, is func([]byte) bool) bool {
	from := len(m.buf)
	for k := m.first(p); k != 0; k = m.next(k) {
		found := is(m.at(k))
		m.buf = m.buf[:from]
		if found {
			return true
		}
	}
	return false
}
