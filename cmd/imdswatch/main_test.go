package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestMain lets the test binary answer to the command's name, so that tests run
// the command in a process of its own.
func TestMain(m *testing.M) {
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")) // a second for each of hundreds of processes
	testscript.Main(m, map[string]func(){
		"imdswatch": func() {
			code := command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
			if file := os.Getenv("TEST_PEAK"); file != "" {
				writePeak(file)
			}
			os.Exit(code)
		},
	})
}

// TestScript runs the sessions of testdata/script. Their first word is the verb.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		UpdateScripts:       *update,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GOVERSION", runtime.Version())
			e.Setenv("GORACE", os.Getenv("GORACE"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "pack": pack, "pick": pick, "unchanged": unchanged,
		},
	})
}

// exits runs a command that must end with an exit code: exits CODE COMMAND...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			ts.Fatalf("%v", err)
		}
		got = e.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// pack writes an archive of a file, by the archive's extension: pack FILE ARCHIVE.
func pack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pack FILE ARCHIVE")
	}
	text := []byte(ts.ReadFile(args[0]))
	var b bytes.Buffer
	switch filepath.Ext(args[1]) {
	case ".gz":
		z := gzip.NewWriter(&b)
		_, err := z.Write(text)
		ts.Check(errors.Join(err, z.Close()))
	case ".zst":
		z, err := zstd.NewWriter(&b)
		ts.Check(err)
		_, err = z.Write(text)
		ts.Check(errors.Join(err, z.Close()))
	default:
		ts.Fatalf("no archive %s", args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), b.Bytes(), 0o644))
}

// pick writes members of the JSON lines on stdout to a file, a line each:
// pick FILE MEMBER... where a member is a dotted path, with numbers for the
// elements of a list.
func pick(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: pick FILE MEMBER...")
	}
	var out strings.Builder
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var object map[string]any
		if err := json.Unmarshal([]byte(line), &object); err != nil {
			ts.Fatalf("stdout holds a line that is no JSON object: %v: %s", err, line)
		}
		for i, path := range args[1:] {
			if i > 0 {
				out.WriteByte(' ')
			}
			out.WriteString(member(object, path))
		}
		out.WriteByte('\n')
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(out.String()), 0o644))
}

// member is a member of an object as JSON, a text without its quotes.
func member(object map[string]any, path string) string {
	var v any = object
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := v.([]any); ok {
			i, err := strconv.Atoi(name)
			if v = nil; err == nil && i < len(list) {
				v = list[i]
			}
			continue
		}
		inner, _ := v.(map[string]any)
		v = inner[name]
	}
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// unchanged runs a command twice and wants the same stdout: unchanged COMMAND...
func unchanged(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(ts.Exec(args[0], args[1:]...))
	first := ts.ReadFile("stdout")
	ts.Check(ts.Exec(args[0], args[1:]...))
	if diff := cmp.Diff(first, ts.ReadFile("stdout")); diff != "" {
		ts.Fatalf("the second run differs:\n%s", diff)
	}
}

// golden compares text with a file, or writes the file under -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, -update rewrites it):\n%s", file, diff)
	}
}

// inProcess runs a command line within the test.
func inProcess(stdin string, args ...string) (code int, stdout, stderr string) {
	var out, complaints bytes.Buffer
	code = command(args, strings.NewReader(stdin), &out, &complaints)
	return code, out.String(), complaints.String()
}

// writePeak writes the most memory the process has held so far, in kB. What
// wait4 says of a child is at least what its parent held when it was forked.
func writePeak(file string) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kB, _, _ := strings.Cut(rest, "kB")
	if err := os.WriteFile(file, []byte(strings.TrimSpace(kB)), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}
