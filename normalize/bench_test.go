package normalize

import (
	"fmt"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// hot are records as they come by the million: for every shape one that is
// skipped and a start, with escapes, clocks, hashes and floats in them.
var hot = []struct {
	source, shape, skip, start string
}{
	{"defend", "linux", "linux-fork", "linux-array-start"},
	{"defend", "linux-merged", "linux-end", "linux-merged-imds"},
	{"defend", "macos", "linux-network", "macos-array-imds"},
	{"defend", "windows", "windows-library-load", "windows-scalar-imds"},
	{"crowdstrike", "fdr", "fdr-synthetic", "fdr-linux-start"},
	{"crowdstrike", "fdr-windows", "fdr-command-history", "fdr-windows-imds"},
	{"crowdstrike", "fdr-runc", "fdr-stats", "fdr-linux-runc"},
	{"crowdstrike", "nested", "nested-synthetic", "nested-linux-start"},
	{"sentinelone", "flat", "flat-cross-process", "flat-windows-start"},
	{"sentinelone", "flat-linux", "flat-script", "flat-linux-imds"},
	{"sentinelone", "nested", "nested-exit", "nested-windows-start"},
	{"endgame", "ecs", "ecs-end", "ecs-windows-start"},
	{"endgame", "ecs-linux", "ecs-fork", "ecs-linux-imds"},
	{"endgame", "ecs-arrays", "ecs-arrays-end", "ecs-arrays-imds"},
	{"endgame", "native", "native-already-running", "native-windows-start"},
	{"auditbeat", "auditd", "auditd-connect", "auditd-long-name-start"},
	{"auditbeat", "auditd-old", "auditd-user-command", "auditd-old-imds"},
	{"auditbeat", "auditd-raw", "auditd-failed", "auditd-raw-original-imds"},
	{"auditbeat", "auditd-title", "auditd-service", "auditd-title-alone-imds"},
	{"auditbeat", "system", "system-existing", "system-start"},
	{"m365", "records", "records-skip", "records-start"},
	{"m365", "record", "record-network", "record-start"},
	{"m365", "record-linux", "record-powershell-command", "record-linux-imds"},
	{"m365", "record-macos", "record-image-load", "record-macos-exec-imds"},
	{"m365", "record-cloud", "record-cloud-terminated", "record-cloud-folder-alone-imds"},
	{"m365", "records-last", "records-empty", "records-last-imds"},
	{"m365", "lines", "lines-skip", "lines-start"},
	{"m365", "array", "array-skip", "array-start"},
	{"ecs", "nested", "nested-registry", "nested-start"},
	{"ecs", "dotted", "dotted-authentication", "dotted-imds"},
	{"laurel", "laurel", "laurel-connect", "laurel-percent"},
	{"laurel", "wrapped", "wrapped-connect", "wrapped-percent-quotes-imds"},
	{"goaudit", "go-audit", "go-audit-connect", "go-audit-split-imds"},
	{"laurel", "prefixed", "prefixed-connect", "prefixed-syslog-imds"},
	{"goaudit", "wrapped", "wrapped-connect", "wrapped-gelf-imds"},
	{"goaudit", "syslog", "go-audit-clone", "syslog-imds"},
	{"windows", "winlogbeat8", "winlogbeat8-sysmon3-connection", "winlogbeat8-sysmon1-start"},
	{"windows", "winlogbeat8-4688", "winlogbeat8-4689", "winlogbeat8-4688-start"},
	{"windows", "nxlog", "nxlog-sysmon5", "nxlog-sysmon1-start"},
	{"windows", "nxlog-message", "nxlog-kernel-general-1", "nxlog-sysmon1-service-pid-imds"},
	{"windows", "nxlog-4688", "nxlog-4689", "nxlog-4688-start"},
	{"windows", "nxlog-4688-zone", "nxlog-4624", "nxlog-4688-local-clock-start"},
	{"windows", "get-winevent", "get-winevent-sysmon7", "get-winevent-sysmon1-start"},
	{"windows", "get-winevent-4688", "get-winevent-4673", "get-winevent-4688-start"},
	{"windows", "winlogbeat7", "winlogbeat7-sysmon5", "winlogbeat7-sysmon1-imds"},
	{"windows", "winlogbeat7-module", "winlogbeat7-module-4689", "winlogbeat7-module-sysmon1-imds"},
	{"windows", "elastic-agent", "elastic-agent-sysmon22", "elastic-agent-4688-imds"},
	{"windows", "ingested", "ingested-sysmon3", "ingested-4688-imds"},
	{"windows", "xml", "xml-sysmon5", "xml-sysmon1-imds"},
	{"windows", "xml-4688", "xml-4689", "xml-rendered-imds"},
	{"windows", "syslog-xml", "syslog-xml-other-program", "syslog-xml-rfc3164-imds"},
	{"windows", "syslog-xml-json", "syslog-xml-journal-other-program", "syslog-xml-azure-imds"},
	{"windows", "fluent-bit", "fluent-bit-sysmon5", "fluent-bit-sysmon1-imds"},
	{"windows", "fluent-bit-xml", "fluent-bit-xml-sysmon5", "fluent-bit-xml-imds"},
	{"windows", "fluent-bit-map", "fluent-bit-4689", "fluent-bit-map-imds"},
	{"windows", "vector", "vector-sysmon5", "vector-sysmon1-imds"},
	{"windows", "azure-securityevent", "azure-securityevent-4624", "azure-securityevent-4688-imds"},
	{"windows", "azure-windowsevent", "azure-windowsevent-sysmon3", "azure-windowsevent-sysmon1-imds"},
	{"windows", "azure-event", "azure-windowsevent-4689", "azure-windowsevent-event-table-imds"},
	{"windows", "evtx-dump", "evtx-dump-sysmon5", "evtx-dump-sysmon1-imds"},
	{"windows", "evtx-dump-separate", "evtx-dump-cmdlet-1", "evtx-dump-separate-imds"},
}

// eachHot runs f for each hot record with the events that it must give.
func eachHot(tb testing.TB, f func(name string, n Normalizer, r *Record, events int)) {
	records := map[string]*Record{}
	for _, g := range goldens(tb) {
		records[g.source+"/"+g.name] = g.record()
	}
	for _, h := range hot {
		for _, c := range []struct {
			record, file string
			events       int
		}{{"skip", h.skip, 0}, {"start", h.start, 1}} {
			r := records[h.source+"/"+c.file]
			if r == nil {
				tb.Fatalf("no record testdata/%s/%s.raw", h.source, c.file)
			}
			f(fmt.Sprintf("source=%s/shape=%s/record=%s", h.source, h.shape, c.record), Lookup(h.source).New(), r, c.events)
		}
	}
}

func TestNormalizeAlloc(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	measured := map[string]bool{}
	eachHot(t, func(name string, n Normalizer, r *Record, events int) {
		t.Run(name, func(t *testing.T) {
			var dst []ecs.Event
			var err error
			allocs := testing.AllocsPerRun(100, func() { dst, err = n.Normalize(dst[:0], r) })
			if len(dst) != events || err != nil {
				t.Fatalf("%d events, want %d, error %v", len(dst), events, err)
			}
			if allocs != 0 {
				t.Errorf("%v allocations, want 0", allocs)
			}
			for i := range dst {
				source, _, _ := strings.Cut(strings.TrimPrefix(name, "source="), "/")
				measured[source+"/"+dst[i].Shape] = true
			}
		})
	})
	for _, s := range Told() {
		for _, shape := range s.Shapes {
			if !measured[s.Name+"/"+shape] && !s.Joins { // see TestJoinAlloc
				t.Errorf("no row of hot gives a start of %s/%s", s.Name, shape)
			}
		}
	}
}

// go test ./normalize -run '^$' -bench Normalize
func BenchmarkNormalize(b *testing.B) {
	eachHot(b, func(name string, n Normalizer, r *Record, events int) {
		b.Run(name, func(b *testing.B) {
			var dst []ecs.Event
			var err error
			b.SetBytes(int64(len(r.Value)))
			b.ReportAllocs()
			for b.Loop() {
				dst, err = n.Normalize(dst[:0], r)
			}
			if len(dst) != events || err != nil {
				b.Fatalf("%d events, want %d, error %v", len(dst), events, err)
			}
		})
	})
}

// BenchmarkMembers reads twelve members of a document, plain and with an escape
// in every other word: the pair shows what an escape costs.
func BenchmarkMembers(b *testing.B) {
	paths := strings.Fields("host.name process.name process.executable process.args process.command_line process.pid " +
		"process.parent.name process.parent.executable user.name event.action event.type @timestamp")
	for _, doc := range []struct{ name, space string }{{"plain", " "}, {"escaped", `\t`}} {
		b.Run("doc="+doc.name, func(b *testing.B) {
			value, want := membersDocument(doc.space)
			m := newMembers(paths)
			b.SetBytes(int64(len(value)))
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				if err := m.read(value); err != nil {
					b.Fatal(err)
				}
				size = 0
				for p := range path(len(paths)) {
					for k := m.first(p); k != 0; k = m.next(k) {
						size += len(m.at(k))
					}
				}
			}
			if size != want {
				b.Fatalf("%d bytes of text, want %d", size, want)
			}
		})
	}
}

