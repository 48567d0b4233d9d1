package normalize

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// auditEvent is what the records of one event said of the start of a process,
// in any order and each any number of times. It owns its text. The zero value
// is no event; see reset.
type auditEvent struct {
	auditID
	call   execCall
	failed bool
	has    [auditEnd + 1]bool // by kind
	given  int
	argc   int64        // -1 until a record tells
	cut    bool         // there is more of the arguments than is kept or came
	pieces []auditPiece // in order, without doubles

	buf                 []byte
	syscall, cwd, title auditSpan
}

// auditSpan is text in the event's buffer.
type auditSpan struct{ start, end int }

// auditPiece is an argument or a fragment of one. An EXECVE record takes some
// 7,500 bytes; the kernel splits what goes beyond and puts the length of the
// whole in front of the fragments (audit_log_execve_info).
type auditPiece struct {
	arg  uint32
	part uint32 // 0 a length, 1 the whole or the first fragment, and so on
	size int    // the length, or how much of it this is, in bytes as written
	auditSpan
}

func byPlace(p, q auditPiece) int {
	return cmp.Or(cmp.Compare(p.arg, q.arg), cmp.Compare(p.part, q.part))
}

// maxRecords is how many records of an event are read. The 6 MB of arguments
// that Linux allows take some 1,700.
const maxRecords = 1 << 13

// maxHole is how many arguments in a row a record may leave out in mid-record.
// Kernels before 4.8 write nothing for an empty one.
const maxHole = 64

// reset makes a an event of which nothing is known but its id.
func (a *auditEvent) reset(id auditID) {
	*a = auditEvent{auditID: id, argc: -1, pieces: a.pieces[:0], buf: a.buf[:0]}
	if cap(a.pieces) > keepValues {
		a.pieces = nil
	}
	if cap(a.buf) > keepBytes {
		a.buf = nil
	}
}

// size is the memory the event takes, near enough.
func (a *auditEvent) size() int { return len(a.buf) + 32*len(a.pieces) + 512 }

func (a *auditEvent) text(s auditSpan) []byte { return a.buf[s.start:s.end:s.end] }

func (a *auditEvent) hold(text []byte, quoted bool) auditSpan {
	start := len(a.buf)
	a.buf = appendText(a.buf, text, quoted)
	return auditSpan{start, len(a.buf)}
}

// add takes what a record says. Of records that differ in nothing but their
// fields the first one counts.
func (a *auditEvent) add(kind auditKind, body []byte) {
	if a.given++; a.given > maxRecords {
		a.cut = true
		return
	}
	switch kind {
	case auditExecve:
		a.addArgs(body)
	case auditSyscall:
		if !a.has[kind] {
			a.call, a.failed = auditCall(body)
			a.syscall = a.hold(body, true)
		}
	case auditCWD:
		if !a.has[kind] {
			a.cwd = a.holdField(body, "cwd")
		}
	case auditTitle:
		if !a.has[kind] {
			a.title = a.holdField(body, "proctitle")
		}
	}
	a.has[kind] = true
}

func (a *auditEvent) holdField(body []byte, want string) (s auditSpan) {
	for {
		name, value, quoted, rest := cutField(body)
		if name == nil {
			return s
		}
		if string(name) == want && !noText(value, quoted) {
			return a.hold(value, quoted)
		}
		body = rest
	}
}

// addArgs takes the arguments of an EXECVE record. What stands there is never
// absent: an argument may be empty, "?" or "(null)". A line that syslog cut off
// ends within a quote or on half a byte.
func (a *auditEvent) addArgs(body []byte) {
	old, text := len(a.pieces), len(a.buf)
	next := uint32(math.MaxUint32) // the argument that comes next in this record, if that is known
	for {
		name, value, quoted, rest := cutField(body)
		if name == nil {
			break
		}
		body = rest
		if string(name) == "argc" {
			if n, ok := parseInt(value); ok && n >= 0 {
				a.argc, next = n, 0
			}
			continue
		}
		arg, part, ok := parseArgName(name)
		if !ok {
			continue
		}
		for ; next < arg && arg-next <= maxHole; next++ {
			a.push(auditPiece{arg: next, part: 1, auditSpan: auditSpan{len(a.buf), len(a.buf)}})
		}
		if part == 0 {
			if n, ok := parseInt(value); ok && n <= math.MaxInt32 {
				a.push(auditPiece{arg: arg, size: int(n)})
			}
			next = arg
			continue
		}
		if !quoted && len(value) > 2 && len(value)%2 == 1 && isHex(value[1:]) && isHex(value[:len(value)-1]) {
			value, a.cut = value[:len(value)-1], true
		}
		if len(rest) == 0 {
			a.cut = a.cut || quoted && rest == nil || !quoted && len(value) == 0 && part == 1
		}
		a.push(auditPiece{arg: arg, part: part, size: len(value), auditSpan: a.hold(value, quoted)})
		next = arg + 1
	}
	if a.merge(old); len(a.pieces) == old {
		a.buf = a.buf[:text] // a record that came again
	}
}

