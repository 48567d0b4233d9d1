package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// helps are the verbs, and what the example in each help text comes to when it
// is pasted.
var helps = []struct {
	verb   string // "" for none
	code   int
	stdout string // a pattern; "" where there is no example
}{
	{verb: "", stdout: `"kind":"alert"`},
	{verb: "run", code: exitKafka, stdout: `^$`}, // there is no broker,
	{verb: "replay", code: exitKafka, stdout: `^$`},
	{verb: "scan", stdout: `"kind":"alert".*"source":"defend"`},
	{verb: "explain", stdout: `"outcome":"no_match","reason":"ecc0cd54-[^ ]+: process\.args : .* is false, saw \\"curl\\", `},
	{verb: "demo", stdout: `"kind":"alert"`},
	{verb: "rule"},
	{verb: "rule check", code: exitFaulty, stdout: `^/tmp/r.eql:1:15: .*process\.name`},
	{verb: "rule show", stdout: `^\{"id":"ecc0cd54-.*"program":\["   0  equal `},
	{verb: "dlq"},
	{verb: "dlq list", code: exitKafka, stdout: `^$`},
	{verb: "dlq show", code: exitKafka, stdout: `^$`},
	{verb: "dlq redrive", code: exitKafka, stdout: `^$`},
	{verb: "check", code: exitKafka, stdout: `(?s)^ok configuration.*\nFAIL brokers: .*\nok positives windows: 5 of 5 samples matched\n$`},
	{verb: "sources", stdout: `^\{"name":"windows"`},
	{verb: "version"},
}

func TestHelp(t *testing.T) {
	for _, h := range helps {
		t.Run(h.verb, func(t *testing.T) {
			words := strings.Fields(h.verb)
			code, stdout, stderr := inProcess("", append(words, "--help")...)
			if code != exitDone || stderr != "" {
				t.Errorf("exit code %d, stderr %q", code, stderr)
			}
			golden(t, filepath.Join("testdata", "help", strings.Join(append([]string{"imdswatch"}, words...), "-")+".golden"), stdout)
			for i, line := range strings.Split(stdout, "\n") {
				if n := len([]rune(line)); n > 120 {
					t.Errorf("line %d has %d characters, terminals have fewer", i+1, n)
				}
			}
			if _, other, _ := inProcess("", append([]string{"help"}, words...)...); other != stdout {
				t.Errorf("imdswatch help %s differs from --help:\n%s", h.verb, cmp.Diff(stdout, other))
			}
		})
	}
}

// TestHelpExamplesRun pastes the example of each help text into a shell.
func TestHelpExamplesRun(t *testing.T) {
	for _, h := range helps {
		t.Run(h.verb, func(t *testing.T) {
			_, text, _ := inProcess("", append(strings.Fields(h.verb), "--help")...)
			example := exampleIn(text)
			if (example == "") != (h.stdout == "") {
				t.Fatalf("example in the help text: %q, want stdout %q of it", example, h.stdout)
			}
			if example == "" {
				return
			}
			var stdout, stderr strings.Builder
			sh := exec.Command("sh", "-c", strings.ReplaceAll(example, ":9092", ":1"))
			sh.Env = append(os.Environ(), "IMDSWATCH_LISTEN=127.0.0.1:0")
			sh.Stdout, sh.Stderr = &stdout, &stderr
			if err := sh.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
				t.Fatal(err)
			}
			if code := sh.ProcessState.ExitCode(); code != h.code {
				t.Errorf("exit code %d, want %d\n%s\n%s", code, h.code, example, stderr.String())
			}
			if !regexp.MustCompile(h.stdout).MatchString(stdout.String()) {
				t.Errorf("stdout does not match %q:\n%s\n%s", h.stdout, example, stdout.String())
			}
		})
	}
}

// exampleIn is the example of a help text: the indented lines below a line that
// announces one.
func exampleIn(text string) string {
	var example []string
	within := false
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "Example") || strings.HasPrefix(line, "Try it"):
			within = true
		case within && strings.HasPrefix(line, "  "):
			example = append(example, strings.TrimPrefix(line, "  "))
		default:
			within = false
		}
	}
	return strings.Join(example, "\n")
}

// TestHelpRunNamesEveryVariable holds the help against the struct.
func TestHelpRunNamesEveryVariable(t *testing.T) {
	_, text, _ := inProcess("", "run", "--help")
	for _, f := range environmentFields() {
		name := prefix + "_" + variableName(f)
		row := regexp.MustCompile(`(?m)^  ` + name + ` +(.+)$`).FindStringSubmatch(text)
		if row == nil {
			t.Errorf("run --help does not name %s", name)
			continue
		}
		if d := f.Tag.Get("desc"); d == "" || !strings.Contains(row[1], d) {
			t.Errorf("run --help says %q of %s, want %q", row[1], name, d)
		}
		if d := f.Tag.Get("default"); d != "" && !strings.HasSuffix(row[1], "("+d+")") {
			t.Errorf("run --help says %q of %s, want the default %q", row[1], name, d)
		}
	}
}

// environmentFields are the fields of the environment, each a variable.
func environmentFields() []reflect.StructField {
	fields := reflect.VisibleFields(reflect.TypeFor[environment]())
	return slices.DeleteFunc(fields, func(f reflect.StructField) bool { return f.Anonymous })
}

// variableName is the name of a variable by its field's: words in capitals.
func variableName(f reflect.StructField) string {
	if f.Tag.Get("split_words") != "true" {
		return strings.ToUpper(f.Name)
	}
	words := regexp.MustCompile(`([a-z])([A-Z])`).ReplaceAllString(f.Name, "${1}_$2")
	return strings.ToUpper(regexp.MustCompile(`([A-Z])([A-Z][a-z])`).ReplaceAllString(words, "${1}_$2"))
}
