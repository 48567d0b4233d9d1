package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// shipped reads a JSON record of one event, which may stand behind a prefix or
// in a member of a shipper's record. Both readers have the same paths.
type shipped struct{ outer, inner *members }

// The paths with which a reader of shipped records begins.
const (
	shippedText path = iota
	shippedHost
	shippedHostText
	shippedAgent
	shippedPaths
)

func newShipped(paths []string) *shipped {
	paths[shippedText] = "message|log|MESSAGE|event.original|short_message"
	paths[shippedHost] = adPaths[adHost]
	paths[shippedHostText] = adPaths[adHostText]
	paths[shippedAgent] = adPaths[adAgent]
	s := &shipped{newMembers(paths), newMembers(paths)}
	s.outer.dotted, s.inner.dotted = true, true
	return s
}

// read reads the record and returns the reader that has the event, which is one
// of those that is sign, and what stood in front of it.
func (s *shipped) read(value []byte, sign func(*members) bool) (m *members, head []byte) {
	s.inner.reset()
	s.inner.doc = nil // a view left behind would keep its record alive
	m = s.outer
	head = m.readBehind(value)
	if sign(m) {
		return m, head
	}
	for k := m.first(shippedText); k != 0; k = m.next(k) {
		if m.isObject(k) {
			continue
		}
		if text := m.at(k); bytes.IndexByte(text, '{') >= 0 {
			head = s.inner.readBehind(text)
			s.inner.shift(m.base + int(m.found[k].start))
			if s.inner.err == nil {
				s.inner.err = m.err
			}
			return s.inner, head
		}
	}
	return m, head
}

// readBehind reads an object behind a prefix, such as "@cee: " or a syslog
// header, and returns that.
func (m *members) readBehind(value []byte) (head []byte) {
	open := bytes.IndexByte(value, '{')
	if c := firstByte(value); open < 0 || c == '{' || c == '[' || c == '"' {
		m.read(value)
		return nil
	}
	m.read(value[open:])
	m.shift(open)
	return value[:open]
}

// shift moves the places of faults, where a record was read from its middle on.
func (m *members) shift(by int) {
	m.base += by
	if m.err != nil {
		m.err.Byte += by
	}
}

// addSender sets the host to the one that is named, else to that of the syslog
// header or of the shipper, and returns it.
func (s *shipped) addSender(e *ecs.Event, host, head []byte) []byte {
	if len(host) == 0 {
		host = syslogHost(head)
	}
	for _, m := range [...]*members{s.inner, s.outer} {
		if len(host) == 0 {
			host = m.text(shippedHost)
		}
		for k := m.first(shippedHostText); len(host) == 0 && k != 0; k = m.next(k) {
			if !m.isObject(k) {
				host = m.at(k)
			}
		}
		if agent := m.text(shippedAgent); len(agent) > 0 && !e.Has(ecs.AgentID) {
			e.Add(ecs.AgentID, agent)
		}
	}
	if len(host) > 0 {
		e.Add(ecs.HostName, host)
		return host
	}
	return e.First(ecs.AgentID)
}
