package main

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

const figures = `goos: linux
BenchmarkRules/rules=1/engine=set-2     1   9 ns/op   8 events/s   60.0 ns/event   0 B/op   0 allocs/op
BenchmarkRules/rules=1/engine=set-2     1   9 ns/op   8 events/s   50.0 ns/event   0 B/op   0 allocs/op
BenchmarkRules/rules=1/engine=set-2     1   9 ns/op   8 events/s   900 ns/event   0 B/op   0 allocs/op
BenchmarkRules/rules=491/engine=set-2   1   9 ns/op   8 events/s   1650 ns/event   0 B/op   0 allocs/op
BenchmarkRules/rules=491/engine=programs-2   1   9 ns/op   8 events/s   26000 ns/event   0 B/op   0 allocs/op
BenchmarkMatch/rule=imds-2   1   9 ns/op
`

func TestReadTakesMedians(t *testing.T) {
	curves, err := read(strings.NewReader(figures))
	if err != nil {
		t.Fatal(err)
	}
	if len(curves) != 2 || curves[0].Name != "set" || curves[1].Name != "programs" {
		t.Fatalf("curves %v, want set and programs", curves)
	}
	if got := curves[0].points; len(got) != 2 || got[0] != (point{1, 60}) || got[1] != (point{491, 1650}) {
		t.Errorf("points %v", got)
	}
}

func TestDrawIsXML(t *testing.T) {
	var b strings.Builder
	if err := draw(strings.NewReader(figures), &b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1.65 µs", "26 µs", "60 ns", ">programs<"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in the picture:\n%s", want, b.String())
		}
	}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestDrawWithoutFigures(t *testing.T) {
	if err := draw(strings.NewReader("PASS\n"), io.Discard); err == nil {
		t.Error("no error")
	}
}
