package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name:    "laurel",
	Shapes:  []string{"laurel", "prefixed", "wrapped"},
	Key:     "any",
	Needs:   "LAUREL with its log in JSON lines and an audit rule on execve and execveat; execve-argv with array, as it is by default",
	Indices: auditIndices,
	New:     func() Normalizer { return newLaurel() },
	Marks: [][]string{
		{"ID", "SYSCALL"}, {"ID", "EXECVE"}, {"ID", "PROCTITLE"}, {"ID", "PATH"}, {"ID", "NODE"},
		{"ID=1?????????.???:*"}, // the time and serial number of any other record
		{`=*{"ID":"*`},
		{`message=*{"ID":"*`},
		{`log=*{"ID":"*`},
		{`MESSAGE=*{"ID":"*`},
		{`event.original=*{"ID":"*`},
		{`short_message=*{"ID":"*`},
		{`=*{\"ID\":\"*`}, // in a member of a record that is cut off
	},
})

// The members of a LAUREL record. Names of one member differ in case alone:
// SYSCALL is a record, SYSCALL.SYSCALL the name of the call, SYSCALL.syscall its
// number; uid is a number, UID its name.
const (
	lrID path = iota + shippedPaths
	lrNode
	lrSyscall
	lrArch
	lrNumber
	lrCall
	lrSuccess
	lrComm
	lrExe
	lrPID
	lrPPID
	lrUID
	lrEUID
	lrGID
	lrEGID
	lrUser
	lrEffectiveUser
	lrA0
	lrA1
	lrRegisters
	lrProcess
	lrContainer
	lrSpawnComm
	lrSpawnExe
	lrParent
	lrParentComm
	lrParentExe
	lrExecve
	lrArgc
	lrArgs
	lrArgsText
	lrCWD
	lrTitleArgs
	lrTitle
)

var lrPaths = []string{
	lrID:            "ID",
	lrNode:          "NODE",
	lrSyscall:       "SYSCALL",
	lrArch:          "SYSCALL.arch",
	lrNumber:        "SYSCALL.syscall",
	lrCall:          "SYSCALL.SYSCALL",
	lrSuccess:       "SYSCALL.success",
	lrComm:          "SYSCALL.comm",
	lrExe:           "SYSCALL.exe",
	lrPID:           "SYSCALL.pid",
	lrPPID:          "SYSCALL.ppid",
	lrUID:           "SYSCALL.uid",
	lrEUID:          "SYSCALL.euid",
	lrGID:           "SYSCALL.gid",
	lrEGID:          "SYSCALL.egid",
	lrUser:          "SYSCALL.UID",
	lrEffectiveUser: "SYSCALL.EUID",
	lrA0:            "SYSCALL.a0",
	lrA1:            "SYSCALL.a1",
	lrRegisters:     "SYSCALL.ARGV", // of the call, not of the program
	lrProcess:       "SYSCALL.PID.EVENT_ID",
	lrContainer:     "SYSCALL.PID.container.id",
	lrSpawnComm:     "SYSCALL.SPAWNED_BY.comm",
	lrSpawnExe:      "SYSCALL.SPAWNED_BY.exe",
	lrParent:        "SYSCALL.PPID.EVENT_ID",
	lrParentComm:    "SYSCALL.PPID.comm",
	lrParentExe:     "SYSCALL.PPID.exe",
	lrExecve:        "EXECVE",
	lrArgc:          "EXECVE.argc",
	lrArgs:          "EXECVE.ARGV",
	lrArgsText:      "EXECVE.ARGV_STR",
	lrCWD:           "CWD.cwd",
	lrTitleArgs:     "PROCTITLE.ARGV",
	lrTitle:         "PROCTITLE.proctitle|PROCTITLE.ARGV_STR",
}

// lrUsers are the members for users and groups; of one that a record repeats
// the last value counts.
var lrUsers = []struct {
	from path
	to   []ecs.Field
}{
	{lrUID, auditUsers["uid"]},
	{lrEUID, auditUsers["euid"]},
	{lrGID, auditUsers["gid"]},
	{lrEGID, auditUsers["egid"]},
	{lrUser, auditUsers["UID"]},
	{lrEffectiveUser, auditUsers["EUID"]},
}

