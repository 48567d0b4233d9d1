package normalize

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// auditLine is a record of a partition: one line.
type auditLine struct {
	at     time.Time // of its arrival
	offset int64
	host   int
	event  int
	text   []byte
}

// auditStream is what 200 hosts sent, by partition, and what must come of it.
type auditStream struct {
	partitions [8][]auditLine
	want       map[string]bool // "host serial" of each start, and whether it lacks arguments
}

// newAuditStream makes events of 200 hosts, of which every third is no start. Of
// their lines 1 % are lost and 1 % come twice. Shuffled, each comes up to
// 500 ms late; else they come in the order of the kernel.
func newAuditStream(seed uint64, events int, shuffled bool) *auditStream {
	s := &auditStream{want: map[string]bool{}}
	facts := rand.New(rand.NewPCG(seed, 1)) // what happened is the same in either order
	order := rand.New(rand.NewPCG(seed, 2))
	at := time.Date(2026, 2, 3, 9, 0, 0, 0, time.UTC)
	var serials [200]int // those of hosts collide
	for n := range events {
		at = at.Add(time.Duration(facts.IntN(10)) * time.Millisecond)
		host := facts.IntN(200)
		serials[host]++
		id := fmt.Sprintf("audit(%d.%03d:%d):", at.Unix(), at.Nanosecond()/1e6, serials[host])
		call := 59
		if n%3 == 1 {
			call = 257
		}
		argv := randomArgs(facts, []byte("curl http://169.254.169.254/"))
		lines := []string{fmt.Sprintf(`SYSCALL arch=c000003e syscall=%d success=yes exit=0 ppid=7 pid=%d uid=0 comm="curl" exe="/usr/bin/curl" key=(null)`, call, n)}
		if call == 59 {
			for _, r := range kernelArgs(argv, 1200) {
				lines = append(lines, "EXECVE "+string(r))
			}
		}
		lines = append(lines, `CWD cwd="/srv"`, `PATH item=0 name="/usr/bin/curl" nametype=NORMAL`, `PATH item=1 name="/lib64/ld.so" nametype=NORMAL`, `PROCTITLE proctitle="curl"`)
		if n%2 == 0 {
			lines = append(lines, "EOE ")
		}
		noCall, noArgs := call != 59, false
		for _, l := range lines {
			kind, body, _ := strings.Cut(l, " ")
			copies := 1
			switch facts.IntN(100) {
			case 0:
				copies = 0
				noCall = noCall || kind == "SYSCALL"
				noArgs = noArgs || kind == "EXECVE"
			case 1:
				copies = 2
			}
			for range copies {
				came := at
				if shuffled {
					came = at.Add(time.Duration(order.IntN(500)) * time.Millisecond)
				}
				text := fmt.Appendf(nil, "node=tern-%d type=%s msg=%s %s", host, kind, id, body)
				s.partitions[host%8] = append(s.partitions[host%8], auditLine{at: came, host: host, event: n, text: text})
			}
		}
		if !noCall {
			s.want[fmt.Sprintf("tern-%d %d", host, n)] = noArgs
		}
	}
	for _, lines := range s.partitions {
		slices.SortStableFunc(lines, func(a, b auditLine) int { return a.at.Compare(b.at) })
		for i := range lines {
			lines[i].offset = int64(100 + 3*i) // offsets have gaps
		}
	}
	return s
}

// seen is what came of a start.
type seenStart struct {
	id      string
	marked  bool // in every copy
	copies  int
	args    []string
	records int
}

