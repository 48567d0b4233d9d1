package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/imdswatch/imdswatch/normalize"
)

var errBroken = errors.New("broken")

func TestLinesNext(t *testing.T) {
	long := strings.Repeat("x", 3<<20) // three times the reader's buffer
	for _, test := range []struct {
		name string
		in   io.Reader
		want []string
		err  error
	}{
		{"nothing", strings.NewReader(""), nil, io.EOF},
		{"LF", strings.NewReader("a\nb\n"), []string{"a", "b"}, io.EOF},
		{"no LF at the end", strings.NewReader("a\nb"), []string{"a", "b"}, io.EOF},
		{"CRLF", strings.NewReader("a\r\nb\r\n"), []string{"a", "b"}, io.EOF},
		{"one CR of two", strings.NewReader("a\r\r\n"), []string{"a\r"}, io.EOF},
		{"CR within", strings.NewReader("a\rb\n"), []string{"a\rb"}, io.EOF},
		{"blank lines", strings.NewReader("\n\na\n\n"), []string{"", "", "a", ""}, io.EOF},
		{"byte by byte", iotest.OneByteReader(strings.NewReader("ab\nc")), []string{"ab", "c"}, io.EOF},
		{"longer than the buffer", strings.NewReader("a\n" + long + "\r\n" + "b\n"), []string{"a", long, "b"}, io.EOF},
		{"broken at once", iotest.ErrReader(errBroken), nil, errBroken},
		{"broken between lines", io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(errBroken)), []string{"a"}, errBroken},
		{"broken within a line", io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(errBroken)), []string{"a", "b"}, errBroken},
		{"broken once", io.MultiReader(strings.NewReader("a"), &breaksOnce{}, strings.NewReader("b\n")), []string{"a"}, errBroken},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			l := newLines(test.in)
			line, err := l.next()
			for ; err == nil; line, err = l.next() {
				got = append(got, string(line))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("lines (-want +got):\n%.500s", diff)
			}
			if !errors.Is(err, test.err) {
				t.Errorf("error %v, want %v", err, test.err)
			}
		})
	}
}

// breaksOnce fails at its first reading, as a disk does that comes back.
type breaksOnce struct{ broken bool }

func (b *breaksOnce) Read([]byte) (int, error) {
	if !b.broken {
		b.broken = true
		return 0, errBroken
	}
	return 0, io.EOF
}

// TestLinesNextBoundsLines: a line without an end must not fill the memory, and
// the line behind it is read.
func TestLinesNextBoundsLines(t *testing.T) {
	l := newLines(io.MultiReader(io.LimitReader(zeros{}, normalize.MaxRecord+5<<20), strings.NewReader("\nnext\n")))
	line, err := l.next()
	if err != nil || len(line) != normalize.MaxRecord+1 {
		t.Fatalf("%d bytes, %v; want one more than %d", len(line), err, normalize.MaxRecord)
	}
	if line, err = l.next(); err != nil || string(line) != "next" {
		t.Errorf("the line behind is %.20q, %v", line, err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}