// laurel reads the events that LAUREL joins on the host, one a record.
type laurel struct {
	*members // the reader that has the event
	shipped  *shipped
	title    []byte // the process title, joined
}

func newLaurel() *laurel { return &laurel{shipped: newShipped(lrPaths)} }

// isLaurel reports an object that is an event of LAUREL's.
func isLaurel(m *members) bool { return m.has(lrID) || m.has(lrSyscall) }

func (l *laurel) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	var head []byte
	l.members, head = l.shipped.read(r.Value, isLaurel)
	if !isLaurel(l.members) {
		l.fail(Shape, 0, "object has neither ID nor SYSCALL")
		return dst, asError(l.err)
	}
	call := execCallOf(l.text(lrArch), l.text(lrNumber), l.text(lrCall))
	if !l.has(lrSyscall) || string(l.text(lrSuccess)) == "no" ||
		call == execNot || call == execUnknown && !l.has(lrExecve) {
		return dst, asError(l.err)
	}
	dst, e := ecs.Grow(dst, ecs.Default)
	e.Offset, e.Shape = r.Offset, "laurel"
	switch {
	case l.members == l.shipped.inner:
		e.Shape = "wrapped"
	case head != nil:
		e.Shape = "prefixed"
	}
	asStart(e)
	e.Add(ecs.EventAction, valExecuted)
	e.Add(ecs.EventOutcome, valSuccess)
	e.Add(ecs.HostOSType, valLinux)
	addCall(e, call)
	l.setProcess(e)
	l.setArgs(e)
	host := l.shipped.addSender(e, l.decoded(lrNode), head)
	l.setIDs(e, host)
	recordTime(e, r)
	return dst, asError(l.err)
}

func (l *laurel) setProcess(e *ecs.Event) {
	exe := l.decoded(lrExe)
	if len(exe) > 0 {
		e.Add(ecs.ProcessExecutable, exe)
	}
	addNames(e, ecs.ProcessName, l.decoded(lrComm), exe)
	// SPAWNED_BY is the image that called exec, PPID the parent process.
	parent := l.decoded(lrSpawnExe)
	comm := l.decoded(lrSpawnComm)
	if parent == nil && comm == nil {
		parent, comm = l.decoded(lrParentExe), l.decoded(lrParentComm)
	}
	if len(parent) > 0 {
		e.Add(ecs.ProcessParentExecutable, parent)
	}
	addNames(e, ecs.ProcessParentName, comm, parent)
	l.setInt(e, ecs.ProcessPID, lrPID, noUser)
	l.setInt(e, ecs.ProcessParentPID, lrPPID, noUser)
	for _, u := range lrUsers {
		if v := l.decoded(u.from); !noUser(v) {
			for _, f := range u.to {
				e.Add(f, v)
			}
		}
	}
	if id := l.decoded(lrContainer); len(id) > 0 {
		e.Add(ecs.ContainerID, id)
	}
	if cwd := l.decoded(lrCWD); len(cwd) > 0 {
		e.Add(ecs.ProcessWorkingDirectory, cwd)
	}
	registers := [2][]byte{l.text(lrA0), l.text(lrA1)}
	for i, k := 0, l.first(lrRegisters); k != 0 && i < len(registers); i, k = i+1, l.next(k) {
		registers[i] = l.at(k)
	}
	for i, f := range [...]ecs.Field{ecs.AuditdDataA0, ecs.AuditdDataA1} {
		if v := bytes.TrimPrefix(registers[i], []byte("0x")); len(v) > 0 {
			e.Add(f, v)
		}
	}
}