// run joins the partitions, each with a joiner of its own. With restarts it is
// taken away at random places and goes on where Safe said some time before.
func (s *auditStream) run(t *testing.T, restarts *rand.Rand) map[string]*seenStart {
	t.Helper()
	all := map[string]*seenStart{}
	most, held, lag, records, account := 0, 0, time.Duration(0), 0, 0
	for _, lines := range s.partitions {
		a := newAuditd()
		var dst []ecs.Event
		take := func() {
			joined, skipped := a.Settled()
			if len(joined) != len(dst) {
				t.Fatalf("%d events, accounts of %d", len(dst), len(joined))
			}
			account += skipped
			for i := range dst {
				e := &dst[i]
				key := fmt.Sprintf("%s %d", e.First(ecs.HostName), e.Values(ecs.ProcessPID)[0].Int())
				x := all[key]
				if x == nil {
					x = &seenStart{id: string(e.First(ecs.EventID)), marked: true}
					all[key] = x
				}
				x.copies++
				x.records += joined[i]
				account += joined[i]
				if !e.Has(ecs.ErrorMessage) {
					x.marked, x.args = false, texts(e, ecs.ProcessArgs)
				}
				if x.id != string(e.First(ecs.EventID)) {
					t.Errorf("%s has ids %s and %s", key, x.id, e.First(ecs.EventID))
				}
				if first := lines[(e.Offset-100)/3]; fmt.Sprintf("tern-%d %d", first.host, first.event) != key || e.Index != 0 {
					t.Errorf("%s begins with a record of event %d, index %d", key, first.event, e.Index)
				}
			}
		}
		committed := 0
		for i := 0; i < len(lines); i++ {
			l := &lines[i]
			var err error
			dst, err = a.Normalize(dst[:0], &Record{Value: l.text, Time: l.at, Offset: l.offset})
			if err != nil {
				t.Fatal(err)
			}
			records++
			take()
			most, held = max(most, a.Pending()), max(held, a.held)
			next := l.offset + 1
			safe := a.Safe(next)
			if safe > next {
				t.Fatalf("Safe(%d) is %d", next, safe)
			}
			if safe < next {
				lag = max(lag, l.at.Sub(lines[(safe-100)/3].at))
			}
			if restarts == nil {
				continue
			}
			if restarts.IntN(200) == 0 {
				committed, _ = slices.BinarySearchFunc(lines, safe, func(l auditLine, at int64) int { return cmp.Compare(l.offset, at) })
			}
			if restarts.IntN(1000) == 0 {
				a.Reset()
				i = committed - 1
			}
		}
		dst = a.Expire(dst[:0], EndOfInput)
		take()
		if a.Pending() != 0 || a.held != 0 || a.Safe(1<<40) != 1<<40 {
			t.Errorf("%d events, %d bytes are left at the end", a.Pending(), a.held)
		}
	}
	if lag > 5*time.Second {
		t.Errorf("Safe is %v behind", lag)
	}
	if most > 500 || held > 2<<20 {
		t.Errorf("%d events, %d bytes were held back", most, held)
	}
	if restarts == nil && account != records {
		t.Errorf("account of %d records, %d were read", account, records)
	}
	t.Logf("%d records, %d starts, at most %d events and %d KB held back, Safe at most %v behind", records, len(all), most, held>>10, lag)
	return all
}

var auditEvents = flag.Int("audit-events", 20_000, "events of the joiner's test")

// TestJoinedEventsDoNotDependOnTheOrder: whatever the order of the records, and
// wherever it is taken away and goes on, the joiner gives the same events.
func TestJoinedEventsDoNotDependOnTheOrder(t *testing.T) {
	events := *auditEvents
	if testing.Short() || underRace {
		events = 4_000
	}
	ordered := newAuditStream(1, events, false)
	want := ordered.run(t, nil)
	if len(want) != len(ordered.want) {
		t.Errorf("%d starts, want %d", len(want), len(ordered.want))
	}
	for key, noArgs := range ordered.want {
		switch x := want[key]; {
		case x == nil:
			t.Errorf("%s is lost", key)
		case x.marked != noArgs:
			t.Errorf("%s: marked %v, arguments lost %v", key, x.marked, noArgs)
		case x.copies != 1:
			t.Errorf("%s came %d times", key, x.copies)
		}
	}
	for _, c := range []struct {
		name     string
		restarts bool
	}{{"shuffled", false}, {"shuffled and restarted", true}} {
		t.Run(c.name, func(t *testing.T) {
			var restarts *rand.Rand
			if c.restarts {
				restarts = rand.New(rand.NewPCG(3, 3))
			}
			got := newAuditStream(1, events, true).run(t, restarts)
			if len(got) != len(want) {
				t.Errorf("%d starts, want %d", len(got), len(want))
			}
			for key, x := range got {
				w := want[key]
				switch {
				case w == nil:
					t.Errorf("%s is too many", key)
				case x.id != w.id || x.marked != w.marked || !slices.Equal(x.args, w.args):
					t.Errorf("%s is %+v, want %+v", key, x, w)
				case !c.restarts && x.copies != 1:
					t.Errorf("%s came %d times", key, x.copies)
				}
			}
		})
	}
}

