package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-json"
	"github.com/jedib0t/go-pretty/v6/text"
)

// printer writes alerts and events: NDJSON, or a line to read for each.
type printer struct {
	w    *bufio.Writer
	how  string
	rows int
}

func newPrinter(w io.Writer, how string) *printer { return &printer{w: bufio.NewWriter(w), how: how} }

func (p *printer) flush() error { return p.w.Flush() }

// encode writes v as JSON in a line.
func (p *printer) encode(v any) error {
	encoder := json.NewEncoder(p.w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(v)
}

// row is what a line of the table shows of an alert or an event.
type row struct {
	Timestamp cell `json:"@timestamp"`
	Message   cell `json:"message"`
	Host      struct {
		Name cell `json:"name"`
		ID   cell `json:"id"`
	} `json:"host"`
	Process struct {
		CommandLine cell `json:"command_line"`
		Args        cell `json:"args"`
		Name        cell `json:"name"`
	} `json:"process"`
	IMDSWatch struct {
		Source cell `json:"source"`
	} `json:"imdswatch"`
}

// cell is a text field as the table shows it. Any field can hold several
// values, whatever is usual for it; they stand side by side.
type cell string

func (c *cell) UnmarshalJSON(encoded []byte) error {
	var one string
	if err := json.Unmarshal(encoded, &one); err == nil {
		*c = cell(printable(one))
		return nil
	}
	var several []string
	if err := json.Unmarshal(encoded, &several); err != nil {
		return err
	}
	*c = cell(printable(strings.Join(several, " ")))
	return nil
}

// or is c, or other where c is empty.
func (c cell) or(other cell) cell {
	if c == "" {
		return other
	}
	return c
}

// commandLine is the nearest to a command line that the row has.
func (r *row) commandLine() cell { return r.Process.CommandLine.or(r.Process.Args).or(r.Process.Name) }

// alert writes one alert, given as JSON.
func (p *printer) alert(encoded []byte) error {
	return p.write(encoded, "WHAT HAPPENED", func(r *row) cell { return r.Message })
}

// event writes one event, given as JSON.
func (p *printer) event(encoded []byte) error {
	return p.write(encoded, "COMMAND LINE", (*row).commandLine)
}

func (p *printer) write(encoded []byte, lastHeader string, last func(*row) cell) error {
	if p.how == "json" {
		p.w.Write(encoded)
		return p.w.WriteByte('\n')
	}
	var r row
	if err := json.Unmarshal(encoded, &r); err != nil {
		return err
	}
	if p.rows == 0 {
		p.line("TIME", "SOURCE", "HOST", cell(lastHeader))
	}
	p.rows++
	p.line(r.Timestamp, r.IMDSWatch.Source, r.Host.Name.or(r.Host.ID), last(&r))
	return p.w.Flush() // somebody is watching
}

// line writes cells below each other; a long one pushes the rest of its line
// to the right rather than be cut.
func (p *printer) line(at, source, host, last cell) {
	for _, c := range []struct {
		cell  cell
		width int // in columns of a terminal
	}{{at, len("2006-01-02T15:04:05.000000Z")}, {source, 12}, {host, 20}} {
		fmt.Fprint(p.w, text.Pad(string(c.cell), c.width, ' '), "  ")
	}
	fmt.Fprintln(p.w, last)
}

// maxCell bounds a cell, in code points: arguments can have megabytes.
const maxCell = 2000

// printable keeps what a record says from steering the terminal, also by
// characters without a shape, which turn the direction of writing or hide.
func printable(s string) string { return visible(short(s, maxCell)) }

func visible(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
}

// short is s, or its first code points and a mark that there were more.
func short(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}
