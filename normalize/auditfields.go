package normalize

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// This file is the fields that auditd, LAUREL and go-audit share.

// auditUsers are the fields of a SYSCALL record for users and groups. uid is
// the real user, euid the one whose rights count.
var auditUsers = map[string][]ecs.Field{
	"uid":  {ecs.UserID, ecs.ProcessRealUserID},
	"euid": {ecs.UserEffectiveID, ecs.ProcessUserID},
	"gid":  {ecs.ProcessRealGroupID},
	"egid": {ecs.ProcessGroupID},
	"UID":  {ecs.UserName, ecs.ProcessRealUserName},
	"EUID": {ecs.UserEffectiveName, ecs.ProcessUserName},
}

// writeCall writes what the SYSCALL record says.
func (a *auditEvent) writeCall(e *ecs.Event) {
	var comm, exe []byte
	for body := a.text(a.syscall); ; {
		name, value, quoted, rest := cutField(body)
		if name == nil {
			break
		}
		body = rest
		switch string(name) {
		case "comm":
			comm = a.heldText(value, quoted)
		case "exe":
			exe = a.heldText(value, quoted)
		case "pid":
			addInt(e, ecs.ProcessPID, value)
		case "ppid":
			addInt(e, ecs.ProcessParentPID, value)
		case "a0":
			addFirst(e, ecs.AuditdDataA0, value)
		case "a1":
			addFirst(e, ecs.AuditdDataA1, value)
		default:
			for _, f := range auditUsers[string(name)] {
				if !noUser(value) {
					addFirst(e, f, value)
				}
			}
		}
	}
	addCall(e, a.call)
	if len(exe) > 0 {
		e.Add(ecs.ProcessExecutable, exe)
	}
	addNames(e, ecs.ProcessName, comm, exe)
}

// heldText is the text of a value in the event's buffer, nil if it is absent.
func (a *auditEvent) heldText(value []byte, quoted bool) []byte {
	if noText(value, quoted) {
		return nil
	}
	return a.text(a.hold(value, quoted))
}

func addInt(e *ecs.Event, f ecs.Field, value []byte) {
	if n, ok := parseInt(value); ok && !e.Has(f) {
		e.AddInt(f, n)
	}
}

// addFirst adds a value to a field that has none. A record says each thing once.
func addFirst(e *ecs.Event, f ecs.Field, value []byte) {
	if !e.Has(f) {
		e.Add(f, value)
	}
}

func addCall(e *ecs.Event, call execCall) {
	if call == execAt {
		e.Add(ecs.AuditdDataSyscall, valExecveat)
	} else {
		e.Add(ecs.AuditdDataSyscall, valExecve)
	}
}

// maxComm is how much of a name the kernel keeps as comm (TASK_COMM_LEN less
// the NUL).
const maxComm = 15

// addNames sets a name from comm and the executable. Comm is the name by which
// the file was called: a symlink's, a script's. The executable's is the real
// program's: the interpreter's, busybox for each of its applets. A rule should
// match either, so both are there where they differ, unless comm is nothing but
// the beginning of the other.
func addNames(e *ecs.Event, f ecs.Field, comm, exe []byte) {
	program := base(bytes.TrimSuffix(exe, []byte(" (deleted)")))
	if len(comm) > 0 && !(len(comm) == maxComm && len(program) > maxComm && bytes.HasPrefix(program, comm)) {
		e.Add(f, comm)
		if bytes.Equal(comm, program) {
			return
		}
	}
	if len(program) > 0 {
		e.Add(f, program)
	}
}

// nameRoot names user 0, the one user whose name is the same on every host.
func nameRoot(e *ecs.Event, id, name ecs.Field) {
	if string(e.First(id)) == "0" && !e.Has(name) {
		e.Add(name, valRoot)
	}
}

// identify sets what makes the event the same wherever it is read: ids that are
// functions of host, time and serial, and, for the process, its pid. It appends
// the ids to buf and returns that.
func identify(e *ecs.Event, buf, host []byte, id auditID) []byte {
	for _, c := range [...]struct{ id, name ecs.Field }{
		{ecs.UserID, ecs.UserName}, {ecs.UserEffectiveID, ecs.UserEffectiveName},
		{ecs.ProcessRealUserID, ecs.ProcessRealUserName}, {ecs.ProcessUserID, ecs.ProcessUserName},
	} {
		nameRoot(e, c.id, c.name)
	}
	relate(e)
	if id == (auditID{}) {
		return buf
	}
	buf = addDigest(e, ecs.EventID, buf, host, id, -1)
	if pid := e.Values(ecs.ProcessPID); len(pid) > 0 && !e.Has(ecs.ProcessEntityID) {
		buf = addDigest(e, ecs.ProcessEntityID, buf, host, id, pid[0].Int())
	}
	return buf
}

func addDigest(e *ecs.Event, f ecs.Field, buf, host []byte, id auditID, pid int64) []byte {
	from := len(buf)
	buf = append(buf, host...)
	buf = binary.BigEndian.AppendUint64(buf, uint64(id.at))
	buf = binary.BigEndian.AppendUint64(buf, id.serial)
	buf = binary.BigEndian.AppendUint64(buf, uint64(pid))
	sum := sha256.Sum256(buf[from:])
	buf = hex.AppendEncode(buf[:from], sum[:16])
	e.Add(f, buf[from:len(buf):len(buf)])
	return buf
}
