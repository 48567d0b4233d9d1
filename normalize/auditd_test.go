package normalize

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// readAlone reads one record as if no other were, with what a joiner held back
// of it.
func readAlone(n Normalizer, dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	j, joins := n.(Joiner)
	if !joins {
		return n.Normalize(dst, r)
	}
	j.Reset()
	dst, err := j.Normalize(dst, r)
	return j.Expire(dst, EndOfInput), err
}

// TestConformanceAuditd joins real lines, each a record of its own. The events
// are in the order of their first lines.
func TestConformanceAuditd(t *testing.T) {
	dir := filepath.Join(sharedData(t), "auditd")
	for _, c := range []struct{ raw, expected string }{
		{"raw.log", "expected.ndjson"},
		{"raw-interleaved.log", "expected-interleaved.ndjson"},
	} {
		t.Run(c.raw, func(t *testing.T) {
			// Which event begins where: by the ids of the lines.
			var begins []int64
			seen := map[auditID]bool{}
			a := newAuditd()
			found := map[int64][]ecs.Event{}
			keep := func(events []ecs.Event) {
				for i := range events {
					found[events[i].Offset] = append(found[events[i].Offset], *events[i].Clone())
				}
			}
			for i, line := range lines(t, filepath.Join(dir, c.raw)) {
				rec, fault := parseAudit(line)
				if fault != "" {
					t.Fatalf("line %d: %s", i+1, fault)
				}
				if !seen[rec.auditID] {
					seen[rec.auditID] = true
					begins = append(begins, int64(i))
				}
				events, err := a.Normalize(nil, &Record{Value: line, Offset: int64(i)})
				if err != nil {
					t.Errorf("line %d: %v", i+1, err)
				}
				keep(events)
			}
			keep(a.Expire(nil, EndOfInput))
			expected := lines(t, filepath.Join(dir, c.expected))
			if len(expected) != len(begins) {
				t.Fatalf("%d events, %d expected lines", len(begins), len(expected))
			}
			starts := 0
			for i, at := range begins {
				var want map[string]any
				if err := json.Unmarshal(expected[i], &want); err != nil {
					t.Fatal(err)
				}
				compareEvent(t, i+1, want, found[at])
				starts += len(found[at])
			}
			t.Logf("%d events compared, %d starts", len(expected), starts)
		})
	}
}

// FuzzAuditd joins records, which a NUL separates, and wants of the joiner that
// it leaves them alone, that its events are valid and each has a place of its
// own, that every record is accounted for once, and that nothing is left.
func FuzzAuditd(f *testing.F) {
	for _, g := range goldens(f) {
		if g.source == "auditd" {
			f.Add(g.raw)
			f.Add(bytes.ReplaceAll(g.raw, []byte("\n"), []byte{0}))
		}
	}
	source := Lookup("auditd")
	a, dst := newAuditd(), []ecs.Event(nil)
	f.Fuzz(func(t *testing.T, raw []byte) {
		a.Reset()
		type place struct {
			offset int64
			index  int
		}
		places := map[place]bool{}
		before, account := bytes.Clone(raw), 0
		take := func() {
			joined, skipped := a.Settled()
			account -= skipped
			for i := range dst {
				checkEvent(t, source, &dst[i])
				at := place{dst[i].Offset, dst[i].Index}
				if places[at] {
					t.Fatalf("two events at %v", at)
				}
				places[at] = true
				account -= joined[i]
			}
		}
		for i, value := range bytes.Split(raw, []byte{0}) {
			var err error
			dst, err = a.Normalize(dst[:0], &Record{Value: value, Offset: int64(i), Time: arrival})
			var fault *Error
			if err != nil && (!errors.As(err, &fault) || fault.Byte < 0 || fault.Byte > len(value)) {
				t.Fatalf("%d bytes: error %v", len(value), err)
			}
			if err == nil {
				account++
			}
			take()
			if next := int64(i + 1); a.Safe(next) > next {
				t.Fatalf("Safe(%d) is %d", next, a.Safe(next))
			}
		}
		dst = a.Expire(dst[:0], EndOfInput)
		take()
		if account != 0 || a.Pending() != 0 || a.held != 0 {
			t.Fatalf("%d records not accounted for, %d events and %d bytes left", account, a.Pending(), a.held)
		}
		if !bytes.Equal(before, raw) {
			t.Fatal("records changed")
		}
	})
}