// setArgs sets the arguments: ARGV, else ARGV_STR, which can be split at blanks
// alone, else those of the process title. With execve-argv-limit-bytes LAUREL
// puts a note in the place of what it leaves out, so that there are fewer
// arguments than argc says.
func (l *laurel) setArgs(e *ecs.Event) {
	if l.title = l.title[:0]; cap(l.title) > keepBytes {
		l.title = nil
	}
	if l.join(lrTitleArgs); len(l.title) == 0 {
		l.title = append(l.title, l.decoded(lrTitle)...)
	}
	if len(l.title) > 0 {
		e.Add(ecs.ProcessTitle, l.title)
	}
	argc, told := parseInt(l.text(lrArgc))
	switch line := l.decoded(lrArgsText); {
	case l.has(lrArgs):
		l.addArgs(e, lrArgs)
		if told && argc != int64(len(e.Values(ecs.ProcessArgs))) {
			e.Add(ecs.ErrorMessage, valArgsFew)
		}
	case line != nil:
		e.Add(ecs.ProcessCommandLine, line)
		l.members.setArgs(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessCommandLine)
		return
	case l.has(lrTitleArgs):
		l.addArgs(e, lrTitleArgs)
		e.Add(ecs.ErrorMessage, valArgsOfPs)
		told = false
	default:
		e.Add(ecs.ErrorMessage, valArgsAbsent)
		return
	}
	if !told {
		argc = int64(len(e.Values(ecs.ProcessArgs)))
	}
	e.AddInt(ecs.ProcessArgsCount, argc)
	l.buf = joinArgs(e, l.buf)
}

func (l *laurel) addArgs(e *ecs.Event, p path) {
	for k := l.first(p); k != 0; k = l.next(k) {
		if v := l.at(k); v != nil {
			e.Add(ecs.ProcessArgs, l.decode(v))
		}
	}
}

// join joins the values of a member with blanks to the title.
func (l *laurel) join(p path) {
	for k := l.first(p); k != 0; k = l.next(k) {
		if k != l.first(p) {
			l.title = append(l.title, ' ')
		}
		l.title = append(l.title, l.decode(l.at(k))...)
	}
}

// setIDs sets what the ids tell: time, sequence, event and processes.
func (l *laurel) setIDs(e *ecs.Event, host []byte) {
	id, ok := wholeAuditID(l.text(lrID))
	if ok {
		e.AddInt(ecs.Timestamp, id.at)
		e.AddInt(ecs.EventSequence, int64(id.serial))
	} else {
		l.fail(Shape, 0, "ID is no id of an audit event")
	}
	if pid := e.Values(ecs.ProcessPID); len(pid) > 0 {
		if born, ok := wholeAuditID(l.text(lrProcess)); ok {
			l.buf = addDigest(e, ecs.ProcessEntityID, l.buf, host, born, pid[0].Int())
		}
	}
	if pid := e.Values(ecs.ProcessParentPID); len(pid) > 0 && !l.has(lrSpawnExe) {
		if born, ok := wholeAuditID(l.text(lrParent)); ok {
			l.buf = addDigest(e, ecs.ProcessParentEntityID, l.buf, host, born, pid[0].Int())
		}
	}
	l.buf = identify(e, l.buf, host, id)
}

func wholeAuditID(s []byte) (auditID, bool) {
	id, end, ok := parseAuditID(s, 0)
	if !ok || end != len(s) {
		return auditID{}, false
	}
	return id, true
}

// decoded is the last value of a member as text, nil if there is none.
func (l *laurel) decoded(p path) []byte { return l.decode(l.text(p)) }

// decode undoes LAUREL's percent encoding: of control bytes, of what is no
// UTF-8, and of % and + themselves. Anything else behind % is left alone.
func (l *laurel) decode(v []byte) []byte {
	if bytes.IndexByte(v, '%') < 0 {
		return v
	}
	from := len(l.buf)
	for i := 0; i < len(v); i++ {
		if v[i] == '%' && i+2 < len(v) && hexDigit(v[i+1]) >= 0 && hexDigit(v[i+2]) >= 0 {
			l.buf = append(l.buf, byte(hexDigit(v[i+1])<<4|hexDigit(v[i+2])))
			i += 2
		} else {
			l.buf = append(l.buf, v[i])
		}
	}
	return l.buf[from:len(l.buf):len(l.buf)]
}
