package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Hostile inputs are in testdata/hostile, NAME-SOURCE.raw, and among the
// generated ones. What became of each stands in outcomes.txt; what must be so
// whatever that file says stands in demands.

// The bounds of a record, whatever it holds.
const (
	hostileCPU    = time.Second
	hostileMemory = 200 << 20
)

// demand is what the inputs whose names match must come to.
type demand struct {
	names               string
	alert, fault, quiet bool // quiet is neither
}

var demands = []demand{
	// An attack is no less one for damage behind it, and the damage counts.
	{names: `^cut-behind-`, alert: true, fault: true},
	{names: `^(trailing|concatenated-defend|nul-padding|nul-raw-behind|args-object-beside)`, alert: true, fault: true},
	{names: `^cut-`, fault: true},
	// Nor for a value that no one asked about.
	{names: `^pid-(two-to-64|twenty-digits|thousand-digits|huge-exponent|fraction|garbage)-`, alert: true, fault: true},
	{names: `^pid-(negative|hex-text|whole-float)-`, alert: true},
	{names: `^date-`, alert: true},
	// Nothing hides behind a duplicate, nor behind how a name or a value is written.
	{names: `^double-`, alert: true},
	{names: `^(escaped-name|escaped-value|nul-escaped|bom-defend|lone-|invalid-utf8-in-)`, alert: true},
	{names: `^(event-id-(string|float|exponent|hex)|command-line-(nested-)?array|args-(string|nested))-`, alert: true},
	// Names match exactly: this is another member.
	{names: `^case-variant-(upper-)?windows`, quiet: true},
	// What cannot be read is never passed over.
	{names: `^(utf16|utf32|gzip|zlib|xml|audit-line|cef|syslog|html|array|scalar|null|empty-(object|array))`, fault: true},
	{names: `^(command-line|event-id|provider|name-of-event|args|category|os-type)-object-`, fault: true},
	{names: `^(comment|single-quotes|bare-names|missing-|wrong-bracket|leading-comma|unknown-escape|short-escape|control-raw|nul-raw)`, fault: true},
	{names: `^pid-(nan|infinity|leading-zero|plus|point-|hex-raw|minus-alone)`, fault: true},
	{names: `^other-source-`, fault: true},
	{names: `^(event|process)-string-`, fault: true},
	{names: `^huge-.*-beyond-`, fault: true},
	{names: `^huge-.*-within-`, alert: true},
	{names: `^one-bad-`, alert: true, fault: true},
}

// hostileInput is one input and how to get it.
type hostileInput struct {
	name  string // ends in the source's
	write func(io.Writer) error
}

func (h hostileInput) source() string { return h.name[strings.LastIndexByte(h.name, '-')+1:] }

func hostileInputs(t *testing.T) (inputs []hostileInput) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "hostile", "*.raw"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	for _, file := range files {
		inputs = append(inputs, hostileInput{strings.TrimSuffix(filepath.Base(file), ".raw"), func(w io.Writer) error {
			b, err := os.ReadFile(file)
			if err == nil {
				_, err = w.Write(b)
			}
			return err
		}})
	}
	return append(inputs, generated()...)
}

func TestHostile(t *testing.T) {
	outcomes := filepath.Join("testdata", "hostile", "outcomes.txt")
	expected := readOutcomes(t, outcomes)
	var mu sync.Mutex
	got := map[string]string{}
	inputs := hostileInputs(t)
	t.Run("input", func(t *testing.T) {
		for _, h := range inputs {
			t.Run(h.name, func(t *testing.T) {
				if raceEnabled && strings.HasPrefix(h.name, "huge-") {
					t.Skip("a minute under the race detector, and one goroutine")
				}
				t.Parallel()
				o := scanHostile(t, h)
				o.meets(t, h.name)
				mu.Lock()
				defer mu.Unlock()
				got[h.name] = o.String()
				if want, ok := expected[h.name]; !*update && (!ok || want != o.String()) {
					t.Errorf("came to\n%s, want\n%s (-update rewrites %s)", o, want, outcomes)
				}
			})
		}
	})
	if len(got) < len(inputs) { // some were deselected
		return
	}
	if *update {
		writeOutcomes(t, outcomes, got)
		return
	}
	for name := range expected {
		if got[name] == "" {
			t.Errorf("%s has an outcome in %s and no input", name, outcomes)
		}
	}
}

// hostileOutcome is what a scan made of an input, apart from the attack that the
// test puts behind it.
type hostileOutcome struct {
	code   int
	counts summary
	lines  []string // on stderr, without the file's name and the summary
}

// String is the outcome as outcomes.txt has it.
func (o hostileOutcome) String() string {
	s := "exit " + strconv.Itoa(o.code)
	for _, c := range []struct {
		n    int
		word string
	}{
		{o.counts.Events, "events"}, {o.counts.Alerts, "alerts"}, {o.counts.NoMatch, "no_match"},
		{o.counts.Skipped, "skipped"}, {o.counts.Errors, "errors"},
	} {
		if c.n != 0 {
			s += fmt.Sprintf(", %s %d", c.word, c.n)
		}
	}
	for _, line := range o.lines {
		s += "\n  " + line
	}
	return s
}

