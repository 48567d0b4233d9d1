package normalize

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// TestAutoReadsEachRecordAsItsSource holds auto against the source named, over
// every golden and every sample of every source. It tells no record as that of
// another source; one that has no mark left, such as a hostile one, it refuses.
func TestAutoReadsEachRecordAsItsSource(t *testing.T) {
	unmarked := map[string]int{}
	for _, g := range withSamples(t) {
		source := Lookup(g.source)
		named, namedErr := readAlone(source.New(), nil, &Record{Value: g.raw, Time: arrival})
		want := render(named, namedErr)
		a := newAuto()
		told, _ := a.tell(g.raw)
		switch {
		case told == nil && len(named) > 0:
			t.Errorf("%s: %s: an event is lost, no source is told", g.source, g.name)
		case told == nil:
			unmarked[g.source]++
		case told.source.Name != g.source && g.source == "ecs":
			// a document of ECS by a sensor that is a source of its own
		case told.source.Name != g.source && len(named) == 0 && namedErr != nil:
			// another source's record, which this one refuses
		case told.source.Name != g.source:
			t.Errorf("%s: %s is told as %s", g.source, g.name, told.source.Name)
		default:
			events, err := readAlone(newAuto(), nil, &Record{Value: g.raw, Time: arrival})
			for i := range events {
				if events[i].Source != g.source {
					t.Errorf("%s: %s: event says source %q", g.source, g.name, events[i].Source)
				}
			}
			if diff := cmp.Diff(string(want), string(render(events, err))); diff != "" {
				t.Errorf("%s: %s (-named +auto):\n%s", g.source, g.name, diff)
			}
		}
	}
	t.Logf("records without a mark, which auto refuses: %v", unmarked)
}

// TestAutoTellsARecordByItsID: LAUREL names no member in every record but ID,
// which other programs have too.
func TestAutoTellsARecordByItsID(t *testing.T) {
	for raw, want := range map[string]string{
		`{"ID":"1770110158.187:48231","URINGOP":[{"uring_op":18}]}`: "laurel",
		`{"ID":"1770110158.187:1","USER_CMD":{}}`:                   "laurel",
		`{"ID":"1770110158.187","USER_CMD":{}}`:                     "",
		`{"ID":"1770110158-187:1","USER_CMD":{}}`:                   "",
		`{"ID":"2770110158.187:1","USER_CMD":{}}`:                   "",
		`{"ID":1770110158187,"USER_CMD":{}}`:                        "",
		`{"id":"1770110158.187:1","USER_CMD":{}}`:                   "",
	} {
		got, err := newAuto().tell([]byte(raw))
		if err != nil || got == nil != (want == "") || got != nil && got.source.Name != want {
			t.Errorf("%s: told as %v, error %v, want %q", raw, got, err, want)
		}
	}
}

// example is a golden or a sample.
type example struct {
	source, name string
	raw          []byte
}

func withSamples(t *testing.T) (all []example) {
	for _, g := range goldens(t) {
		all = append(all, example{g.source, g.expected, g.raw})
	}
	for _, s := range Told() {
		attacks, nearMisses := s.Samples()
		for _, raw := range append(attacks, nearMisses...) {
			all = append(all, example{s.Name, "sample " + string(raw[:min(len(raw), 60)]), raw})
		}
	}
	return all
}

// TestAutoJoins: the records of an audit event come apart and among those of
// other sources, and each is counted once.
func TestAutoJoins(t *testing.T) {
	attacks, _ := Lookup("defend").Samples()
	lines := []string{
		`node=a type=SYSCALL msg=audit(1770110142.187:7): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=2 uid=0 comm="curl" exe="/usr/bin/curl"`,
		string(attacks[0]),
		`node=a type=EXECVE msg=audit(1770110142.187:7): argc=2 a0="curl" a1="http://h/latest/meta-data/iam/security-credentials/r"`,
		`{"fits":"nothing"}`,
		`node=a type=PROCTITLE msg=audit(1770110142.187:7): proctitle="curl"`,
	}
	a := newAuto()
	var sources []string
	records, skipped, faults := 0, 0, 0
	take := func(events []ecs.Event) {
		joined, none := a.Settled()
		if len(joined) != len(events) {
			t.Fatalf("%d events, %d accounts", len(events), len(joined))
		}
		for i := range events {
			sources = append(sources, events[i].Source)
			records += joined[i]
		}
		skipped += none
	}
	for i, line := range lines {
		events, err := a.Normalize(nil, &Record{Value: []byte(line), Offset: int64(i)})
		if err != nil {
			faults++
		}
		take(events)
		if i == 2 && a.Safe(3) != 0 {
			t.Errorf("safe is %d while the event of offset 0 is held back", a.Safe(3))
		}
	}
	take(a.Expire(nil, EndOfInput))
	if got := strings.Join(sources, " "); got != "defend auditd" {
		t.Errorf("events of %q, want defend auditd", got)
	}
	if records != 4 || skipped != 0 || faults != 1 {
		t.Errorf("%d records joined, %d skipped, %d at fault, want 4, 0, 1", records, skipped, faults)
	}
	if a.Pending() != 0 || a.Safe(5) != 5 {
		t.Errorf("%d events held back, safe %d", a.Pending(), a.Safe(5))
	}
}

