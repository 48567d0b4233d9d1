package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name:    "auditd",
	Shapes:  []string{"line", "syslog", "filebeat", "fluent-bit", "journald", "original"},
	Joins:   true,
	Key:     "the host, so that all records of an event are in one partition",
	Needs:   "an audit rule on execve and execveat for each architecture, name_format=hostname in auditd.conf unless the shipper names the host, and lines as auditd writes them, one or several a record",
	Indices: append([]string{"logs-auditd.log-default", "filebeat-8.0.0"}, auditIndices...),
	New:     func() Normalizer { return newAuditd() },
	Marks: [][]string{
		{`=*audit(*`},
		{`message=*audit(*`},
		{`log=*audit(*`},
		{`MESSAGE=*audit(*`},
		{`event.original=*audit(*`},
		{`short_message=*audit(*`},
	},
})

// The members of a shipper's record.
const (
	adMessage path = iota
	adLog
	adJournal
	adOriginal
	adHost
	adHostText
	adAgent
)

var adPaths = []string{
	adMessage:  "message",
	adLog:      "log", // of Filebeat an object, which says where the line was read
	adJournal:  "MESSAGE",
	adOriginal: "event.original",
	adHost:     "host.name",
	adHostText: "host|hostname|_HOSTNAME|HOST|agent.hostname|beat.hostname",
	adAgent:    "agent.id",
}

// adLines are the members that hold lines, and the shape of each; where a record
// has several, the first one with an audit record in it counts.
var adLines = []struct {
	path  path
	shape string
}{
	{adMessage, "filebeat"},
	{adLog, "fluent-bit"},
	{adJournal, "journald"},
	{adOriginal, "original"},
}

// auditd joins the raw records of the Linux audit system, one line each, to the
// starts of processes. A partition is taken to hold all records of an event; the
// kernel's serial tells events apart on one host alone, so a host has to be
// known by node=, by the line's syslog header, by the shipper, or by the key.
type auditd struct {
	*members
	*joining

	record *Record
	events []ecs.Event
	place  int        // the present line's number in its record
	last   *auditHost // of the last line
	sender sender
}

// sender is whom a record names beside its lines.
type sender struct {
	host  []byte
	named bool // host is a host's name; else it only tells hosts apart
	agent []byte
}

func newAuditd() *auditd {
	m := newMembers(adPaths)
	m.dotted = true
	return &auditd{members: m, joining: newJoining()}
}

func (a *auditd) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	a.begin()
	a.record, a.events, a.place, a.last = r, dst, 0, nil
	if c := firstByte(r.Value); c == '{' || c == '[' {
		a.read(r.Value)
		a.setSender()
		a.readShipped()
	} else {
		a.members.reset()
		a.doc = nil // a view left behind would keep its record alive
		a.setSender()
		var value []byte
		if value, a.base, a.err = text(r.Value); a.err == nil {
			a.lines(value, "", 0)
		}
	}
	if a.last != nil {
		a.events = a.expire(a.events, a.last)
	}
	a.events = a.expireIdle(a.events, r)
	a.end(a.err == nil)
	dst, a.events, a.record, a.sender = a.events, nil, nil, sender{}
	return dst, asError(a.err)
}

