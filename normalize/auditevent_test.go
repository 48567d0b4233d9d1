package normalize

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// kernelArgs writes the EXECVE records of an argv as the kernel does since 4.8,
// with room for so many bytes a record: the encoder to hold the decoder
// against. An argument is literal in quotes unless it has a byte beyond ! to ~
// or a quote; one that does not fit goes on in the next record, in hex if it is
// longer than a record.
func kernelArgs(argv [][]byte, room int) [][]byte {
	record := fmt.Appendf(nil, "argc=%d", len(argv))
	var records [][]byte
	const spare = 104 // for the next argument's name, or a new record is begun
	left := room
	for n, arg := range argv {
		coded := len(arg) >= room || bytes.ContainsFunc(arg, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' })
		size, length := len(arg)+2, len(arg)
		if coded {
			size, length = 2*len(arg), 2*len(arg)
		}
		split := false
		for part := 0; ; part++ {
			if left < spare {
				records, record, left = append(records, record), nil, room
			}
			from := len(record)
			split = split || size+spare > left
			switch {
			case split && part == 0:
				record = fmt.Appendf(record, " a%d_len=%d a%d[0]=", n, length, n)
			case split:
				record = fmt.Appendf(record, " a%d[%d]=", n, part)
			default:
				record = fmt.Appendf(record, " a%d=", n)
			}
			left -= len(record) - from
			take := len(arg)
			if coded {
				take = min(take, left/2)
				record = fmt.Appendf(record, "%X", arg[:take])
				left -= 2 * take
				size -= 2 * take
			} else {
				take = min(take, left-2)
				record = fmt.Appendf(record, "\"%s\"", arg[:take])
				left -= take + 2
				size -= take
			}
			if arg = arg[take:]; len(arg) == 0 {
				break
			}
		}
	}
	return append(records, record)
}

// oldKernelArgs writes them as kernels before 4.8 do: nothing for an empty
// argument, and every argument that does not fit begins a record.
func oldKernelArgs(argv [][]byte, room int) [][]byte {
	record := fmt.Appendf(nil, "argc=%d ", len(argv))
	var records [][]byte
	sent := 0
	for n, arg := range argv {
		coded := bytes.ContainsFunc(arg, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' })
		most, length := room, len(arg)
		if coded {
			most, length = room/2, 2*len(arg)
		}
		long := len(arg) > most
		for part := 0; len(arg) > 0; part++ {
			take := min(len(arg), most)
			size := take
			if coded {
				size = 2 * take
			}
			if sent+size > room {
				records, record, sent = append(records, record), nil, 0
			}
			if long && part == 0 {
				record = fmt.Appendf(record, "a%d_len=%d ", n, length)
			}
			if long {
				record = fmt.Appendf(record, "a%d[%d]=", n, part)
			} else {
				record = fmt.Appendf(record, "a%d=", n)
			}
			if coded {
				record = fmt.Appendf(record, "%X ", arg[:take])
			} else {
				record = fmt.Appendf(record, "\"%s\" ", arg[:take])
			}
			sent += size + 12
			arg = arg[take:]
		}
	}
	return append(records, record)
}

// randomArgs are arguments as shells, scripts and attackers make them.
func randomArgs(rnd *rand.Rand, text []byte) [][]byte {
	odd := []string{"", "?", "(null)", "(none)", `\`, `a\`, `"`, `'x'`, "a b", "=", "a0=1", "\x1d", "41", "ABCD", "\xff\xfe", "ü", "\n", "argc=9", "x\x00"}
	argv := [][]byte{[]byte("curl")}
	for range rnd.IntN(12) {
		var arg []byte
		switch rnd.IntN(4) {
		case 0:
			arg = []byte(odd[rnd.IntN(len(odd))])
		case 1:
			arg = bytes.Repeat([]byte(odd[rnd.IntN(len(odd))]), rnd.IntN(400))
		case 2:
			from := rnd.IntN(len(text) + 1)
			arg = text[from : from+rnd.IntN(len(text)-from+1)]
		default:
			for range rnd.IntN(1200) {
				arg = append(arg, byte('!'+rnd.IntN(94)))
			}
		}
		argv = append(argv, bytes.ReplaceAll(arg, []byte{0}, []byte{1})) // an argument has no NUL
	}
	return argv
}

func argsOf(a *auditEvent) (args [][]byte, marked bool) {
	e := ecs.NewEvent(ecs.Default)
	a.write(e)
	for _, v := range e.Values(ecs.ProcessArgs) {
		args = append(args, v.Text())
	}
	return args, e.Has(ecs.ErrorMessage)
}

// FuzzArgs writes random arguments as kernels do and wants them back, from the
// records in any order, with any of them twice, and, of arguments whose record
// is lost, the others and a mark.
func FuzzArgs(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed, []byte("curl -s http://169.254.169.254/"))
	}
	var a auditEvent
	f.Fuzz(func(t *testing.T, seed uint64, text []byte) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		argv := randomArgs(rnd, text[:min(len(text), 4<<10)])
		room := 250 + rnd.IntN(800)
		records := kernelArgs(argv, room)
		if rnd.IntN(3) == 0 {
			argv = append(argv, []byte("end")) // an empty argument at the end cannot be told from a lost record
			records = oldKernelArgs(argv, room)
			if len(records) > 1 { // nor one at a record's edge
				for i := range argv {
					if len(argv[i]) == 0 {
						argv[i] = []byte("-")
					}
				}
				records = oldKernelArgs(argv, room)
			}
		}
		feed := func(records [][]byte) {
			a.reset(auditID{at: 1, serial: 1})
			a.add(auditSyscall, []byte("arch=c000003e syscall=59 success=yes"))
			for _, i := range rnd.Perm(len(records)) {
				a.add(auditExecve, records[i])
			}
		}
		feed(slices.Concat(records, records[:rnd.IntN(len(records)+1)]))
		got, marked := argsOf(&a)
		if !a.argsWhole() || marked || !slices.EqualFunc(got, argv, bytes.Equal) {
			t.Fatalf("%q\nof %q is %q, whole %v, marked %v", records, argv, got, a.argsWhole(), marked)
		}
		if len(records) > 1 {
			lost := rnd.IntN(len(records))
			feed(slices.Delete(slices.Clone(records), lost, lost+1))
			got, marked = argsOf(&a)
			if a.argsWhole() || !marked || len(got) > len(argv) {
				t.Fatalf("%q\nwithout record %d of %q: %q, whole %v, marked %v", records, lost, argv, got, a.argsWhole(), marked)
			}
		}
	})
}

