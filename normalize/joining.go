package normalize

import (
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// This file holds back the events whose records are not all there. Records of
// one event may come in any order, far apart, again, or never.

// When an event gets no more records. All clocks but the last are those of the
// records, so that a replay gives the events of the live run.
const (
	// joinWindow is how far the clock of an event's host goes on behind the
	// event's last record until the event is over. The kernel writes the records
	// of an event at once; what comes between them is disorder on the way, or a
	// queue that many arguments have filled.
	joinWindow = 2 * time.Second
	// joinGrace is the same for an event of which nothing but extras can be
	// missing: auditd is often told to leave out the record that comes last.
	joinGrace = 100 * time.Millisecond
	// joinIdle is how far the timestamps of the partition's records go on
	// until an event is over whose host fell silent.
	joinIdle = 4 * time.Second
	// joinQuiet is how long, by Expire's clock, a reader that has caught up
	// knows an event until it is over; if nothing but extras can be missing,
	// joinGrace is enough here too.
	joinQuiet = 5 * time.Second
)

// How much is held back. An event too many ends the oldest one as it is.
const (
	maxPending     = 1 << 14  // events of a partition
	maxHostPending = 1 << 10  // events of a host
	maxHeld        = 32 << 20 // bytes of a partition
	maxHosts       = 1 << 15  // hosts whose clocks are known
	maxOver        = 1 << 14  // events that are over and whose late records are known for such
	keepPending    = 1 << 8   // events whose memory is kept for the next ones,
	keepText       = 1 << 14  // of so many bytes of text
	keepPieces     = 1 << 8   // and so many arguments
	maxHostName    = 255      // bytes of a host's name (RFC 1035)
)

// EndOfInput is a clock by which every event of a Joiner has expired.
var EndOfInput = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)

// pending is an event that is not over.
type pending struct {
	auditEvent
	host     *auditHost
	offset   int64
	index    int
	shape    string
	arrived  int64 // timestamp of its first record; 0 if there is none
	noticed  int64 // clock of the first Expire that met it; 0 if none did
	deadline int64 // by the host's clock
	records  int   // how many records it was joined from, the present one left out
	present  int64 // the number of the last record that added to it
	done     bool  // whole but for extras: it is in the host's queue done
	links    [2]struct{ before, behind *pending }
}

// auditHost is a host with pending events.
type auditHost struct {
	name  []byte
	agent []byte // the id of the agent that sends for it; nil if unknown
	named bool   // name is a host's name; else it only tells hosts apart
	clock int64  // the latest time in its records
	count int    // events in open and done
	open  queue  // by deadline
	done  queue  // by deadline
}

// queue is a list of events in the order they were added. An event is in one
// queue of each link.
type queue struct{ first, last *pending }

// The links of an event: the partition's queue, by offset, and one of its host's.
const (
	linkAll = iota
	linkHost
)

func (q *queue) push(p *pending, link int) {
	p.links[link].before, p.links[link].behind = q.last, nil
	if q.last == nil {
		q.first = p
	} else {
		q.last.links[link].behind = p
	}
	q.last = p
}

func (q *queue) remove(p *pending, link int) {
	l := &p.links[link]
	if l.before == nil {
		q.first = l.behind
	} else {
		l.before.links[link].behind = l.behind
	}
	if l.behind == nil {
		q.last = l.before
	} else {
		l.behind.links[link].before = l.before
	}
	l.before, l.behind = nil, nil
}

// eventKey is an event's identity within a partition.
type eventKey struct {
	host *auditHost
	auditID
}

// joining holds the pending events of a partition.
type joining struct {
	hosts map[string]*auditHost
	known map[eventKey]*pending // nil for an event that is over
	over  []eventKey            // a ring of the events that are over
	rest  int                   // where the ring goes on
	all   queue
	count int
	held  int
	free  []*pending
	lent  []*pending // events whose text the caller may be reading
	now   int64      // number of the present record

	joined  []int // of the last call; see Settled
	skipped int
	ended   int // the event in joined that the present record added to; -1 if none
	waits   *pending
}

