package normalize

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var commandLines = []struct {
	line string
	want []string
}{
	{``, nil},
	{" \t ", nil},
	{`a`, []string{`a`}},
	{"  a\t\tb  ", []string{`a`, `b`}},
	{`a "b c" d`, []string{`a`, `b c`, `d`}},
	{`a b\"c d`, []string{`a`, `b"c`, `d`}},
	{`a "b\\" c`, []string{`a`, `b\`, `c`}},
	{`a "b""c" d`, []string{`a`, `b"c d`}},
	{`a ""  b`, []string{`a`, ``, `b`}},
	{`""`, []string{``}},
	{`"" ""`, []string{``, ``}},
	{`""""`, []string{`"`}},
	{`"""" a`, []string{`" a`}},
	{`"a""" b`, []string{`a" b`}},
	{`"`, []string{``}},
	{`a "`, []string{`a`, ``}},
	{`"C:\p\" x`, []string{`C:\p" x`}}, // the way out of a quoted folder, known from Windows itself
	{`"C:\p\\" x`, []string{`C:\p\`, `x`}},
	{`"unclosed x y`, []string{`unclosed x y`}},
	{`"unclosed \`, []string{`unclosed \`}},
	{`"C:\Kiln\kiln.exe" `, []string{`C:\Kiln\kiln.exe`}}, // Sysmon's trailing space
	{`"C:\Kiln\run.exe" "C:\Kiln\lib.dll",#44 C:\Data\x.cpl`, []string{`C:\Kiln\run.exe`, `C:\Kiln\lib.dll,#44`, `C:\Data\x.cpl`}},
	{`kilnlog  set-log Main /file:"C:\Kiln\my log.evtx"`, []string{`kilnlog`, `set-log`, `Main`, `/file:C:\Kiln\my log.evtx`}},
	{`\??\C:\Kiln\host.exe 0xffffffff`, []string{`\??\C:\Kiln\host.exe`, `0xffffffff`}},
	{`C:\Program Files\Kiln\a.exe -x`, []string{`C:\Program`, `Files\Kiln\a.exe`, `-x`}},
	{`\\server\share\a.exe \`, []string{`\\server\share\a.exe`, `\`}},
	{`a\\b c\\ "d\e"`, []string{`a\\b`, `c\\`, `d\e`}},
	{`a\\\b "c\\\"d"`, []string{`a\\\b`, `c\"d`}},
	{`a\\\\"b c"`, []string{`a\\b c`}},
	{`sh -c 'a b'`, []string{`sh`, `-c`, `'a`, `b'`}}, // quotes of a POSIX shell mean nothing
	{"a\nb c\rd\u00a0e", []string{"a\nb", "c\rd\u00a0e"}},
	{"a\x00b \xff", []string{"a\x00b", "\xff"}},
	{` bash -c "curl \"$U\""`, []string{`bash`, `-c`, `curl "$U"`}},
	{`curl.exe "http://169.254.169.254/latest/meta-data/iam/security-credentials/"`, []string{`curl.exe`, `http://169.254.169.254/latest/meta-data/iam/security-credentials/`}},
	{`a - none ""`, []string{`a`, `-`, `none`, ``}}, // a placeholder is a whole value, never an argument
}

func TestSplitCommandLine(t *testing.T) {
	var args [][]byte
	var buf []byte
	for _, c := range commandLines {
		line := []byte(c.line)
		args, buf = splitCommandLine(args[:0], buf[:0], line)
		if diff := cmp.Diff(c.want, list(args)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.line, diff)
		}
		if diff := cmp.Diff(c.want, slowSplit(c.line)); diff != "" {
			t.Errorf("%q: the oracle is wrong (-want +got):\n%s", c.line, diff)
		}
		if string(line) != c.line {
			t.Errorf("%q: line changed to %q", c.line, line)
		}
	}
}

func list(args [][]byte) []string {
	var all []string
	for _, a := range args {
		all = append(all, string(a))
	}
	return all
}

func TestSplitCommandLineAppends(t *testing.T) {
	args, buf := splitCommandLine([][]byte{[]byte("before")}, append(make([]byte, 0, 64), "text"...), []byte(`a "b c" "d e" f`))
	want := []string{"before", "a", "b c", "d e", "f"}
	if diff := cmp.Diff(want, list(args)); diff != "" || string(buf) != "textb cd e" {
		t.Errorf("buffer %q, arguments (-want +got):\n%s", buf, diff)
	}
	for _, a := range args {
		_ = append(a, "overrun"...)
	}
	if diff := cmp.Diff(want, list(args)); diff != "" {
		t.Errorf("appending to an argument changed another (-want +got):\n%s", diff)
	}
}

func TestSplitCommandLineStopsAtTheMostArguments(t *testing.T) {
	line := []byte(strings.Repeat("a ", maxValues+5))
	if args, _ := splitCommandLine(nil, nil, line); len(args) != maxValues {
		t.Errorf("%d arguments, want %d", len(args), maxValues)
	}
}

// slowSplit follows the rules letter by letter, one state and one case each.
func slowSplit(line string) (args []string) {
	const between, bare, quoted = 0, 1, 2
	state, arg, slashes := between, "", 0
	for i := 0; i <= len(line); i++ {
		end := i == len(line)
		c := byte(0)
		if !end {
			c = line[i]
		}
		blank := !end && (c == ' ' || c == '\t')
		switch {
		case state == between && (blank || end):
			// separators in a row count once
		case !end && c == '\\':
			slashes++
			if state == between {
				state = bare
			}
		case !end && c == '"' && slashes%2 == 1:
			arg += strings.Repeat(`\`, slashes/2) + `"`
			slashes = 0
		case !end && c == '"' && state == quoted:
			arg += strings.Repeat(`\`, slashes/2)
			slashes = 0
			state = bare
			if i+1 < len(line) && line[i+1] == '"' {
				arg += `"`
				i++
			}
		case !end && c == '"':
			arg += strings.Repeat(`\`, slashes/2)
			slashes = 0
			state = quoted
		case end || blank && state == bare:
			args = append(args, arg+strings.Repeat(`\`, slashes))
			state, arg, slashes = between, "", 0
		default:
			arg += strings.Repeat(`\`, slashes) + string([]byte{c})
			slashes = 0
			if state == between {
				state = bare
			}
		}
	}
	return args
}

func FuzzSplitCommandLine(f *testing.F) {
	for _, c := range commandLines {
		f.Add([]byte(c.line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		args, buf := splitCommandLine(nil, nil, line)
		if diff := cmp.Diff(slowSplit(string(line)), list(args)); diff != "" {
			t.Errorf("%q (-oracle +got):\n%s", line, diff)
		}
		if !bytes.Equal(before, line) {
			t.Errorf("line changed from %q to %q", before, line)
		}
		if len(buf) > len(line) {
			t.Errorf("%d bytes of text from a line of %d", len(buf), len(line))
		}
	})
}