// meets holds an outcome against what must be so.
func (o hostileOutcome) meets(t *testing.T, name string) {
	t.Helper()
	if (o.code == exitFaulty) != (o.counts.Errors > 0) || o.code != exitDone && o.code != exitFaulty {
		t.Errorf("exit code %d with %d errors", o.code, o.counts.Errors)
	}
	if len(o.lines) != o.counts.Errors {
		t.Errorf("%d lines on stderr for %d errors", len(o.lines), o.counts.Errors)
	}
	for _, line := range o.lines {
		if !regexp.MustCompile(`^\d+: [a-z0-9]+: .* \(byte \d+\)$`).MatchString(line) {
			t.Errorf("no place in %q", line)
		}
		if strings.Contains(line, "panicked") {
			t.Errorf("it panicked: %s", line)
		}
	}
	for _, d := range demands {
		if !regexp.MustCompile(d.names).MatchString(name) {
			continue
		}
		if d.alert && o.counts.Alerts == 0 {
			t.Errorf("no alert; by %s it must alert", d.names)
		}
		if d.fault && o.counts.Errors == 0 {
			t.Errorf("no error; by %s it must be one", d.names)
		}
		if d.quiet && o.counts.Alerts+o.counts.Errors > 0 {
			t.Errorf("%d alerts, %d errors; by %s there must be none", o.counts.Alerts, o.counts.Errors, d.names)
		}
	}
}

// scanHostile scans an input with an attack in the line behind it, in a process
// of its own, and takes the attack's share out of what came of it.
func scanHostile(t *testing.T, h hostileInput) hostileOutcome {
	t.Helper()
	dir := t.TempDir()
	file := h.name + ".raw"
	lines := writeHostile(t, filepath.Join(dir, file), h)

	var stdout, stderr bytes.Buffer
	c := exec.Command("imdswatch", "scan", "--source", h.source(), file)
	c.Dir, c.Stdout, c.Stderr = dir, &stdout, &stderr
	peak := filepath.Join(dir, "peak")
	c.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOMEMLIMIT=") }), "TEST_PEAK="+peak)
	if err := c.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	checkCost(t, c.ProcessState, peak)

	o := hostileOutcome{code: c.ProcessState.ExitCode()}
	said := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
	if err := json.Unmarshal([]byte(said[len(said)-1]), &o.counts); err != nil {
		t.Fatalf("the last line on stderr is no summary: %.300q", said[len(said)-1])
	}
	for _, line := range said[:len(said)-1] {
		line, ok := strings.CutPrefix(line, file+":")
		if !ok {
			t.Errorf("a line on stderr without the file: %.300q", line)
		}
		o.lines = append(o.lines, line)
	}
	if at := lastOffset(t, stdout.Bytes()); at != lines {
		t.Errorf("the record behind, at offset %d, raised no alert; the last one is at %d", lines, at)
	} else {
		o.counts.Records, o.counts.Events, o.counts.Alerts = o.counts.Records-1, o.counts.Events-1, o.counts.Alerts-1
	}
	return o
}

// writeHostile writes an input and an attack behind it; it returns the offset
// of the attack.
func writeHostile(t *testing.T, file string, h hostileInput) (offset int) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lf lineFeeds
	if err := h.write(io.MultiWriter(f, &lf)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(f, "\n%s\n", attack(t, h.source())); err != nil {
		t.Fatal(err)
	}
	return int(lf) + 1
}

// lineFeeds counts them.
type lineFeeds int

func (n *lineFeeds) Write(b []byte) (int, error) {
	*n += lineFeeds(bytes.Count(b, []byte("\n")))
	return len(b), nil
}

// lastOffset is the offset of the last alert on stdout, -1 without one.
func lastOffset(t *testing.T, stdout []byte) int {
	t.Helper()
	at := -1
	for line := range bytes.Lines(stdout) {
		if !json.Valid(line) {
			t.Fatalf("stdout holds a line that is no JSON: %.300q", line)
		}
		if m := regexp.MustCompile(`"offset":(\d+),"index":\d+,"rules":"[0-9a-f]+"\}\}\n$`).FindSubmatch(line[max(0, len(line)-200):]); m != nil {
			at, _ = strconv.Atoi(string(m[1]))
		}
	}
	return at
}

// checkCost bounds what the process took. The race detector takes ten times as
// much of both, and only Linux tells of memory.
func checkCost(t *testing.T, state *os.ProcessState, peak string) {
	t.Helper()
	if raceEnabled {
		return
	}
	if cpu := state.UserTime() + state.SystemTime(); cpu > hostileCPU {
		t.Errorf("%v of processor time, the bound is %v", cpu, hostileCPU)
	}
	text, err := os.ReadFile(peak)
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	kB, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if kB<<10 > hostileMemory {
		t.Errorf("%d MB of memory, the bound is %d", kB>>10, hostileMemory>>20)
	}
	if testing.Verbose() {
		t.Logf("%v, %d MB", state.UserTime()+state.SystemTime(), kB>>10)
	}
}

// readOutcomes reads outcomes.txt: a name, its outcome in the same line, and
// indented what stderr said.
func readOutcomes(t *testing.T, file string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil && !*update {
		t.Fatal(err)
	}
	outcomes := map[string]string{}
	name := ""
	for line := range strings.SplitSeq(strings.TrimSpace(string(b)), "\n") {
		if strings.HasPrefix(line, "  ") {
			outcomes[name] += "\n" + line
			continue
		}
		var outcome string
		name, outcome, _ = strings.Cut(line, ": ")
		outcomes[name] = outcome
	}
	return outcomes
}

func writeOutcomes(t *testing.T, file string, outcomes map[string]string) {
	t.Helper()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Fprintf(&b, "%s: %s\n", name, outcomes[name])
	}
	if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}
