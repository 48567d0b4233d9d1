package normalize

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

func TestParseAudit(t *testing.T) {
	at := time.Date(2026, 2, 3, 9, 15, 42, 187e6, time.UTC).UnixNano()
	const id = "audit(1770110142.187:48213)"
	for _, c := range []struct {
		line, node, head, body string
		kind                   auditKind
	}{
		{"type=SYSCALL msg=" + id + ": arch=c000003e", "", "", "arch=c000003e", auditSyscall},
		{"type=EXECVE msg=" + id + ":  a1[1]=41", "", "", "a1[1]=41", auditExecve},
		{"node=tern-1 type=CWD msg=" + id + ": cwd=\"/\"", "tern-1", "", `cwd="/"`, auditCWD},
		{"type=EOE msg=" + id + ":", "", "", "", auditEnd},
		{"type=EOE msg=" + id, "", "", "", auditEnd},
		{"type=UNKNOWN[1327] msg=" + id + ": proctitle=41", "", "", "proctitle=41", auditTitle},
		{"type=UNKNOWN[1420] msg=" + id + ": subj_apparmor=unconfined", "", "", "subj_apparmor=unconfined", auditOther},
		{"audit: type=1300 " + id + ": arch=1", "", "audit:", "arch=1", auditSyscall},
		{"<13>Feb  3 09:15:42 relay audispd: node=a.b type=PATH msg=" + id + ": item=0", "a.b", "<13>Feb  3 09:15:42 relay audispd:", "item=0", auditAside},
		{"audit(log) type=CWD msg=" + id + ": cwd=41", "", "audit(log)", "cwd=41", auditCWD},
		{"type=CWD msg=audit(1770110142.18700:48213): x", "", "", "x", auditCWD},
	} {
		r, fault := parseAudit([]byte(c.line))
		if fault != "" || string(r.node) != c.node || string(r.head) != c.head || string(r.body) != c.body || r.kind != c.kind ||
			r.at != at || r.serial != 48213 {
			t.Errorf("%s: node %q, head %q, body %q, kind %d, id %v, fault %q", c.line, r.node, r.head, r.body, r.kind, r.auditID, fault)
		}
	}
	for _, c := range []struct{ line, fault string }{
		{"", "line is no audit record"},
		{"audit(", "line is no audit record"},
		{"type=CWD msg=audit(1770110142:", "line is no audit record"},
		{"type=CWD msg=audit(1770110142.187:)", "line is no audit record"},
		{"type=CWD msg=audit(.187:1): x", "line is no audit record"},
		{"type=CWD msg=audit(1.2.3:1): x", "line is no audit record"},
		{"type=CWD msg=audit(1.2:99999999999999999999): x", "line is no audit record"},
		{"type=CWD msg=audit(99999999999999.2:1): x", "line is no audit record"},
		{"type=CWD msg=audit(1770110142.187:1", "audit record ends within its id"},
		{"type=CWD msg=audit(1770110142.187:1 x", "audit record ends within its id"},
		{"msg=" + id + ": x", "audit record has no type"},
		{"xtype=CWD msg=" + id + ": x", "audit record has no type"},
		{"type=CWD node=x msg=" + id + ": x", "audit record has no type"},
	} {
		if _, fault := parseAudit([]byte(c.line)); fault != c.fault {
			t.Errorf("%s: fault %q, want %q", c.line, fault, c.fault)
		}
	}
}

func TestCutField(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		{`a=1 b="2" c=33`, `a 1|b "2"|c 33`},
		{"  a=\x1dB=\"\"", `a |B ""`},
		{"key=(null)\x1dARCH=x86_64 SYSCALL=execve", "key (null)|ARCH x86_64|SYSCALL execve"},
		{"key=(null)ARCH=x86_64", "key (null)|ARCH x86_64"}, // byte 29 was lost on the way
		{`key="a"ARCH=x86_64`, `key "a"|ARCH x86_64`},
		{`a="\" b="c\\"`, `a "\"|b "c\\"`}, // backslashes are literal
		{`a="b"' c=1`, `a "b"|c 1`},
		{`user pid=1 old auid=2 = =3`, "pid 1|auid 2| | 3"},
		{`pid=1 msg='cwd="/" cmd="it's" res=success'` + "\x1dUID=\"root\"", `pid 1|msg "cwd="/" cmd="it's" res=success"|UID "root"`},
		{`msg='op=x res=success`, `msg "op=x res=success"`},
		{`saddr=01SADDR={ fam=local path=/x }`, "saddr 01SADDR={|fam local|path /x"},
		{`a="cut off`, `a "cut off"`},
		{`a==b`, "a =b"},
		{"", ""},
		{"   ", ""},
		{"word", ""},
	} {
		var got []string
		for body := []byte(c.body); ; {
			name, value, quoted, rest := cutField(body)
			if name == nil {
				break
			}
			text := string(value)
			if quoted {
				text = `"` + text + `"`
			}
			got = append(got, string(name)+" "+text)
			body = rest
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%q: %s, want %s", c.body, s, c.want)
		}
	}
}

func TestAppendText(t *testing.T) {
	for _, c := range []struct {
		value  string
		quoted bool
		want   string
	}{
		{"6375726C", true, "6375726C"},
		{"6375726C", false, "curl"},
		{"6375726c", false, "6375726c"},
		{"123", false, "123"},
		{"12", false, "\x12"},
		{"FF00", false, "\xff\x00"},
		{"/bin/ls", false, "/bin/ls"},
		{"", false, ""},
	} {
		if got := appendText([]byte("x"), []byte(c.value), c.quoted); string(got) != "x"+c.want {
			t.Errorf("%q, quoted %v: %q, want %q", c.value, c.quoted, got[1:], c.want)
		}
	}
}