// auditHostile are records of the largest size that aim at memory or time; see
// TestNormalizeIsNotBlownUp.
var auditHostile = []struct {
	what, source, head, fill, tail string
	events                         int
	faulty                         bool
}{
	{"arguments", "auditd", startLines[0] + "\n" + `type=EXECVE msg=audit(1770110142.%03d:%07d): argc=9`, ` a0=""`, "", 1, false},
	{"one argument", "auditd", startLines[0] + "\n" + `type=EXECVE msg=audit(1770110142.%03d:%07d): argc=1 a0=`, `41`, "", 1, false},
	{"events", "auditd", "", startLines[0][:99] + "\n", "", 1, false},
	{"orphans", "auditd", "", startLines[2] + "\n", "", 0, false},
	{"ids that are none", "auditd", "", "audit(", "", 0, true},
	{"digits", "auditd", "type=EOE msg=audit(", "1", ".1:1):", 0, true},
	{"words", "auditd", startLines[0], " x", "", 1, false},
	{"texts of programs", "auditd", startLines[0], " x='", "", 1, false},
	{"users", "auditd", startLines[0], " uid=1", "", 1, false},
	{"lines", "auditd", "", "\n", "x", 0, true},
	{"lines of a shipper with a long host", "auditd", `{"host":{"name":"` + strings.Repeat(`\u0061`, 1<<20) + `"},"message":"`, `audit(1770110142.100:1):\n`, `"}`, 0, true},
	{"percent signs", "laurel", `{"ID":"1.1:1","SYSCALL":{"SYSCALL":"execve","exe":"`, `%41`, `"}}`, 1, false},
	{"arguments", "laurel", `{"ID":"1.1:1","SYSCALL":{"SYSCALL":"execve"},"EXECVE":{"ARGV":["`, `%41","\u0025`, `"]}}`, 1, true},
	{"shippers in shippers", "laurel", "", `{"message":"`, "", 0, true},
	{"texts of a shipper", "laurel", `{"message":["x`, `","{`, `"]}`, 0, true},
	{"messages", "goaudit", `{"sequence":1,"timestamp":"1.1","messages":[{"type":1300,"data":"syscall=59 arch=c000003e"}`, `,{"type":1309,"data":"a1=41"}`, `]}`, 1, true},
	{"users", "goaudit", `{"sequence":1,"timestamp":"1.1","messages":[{"type":1300,"data":"syscall=59 arch=c000003e uid=7 euid=8"}],"uid_map":{"7":"a"`, `,"9":"b"`, `}}`, 1, false},
}

func TestAuditIsNotBlownUp(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("measures memory")
	}
	const size, most, kept = 60 << 20, 400 << 20, 3 << 20
	serial := strings.NewReplacer("%03d", "100", "%07d", "0000001")
	for _, h := range auditHostile {
		t.Run(h.source+"-"+strings.ReplaceAll(h.what, " ", "-"), func(t *testing.T) {
			n := Lookup(h.source).New()
			before := heap()
			head, fill := serial.Replace(h.head), serial.Replace(h.fill)
			value := []byte(head + strings.Repeat(fill, max(0, (size-len(head)-len(h.tail))/len(fill))) + h.tail)
			built := heap()
			events, err := n.Normalize(nil, &Record{Value: value})
			if j, joins := n.(Joiner); joins {
				events = j.Expire(events, EndOfInput)
			}
			if used := heap().TotalAlloc - built.TotalAlloc; used > most {
				t.Errorf("%d MB allocated, want %d or less", used>>20, most>>20)
			}
			if len(events) != h.events || (err != nil) != h.faulty {
				t.Errorf("%d events, want %d, error %v", len(events), h.events, err)
			}
			for _, next := range []string{
				strings.ReplaceAll(strings.Join(startLines, "\n"), "%03d:%07d", "101:2"),
				`{"ID":"1.1:1","SYSCALL":{"SYSCALL":"execve"}}`,
				`{"sequence":1,"timestamp":"1.1","messages":[{"type":1300,"data":"arch=c000003e syscall=59"}]}`,
			} {
				events, _ = n.Normalize(events[:0], &Record{Value: []byte(next)})
			}
			if left := int64(heap().HeapAlloc) - int64(before.HeapAlloc); left > kept {
				t.Errorf("%d KB are kept after the next records, want %d or less", left>>10, kept>>10)
			}
			runtime.KeepAlive(n)
			runtime.KeepAlive(events)
		})
	}
}

// TestArgumentsBackwards reads an event's arguments from the last to the first,
// and, from a great many, each as often as there are others.
func TestArgumentsBackwards(t *testing.T) {
	value := []byte("type=SYSCALL msg=audit(1770110142.100:1): arch=c000003e syscall=59 success=yes\n")
	const n = 4000
	for i := range n {
		value = fmt.Appendf(value, "type=EXECVE msg=audit(1770110142.100:1): a%d=\"%d\"\n", n-1-i, n-1-i)
	}
	value = fmt.Appendf(value, "type=EXECVE msg=audit(1770110142.100:1): argc=%d\n", n)
	events, err := readAlone(newAuditd(), nil, &Record{Value: value})
	if err != nil || len(events) != 1 || events[0].Has(ecs.ErrorMessage) {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i, arg := range texts(&events[0], ecs.ProcessArgs) {
		if arg != fmt.Sprint(i) {
			t.Fatalf("argument %d is %s", i, arg)
		}
	}
	for range 20 {
		value = append(value, value[bytes.IndexByte(value, '\n')+1:]...)
		if len(value) > 20<<20 {
			break
		}
	}
	events, err = readAlone(newAuditd(), nil, &Record{Value: value})
	if err != nil || len(events) != 1 || len(events[0].Values(ecs.ProcessArgs)) != n {
		t.Fatalf("%d events, %v", len(events), err)
	}
}
