package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-json"
)

// printer writes alerts and events: NDJSON, or a line to read for each.
type printer struct {
	w    *bufio.Writer
	how  string
	rows int
}

func newPrinter(w io.Writer, how string) *printer { return &printer{w: bufio.NewWriter(w), how: how} }

func (p *printer) flush() error { return p.w.Flush() }

// row is what a line of the table shows of an alert or an event.
type row struct {
	Timestamp string `json:"@timestamp"`
	Message   string `json:"message"`
	Host      struct {
		Name string `json:"name"`
		ID   string `json:"id"`
	} `json:"host"`
	Process struct {
		Name        any      `json:"name"`
		CommandLine any      `json:"command_line"`
		Args        []string `json:"args"`
	} `json:"process"`
	IMDSWatch struct {
		ID     string `json:"id"`
		Source string `json:"source"`
	} `json:"imdswatch"`
}

// alert writes one alert, given as JSON.
func (p *printer) alert(encoded []byte) error { return p.write(encoded, "WHAT HAPPENED") }

// event writes one event, given as JSON.
func (p *printer) event(encoded []byte) error { return p.write(encoded, "COMMAND LINE") }

const tableFormat = "%-24s  %-12s  %-20s  %s\n"

func (p *printer) write(encoded []byte, last string) error {
	if p.how == "json" {
		p.w.Write(encoded)
		return p.w.WriteByte('\n')
	}
	var r row
	if err := json.Unmarshal(encoded, &r); err != nil {
		return err
	}
	if p.rows == 0 {
		fmt.Fprintf(p.w, tableFormat, "TIME", "SOURCE", "HOST", last)
	}
	p.rows++
	host := r.Host.Name
	if host == "" {
		host = r.Host.ID
	}
	text := r.Message
	if last == "COMMAND LINE" {
		text = printable(strings.Join(r.Process.Args, " "))
		if line, ok := r.Process.CommandLine.(string); ok {
			text = printable(line)
		}
	}
	_, err := fmt.Fprintf(p.w, tableFormat, r.Timestamp, r.IMDSWatch.Source, printable(host), text)
	if err == nil {
		err = p.w.Flush() // somebody is watching
	}
	return err
}

// printable keeps what a record says from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '·'
		}
		return r
	}, s)
}