func TestAuditCall(t *testing.T) {
	for _, c := range []struct {
		body   string
		call   execCall
		failed bool
	}{
		{"arch=c000003e syscall=59 success=yes", execPlain, false},
		{"arch=c000003e syscall=322 success=yes", execAt, false},
		{"arch=c000003e syscall=11 success=yes", execNot, false},
		{"arch=c000003e syscall=1073742344 success=yes", execPlain, false},
		{"arch=40000003 syscall=11 success=yes", execPlain, false},
		{"arch=40000003 syscall=358 success=yes", execAt, false},
		{"arch=40000003 syscall=59 success=yes", execNot, false},
		{"arch=c00000b7 syscall=221 success=yes", execPlain, false},
		{"arch=c00000b7 syscall=281 success=yes", execAt, false},
		{"arch=40000028 syscall=387 success=yes", execAt, false},
		{"arch=c000003e syscall=59 success=no exit=-2", execPlain, true},
		{`arch=c000003e syscall=59 success="no" exit=-2`, execPlain, true},
		{"arch=c000003e syscall=59", execPlain, false},
		{"arch=c0ffee syscall=59 success=yes", execUnknown, false},
		{"arch=c0ffee syscall=7 success=yes key=(null)\x1dARCH=odd SYSCALL=execveat", execAt, false},
		{"arch=c0ffee syscall=7 success=yes key=(null)\x1dARCH=odd SYSCALL=openat", execNot, false},
		{"arch=c0ffee syscall=7 success=yes key=(null)\x1dARCH=odd SYSCALL=unknown-syscall(7)", execUnknown, false},
		{"success=no", execUnknown, true},
	} {
		if call, failed := auditCall([]byte(c.body)); call != c.call || failed != c.failed {
			t.Errorf("%s: call %d, failed %v, want %d, %v", c.body, call, failed, c.call, c.failed)
		}
	}
}

func TestSyslogHost(t *testing.T) {
	for head, want := range map[string]string{
		"":                                       "",
		"audit:":                                 "",
		"@cee:":                                  "",
		"Feb  3 09:15:42 tern-1 audispd:":        "tern-1",
		"<13>Feb 13 09:15:42 tern-1 audispd[7]:": "tern-1",
		"Feb  3 09:15:42 audispd:":               "",
		"<14>1 2026-02-03T09:15:42Z tern-1 audisp-syslog - - -":   "tern-1",
		"<14>1 2026-02-03T09:15:42Z - audisp-syslog - - -":        "",
		"<14>1 - tern-1 audisp-syslog - - -":                      "tern-1",
		"2026-02-03T09:15:42.5+01:00 tern-1 kernel: [1.2] audit:": "tern-1",
		"<13":                   "",
		"some words before all": "",
	} {
		if got := syslogHost([]byte(head)); string(got) != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}

func TestAddNames(t *testing.T) {
	for _, c := range []struct{ comm, exe, want string }{
		{"curl", "/usr/bin/curl", "curl"},
		{"pager", "/usr/bin/less", "pager less"},
		{"telemetry-uploa", "/opt/telemetry-uploader", "telemetry-uploader"},
		{"exactly-fifteen", "/opt/exactly-fifteen", "exactly-fifteen"},
		{"python", "/usr/bin/python3.13", "python python3.13"}, // no truncation
		{"", "/usr/bin/curl", "curl"},
		{"curl", "", "curl"},
		{"k", "/tmp/k (deleted)", "k"},
		{"", "/", ""},
		{"", "", ""},
	} {
		e := ecs.NewEvent(ecs.Default)
		addNames(e, ecs.ProcessName, []byte(c.comm), []byte(c.exe))
		if got := strings.Join(texts(e, ecs.ProcessName), " "); got != c.want {
			t.Errorf("%s and %s: %s, want %s", c.comm, c.exe, got, c.want)
		}
	}
}

// FuzzAuditLine wants a line's parts to be parts of it, whatever it is.
func FuzzAuditLine(f *testing.F) {
	f.Add([]byte("node=tern-1 type=SYSCALL msg=audit(1770110142.187:48213): arch=c000003e syscall=59 success=yes comm=\"x\" key=(null)\x1dUID=\"root\""))
	f.Add([]byte("type=EXECVE msg=audit(1770110142.187:48213): argc=3 a0=\"x\" a1_len=4 a1[0]=4142 a1[1]=43 a2="))
	f.Add([]byte("type=USER_CMD msg=audit(1.2:3): pid=1 msg='cwd=\"/\" res=success'\x1dUID=\"root\""))
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		r, fault := parseAudit(line)
		if fault == "" {
			size := 0
			for body := r.body; ; {
				name, value, _, rest := cutField(body)
				if name == nil {
					break
				}
				if size += len(name) + len(value) + 1; len(rest) >= len(body) {
					t.Fatalf("field %q of %q takes nothing", name, body)
				}
				body = rest
			}
			if size > len(r.body) {
				t.Fatalf("fields of %d bytes in a body of %d", size, len(r.body))
			}
			again, fault := parseAudit(fmt.Appendf(nil, "type=X msg=audit(%d.%09d:%d): ", r.at/1e9, r.at%1e9, r.serial))
			if fault != "" || again.auditID != r.auditID {
				t.Fatalf("id %v becomes %v, fault %q", r.auditID, again.auditID, fault)
			}
			e := auditEvent{}
			e.reset(r.auditID)
			e.add(r.kind, r.body)
			e.add(r.kind, r.body)
			e.argsWhole()
		}
		if !bytes.Equal(before, line) {
			t.Fatal("line changed")
		}
	})
}