func (a *auditEvent) push(p auditPiece) {
	if len(a.pieces) == maxValues {
		a.cut = true
		return
	}
	a.pieces = append(a.pieces, p)
}

// merge brings the pieces from old on, those of one record, in order with the
// pieces in front of them and drops the ones that are there already.
func (a *auditEvent) merge(old int) {
	fresh := a.pieces[old:]
	if len(fresh) == 0 {
		return
	}
	rising := true
	for i := 1; i < len(fresh) && rising; i++ {
		rising = byPlace(fresh[i-1], fresh[i]) < 0
	}
	at, known := slices.BinarySearchFunc(a.pieces[:old], fresh[0], byPlace)
	if rising && !known && (at == old || byPlace(fresh[len(fresh)-1], a.pieces[at]) < 0) {
		if at < old { // the record came late: its place is between others
			n := len(fresh)
			a.pieces = append(a.pieces, fresh...)
			copy(a.pieces[at+n:], a.pieces[at:old])
			copy(a.pieces[at:], a.pieces[old+n:])
			a.pieces = a.pieces[:old+n]
		}
		return
	}
	all := a.pieces[:old]
	for _, p := range fresh {
		if _, known := slices.BinarySearchFunc(a.pieces[:old], p, byPlace); !known {
			all = append(all, p)
		}
	}
	if len(all) > old {
		slices.SortFunc(all, func(p, q auditPiece) int {
			return cmp.Or(byPlace(p, q), cmp.Compare(p.start, q.start))
		})
		all = slices.CompactFunc(all, func(p, q auditPiece) bool { return byPlace(p, q) == 0 })
	}
	a.pieces = all
}

// parseArgName reads a7, a7_len or a7[0]; part is 0 for a length.
func parseArgName(name []byte) (arg, part uint32, ok bool) {
	if len(name) < 2 || name[0] != 'a' {
		return 0, 0, false
	}
	arg, rest, ok := cutDigits(name[1:])
	switch {
	case !ok:
		return 0, 0, false
	case len(rest) == 0:
		return arg, 1, true
	case string(rest) == "_len":
		return arg, 0, true
	case rest[0] != '[':
		return 0, 0, false
	}
	part, rest, ok = cutDigits(rest[1:])
	return arg, part + 1, ok && string(rest) == "]"
}

// cutDigits cuts a number of up to nine digits off s.
func cutDigits(s []byte) (n uint32, rest []byte, ok bool) {
	i := 0
	for ; i < len(s) && s[i]-'0' <= 9 && i < 10; i++ {
		n = n*10 + uint32(s[i]-'0')
	}
	return n, s[i:], i > 0 && i < 10
}

// argument is the place behind the pieces of the argument at i, and whether all
// of them are there.
func (a *auditEvent) argument(i int) (end int, whole bool) {
	size, want, part := 0, 0, uint32(1)
	whole = true
	for end = i; end < len(a.pieces) && a.pieces[end].arg == a.pieces[i].arg; end++ {
		p := a.pieces[end]
		if p.part == 0 {
			want = p.size
			continue
		}
		whole = whole && p.part == part
		size += p.size
		part++
	}
	return end, whole && part > 1 && size >= want
}

// argsWhole reports whether every argument is there.
func (a *auditEvent) argsWhole() bool {
	if a.argc < 0 || a.cut || int64(len(a.pieces)) < a.argc {
		return false
	}
	n := int64(0)
	for i := 0; i < len(a.pieces); n++ {
		end, whole := a.argument(i)
		if !whole || int64(a.pieces[i].arg) != n {
			return false
		}
		i = end
	}
	return n >= a.argc
}