// The lines of one start, with a serial to be filled in.
var startLines = []string{
	`type=SYSCALL msg=audit(1770110142.%03d:%07d): arch=c000003e syscall=59 success=yes exit=0 a0=55d3c1a0e2f0 a1=55d3c1a10b40 ppid=21866 pid=21907 uid=1001 gid=1001 euid=0 comm="curl" exe="/usr/bin/curl" key=(null)` + "\x1d" + `ARCH=x86_64 SYSCALL=execve UID="mallory" EUID="root"`,
	`type=EXECVE msg=audit(1770110142.%03d:%07d): argc=3 a0="curl" a1=2D7320 a2="http://169.254.169.254/latest/meta-data/"`,
	`type=CWD msg=audit(1770110142.%03d:%07d): cwd="/srv"`,
	`type=PATH msg=audit(1770110142.%03d:%07d): item=0 name="/usr/bin/curl" nametype=NORMAL`,
	`type=PROCTITLE msg=audit(1770110142.%03d:%07d): proctitle=6375726C002D7320`,
}

func startLine(i, ms, serial int) []byte { return fmt.Appendf(nil, startLines[i], ms, serial) }

// feed normalizes values one after the other and returns the renderings of the
// events of each, and the accounts.
type feeder struct {
	*auditd
	offset int64
	at     time.Time
	key    string
}

func (f *feeder) feed(value []byte) (events []ecs.Event, joined []int, skipped int, err error) {
	events, err = f.Normalize(nil, &Record{Value: value, Offset: f.offset, Time: f.at, Key: []byte(f.key)})
	f.offset++
	joined, skipped = f.Settled()
	return events, joined, skipped, err
}

func TestSettledAccountsForEachRecordOnce(t *testing.T) {
	other := []byte(`type=SYSCALL msg=audit(1770110142.500:9): arch=c000003e syscall=42 success=yes`)
	lines := func(lines ...[]byte) []byte { return bytes.Join(lines, []byte("\n")) }
	line := func(i int) []byte { return startLine(i, 100, 7) }
	later := func(i int) []byte { return startLine(i, 900, 8) }
	f := &feeder{auditd: newAuditd()}
	for _, c := range []struct {
		what    string
		value   []byte
		joined  string
		skipped int
		faulty  bool
	}{
		{"begins a start", line(0), "[]", 0, false},
		{"another event", other, "[]", 1, false},
		{"goes on", line(1), "[]", 0, false},
		{"came again", line(1), "[]", 0, false},
		{"in part unreadable", lines(line(2), []byte("x")), "[]", 0, true},
		{"ends it", line(4), "[4]", 0, false},
		{"late", line(3), "[]", 1, false},
		{"ends one and begins the next", lines(startLine(0, 200, 1), startLine(1, 200, 1), startLine(4, 200, 1), later(0)), "[0]", 0, false},
		{"ends two", lines(startLine(0, 901, 9), later(1), startLine(1, 901, 9), startLine(4, 901, 9), later(4)), "[1 1]", 0, false},
		{"two in one", lines(startLine(0, 902, 1), startLine(1, 902, 1), startLine(4, 902, 1), startLine(0, 902, 2), startLine(1, 902, 2), startLine(4, 902, 2)), "[1 0]", 0, false},
		{"an orphan", startLine(1, 903, 1), "[]", 0, false},
		{"its call comes and is none", []byte(`type=SYSCALL msg=audit(1770110142.903:0000001): arch=c000003e syscall=42 success=yes`), "[]", 2, false},
		{"nothing of ours", []byte(`type=USER_CMD msg=audit(1770110142.904:1): pid=1`), "[]", 1, false},
		{"an orphan again", startLine(1, 905, 1), "[]", 0, false},
		{"much later", []byte(`type=CWD msg=audit(1770110149.000:1): cwd="/"`), "[]", 1, false},
	} {
		events, joined, skipped, err := f.feed(c.value)
		if fmt.Sprint(joined) != c.joined || skipped != c.skipped || len(joined) != len(events) || (err != nil) != c.faulty {
			t.Errorf("%s: joined %v, skipped %d, %d events, error %v, want %s, %d", c.what, joined, skipped, len(events), err, c.joined, c.skipped)
		}
	}
	f.Expire(nil, EndOfInput)
	if joined, skipped := f.Settled(); len(joined) != 0 || skipped != 1 {
		t.Errorf("at the end: joined %v, skipped %d", joined, skipped)
	}
}

