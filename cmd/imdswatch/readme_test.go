package main

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestReadmeIsTrue holds the sessions and the variables of the README against
// the command.
func TestReadmeIsTrue(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	readme := string(text)
	for _, name := range variables() {
		if !strings.Contains(readme, "| `"+name+"` |") {
			t.Errorf("no row of %s", name)
		}
	}
	windows := filepath.Join("..", "..", "normalize", "testdata", "windows")
	code, stdout, stderr := inProcess("", "scan", filepath.Join(windows, "attacks.ndjson"), filepath.Join(windows, "near-misses.ndjson"))
	if code != exitDone || !strings.Contains(readme, stderr) {
		t.Errorf("scan: exit code %d, and the README does not have its summary %s", code, stderr)
	}
	if !strings.Contains(readme, stderr+strconv.Itoa(strings.Count(stdout, "\n"))+"\n") {
		t.Errorf("scan: the README does not have its %d alerts", strings.Count(stdout, "\n"))
	}
	rule := filepath.Join(t.TempDir(), "r.eql")
	_, session, _ := strings.Cut(readme, "$ echo '")
	query, _, _ := strings.Cut(session, "'")
	if err := os.WriteFile(rule, []byte(query+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr = inProcess("", "rule", "check", rule)
	if want := strings.ReplaceAll(stdout+stderr, filepath.ToSlash(rule), "/tmp/r.eql"); code != exitFaulty || !strings.Contains(readme, want) {
		t.Errorf("rule check: exit code %d, and the README does not have\n%s", code, want)
	}
}