func newJoining() *joining {
	return &joining{hosts: map[string]*auditHost{}, known: map[eventKey]*pending{}}
}

// begin takes back what the last call lent and starts a record.
func (j *joining) begin() {
	j.settle()
	for _, p := range j.lent {
		j.release(p)
	}
	clear(j.lent)
	j.lent = j.lent[:0]
	j.now++
	j.ended, j.waits = -1, nil
}

// settle begins the account of a call.
func (j *joining) settle() { j.joined, j.skipped = j.joined[:0], 0 }

// release keeps an event's memory for another one, if it is of the usual size.
func (j *joining) release(p *pending) {
	if len(j.free) < keepPending && cap(p.buf) <= keepText && cap(p.pieces) <= keepPieces {
		j.free = append(j.free, p)
	}
}

// end closes the account of the present record: it is counted with the event
// that it is held back for, else with one it was the end of, else as skipped.
// A record that was read in part is the caller's to count.
func (j *joining) end(whole bool) {
	switch {
	case !whole:
	case j.waits != nil:
		j.waits.records++
	case j.ended >= 0:
		j.joined[j.ended]++
	default:
		j.skipped++
	}
}

// hostOf is the host of that name, made if it is new.
func (j *joining) hostOf(name []byte, named bool) *auditHost {
	name = name[:min(len(name), maxHostName)]
	if h := j.hosts[string(name)]; h != nil {
		return h
	}
	if len(j.hosts) >= maxHosts {
		for name, h := range j.hosts {
			if h.count == 0 {
				delete(j.hosts, name)
			}
		}
	}
	h := &auditHost{name: append([]byte(nil), name...), named: named}
	j.hosts[string(h.name)] = h
	return h
}

// start makes a pending event, which the present record begins.
func (j *joining) start(key eventKey, r *Record, index int, shape string) *pending {
	var p *pending
	if n := len(j.free); n > 0 {
		p, j.free = j.free[n-1], j.free[:n-1]
	} else {
		p = &pending{}
	}
	p.reset(key.auditID)
	*p = pending{auditEvent: p.auditEvent, host: key.host, offset: r.Offset, index: index, shape: shape}
	if !r.Time.IsZero() {
		p.arrived = nanos(r.Time)
	}
	p.deadline = key.host.clock + int64(joinWindow)
	j.known[key] = p
	j.all.push(p, linkAll)
	key.host.open.push(p, linkHost)
	j.count++
	key.host.count++
	j.held += p.size()
	return p
}

// add adds a record to an event, which has its time anew.
func (j *joining) add(p *pending, r *Record, kind auditKind, body []byte) {
	if !p.done && p.deadline < p.host.clock+int64(joinWindow) {
		p.deadline = p.host.clock + int64(joinWindow)
		p.host.open.remove(p, linkHost)
		p.host.open.push(p, linkHost)
	}
	if p.noticed = 0; !r.Time.IsZero() {
		p.arrived = max(p.arrived, nanos(r.Time))
	}
	j.held -= p.size()
	p.add(kind, body)
	j.held += p.size()
	p.present, j.waits = j.now, p
	if !p.done && (kind == auditExecve || kind == auditSyscall) && p.isStart() && p.argsWhole() {
		p.done = true
		p.host.open.remove(p, linkHost)
		p.host.done.push(p, linkHost)
		p.deadline = p.host.clock + int64(joinGrace)
	}
}

// forget takes note that an event is over, so that its late records begin none.
func (j *joining) forget(key eventKey) {
	j.known[key] = nil
	if len(j.over) < maxOver {
		j.over = append(j.over, key)
		return
	}
	delete(j.known, j.over[j.rest])
	j.over[j.rest] = key
	j.rest = (j.rest + 1) % maxOver
}

