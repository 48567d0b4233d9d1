package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/imdswatch/imdswatch/pipeline"
)

// letter is a dead letter in a list.
type letter struct {
	Partition int32         `json:"partition"`
	Offset    int64         `json:"offset"`
	Time      string        `json:"time"`
	Errors    *letterErrors `json:"errors"` // nil of a foreign record
	Size      int           `json:"size"`   // bytes of the value
	Truncated bool          `json:"truncated"`
}

// letterErrors are the headers __imdswatch.errors.*.
type letterErrors struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Source    string `json:"source"`
	Stage     string `json:"stage"`
	Reason    string `json:"reason"`
	Message   string `json:"message"`
	Version   string `json:"version"`
}

// wholeLetter is a dead letter with what its record holds. What is no text is
// base64 in the other member.
type wholeLetter struct {
	letter
	Headers     []letterHeader `json:"headers"`
	Key         *string        `json:"key"`
	KeyBase64   string         `json:"key_base64,omitempty"`
	Value       *string        `json:"value"`
	ValueBase64 string         `json:"value_base64,omitempty"`
}

type letterHeader struct {
	Key         string  `json:"key"`
	Value       *string `json:"value"`
	ValueBase64 string  `json:"value_base64,omitempty"`
}

func newLetter(l *pipeline.DeadLetter) letter {
	at := l.Record.Timestamp.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	out := letter{Partition: l.Record.Partition, Offset: l.Record.Offset, Time: at, Size: len(l.Record.Value), Truncated: l.Truncated}
	if l.Foreign == nil {
		out.Errors = &letterErrors{l.Topic, l.Partition, l.Offset, valid(l.Source), valid(string(l.Stage)), valid(string(l.Reason)), valid(l.Message), valid(l.Version)}
	}
	return out
}

// valid is s as JSON can hold it: anybody may write to the topic.
func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// textOr is bytes as text, or in base64; neither where there are none.
func textOr(b []byte) (text *string, encoded string) {
	switch {
	case b == nil:
		return nil, ""
	case !utf8.Valid(b):
		return nil, base64.StdEncoding.EncodeToString(b)
	}
	s := string(b)
	return &s, ""
}

// letter writes one dead letter of a list.
func (p *printer) letter(l *pipeline.DeadLetter) error {
	out := newLetter(l)
	if p.how == "json" {
		return p.encode(out)
	}
	if p.rows == 0 {
		p.cells("LETTER", "TIME", "RECORD", "SOURCE", "REASON", "BYTES", "WHY")
	}
	p.rows++
	e := out.Errors
	size := fmt.Sprint(out.Size)
	if out.Truncated {
		size = "lost"
	}
	return p.cells(fmt.Sprintf("%d:%d", out.Partition, out.Offset), out.Time, fmt.Sprintf("%s/%d/%d", e.Topic, e.Partition, e.Offset),
		printable(e.Source), printable(e.Reason), size, printable(e.Message))
}

// cells writes the cells of a list of dead letters; a long one pushes the rest of
// its line to the right.
func (p *printer) cells(cells ...string) error {
	for i, width := range [...]int{8, len("2006-01-02T15:04:05.000Z"), 24, 12, 10, 8} {
		fmt.Fprint(p.w, text.Pad(cells[i], width, ' '), "  ")
	}
	_, err := fmt.Fprintln(p.w, cells[len(cells)-1])
	return err
}

// wholeLetter writes a dead letter with everything it holds.
func (p *printer) wholeLetter(l *pipeline.DeadLetter) error {
	if p.how == "json" {
		out := wholeLetter{letter: newLetter(l), Headers: []letterHeader{}}
		for _, h := range l.Record.Headers {
			value, encoded := textOr(h.Value)
			out.Headers = append(out.Headers, letterHeader{valid(h.Key), value, encoded})
		}
		out.Key, out.KeyBase64 = textOr(l.Record.Key)
		out.Value, out.ValueBase64 = textOr(l.Record.Value)
		if err := p.encode(out); err != nil {
			return err
		}
		return p.flush()
	}
	r := l.Record
	fmt.Fprintf(p.w, "dead letter %d:%d of %s\n\nheaders\n", r.Partition, r.Offset, r.Timestamp.UTC().Format(time.RFC3339Nano))
	for _, h := range r.Headers {
		fmt.Fprintf(p.w, "  %s  %s\n", text.Pad(visible(h.Key), 28, ' '), visible(string(h.Value)))
	}
	fmt.Fprintf(p.w, "\nkey, %s\n%s\nvalue, %s\n%s", bytesOf(r.Key), indented(r.Key), valueOf(l), indented(r.Value))
	return p.flush()
}

func valueOf(l *pipeline.DeadLetter) string {
	if l.Truncated {
		return "lost"
	}
	return bytesOf(l.Record.Value)
}

func bytesOf(b []byte) string {
	if b == nil {
		return "none"
	}
	return fmt.Sprintf("%d bytes", len(b))
}

// indented are bytes for a terminal, indented.
func indented(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	var out strings.Builder
	for line := range strings.SplitSeq(strings.TrimSuffix(string(b), "\n"), "\n") {
		fmt.Fprintf(&out, "  %s\n", visible(strings.ReplaceAll(line, "\t", "    ")))
	}
	return out.String()
}