func TestEventsOfOneRecordHavePlaces(t *testing.T) {
	a := newAuditd()
	var value []byte
	for serial := range 5 {
		for i := range startLines {
			value = append(append(value, startLine(i, 100, serial)...), '\n')
		}
	}
	events, err := a.Normalize(nil, &Record{Value: value, Offset: 7})
	if err != nil || len(events) != 5 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i := range events {
		if events[i].Offset != 7 || events[i].Index != i*len(startLines) {
			t.Errorf("event %d is at offset %d, index %d", i, events[i].Offset, events[i].Index)
		}
	}
}

func TestClocksEndEvents(t *testing.T) {
	began := time.Date(2026, 2, 3, 9, 16, 0, 0, time.UTC)
	// by is a record of a host's clock alone.
	by := func(host string, ms int) []byte {
		return fmt.Appendf(nil, "node=%s type=CWD msg=audit(%d.%03d:1): cwd=\"/\"", host, 1770110142+ms/1000, ms%1000)
	}
	on := func(host string, line []byte) []byte { return append([]byte("node="+host+" "), line...) }
	for _, c := range []struct {
		what   string
		lines  [][]byte
		marked []bool // of the events of the last line
	}{
		{"all but extras, clock not far enough", [][]byte{on("a", startLine(0, 100, 1)), on("a", startLine(1, 100, 1)), by("a", 200)}, nil},
		{"all but extras", [][]byte{on("a", startLine(0, 100, 1)), on("a", startLine(1, 100, 1)), by("a", 201)}, []bool{false}},
		{"arguments missing, clock not far enough", [][]byte{on("a", startLine(0, 100, 1)), by("a", 2100)}, nil},
		{"arguments missing", [][]byte{on("a", startLine(0, 100, 1)), by("a", 2101)}, []bool{true}},
		{"clock of another host", [][]byte{on("a", startLine(0, 100, 1)), by("b", 60000)}, nil},
		{"late event", [][]byte{by("a", 9000), on("a", startLine(0, 100, 1)), by("a", 9000)}, nil},
		{"late event and clock", [][]byte{by("a", 9000), on("a", startLine(0, 100, 1)), by("a", 11001)}, []bool{true}},
		{"oldest first", [][]byte{on("a", startLine(0, 100, 1)), on("a", startLine(0, 101, 2)), on("a", startLine(1, 101, 2)), by("a", 5000)}, []bool{true, false}},
	} {
		f := &feeder{auditd: newAuditd(), at: began}
		for i, l := range c.lines {
			events, _, _, err := f.feed(l)
			var marked []bool
			for i := range events {
				marked = append(marked, events[i].Has(ecs.ErrorMessage))
			}
			if want := c.marked; err != nil || i < len(c.lines)-1 && marked != nil || i == len(c.lines)-1 && !slices.Equal(marked, want) {
				t.Errorf("%s: line %d gives %v, error %v, want %v", c.what, i, marked, err, want)
			}
		}
	}

	f := &feeder{auditd: newAuditd(), at: began}
	f.feed(on("a", startLine(0, 100, 1)))
	f.at = began.Add(joinIdle)
	if events, _, _, _ := f.feed(by("b", 0)); len(events) != 0 {
		t.Error("a host that fell silent is given up too soon")
	}
	f.at = began.Add(joinIdle + 1)
	if events, _, _, _ := f.feed(by("b", 0)); len(events) != 1 || f.Safe(9) != 1 {
		t.Errorf("a host that fell silent is not given up: %d events, Safe(9) is %d", len(events), f.Safe(9))
	}

	for lines, quiet := range []time.Duration{1: joinQuiet, 2: joinGrace} {
		f = &feeder{auditd: newAuditd(), at: began}
		for i := range lines {
			f.feed(startLine(i, 100, 1))
		}
		for i, after := range []time.Duration{time.Hour, time.Hour + quiet - 1, time.Hour + quiet} {
			if events := f.Expire(nil, began.Add(after)); len(events) != i/2*min(lines, 1) {
				t.Errorf("%d lines: Expire after %v gives %d events", lines, after, len(events))
			}
		}
	}
}