func TestKernelArgsSplitsAsTheKernelDoes(t *testing.T) {
	argv := [][]byte{[]byte("/bin/echo"), bytes.Repeat([]byte("x"), 8192)}
	records := kernelArgs(argv, 7500)
	if len(records) != 3 || !bytes.HasPrefix(records[0], []byte(`argc=2 a0="/bin/echo" a1_len=16384 a1[0]=7878`)) ||
		!bytes.HasPrefix(records[1], []byte(" a1[1]=7878")) || !bytes.HasPrefix(records[2], []byte(" a1[2]=7878")) {
		t.Errorf("%d records, %.60q", len(records), records)
	}
}

func TestArgsThatAreNoLonger(t *testing.T) {
	for _, c := range []struct {
		what, records string
		want          string
		marked        bool
	}{
		{"all there", `argc=2 a0="a" a1="b"`, `["a" "b"]`, false},
		{"more than argc says", `argc=1 a0="a" a1="b"`, `["a" "b"]`, false},
		{"fewer", `argc=3 a0="a" a1="b"`, `["a" "b"]`, true},
		{"hole in a record", `argc=4 a0="a" a3="b"`, `["a" "" "" "b"]`, false},
		{"hole at its beginning", `argc=2 a1="b"`, `["" "b"]`, false},
		{"hole of a forger", `argc=500 a0="a" a499="b"`, `["a" "b"]`, true},
		{"no argc", `a0="a"`, `["a"]`, true},
		{"length alone", `argc=2 a0="a" a1_len=20`, `["a"]`, true},
		{"fragment lost within", `argc=2 a0="a" a1_len=8 a1[0]=4142 a1[2]=4344`, `["a" "ABCD"]`, true},
		{"fragment without length", `argc=2 a0="a" a1[0]=4142 a1[1]="CD"`, `["a" "ABCD"]`, false},
		{"empty fragment", `argc=2 a0="a" a1_len=4 a1[0]=4142 a1[1]=`, `["a" "AB"]`, false},
		{"cut in a quote", `argc=2 a0="a" a1="b`, `["a" "b"]`, true},
		{"cut in half a byte", `argc=2 a0="a" a1=41424`, `["a" "AB"]`, true},
		{"cut before the value", `argc=2 a0="a" a1=`, `["a" ""]`, true},
		{"not as the kernel writes", `argc=2 a0=top a1=8`, `["top" "8"]`, false},
		{"names that are none", `argc=1 a0="a" a="b" a1x="c" a2[="d" a3[1="e" a12345678901="f" ax="g"`, `["a"]`, false},
		{"an argument twice", `argc=1 a0="a" a0="b"`, `["a"]`, false},
		{"none", `argc=0`, `[]`, false},
	} {
		var a auditEvent
		a.reset(auditID{at: 1})
		a.add(auditSyscall, []byte("arch=c000003e syscall=59 success=yes"))
		a.add(auditExecve, []byte(c.records))
		got, marked := argsOf(&a)
		if s := fmt.Sprintf("%q", got); s != c.want || marked != c.marked {
			t.Errorf("%s: %s, marked %v, want %s, %v", c.what, s, marked, c.want, c.marked)
		}
	}
}
