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
	{"command lines and parents", "sentinelone", `{"meta.event.name":"PROCESSCREATION"`, `,"tgt.process.cmdline":"a \"b\"","src.process.cmdline":"\"c\" d"`, `}`, 1, true},
	{"dots", "sentinelone", `{"meta.event.name":"PROCESSCREATION","tgt.process.name":"x","tgt.process`, `.tgt.process`, `":1}`, 1, false},
	{"agents", "sentinelone", `{"meta.event.name":"PROCESSCREATION","tgt.process.name":"x","agent.uuid":["a"`, `,"\u0061"`, `]}`, 1, true},
	{"subtypes", "endgame", `{"event_type":"process","event_type_full":"process_event","process_name":"x","event_subtype_full":["creation_event"`, `,"\u0078"`, `]}`, 1, true},
	{"actions and systems", "endgame", `{"event":{"module":"endgame","category":"process","action":["exec_event"`, `,"x"],"action":["creation_event"`, `]},"process":{"name":"x"}}`, 1, true},
	{"systems", "endgame", `{"event":{"module":"endgame","category":"process","action":"exec_event"},"process":{"name":"x"},"observer":{"os":{"type":["a"`, `,"\u0061"`, `]}}}`, 1, true},
	{"a buffer's command line", "endgame", `{"event_type":"process","opcode":1,"command_line":"`, `\"\" `, `"}`, 1, true},
	{"a title", "auditbeat", `{"auditd":{"result":"success"},"event":{"action":"executed"},"process":{"name":"x","title":"`, `a `, `"}}`, 1, true},
	{"raw records", "auditbeat", `{"auditd":{"result":"success"},"event":{"action":"executed","original":[""`, `,"type=EXECVE msg=audit(1.0:1): a0=41"`, `]},"process":{"name":"x"}}`, 1, true},
	{"a raw record", "auditbeat", `{"auditd":{"result":"success"},"event":{"action":"executed","original":"type=EXECVE msg=audit(1.0:1): argc=9`, ` a0=41`, `"},"process":{"name":"x"}}`, 1, false},
	{"fragments", "auditbeat", `{"auditd":{"result":"success"},"event":{"action":"executed","original":"type=EXECVE msg=audit(1.0:1):`, ` a0[0]=\"\"`, `"},"process":{"name":"x"}}`, 1, false},
	{"modules", "auditbeat", `{"event":{"action":"process_started","module":["x"`, `,"\u0078"`, `,"system"]},"process":{"name":"x"}}`, 0, true},
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
	{"data elements", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data>`, `<Data Name='x'>`, `</EventData></Event>`, 1, true},
	{"images in XML", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data>`, `<Data Name='Image'>b</Data>`, `</EventData></Event>`, 1, true},
	{"events in events", "windows", `<Event>`, `<Event `, ``, 0, true},
	{"event names", "windows", ``, `Event`, ``, 0, true},
	{"prefixes", "windows", `x`, ` Event`, ``, 0, true},
	{"less-thans", "windows", `<Event>`, `<`, ``, 0, true},
	{"less-thans in a text", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data><Data Name='CommandLine'>`, `<`, `</Data></EventData></Event>`, 1, false},
	{"a huge attribute", "windows", `<Event><System><Provider Name='`, `a`, `'/></System></Event>`, 0, true},
	{"attributes", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data><Data`, `  x='1'`, ` Name='x'/></EventData></Event>`, 1, false},
	{"open quotes", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data>`, `<Data Name='`, `</EventData></Event>`, 1, true},
	{"entities", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data><Data Name='CommandLine'>`, `&amp;`, `</Data></EventData></Event>`, 1, false},
	{"ampersands", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data><Data Name='CommandLine'>`, `&`, `</Data></EventData></Event>`, 1, false},
	{"arguments as entities", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data><Data Name='CommandLine'>`, `a&#32;`, `</Data></EventData></Event>`, 1, true},
	{"a provider of entities", "windows", `<Event><System><EventID>1</EventID><Provider Name='`, `&amp;`, `'/></System></Event>`, 0, false},
	{"comments", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data><Data Name='CommandLine'>`, `<!---->`, `</Data></EventData></Event>`, 1, false},
	{"open comments", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data><Data Name='CommandLine'>`, `<!--`, ``, 1, true},
	{"open CDATA", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data>`, `<![CDATA[`, ``, 1, true},
	{"CDATA", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data><Data Name='CommandLine'>`, "<![CDATA[\r]]>", `</Data></EventData></Event>`, 1, false},
	{"starts", "windows", ``, `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data></EventData></Event>`, ``, 16384, true},
	{"events without providers", "windows", ``, `<Event/>`, ``, 0, true},
	{"sections", "windows", `<Event><System><Provider Name='Linux-Sysmon'/><EventID>1</EventID></System><EventData><Data Name='Image'>a</Data></EventData>`, `<System></System>`, `</Event>`, 1, false},
	{"a line of syslog", "windows", `<14>Mar 11 06:25:02 rye-web-2 sshd[1]: `, `a`, ``, 0, false},
	{"escaped XML", "windows", `{"message":"<Event>`, `\u003c`, `"}`, 0, true},
	{"members without XML", "windows", `{"EventID":1,"log":"Event"`, `,"message":"Event"`, `}`, 0, true},
	{"string inserts", "windows", `{"ProviderName":"Microsoft-Windows-Sysmon","EventID":1,"StringInserts":["a"`, `,"a"`, `]}`, 1, true},
	{"nested event data", "windows", `{"Provider":"Microsoft-Windows-Sysmon","EventID":1,"EventData":"{\"Image\":`, `[`, `"}`, 1, true},
	{"event data", "windows", `{"Provider":"Microsoft-Windows-Sysmon","EventID":1`, `,"EventData":"{}"`, `}`, 1, true},
	{"event data in XML", "windows", `{"Source":"Microsoft-Windows-Sysmon","EventID":1,"EventData":"`, ` <Data Name='Image'>a</Data>`, `"}`, 1, true},
	{"records of ECS", "windows", `{"winlog":{"provider_name":"Microsoft-Windows-Sysmon","event_id":1},"process":{"command_line":"`, `a `, `"}}`, 1, true},
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
			if len(events) > 1 {
				events = nil // many rows are the caller's to drop
			}
			events, err = n.Normalize(events[:0], &Record{Value: []byte(`{"event":{"kind":"event","category":"process","type":"start","action":["exec","exec_event","executed"]},` +
				`"process":{"name":"x"},"observer":{"product":"SMP"},"service":{"type":"auditd"},"meta":{"event":{"name":"PROCESSCREATION"}},"tgt":{"process":{"name":"x"}},` +
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