// TestExpireKeepsEventsOfNormalize: a caller may append both to one slice.
func TestExpireKeepsEventsOfNormalize(t *testing.T) {
	f := &feeder{auditd: newAuditd()}
	f.feed(startLine(0, 50, 6))
	for i := range 4 {
		f.feed(startLine(i, 100, 7))
	}
	events, _, _, _ := f.feed(startLine(4, 100, 7))
	before := string(events[0].AppendJSON(nil))
	events = f.Expire(events, EndOfInput)
	if len(events) != 2 || string(events[0].AppendJSON(nil)) != before || string(events[1].AppendJSON(nil)) == before {
		t.Errorf("%d events, the first was %s, is %s", len(events), before, events[0].AppendJSON(nil))
	}
}

func TestHostsKeepEventsApart(t *testing.T) {
	shipped := func(who string, line []byte) []byte {
		return append(ecs.AppendString([]byte("{"+who+`"message":`), line), '}')
	}
	for _, c := range []struct {
		what string
		wrap func(host string, line []byte) ([]byte, string) // value and key
		name string
	}{
		{"node", func(h string, l []byte) ([]byte, string) { return append([]byte("node="+h+" "), l...), "key" }, "a"},
		{"syslog", func(h string, l []byte) ([]byte, string) {
			return append([]byte("Feb  3 09:15:42 "+h+" audispd: "), l...), "key"
		}, "a"},
		{"host.name", func(h string, l []byte) ([]byte, string) { return shipped(`"host":{"name":"`+h+`"},`, l), "key" }, "a"},
		{"host", func(h string, l []byte) ([]byte, string) { return shipped(`"host":"`+h+`",`, l), "key" }, "a"},
		{"agent", func(h string, l []byte) ([]byte, string) { return shipped(`"agent":{"id":"`+h+`"},`, l), "key" }, ""},
		{"key", func(h string, l []byte) ([]byte, string) { return l, h }, "a"},
		{"key of bytes", func(h string, l []byte) ([]byte, string) { return l, "\x00\xff" + h }, ""},
	} {
		f := &feeder{auditd: newAuditd()}
		found := map[string]string{}
		for i := range startLines {
			for _, h := range []string{"a", "b"} {
				value, key := c.wrap(h, startLine(i, 100, 7))
				f.key = key
				events, _, _, err := f.feed(value)
				if err != nil {
					t.Errorf("%s: %v", c.what, err)
				}
				for j := range events {
					found[string(events[j].First(ecs.EventID))] = string(events[j].First(ecs.HostName))
				}
			}
		}
		names := []string{}
		for _, name := range found {
			names = append(names, name)
		}
		if slices.Sort(names); len(names) != 2 || names[0] != c.name {
			t.Errorf("%s: events of hosts %q, want two", c.what, names)
		}
	}
}

