package detector

import (
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// BenchmarkMatch is what a record costs once it is an event:
//
//	go test -run '^$' -bench Match ./detector
//
// The events are those that decide the cost of a stream: one that an early test
// turns away, one that gets to the arguments and fails there, a hit, and the
// longest value that somebody could send on purpose.
func BenchmarkMatch(b *testing.B) {
	set, err := NewSet([]*Rule{mustBuiltin(b)})
	if err != nil {
		b.Fatal(err)
	}
	start := func(name, executable string, args ...string) *ecs.Event {
		return eventOf(b, values{"event.category", "process"}, values{"event.type", "start"}, values{"event.action", "exec"},
			values{"host.os.type", "linux"}, values{"process.name", name}, values{"process.executable", executable},
			append(values{"process.args"}, args...))
	}
	for _, c := range []struct {
		event string
		row   *ecs.Event
		want  int
	}{
		{"end", eventOf(b, values{"event.category", "process"}, values{"event.type", "end"}), 0},
		{"other-process", start("ls", "/usr/bin/ls", "ls", "-la"), 0},
		{"near-miss", start("curl", "/usr/bin/curl", "curl", "-s", "-o", "/dev/null", "https://example.com/latest/meta-data/iam/"), 0},
		{"hit", start("curl", "/usr/bin/curl", "curl", "-s", "http://169.254.169.254/latest/meta-data/iam/security-credentials/web"), 1},
		{"hostile-1MB", start("sh", "/bin/sh", strings.Repeat("/latest/meta-data-", 1<<20/18)), 0},
	} {
		b.Run("rule=imds/event="+c.event, func(b *testing.B) {
			matched := make([]*Rule, 0, 1)
			b.ReportAllocs()
			for b.Loop() {
				if matched = set.Match(matched[:0], c.row); len(matched) != c.want {
					b.Fatalf("%d rules match, want %d", len(matched), c.want)
				}
			}
		})
	}
}

// BenchmarkAlert is what a hit costs beside the matching.
func BenchmarkAlert(b *testing.B) {
	rule := mustBuiltin(b)
	event := theft(b)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		if buf = NewAlert(rule, event, origin).AppendJSON(buf[:0]); len(buf) < 1000 {
			b.Fatalf("an alert of %d bytes", len(buf))
		}
	}
	b.SetBytes(int64(len(buf)))
}