// finish ends an event: a start becomes an event in dst, all else is skipped.
func (j *joining) finish(dst []ecs.Event, p *pending) []ecs.Event {
	h := p.host
	if p.done {
		h.done.remove(p, linkHost)
	} else {
		h.open.remove(p, linkHost)
	}
	j.all.remove(p, linkAll)
	j.count--
	h.count--
	j.held -= p.size()
	j.forget(eventKey{h, p.auditID})
	if j.waits == p {
		j.waits = nil
	}
	if !p.isStart() {
		j.skipped += p.records
		j.release(p)
		return dst
	}
	dst, e := ecs.Grow(dst, ecs.Default)
	e.Offset, e.Index, e.Shape = p.offset, p.index, p.shape
	p.write(e)
	if h.named {
		e.Add(ecs.HostName, h.name)
	}
	if h.agent != nil {
		e.Add(ecs.AgentID, h.agent)
	}
	p.buf = identify(e, p.buf, h.name, p.auditID)
	if p.present == j.now && j.ended < 0 {
		j.ended = len(j.joined)
	}
	j.joined = append(j.joined, p.records)
	j.lent = append(j.lent, p)
	return dst
}

// expire ends the events that a host's clock has left behind.
func (j *joining) expire(dst []ecs.Event, h *auditHost) []ecs.Event {
	for _, q := range [...]*queue{&h.open, &h.done} {
		for q.first != nil && q.first.deadline < h.clock {
			dst = j.finish(dst, q.first)
		}
	}
	return dst
}

// expireIdle ends the events whose hosts fell silent while others went on.
func (j *joining) expireIdle(dst []ecs.Event, r *Record) []ecs.Event {
	if r.Time.IsZero() {
		return dst
	}
	for p := j.all.first; p != nil && p.arrived != 0 && nanos(r.Time)-p.arrived > int64(joinIdle); p = j.all.first {
		dst = j.finish(dst, p)
	}
	return dst
}

// shed ends the oldest events while there are more than may be held back.
func (j *joining) shed(dst []ecs.Event, h *auditHost) []ecs.Event {
	for h.count > maxHostPending {
		p := h.open.first
		if p == nil || h.done.first != nil && h.done.first.offset < p.offset {
			p = h.done.first
		}
		dst = j.finish(dst, p)
	}
	for j.count > maxPending || j.held > maxHeld && j.all.first != nil {
		dst = j.finish(dst, j.all.first)
	}
	return dst
}

// nanos is t in nanoseconds since 1970, or the nearest that fits.
func nanos(t time.Time) int64 {
	if ns, ok := unixNano(t); ok {
		return ns
	}
	if t.Before(EndOfInput) {
		return 0
	}
	return EndOfInput.UnixNano()
}

// Expire appends the events that will get no more records as far as a reader
// can tell who has caught up with the partition at the time now: all that have
// been waiting for some seconds, and at EndOfInput all. The events of the
// Normalize in front of it stay valid.
func (j *joining) Expire(dst []ecs.Event, now time.Time) []ecs.Event {
	j.settle()
	j.ended, j.waits = -1, nil
	j.now++
	clock := nanos(now)
	for p := j.all.first; p != nil; {
		behind := p.links[linkAll].behind
		if p.noticed == 0 {
			p.noticed = clock
		}
		quiet := joinQuiet
		if p.done {
			quiet = joinGrace
		}
		if clock-p.noticed >= int64(quiet) || !now.Before(EndOfInput) {
			dst = j.finish(dst, p)
		}
		p = behind
	}
	return dst
}

// Safe is the offset of the first record of the oldest event that is not over,
// or next: who starts there again misses no event.
func (j *joining) Safe(next int64) int64 {
	if p := j.all.first; p != nil {
		return min(p.offset, next)
	}
	return next
}

// Reset drops all that is held back and all that is known of hosts.
func (j *joining) Reset() { *j = *newJoining() }

// Settled accounts for the records whose fate the last call decided: how many
// each event was joined from, in the order of the events, and how many came to
// nothing. An event of 0 came out of the same record as the one in front of it.
// A record that Normalize returned an error for is not counted. The slice is
// valid until the next call.
func (j *joining) Settled() (joined []int, skipped int) { return j.joined, j.skipped }

// Pending is how many events are held back.
func (j *joining) Pending() int { return j.count }