// TestWhatIsHeldBackIsBounded: an event too many ends the oldest, and memory is
// given back.
func TestWhatIsHeldBackIsBounded(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 100<<10)
	for _, c := range []struct {
		what   string
		n      int
		line   func(i int) []byte
		events int
	}{
		{"events of a host", maxHostPending + 10, func(i int) []byte { return startLine(0, 100, i) }, 10},
		{"events of a partition", maxPending + 10, func(i int) []byte { return fmt.Appendf(nil, "node=h%d %s", i%100, startLine(0, 100, i)) }, 10},
		{"hosts", 2*maxHosts + 10, func(i int) []byte { return fmt.Appendf(nil, "node=h%d %s", i, startLine(0, 100, i)) }, 2*maxHosts + 10 - maxPending},
		{"bytes", 400, func(i int) []byte { return fmt.Appendf(nil, "%s b=%s", startLine(0, 100, i), big) }, 400 - maxHeld/(101<<10)},
		{"orphans", maxHostPending + 10, func(i int) []byte { return startLine(1, 100, i) }, 0},
		{"other events", 3 * maxOver, func(i int) []byte {
			return fmt.Appendf(nil, "type=SYSCALL msg=audit(1770110142.100:%d): arch=c000003e syscall=42 success=yes", i)
		}, 0},
	} {
		f := &feeder{auditd: newAuditd()}
		events, last := 0, int64(-1)
		for i := range c.n {
			got, _, _, err := f.feed(c.line(i))
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if got[i].Offset <= last || !got[i].Has(ecs.ErrorMessage) {
					t.Errorf("%s: event at %d behind %d, marked %v", c.what, got[i].Offset, last, got[i].Has(ecs.ErrorMessage))
				}
				last = got[i].Offset
			}
			events += len(got)
			if f.count > maxPending || f.held > maxHeld || len(f.hosts) > maxHosts || len(f.known) > maxPending+maxOver || len(f.over) > maxOver {
				t.Fatalf("%s: %d events, %d bytes, %d hosts, %d known", c.what, f.count, f.held, len(f.hosts), len(f.known))
			}
		}
		if events < c.events*98/100 || events > c.events*102/100 {
			t.Errorf("%s: %d events were ended early, want about %d", c.what, events, c.events)
		}
		f.Reset()
		if events := f.Expire(nil, EndOfInput); len(events) != 0 || f.Safe(7) != 7 {
			t.Errorf("%s: %d events after Reset", c.what, len(events))
		}
	}
}

// TestJoinAlloc joins whole events, each line a record, and events that are no
// starts, without allocating.
func TestJoinAlloc(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	around := map[string][2]string{ // what a shipper writes in front of a line and behind it
		"line":       {},
		"syslog":     {"<14>Feb  3 09:16:00 tern-db-2 audispd: ", ""},
		"filebeat":   {`{"host":{"name":"tern-1"},"agent":{"id":"0d9c1f6e"},"log":{"offset":1},"message":"`, `"}`},
		"fluent-bit": {`{"@timestamp":"2026-02-03T09:16:24.600Z","log":"`, `"}`},
		"journald":   {`{"_HOSTNAME":"tern-web-1","_TRANSPORT":"syslog","MESSAGE":"`, `"}`},
		"original":   {`{"event":{"original":"`, `"}}`},
	}
	for _, shape := range Lookup("auditd").Shapes {
		for _, c := range []struct {
			what   string
			lines  []string
			events int
		}{
			{"start", startLines, 1},
			{"skip", []string{strings.Replace(startLines[0], "syscall=59", "syscall=42", 1), startLines[2], startLines[4]}, 0},
		} {
			t.Run(shape+"/"+c.what, func(t *testing.T) {
				a, dst := newAuditd(), []ecs.Event(nil)
				var lines [][]byte
				for _, l := range c.lines {
					text := fmt.Sprintf(l, 100, 0)
					if around[shape][1] != "" {
						quoted := string(ecs.AppendString(nil, []byte(text)))
						text = quoted[1 : len(quoted)-1]
					}
					line := []byte(around[shape][0] + text + around[shape][1])
					lines = append(lines, line)
				}
				r := &Record{Time: arrival}
				serial, events := 0, 0
				event := func() {
					serial++
					for _, line := range lines {
						colon := bytes.Index(line, []byte("42.100:")) + len("42.100:")
						for i, n := 6, serial; i >= 0; i, n = i-1, n/10 {
							line[colon+i] = byte('0' + n%10)
						}
						r.Value = line
						r.Offset++
						var err error
						if dst, err = a.Normalize(dst[:0], r); err != nil {
							t.Fatal(err)
						}
						for i := range dst {
							if events++; dst[i].Shape != shape {
								t.Fatalf("an event of shape %s", dst[i].Shape)
							}
						}
					}
				}
				for range 2 * maxOver { // until the ring is full
					event()
				}
				if allocs := testing.AllocsPerRun(1000, event); allocs != 0 {
					t.Errorf("%v allocations an event, want 0", allocs)
				}
				if events != serial*c.events {
					t.Errorf("%d events of %d", events, serial)
				}
			})
		}
	}
}

