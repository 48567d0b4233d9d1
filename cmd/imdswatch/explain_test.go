package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// explained runs explain and returns its findings and its summary.
func explained(t *testing.T, args ...string) (findings []finding, sum summary) {
	t.Helper()
	_, stdout, stderr := inProcess("", append([]string{"explain"}, args...)...)
	for d := json.NewDecoder(strings.NewReader(stdout)); ; {
		var f finding
		if err := d.Decode(&f); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		findings = append(findings, f)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &sum); err != nil {
		t.Fatalf("stderr ends in %q: %v", lines[len(lines)-1], err)
	}
	return findings, sum
}

// checkFindings holds findings against what was counted. A skipped record of a
// source that joins has no finding, and a joined event is one for several
// records.
func checkFindings(t *testing.T, source *normalize.Source, findings []finding, sum summary) {
	t.Helper()
	got, alerts := summary{}, 0
	for _, f := range findings {
		matches := 0
		for _, e := range f.Events {
			got.Events++
			for _, r := range e.Rules {
				if r.Match != r.Tree.Pass {
					t.Errorf("offset %d: rule %s matches: %v, its tree passes: %v", f.Offset, r.ID, r.Match, r.Tree.Pass)
				}
				if r.Match {
					matches++
				}
			}
		}
		got.Alerts += matches
		switch f.Outcome {
		case "alert":
			alerts++
		case "no_match":
			got.NoMatch++
		case "skipped":
			got.Skipped++
		case "error":
			got.Errors++
		default:
			t.Errorf("offset %d: outcome %q", f.Offset, f.Outcome)
		}
		if (f.Outcome == "alert") != (matches > 0) {
			t.Errorf("offset %d: outcome %s with %d matches", f.Offset, f.Outcome, matches)
		}
		if f.Reason == "" || f.Source == "" {
			t.Errorf("offset %d: source %q, reason %q", f.Offset, f.Source, f.Reason)
		}
	}
	if got.Events != sum.Events || got.Alerts != sum.Alerts {
		t.Errorf("%d events and %d matches, counted were %+v", got.Events, got.Alerts, sum)
	}
	if !source.Joins && (got.NoMatch != sum.NoMatch || got.Skipped != sum.Skipped || len(findings) != sum.Records) {
		t.Errorf("%d findings, of them %d no_match, %d skipped and %d alert; counted were %+v", len(findings), got.NoMatch, got.Skipped, alerts, sum)
	}
}

func TestExplainTellsWhatScanCounts(t *testing.T) {
	for _, s := range normalize.Told() {
		attacks := filepath.Join("..", "..", "normalize", "testdata", s.Name, "attacks.ndjson")
		misses := filepath.Join("..", "..", "normalize", "testdata", s.Name, "near-misses.ndjson")
		for _, source := range []string{s.Name, "auto"} {
			t.Run(s.Name+" as "+source, func(t *testing.T) {
				findings, sum := explained(t, "--source", source, attacks, misses)
				checkFindings(t, s, findings, sum)
				for _, f := range findings {
					if f.Source != s.Name {
						t.Errorf("offset %d: source %s", f.Offset, f.Source)
					}
				}
			})
		}
	}
}

// TestExplainNamesTheNearMiss: why did it not fire has one answer here, the role
// that is missing at the end of the URL.
func TestExplainNamesTheNearMiss(t *testing.T) {
	findings, _ := explained(t, "--source", "defend", filepath.Join("..", "..", "normalize", "testdata", "defend", "near-misses.ndjson"))
	want := `is false, saw "curl", "-s", "http://169.254.169.254/latest/meta-data/iam/security-credentials/"`
	f := findings[0]
	if !strings.HasPrefix(f.Reason, "ecc0cd54-608e-11ef-ab6d-f661ea17fbce: process.args : (") || !strings.HasSuffix(f.Reason, want) || strings.Contains(f.Reason, ";") {
		t.Errorf("reason %s", f.Reason)
	}
}

func TestExplainHostile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "hostile", "*.raw"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no inputs: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".raw")
		t.Run(name, func(t *testing.T) {
			source := name[strings.LastIndexByte(name, '-')+1:]
			findings, sum := explained(t, "--source", source, "--whole", file)
			checkFindings(t, normalize.Lookup(source), findings, sum)
			if len(findings) != 1 {
				t.Errorf("%d findings on one record", len(findings))
			}
			if _, tree, _ := inProcess("", "explain", "--source", source, "--whole", "--output", "table", file); tree != "" {
				for line := range strings.Lines(tree) {
					if line = strings.TrimSuffix(line, "\n"); line != printable(line) {
						t.Errorf("a line that steers the terminal: %q", line)
					}
				}
			} else {
				t.Error("no tree")
			}
		})
	}
}

// TestExplainShortensWhatIsLong: neither a list nor a value hides the other.
func TestExplainShortensWhatIsLong(t *testing.T) {
	rule := filepath.Join(t.TempDir(), "r.eql")
	words := strings.Repeat(`"kelp", `, 1000)
	if err := os.WriteFile(rule, []byte(`process where process.name : (`+words+`"end")`), 0o600); err != nil {
		t.Fatal(err)
	}
	record := `{"event":{"category":"process"},"process":{"name":["` + strings.Repeat("v", 5000) + `","last"]}}`
	_, stdout, _ := inProcess(record, "explain", "--source", "ecs", "--rules", rule)
	var f finding
	if err := json.Unmarshal([]byte(stdout), &f); err != nil {
		t.Fatal(err)
	}
	want := `r: process.name : (` + words
	want = want[:len("r: ")+maxLeaf] + "… at " + filepath.ToSlash(rule) + `:1:15 is false, saw "` + strings.Repeat("v", maxValue) + `…", "last"`
	if diff := cmp.Diff(want, f.Reason); diff != "" {
		t.Errorf("reason (-want +got)\n%s", diff)
	}
	_, stdout, _ = inProcess(record, "explain", "--source", "ecs", "--rules", rule, "--output", "table")
	if !strings.Contains(stdout, `…", "last"  <- decides`+"\n") || strings.Contains(stdout, strings.Repeat("v", maxCell)) {
		t.Errorf("tree\n%s", stdout)
	}
}

// hollow gives an event without a row, on which every rule panics.
type hollow struct{}

func (hollow) Normalize(dst []ecs.Event, _ *normalize.Record) ([]ecs.Event, error) {
	return append(dst, ecs.Event{}), nil
}

func TestExplainSurvivesWhatPanicked(t *testing.T) {
	file := filepath.Join(t.TempDir(), "in.ndjson")
	if err := os.WriteFile(file, []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set, err := (&ruleSettings{}).set(func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	x := &explain{reading: reading{
		source: &normalize.Source{Name: "hollow", New: func() normalize.Normalizer { return hollow{} }},
		set:    set, files: []string{file}, stderr: io.Discard, out: newPrinter(&out, "json"),
	}}
	if err := x.run(x.print); err == nil {
		t.Error("no exit code")
	}
	want := `{"offset":0,"source":"hollow","shape":"","outcome":"error","reason":"imdswatch panicked on this record (runtime.boundsError)","events":[]}` + "\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