// isStart reports whether the records are of a program that was started. An
// EXECVE record is written for nothing else.
func (a *auditEvent) isStart() bool {
	return a.has[auditSyscall] && !a.failed && (a.call >= execPlain || a.call == execUnknown && a.has[auditExecve])
}

// What an event says of itself, in error.message, where records of it are
// missing: what a rule did not find in it may have been there.
var (
	valExecuted   = []byte("executed")
	valRoot       = []byte("root")
	valExecve     = []byte("execve")
	valExecveat   = []byte("execveat")
	valArgsFew    = []byte("audit: arguments are missing")
	valArgsOfPs   = []byte("audit: arguments are missing, these are from the process title")
	valArgsAbsent = []byte("audit: all arguments are missing")
)

// write writes the event. The texts are views of a.
func (a *auditEvent) write(e *ecs.Event) {
	asStart(e)
	e.Add(ecs.EventAction, valExecuted)
	e.Add(ecs.EventOutcome, valSuccess)
	e.Add(ecs.HostOSType, valLinux)
	if a.auditID != (auditID{}) {
		e.AddInt(ecs.Timestamp, a.at)
		e.AddInt(ecs.EventSequence, int64(a.serial))
	}
	a.writeCall(e)
	title := bytes.TrimRight(a.text(a.title), "\x00")
	switch {
	case a.has[auditExecve]:
		a.writeArgs(e)
		if !a.argsWhole() {
			e.Add(ecs.ErrorMessage, valArgsFew)
		}
	case len(title) > 0:
		for rest, more := title, true; more && len(e.Values(ecs.ProcessArgs)) < maxValues; {
			var arg []byte
			arg, rest, more = bytes.Cut(rest, []byte{0})
			e.Add(ecs.ProcessArgs, arg)
		}
		e.AddInt(ecs.ProcessArgsCount, int64(len(e.Values(ecs.ProcessArgs))))
		e.Add(ecs.ErrorMessage, valArgsOfPs)
	default:
		e.Add(ecs.ErrorMessage, valArgsAbsent)
	}
	a.buf = joinArgs(e, a.buf)
	if a.cwd.end > a.cwd.start {
		e.Add(ecs.ProcessWorkingDirectory, a.text(a.cwd))
	}
	if len(title) > 0 {
		from := len(a.buf)
		for _, c := range title {
			if c == 0 {
				c = ' '
			}
			a.buf = append(a.buf, c)
		}
		e.Add(ecs.ProcessTitle, a.buf[from:len(a.buf):len(a.buf)])
	}
}

func (a *auditEvent) writeArgs(e *ecs.Event) {
	for i := 0; i < len(a.pieces); {
		end, _ := a.argument(i)
		if a.pieces[i].part == 0 {
			i++
		}
		if i < end {
			e.Add(ecs.ProcessArgs, a.join(a.pieces[i:end]))
		}
		i = end
	}
	count := a.argc
	if count < 0 {
		count = int64(len(e.Values(ecs.ProcessArgs)))
	}
	e.AddInt(ecs.ProcessArgsCount, count)
}

// join is the text of an argument's fragments, which mostly lie side by side.
func (a *auditEvent) join(pieces []auditPiece) []byte {
	s := pieces[0].auditSpan
	for i, p := range pieces[1:] {
		if p.start != s.end {
			from := len(a.buf)
			a.buf = append(a.buf, a.buf[s.start:s.end]...)
			for _, p := range pieces[i+1:] {
				a.buf = append(a.buf, a.buf[p.start:p.end]...)
			}
			return a.buf[from:len(a.buf):len(a.buf)]
		}
		s.end = p.end
	}
	return a.text(s)
}

// joinArgs sets the command line to the arguments with blanks between them, in
// buf, and returns that.
func joinArgs(e *ecs.Event, buf []byte) []byte {
	args := e.Values(ecs.ProcessArgs)
	if len(args) == 0 || e.Has(ecs.ProcessCommandLine) {
		return buf
	}
	from := len(buf)
	for i, v := range args {
		if i > 0 {
			buf = append(buf, ' ')
		}
		buf = append(buf, v.Text()...)
	}
	e.Add(ecs.ProcessCommandLine, buf[from:len(buf):len(buf)])
	return buf
}