// go test ./normalize -run '^$' -bench Join
func BenchmarkJoin(b *testing.B) {
	for _, c := range []struct {
		what   string
		lines  []string
		events int
	}{
		{"start", startLines, 1},
		{"skip", []string{strings.Replace(startLines[0], "syscall=59", "syscall=42", 1), startLines[4]}, 0},
	} {
		b.Run("event="+c.what, func(b *testing.B) {
			a, dst := newAuditd(), []ecs.Event(nil)
			var lines [][]byte
			size := 0
			for _, l := range c.lines {
				lines = append(lines, fmt.Appendf(nil, l, 100, 0))
				size += len(l)
			}
			r := &Record{Time: arrival}
			serial, events := 0, 0
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				serial++
				for _, line := range lines {
					colon := bytes.Index(line, []byte("42.100:")) + len("42.100:")
					for i, n := 6, serial; i >= 0; i, n = i-1, n/10 {
						line[colon+i] = byte('0' + n%10)
					}
					r.Value = line
					dst, _ = a.Normalize(dst[:0], r)
					events += len(dst)
				}
			}
			if serial < 1e7 && events != serial*c.events {
				b.Fatalf("%d events of %d", events, serial)
			}
		})
	}
}

// TestAnEventWithManyRecordsIsNotCutShort: the kernel writes many arguments as
// many records, and others' come between; each record gives the event its time
// anew.
func TestAnEventWithManyRecordsIsNotCutShort(t *testing.T) {
	const records = 40
	a := newAuditd()
	line := func(ms int, text string) []ecs.Event {
		events, err := a.Normalize(nil, &Record{Value: []byte(strings.ReplaceAll(text, "AT", fmt.Sprintf("%d.%03d", 1770110142+ms/1000, ms%1000)))})
		if err != nil {
			t.Fatal(err)
		}
		return events
	}
	line(0, `node=a type=SYSCALL msg=audit(1770110142.000:7): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=2 uid=0 comm="curl" exe="/usr/bin/curl"`)
	var events []ecs.Event
	for i := range records {
		argc := ""
		if i == 0 {
			argc = fmt.Sprintf("argc=%d ", records)
		}
		if cut := line(i*200, fmt.Sprintf(`node=a type=EXECVE msg=audit(1770110142.000:7): %sa%d="x%d"`, argc, i, i)); len(cut) > 0 {
			t.Fatalf("the event ends with record %d of %d", i, records)
		}
		events = append(events, line(i*200+100, fmt.Sprintf(`node=a type=SYSCALL msg=audit(AT:%d): arch=c000003e syscall=42 success=yes exit=0`, 100+i))...)
	}
	events = append(events, line(records*200, `node=a type=PROCTITLE msg=audit(1770110142.000:7): proctitle="curl"`)...)
	events = append(events, a.Expire(nil, time.Unix(1770110142+3600, 0))...)
	if len(events) != 1 || len(events[0].Values(ecs.ProcessArgs)) != records || events[0].Has(ecs.ErrorMessage) {
		t.Errorf("%d events, want one with %d arguments and no mark", len(events), records)
	}
}
