package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name:    "goaudit",
	Shapes:  []string{"go-audit", "syslog", "wrapped"},
	Key:     "any",
	Needs:   "go-audit with an audit rule on execve and execveat for each architecture; the host's name from syslog or the shipper, since go-audit itself sends none",
	Indices: auditIndices,
	New:     func() Normalizer { return newGoAudit() },
	Marks: [][]string{
		{"sequence", "messages"},
		{`=*{"sequence":*`},
		{`message=*{"sequence":*`},
		{`log=*{"sequence":*`},
		{`MESSAGE=*{"sequence":*`},
		{`event.original=*{"sequence":*`},
		{`short_message=*{"sequence":*`},
	},
})

// The members of a go-audit record.
const (
	gaSequence path = iota + shippedPaths
	gaTime
	gaMessages
	gaType
	gaData
	gaUsers
)

var gaPaths = []string{
	gaSequence: "sequence",
	gaTime:     "timestamp",
	gaMessages: "messages",
	gaType:     "messages.type",
	gaData:     "messages.data",
	gaUsers:    "uid_map",
}

// goAudit reads the events that go-audit joins on the host, one a record: the
// texts of audit records without their headers, and the users' names.
type goAudit struct {
	*members // the reader that has the event
	shipped  *shipped
	event    auditEvent
}

func newGoAudit() *goAudit { return &goAudit{shipped: newShipped(gaPaths)} }

// isGoAudit reports an object that is an event of go-audit's.
func isGoAudit(m *members) bool { return m.has(gaMessages) || m.has(gaSequence) }

func (g *goAudit) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	var head []byte
	g.members, head = g.shipped.read(r.Value, isGoAudit)
	if !isGoAudit(g.members) {
		g.fail(Shape, 0, "object has neither messages nor sequence")
		return dst, asError(g.err)
	}
	g.readMessages()
	if !g.event.isStart() {
		return dst, asError(g.err)
	}
	dst, e := ecs.Grow(dst, ecs.Default)
	e.Offset, e.Shape = r.Offset, "go-audit"
	switch {
	case g.members == g.shipped.inner:
		e.Shape = "wrapped"
	case head != nil:
		e.Shape = "syslog"
	}
	g.event.write(e)
	g.setUsers(e)
	host := g.shipped.addSender(e, nil, head)
	g.buf = identify(e, g.buf, host, g.event.auditID)
	recordTime(e, r)
	return dst, asError(g.err)
}

// readMessages joins the messages. Type and text of a message are between the
// beginning of its object and that of the next.
func (g *goAudit) readMessages() {
	at, timed := parseSeconds(g.text(gaTime))
	serial, numbered := parseInt(g.text(gaSequence))
	if timed && numbered && at != 0 {
		g.event.reset(auditID{at, uint64(serial)})
	} else {
		g.fail(Shape, 0, "object has no timestamp and sequence of an audit event")
		g.event.reset(auditID{})
	}
	kind, data := g.first(gaType), g.first(gaData)
	for k := g.first(gaMessages); k != 0; k = g.next(k) {
		if !g.isObject(k) {
			continue
		}
		end := int32(len(g.doc))
		if next := g.next(k); next != 0 {
			end = g.found[next].start
		}
		is := auditOther
		for ; kind != 0 && g.found[kind].start < end; kind = g.next(kind) {
			is = auditKinds[string(g.at(kind))]
		}
		for ; data != 0 && g.found[data].start < end; data = g.next(data) {
			from := len(g.buf)
			g.event.add(is, g.at(data))
			g.buf = g.buf[:from]
		}
	}
}

// setUsers names the users by the record's own table.
func (g *goAudit) setUsers(e *ecs.Event) {
	for _, u := range [...]struct{ id, name ecs.Field }{
		{ecs.UserID, ecs.UserName}, {ecs.UserEffectiveID, ecs.UserEffectiveName},
		{ecs.ProcessRealUserID, ecs.ProcessRealUserName}, {ecs.ProcessUserID, ecs.ProcessUserName},
	} {
		if id := e.First(u.id); id != nil {
			if name := g.userName(id); !noUser(name) {
				e.Add(u.name, name)
			}
		}
	}
}

// userName is the name of a user in uid_map, whose members are ids; nil if it is
// not there. The object was validated when the record was read.
func (g *goAudit) userName(id []byte) []byte {
	k := g.first(gaUsers)
	if k == 0 || !g.isObject(k) || g.err != nil {
		return nil
	}
	for i := g.space(int(g.found[k].start) + 1); i < len(g.doc) && g.doc[i] == '"'; {
		end, _ := g.str(i + 1)
		key := g.doc[i+1 : end]
		start := g.space(g.space(end+1) + 1)
		if i = g.value(start, nothing, 0); bytes.Equal(key, id) && g.doc[start] == '"' {
			from := len(g.buf)
			g.buf = unescape(g.buf, g.doc[start+1:i-1])
			return g.buf[from:len(g.buf):len(g.buf)]
		}
		if i = g.space(i); i < len(g.doc) && g.doc[i] == ',' {
			i = g.space(i + 1)
		}
	}
	return nil
}