// firstByte is the first byte of a record behind white space and a byte order
// mark, 0 if there is none.
func firstByte(value []byte) byte {
	value = bytes.TrimLeft(bytes.TrimPrefix(value, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(value) == 0 {
		return 0
	}
	return value[0]
}

// readShipped reads the lines in a shipper's record.
func (a *auditd) readShipped() {
	some := false
	for _, l := range adLines {
		found, other := false, int32(0)
		for k := a.first(l.path); k != 0; k = a.next(k) {
			if a.isObject(k) {
				continue
			}
			some = true
			if v := a.at(k); bytes.Contains(v, []byte("audit(")) {
				found = true
				a.lines(v, l.shape, int(a.found[k].start))
			} else if !Blank(v) {
				other = k
			}
		}
		if found {
			if other != 0 {
				a.fail(Shape, int(a.found[other].start), "member holds no audit record")
			}
			return
		}
	}
	if some {
		a.fail(Shape, 0, "object holds no audit record")
	} else {
		a.fail(Shape, 0, "object has none of message, log, MESSAGE and event.original")
	}
}

// lines reads all lines of a text. In a shipper's record faults are at its
// member, else, where there is no shape, at the line.
func (a *auditd) lines(text []byte, shape string, at int) {
	for from := 0; from < len(text); a.place++ {
		end := bytes.IndexByte(text[from:], '\n')
		if end < 0 {
			end = len(text)
		} else {
			end += from
		}
		if shape == "" {
			at = from
		}
		a.line(bytes.Trim(text[from:end], " \t\r"), shape, at)
		from = end + 1
	}
}

func (a *auditd) line(line []byte, shape string, at int) {
	if len(line) == 0 || string(line) == "----" || bytes.HasPrefix(line, []byte("time->")) {
		return // ausearch writes the latter two between events
	}
	rec, fault := parseAudit(line)
	if fault != "" {
		a.fail(Shape, at, "%s", fault)
		return
	}
	if shape == "" {
		shape = "line"
		if len(rec.head) > 0 {
			shape = "syslog"
		}
	}
	h := a.hostOfLine(&rec)
	if a.last != nil && a.last != h {
		a.events = a.expire(a.events, a.last)
	}
	a.last = h
	h.clock = max(h.clock, rec.at)
	a.take(h, &rec, shape)
}

// take adds a record to its event, and ends the event if that was all.
func (a *auditd) take(h *auditHost, rec *auditRecord, shape string) {
	key := eventKey{h, rec.auditID}
	p, known := a.known[key]
	switch {
	case known && p == nil:
		return // a record that came late or again
	case known:
	case rec.kind == auditEnd, rec.kind == auditOther:
		return
	case rec.kind == auditSyscall:
		if call, failed := auditCall(rec.body); call == execNot || failed {
			a.forget(key) // most events of a busy host end here
			return
		}
		fallthrough
	default:
		p = a.start(key, a.record, a.place, shape)
	}
	a.add(p, a.record, rec.kind, rec.body)
	switch {
	case p.has[auditSyscall] && (p.call == execNot || p.failed),
		p.done && (p.has[auditTitle] || p.has[auditEnd]):
		a.events = a.finish(a.events, p)
	}
	a.events = a.shed(a.events, h)
}

// setSender finds out whom the record names: its host, else its agent, else its
// key.
func (a *auditd) setSender() {
	a.sender = sender{host: a.text(adHost), named: true, agent: a.text(adAgent)}
	for k := a.first(adHostText); len(a.sender.host) == 0 && k != 0; k = a.next(k) {
		if !a.isObject(k) {
			a.sender.host = a.at(k)
		}
	}
	if len(a.sender.host) == 0 {
		a.sender.host, a.sender.named = a.sender.agent, false
	}
	if len(a.sender.host) == 0 {
		a.sender.host, a.sender.named = a.record.Key, isHostName(a.record.Key)
	}
}

// hostOfLine is the host whose record a line is.
func (a *auditd) hostOfLine(rec *auditRecord) *auditHost {
	name, named := rec.node, true
	if len(name) == 0 {
		name = syslogHost(rec.head)
	}
	if len(name) == 0 {
		name, named = a.sender.host, a.sender.named
	}
	h := a.hostOf(name, named)
	if agent := a.sender.agent; len(agent) > 0 && !bytes.Equal(h.agent, agent) {
		h.agent = bytes.Clone(agent)
	}
	return h
}

// isHostName reports whether a key can be a host's name, which keys need not be.
func isHostName(key []byte) bool {
	for _, c := range key {
		if c-'0' > 9 && c|0x20-'a' > 25 && c != '-' && c != '.' && c != '_' && c != ':' {
			return false
		}
	}
	return len(key) > 0
}
