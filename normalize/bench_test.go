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
	{"ecs", "nested", "nested-registry", "nested-start"},
	{"ecs", "dotted", "dotted-authentication", "dotted-imds"},
	{"windows", "winlogbeat8", "winlogbeat8-sysmon3-connection", "winlogbeat8-sysmon1-start"},
	{"windows", "winlogbeat8-4688", "winlogbeat8-4689", "winlogbeat8-4688-start"},
	{"windows", "nxlog", "nxlog-sysmon5", "nxlog-sysmon1-start"},
	{"windows", "nxlog-message", "nxlog-kernel-general-1", "nxlog-sysmon1-service-pid-imds"},
	{"windows", "nxlog-4688", "nxlog-4689", "nxlog-4688-start"},
	{"windows", "nxlog-4688-zone", "nxlog-4624", "nxlog-4688-local-clock-start"},
	{"windows", "get-winevent", "get-winevent-sysmon7", "get-winevent-sysmon1-start"},
	{"windows", "get-winevent-4688", "get-winevent-4673", "get-winevent-4688-start"},
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
		})
	})
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