// membersDocument is a record of some 2 KB whose words stand space apart, and
// how many bytes of text the members of BenchmarkMembers have in it.
func membersDocument(space string) (value []byte, text int) {
	words := func(n int) string { return strings.TrimSuffix(strings.Repeat("argument"+space, n), space) }
	doc := `{"@timestamp":"2026-02-03T09:15:42.187Z","agent":{"id":"5d0f6a51-3a77","type":"endpoint","version":"9.2.3"},"message":"` + words(40) + `",` +
		`"host":{"name":"kiln-web-3","ip":["10.61.4.23","fe80::62"],"os":{"type":"linux","full":"Debian 12.8"}},` +
		`"process":{"name":"` + words(1) + `","executable":"/usr/bin/kiln","args":["kiln","` + words(20) + `"],"command_line":"kiln ` + words(20) + `","pid":1760,` +
		`"Ext":{"ancestry":["` + words(20) + `"],"relative_file_creation_time":9382104.5518203},"hash":{"sha256":"9e0d3c5b7a19f82e64d1c0b3a5f7e9d2846b1a0c3e5f7092b4d6f8a1c3e5072d"},` +
		`"parent":{"name":"dash","executable":"/usr/bin/dash","pid":1739,"args":["` + words(20) + `"]}},` +
		`"event":{"action":["exec"],"category":["process"],"kind":"event","type":["start"],"sequence":48213},"user":{"id":33,"name":"www-data"}}`
	const word = len("argument")
	text = len("2026-02-03T09:15:42.187Z"+"kiln-web-3"+"/usr/bin/kiln"+"kiln"+"kiln "+"1760"+"dash"+"/usr/bin/dash"+"exec"+"start"+"www-data") + word
	return []byte(doc), text + 2*(20*word+19)
}
