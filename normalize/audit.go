package normalize

import (
	"bytes"
	"math"
)

// This file reads one record of the Linux audit system, a line of the form
//
//	node=HOST type=TYPE msg=audit(SEC.MSEC:SERIAL): name=value name="value" …
//
// by hand: elastic/go-libaudit drops all arguments of an exec for one that is
// empty, a question mark, split, or ends in a backslash.

// auditIndices are where Elastic's products keep the records of the audit system
// that they read themselves; see Source.Indices.
var auditIndices = []string{"auditbeat-8.0.0", "logs-auditd_manager.auditd-default"}

// auditKind is what a record can add to the start of a process.
type auditKind uint8

const (
	auditOther   auditKind = iota // nothing, and no start begins with it
	auditAside                    // nothing, but it is of a start where a file was executed
	auditSyscall                  // the call, its result, the process and its users
	auditExecve                   // arguments
	auditCWD                      // the working directory
	auditTitle                    // the arguments as one text of 128 bytes
	auditEnd                      // the end of the event
)

// auditKinds are the types of records by name, by number as netlink readers
// give them, and as auditd names types that are newer than itself.
var auditKinds = map[string]auditKind{
	"SYSCALL": auditSyscall, "1300": auditSyscall, "UNKNOWN[1300]": auditSyscall,
	"EXECVE": auditExecve, "1309": auditExecve, "UNKNOWN[1309]": auditExecve,
	"CWD": auditCWD, "1307": auditCWD, "UNKNOWN[1307]": auditCWD,
	"PROCTITLE": auditTitle, "1327": auditTitle, "UNKNOWN[1327]": auditTitle,
	"EOE": auditEnd, "1320": auditEnd, "UNKNOWN[1320]": auditEnd,
	"PATH": auditAside, "1302": auditAside, "UNKNOWN[1302]": auditAside,
	"BPRM_FCAPS": auditAside, "1321": auditAside, "UNKNOWN[1321]": auditAside,
}

// auditID tells the events of one host and boot apart.
type auditID struct {
	at     int64 // nanoseconds since 1970
	serial uint64
}

// auditRecord is one record. Its slices are views of the line.
type auditRecord struct {
	auditID
	kind auditKind
	node []byte // the host, if auditd puts it in front (name_format)
	head []byte // what syslog put in front
	body []byte // the fields
}

// parseAudit reads a line up to its fields. A fault is a clause without the
// line's content.
func parseAudit(line []byte) (r auditRecord, fault string) {
	begin, after := -1, 0
	for from := 0; begin < 0; {
		i := bytes.Index(line[from:], []byte("audit("))
		if i < 0 {
			return r, "line is no audit record"
		}
		i += from
		from = i + len("audit(")
		var ok bool
		if r.auditID, after, ok = parseAuditID(line, from); ok {
			begin = i
		}
	}
	if after == len(line) || line[after] != ')' {
		return r, "audit record ends within its id"
	}
	r.body = bytes.TrimLeft(line[after+1:], ": ")
	head := bytes.TrimRight(bytes.TrimSuffix(line[:begin], []byte("msg=")), " ")
	head, kind, ok := cutLast(head, "type=")
	if !ok {
		return r, "audit record has no type"
	}
	r.kind = auditKinds[string(kind)]
	if before, node, ok := cutLast(head, "node="); ok {
		head, r.node = before, node
	}
	r.head = head
	return r, ""
}

// cutLast cuts the last word off text if it begins with the prefix.
func cutLast(text []byte, prefix string) (before, value []byte, ok bool) {
	word := text[bytes.LastIndexByte(text, ' ')+1:]
	if !bytes.HasPrefix(word, []byte(prefix)) {
		return text, nil, false
	}
	return bytes.TrimRight(text[:len(text)-len(word)], " "), word[len(prefix):], true
}

// parseAuditID reads SEC.MSEC:SERIAL at i and returns the place behind it.
func parseAuditID(s []byte, i int) (id auditID, after int, ok bool) {
	point := i
	for point < len(s) && s[point]-'0' <= 9 {
		point++
	}
	colon := point
	for colon < len(s) && (s[colon]-'0' <= 9 || s[colon] == '.') {
		colon++
	}
	if point == i || colon == len(s) || s[colon] != ':' {
		return id, 0, false
	}
	if id.at, ok = parseSeconds(s[i:colon]); !ok || id.at == 0 {
		return id, 0, false
	}
	for after = colon + 1; after < len(s) && s[after]-'0' <= 9; after++ {
		d := uint64(s[after] - '0')
		if id.serial > (math.MaxUint64-d)/10 {
			return id, 0, false
		}
		id.serial = id.serial*10 + d
	}
	return id, after, after > colon+1
}

// cutField cuts the next field off a record's body; name is nil at its end.
// A quoted value is literal: the kernel writes text with a blank, a quote or a
// control byte in it as hex. The names that auditd adds (log_format=ENRICHED)
// stand behind byte 29, for which some shippers put a blank or nothing.
func cutField(body []byte) (name, value []byte, quoted bool, rest []byte) {
	for i := 0; i < len(body); i++ {
		if separatesFields(body[i]) {
			continue
		}
		start := i
		for i < len(body) && body[i] != '=' && !separatesFields(body[i]) {
			i++
		}
		if i == len(body) || body[i] != '=' {
			continue // a word that is no field
		}
		name, body = body[start:i], body[i+1:]
		value, quoted, rest = cutValue(body)
		return name, value, quoted, rest
	}
	return nil, nil, false, nil
}

func separatesFields(c byte) bool { return c == ' ' || c == 0x1d }