// TestValuesBehindASchemaID: JSON behind Confluent's header is read past it,
// Avro says so.
func TestValuesBehindASchemaID(t *testing.T) {
	attacks, _ := Lookup("crowdstrike").Samples()
	for _, id := range []string{"\x00\x00\x00\x00\x01", "\x00\x00\x01\x00\x2a", "\x00\x01\x00\x00\x05"} {
		framed := append([]byte(id), attacks[0]...)
		events, err := Lookup("crowdstrike").New().Normalize(nil, &Record{Value: framed})
		if len(events) != 1 || err != nil {
			t.Errorf("%q: %d events, error %v", id, len(events), err)
		}
		cut := framed[:len(framed)-1]
		if _, err := Lookup("crowdstrike").New().Normalize(nil, &Record{Value: cut}); err == nil || !strings.Contains(err.Error(), "ends") {
			t.Errorf("%q: cut off, error %v", id, err)
		} else if fault, ok := errors.AsType[*Error](err); !ok || fault.Byte != len(cut) {
			t.Errorf("%q: %v, want the place %d of the whole value", id, err, len(cut))
		}
	}
	_, err := Lookup("crowdstrike").New().Normalize(nil, &Record{Value: []byte("\x00\x00\x00\x00\x01\x0ecurl.exe\x02")})
	if err == nil || !strings.Contains(err.Error(), "Avro") {
		t.Errorf("Avro: error %v", err)
	}
	if bytes.Contains([]byte(err.Error()), []byte("curl")) {
		t.Errorf("the error holds content: %v", err)
	}
}

// TestAutoIsNotMisledByWhatUsersWrite: the marks of other sources on a command
// line do not hide it.
func TestAutoIsNotMisledByWhatUsersWrite(t *testing.T) {
	const path = "security-credentials/"
	changed := map[string]int{}
	for _, s := range Told() {
		attacks, _ := s.Samples()
		for i, raw := range attacks {
			marks := "<Event{'ID':audit(AdvancedHunting-/win/2004/08/events/event"
			if bytes.Contains(raw, []byte("<Event")) {
				marks = strings.ReplaceAll(marks, "<", "&lt;")
			}
			misled := bytes.ReplaceAll(raw, []byte(path), []byte(path+marks))
			if !bytes.Equal(misled, raw) {
				changed[s.Name]++
			}
			if m, _ := newAuto().tell(misled); m == nil || m.source != s {
				t.Errorf("%s: attack %d is told as %+v", s.Name, i, m)
			}
		}
	}
	for _, name := range []string{"windows", "auditd", "defend", "crowdstrike", "m365"} {
		if changed[name] == 0 {
			t.Errorf("%s: no attack carries the marks", name)
		}
	}
}

// TestAutoIsNotMisledByAMessage: pipelines copy the command line into message,
// with all that its user writes.
func TestAutoIsNotMisledByAMessage(t *testing.T) {
	for _, written := range []string{"", " audit(", " type=X msg=audit(1.1:1):", ` {\"ID\":\"1:1\"}`, ` {\"sequence\":1`, " <Event", " AdvancedHunting-"} {
		raw := `{"message":"curl` + written + `","event":{"kind":"event","category":["process"],"type":["start"],"action":"exec"},` +
			`"host":{"os":{"type":"linux"}},"process":{"name":"curl","args":["curl"]}}`
		events, err := newAuto().Normalize(nil, &Record{Value: []byte(raw)})
		if len(events) != 1 || err != nil || events[0].Source != "ecs" {
			t.Errorf("%q: %d events, error %v, want one of ecs", written, len(events), err)
		}
	}
}

// TestAutoLetsGoOnABusyTopic: the records of other sources move the clock by
// which an event ends that gets no more records.
func TestAutoLetsGoOnABusyTopic(t *testing.T) {
	a := newAuto()
	at := arrival
	line := []byte(`node=a type=SYSCALL msg=audit(1770110142.187:7): arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=2 uid=0 comm="curl" exe="/usr/bin/curl"`)
	if events, err := a.Normalize(nil, &Record{Value: line, Time: at}); len(events) != 0 || err != nil || a.Safe(1) != 0 {
		t.Fatalf("%d events, error %v, safe %d", len(events), err, a.Safe(1))
	}
	for i := range int64(100) {
		at = at.Add(time.Second)
		events, err := a.Normalize(nil, &Record{Value: []byte(`{"event_simpleName":"EndOfProcess"}`), Time: at, Offset: 1 + i})
		if err != nil {
			t.Fatal(err)
		}
		if len(events) == 1 {
			if joined, skipped := a.Settled(); len(joined) != 1 || joined[0] != 1 || skipped != 1 {
				t.Errorf("accounts of %v records and %d skipped, want 1 and 1", joined, skipped)
			}
			return
		}
	}
	t.Errorf("the event is held back after 100 s, safe %d", a.Safe(101))
}
