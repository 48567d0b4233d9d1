package normalize

import (
	"runtime"
	"strings"
	"testing"
)

// hostile are records of the largest size that aim at a normalizer's memory or
// time. Each is head, as much of fill as goes in, tail.
var hostile = []struct {
	what, source, head, fill, tail string
	events                         int
	faulty                         bool
}{
	{"arguments of one letter", "crowdstrike", `{"event_simpleName":"ProcessRollup2","CommandLine":"`, `a `, `"}`, 1, true},
	{"quoted arguments", "crowdstrike", `{"event_simpleName":"ProcessRollup2","ImageFileName":"/","CommandLine":"`, `\"\" `, `"}`, 1, true},
	{"backslashes", "crowdstrike", `{"event_simpleName":"ProcessRollup2","CommandLine":"\"`, `\\`, `\""}`, 1, false},
	{"command lines", "crowdstrike", `{"event_simpleName":"ProcessRollup2"`, `,"CommandLine":"a b c d e f"`, `}`, 1, true},
	{"images", "crowdstrike", `{"event_simpleName":"ProcessRollup2"`, `,"ImageFileName":"\\Device\\HarddiskVolume1\\x"`, `}`, 1, true},
	{"sensor ids", "crowdstrike", `{"event_simpleName":"ProcessRollup2","aid":[1`, `,1`, `]}`, 1, true},
	{"actions", "crowdstrike", `{"event_simpleName":["x"`, `,"\u0078"`, `]}`, 0, true},
	{"arguments", "defend", `{"event":{"kind":"event","category":"process","type":"start","action":"exec"},"process":{"args":["a"`, `,""`, `]}}`, 1, true},
	{"one long action", "defend", `{"host":{"os":{"type":"linux"}},"event":{"kind":"event","category":"process","type":"start","action":["exec","`, `\n`, `"]}}`, 1, false},
	{"escaped names", "defend", `{"event":{"kind":"event"`, `,"\u0061ction":"exec"`, `}}`, 0, true},
	{"wrong numbers", "defend", `{"event":{"kind":"event","category":"process","type":"start","action":"exec","sequence":["x"`, `,"x"`, `]}}`, 1, true},
	{"arrays in arrays", "ecs", `{"event":[{}`, `,[[[[[[[[]]]]]]]]`, `]}`, 0, true},
	{"one name", "ecs", `{"event":{"category":"process"},"`, `process.`, `":1}`, 1, false},
	{"hashes", "windows", `{"SourceName":"Microsoft-Windows-Sysmon","EventID":1,"Image":"a","Hashes":"`, `MD5=1,`, `"}`, 1, false},
	{"a message", "windows", `{"SourceName":"Microsoft-Windows-Sysmon","EventID":1,"Image":"a","ProcessGuid":"{1}","Message":"`, `\nProcessGuid: `, `"}`, 1, false},
	{"providers", "windows", `{"SourceName":"x","EventID":[1`, `,1`, `],"SourceName":"Microsoft-Windows-Sysmon"}`, 0, true},
	{"providers and ids", "windows", `{"EventID":["x"`, `,"x"],"SourceName":["Microsoft-Windows-Sysmon"],"EventID":["x"`, `]}`, 0, true},
}

// TestNormalizeIsNotBlownUp reads the hostile records in linear time, or the
// test runs into its timeout, and in a multiple of their size, of which nothing
// is left when the next record was read.
func TestNormalizeIsNotBlownUp(t *testing.T) {
	if testing.Short() || underRace {
		t.Skip("measures memory")
	}
	const size, most, kept = 60 << 20, 400 << 20, 1 << 20
	for _, h := range hostile {
		t.Run(strings.ReplaceAll(h.what, " ", "-"), func(t *testing.T) {
			n := Lookup(h.source).New()
			before := heap()
			value := []byte(h.head + strings.Repeat(h.fill, (size-len(h.head)-len(h.tail))/len(h.fill)) + h.tail)
			built := heap()
			events, err := n.Normalize(nil, &Record{Value: value})
			used := heap().TotalAlloc - built.TotalAlloc
			if used > most {
				t.Errorf("%d MB allocated, want %d or less", used>>20, most>>20)
			}
			if len(events) != h.events || (err != nil) != h.faulty {
				t.Errorf("%d events, want %d, error %v", len(events), h.events, err)
			}
			events, err = n.Normalize(events[:0], &Record{Value: []byte(`{"event":{"kind":"event","category":"process","type":"start","action":"exec"},` +
				`"event_simpleName":"ProcessRollup2","SourceName":"Microsoft-Windows-Sysmon","EventID":1,"Image":"x"}`)})
			if len(events) != 1 || err != nil {
				t.Fatalf("next record: %d events, error %v", len(events), err)
			}
			if left := int64(heap().HeapAlloc) - int64(before.HeapAlloc); left > kept {
				t.Errorf("%d KB are kept after the next record, want %d or less", left>>10, kept>>10)
			}
			runtime.KeepAlive(n)
			runtime.KeepAlive(events)
		})
	}
}

func heap() (m runtime.MemStats) {
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m
}