func cutValue(body []byte) (value []byte, quoted bool, rest []byte) {
	switch {
	case len(body) == 0:
		return body, false, body
	case body[0] == '"':
		end := bytes.IndexByte(body[1:], '"')
		if end < 0 {
			return body[1:], true, nil // the line was cut off
		}
		return body[1 : end+1], true, body[end+2:]
	case body[0] == '\'': // the text of a program: fields of its own
		for i := 1; i < len(body); i++ {
			if body[i] == '\'' && (i+1 == len(body) || separatesFields(body[i+1]) || body[i+1]-'A' < 26) {
				return body[1:i], true, body[i+1:]
			}
		}
		return body[1:], true, nil
	case bytes.HasPrefix(body, []byte("(null)")), bytes.HasPrefix(body, []byte("(none)")):
		return body[:6], false, body[6:]
	}
	for i, c := range body {
		if separatesFields(c) {
			return body[:i], false, body[i:]
		}
	}
	return body, false, nil
}

// isHex reports whether an unquoted value is text as the kernel writes it in
// hex: upper-case digits, two a byte.
func isHex(value []byte) bool {
	if len(value)%2 != 0 {
		return false
	}
	for _, c := range value {
		if c-'0' > 9 && c-'A' > 5 {
			return false
		}
	}
	return true
}

func appendHexText(dst, value []byte) []byte {
	for i := 0; i < len(value); i += 2 {
		dst = append(dst, byte(hexDigit(value[i])<<4|hexDigit(value[i+1])))
	}
	return dst
}

// appendText appends the text of a value.
func appendText(dst, value []byte, quoted bool) []byte {
	if !quoted && isHex(value) {
		return appendHexText(dst, value)
	}
	return append(dst, value...)
}

// noText reports a value that stands for the absence of text. An argument never
// is one.
func noText(value []byte, quoted bool) bool {
	if quoted {
		return false
	}
	switch string(value) {
	case "", "?", "(null)", "(none)":
		return true
	}
	return false
}

// noUser reports the id of no user, which an audit user has in front of any
// login, and auditd's and LAUREL's words where an id has no name.
func noUser(value []byte) bool {
	switch string(value) {
	case "", "?", "(null)", "(none)", "4294967295", "-1", "unset", "UNKNOWN_USER":
		return true
	}
	return bytes.HasPrefix(value, []byte("unknown("))
}

// execCall says whether a system call starts a program.
type execCall uint8

const (
	execUnknown execCall = iota // the call's architecture is not in the table
	execNot
	execPlain
	execAt
)

// String is the name of the call.
func (c execCall) String() string { return [...]string{"", "", "execve", "execveat"}[c] }

// execNumbers are the numbers of execve and execveat by AUDIT_ARCH in hex
// (linux/audit.h and the kernel's tables of system calls).
var execNumbers = map[string][2]string{
	"c000003e": {"59", "322"},  // x86_64
	"40000003": {"11", "358"},  // i386
	"c00000b7": {"221", "281"}, // aarch64
	"40000028": {"11", "387"},  // arm
	"c0000015": {"11", "362"},  // ppc64le
	"80000015": {"11", "362"},  // ppc64
	"80000016": {"11", "354"},  // s390x
	"c00000f3": {"221", "281"}, // riscv64
	"c0000102": {"221", "281"}, // loongarch64
}

// The same calls of a program of the x32 ABI, which shares x86_64's AUDIT_ARCH.
const x32Execve, x32Execveat = "1073742344", "1073742369"

// execCallOf tells the call by the table, or else by the name that auditd adds.
func execCallOf(arch, number, name []byte) execCall {
	if arch = bytes.TrimPrefix(arch, []byte("0x")); len(number) > 0 {
		if numbers, ok := execNumbers[string(arch)]; ok {
			switch string(number) {
			case numbers[0], x32Execve:
				return execPlain
			case numbers[1], x32Execveat:
				return execAt
			}
			return execNot
		}
	}
	switch string(name) {
	case "execve":
		return execPlain
	case "execveat":
		return execAt
	case "":
		return execUnknown
	}
	if bytes.HasPrefix(name, []byte("unknown")) {
		return execUnknown
	}
	return execNot
}

// auditCall reads from a SYSCALL record whether it starts a program, and whether
// it failed: a failed call still carries its caller's comm and exe.
func auditCall(body []byte) (call execCall, failed bool) {
	var arch, number, known []byte
	for {
		name, value, _, rest := cutField(body)
		if name == nil {
			return execCallOf(arch, number, known), failed
		}
		switch body = rest; string(name) {
		case "arch":
			arch = value
		case "syscall":
			number = value
			if call = execCallOf(arch, number, nil); call == execNot {
				return call, failed // most calls, without reading on
			}
		case "success":
			failed = string(value) == "no"
		case "SYSCALL":
			known = value
		}
	}
}

// syslogHost is the host in a syslog header (RFC 3164, RFC 5424, or rsyslog's
// form with an RFC 3339 clock), nil if there is none.
func syslogHost(head []byte) []byte {
	if len(head) > 0 && head[0] == '<' {
		head = head[bytes.IndexByte(head, '>')+1:]
	}
	var words [4][]byte
	for i := range words {
		head = bytes.TrimLeft(head, " ")
		end := bytes.IndexByte(head, ' ')
		if end < 0 {
			end = len(head)
		}
		words[i], head = head[:end], head[end:]
	}
	var host []byte
	switch clock := words[0]; {
	case len(clock) == 1 && clock[0] == '1': // RFC 5424's version
		host = words[2]
	case len(clock) > 10 && clock[10] == 'T':
		host = words[1]
	case len(clock) == 3 && clock[0]-'A' < 26 && bytes.IndexByte(words[2], ':') > 0:
		host = words[3]
	}
	if len(host) == 0 || string(host) == "-" || host[len(host)-1] == ':' {
		return nil
	}
	return host
}
