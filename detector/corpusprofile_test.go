package detector

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// corpusProfile is what the corpus is measured by. The bounds lie around what was
// counted in the 491 process rules that Elastic publishes (elastic/detection-rules,
// August 2026) and in events of the sources; they are wide enough for any seed.
type corpusProfile []struct {
	what      string
	got       float64
	low, high float64
}

func (p corpusProfile) check(t *testing.T) {
	t.Helper()
	for _, m := range p {
		t.Logf("%-48s %8.2f", m.what, m.got)
		if m.got < m.low || m.got > m.high {
			t.Errorf("%s is %.2f, want %v to %v", m.what, m.got, m.low, m.high)
		}
	}
}

func TestCorpusProfile(t *testing.T) {
	t.Run("events", eventsProfile)
	t.Run("rules", rulesProfile)
}

func eventsProfile(t *testing.T) {
	const n = 4000
	fields, size := 0, 0
	has := map[ecs.Field]int{}
	systems, names := map[string]int{}, map[string]int{}
	for _, e := range generateEvents(1, n) {
		for f := range ecs.Field(ecs.Default.Len()) {
			if e.Has(f) {
				fields++
				has[f]++
			}
			for _, v := range e.Values(f) {
				size += len(v.Text())
			}
		}
		systems[string(e.First(ecs.HostOSType))]++
		names[string(e.First(ecs.ProcessName))]++
	}
	kinds := 0
	for _, s := range corpusSystems {
		kinds += len(s.usualCommands) + len(s.suspiciousCommands)
	}
	share := func(f ecs.Field) float64 { return 100 * float64(has[f]) / n }
	corpusProfile{
		{"fields an event", float64(fields) / n, 22, 29},
		{"bytes of text an event", float64(size) / n, 330, 520},
		{"% linux", 100 * float64(systems["linux"]) / n, 46, 54},
		{"% windows", 100 * float64(systems["windows"]) / n, 26, 34},
		{"% macos", 100 * float64(systems["macos"]) / n, 16, 24},
		{"kinds of command", float64(kinds), 150, 250},
		{"names of processes", float64(len(names)), 100, 250},
		{"% with event.action", share(ecs.EventAction), 100, 100},
		{"% with process.args", share(ecs.ProcessArgs), 100, 100},
		{"% with process.parent.name", share(ecs.ProcessParentName), 80, 90},
		{"% with process.parent.args", share(ecs.ProcessParentArgs), 70, 85},
		{"% with process.pe.original_file_name", share(ecs.ProcessPEOriginalFileName), 10, 25},
		{"% with process.code_signature.exists", share(ecs.ProcessCodeSignatureExists), 12, 25},
		{"% with container.id", share(ecs.ContainerID), 1, 5},
	}.check(t)
}

var (
	ruleLiteral = regexp.MustCompile(`""".*?"""|"(?:[^"\\]|\\.)*"`)
	ruleComment = regexp.MustCompile(`//|/\*`)
)

func rulesProfile(t *testing.T) {
	const n = 491
	rules := generateRules(1, n)
	var counts []int
	bare := make([]string, n) // without literals
	for i, rule := range rules {
		counts = append(counts, len(ruleLiteral.FindAllString(rule, -1)))
		bare[i] = ruleLiteral.ReplaceAllString(rule, "_")
	}
	slices.Sort(counts)
	share := func(pattern string) float64 {
		with := 0
		for _, rule := range bare {
			if regexp.MustCompile(pattern).MatchString(rule) {
				with++
			}
		}
		return 100 * float64(with) / n
	}
	ofSystem := func(name string) float64 {
		with := 0
		for _, rule := range rules {
			if strings.Contains(rule, `host.os.type == "`+name+`"`) {
				with++
			}
		}
		return 100 * float64(with) / n
	}
	corpusProfile{
		{"literals a rule, median", float64(counts[n/2]), 12, 21},
		{"literals a rule, 95th percentile", float64(counts[n*95/100]), 50, 110},
		{"literals a rule, most", float64(counts[n-1]), 640, 800},
		{"% linux", ofSystem("linux"), 38, 42},
		{"% windows", ofSystem("windows"), 40, 44},
		{"% macos", ofSystem("macos"), 7, 11},
		{"% event.type", share(`event\.type`), 88, 99},
		{"% event.action", share(`event\.action`), 40, 60},
		{"% process.name", share(`\bprocess\.name`), 75, 93},
		{"% process.args", share(`\bprocess\.args (:|==|in|like)`), 55, 80},
		{"% process.parent.name", share(`process\.parent\.name`), 33, 65},
		{"% process.parent.executable", share(`process\.parent\.executable`), 20, 55},
		{"% process.executable", share(`\bprocess\.executable`), 12, 35},
		{"% process.command_line", share(`\bprocess\.command_line`), 18, 45},
		{"% process.pe.original_file_name", share(`original_file_name`), 8, 22},
		{"% process.args_count", share(`process\.args_count`), 1.5, 12},
		{"% :", share(`\w~? : `), 45, 62},
		{"% in", share(` in \(`), 45, 70},
		{"% in~", share(` in~ \(`), 0.4, 6},
		{"% like", share(` like `), 25, 50},
		{"% like~", share(` like~ `), 5, 20},
		{"% regex and regex~", share(` regex~? `), 2, 7},
		{"% not", share(`\bnot\b`), 45, 70},
		{"% optional fields", share(`\?[a-z]`), 20, 50},
		{"% == true and == false", share(`== (true|false)`), 3, 15},
		{"% != null", share(`!= null`), 8, 25},
		{"% numbers", share(`[=<>] [0-9]`), 4, 20},
		{"% functions", share(`(length|startsWith|endsWith~)\(`), 0.4, 6},
		{"% comments", share(ruleComment.String()), 15, 30},
	}.check(t)
}

func TestCorpusIsThatOfItsSeed(t *testing.T) {
	dump := func(seed uint64, n int) string {
		var b strings.Builder
		for _, e := range generateEvents(seed, n) {
			b.Write(e.AppendJSON(nil))
			b.WriteByte('\n')
		}
		return b.String()
	}
	rules := func(seed uint64, n int) string { return strings.Join(generateRules(seed, n), "\n\n") }
	for _, c := range []struct {
		what     string
		generate func(seed uint64, n int) string
	}{{"events", dump}, {"rules", rules}} {
		all := c.generate(3, 60)
		if again := c.generate(3, 60); again != all {
			t.Errorf("%s of one seed differ", c.what)
		}
		if c.generate(4, 60) == all {
			t.Errorf("%s of two seeds are the same", c.what)
		}
		if !strings.HasPrefix(all, c.generate(3, 10)) {
			t.Errorf("the first ten %s depend on how many follow", c.what)
		}
	}
}

func TestCorpusRulesCompile(t *testing.T) {
	events := generateEvents(2, 1000)
	compiled, matches := 0, 0
	for _, rule := range generateRules(1, 491) {
		r, err := Compile("corpus", rule, ecs.Default, FoldASCII)
		if err != nil {
			t.Errorf("%v\n%s", err, rule)
			continue
		}
		compiled++
		for _, e := range events {
			if r.Match(e) {
				matches++
			}
		}
	}
	corpusProfile{
		{"rules that compile", float64(compiled), 491, 491},
		{"matches an event", float64(matches) / float64(len(events)), 0.03, 0.5},
	}.check(t)
}
