package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/pipeline"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

const scanUsage = `Judge the raw records in files, or on stdin, and print the alerts. No Kafka is needed.

Usage:
  imdswatch scan [FILE...]

  --source NAME     the kind of raw record, see imdswatch sources; auto, the default, tells
                    each record's by its own members
  --events          print the normalized events in place of alerts
  --rules PATH      a rule file or folder, repeatable; builtin:imds if none is given
  --whole           each file is one record; else each line is
  --output FORMAT   table (default on a terminal) or json (default in a pipe)

Files ending in .gz and .zst are unpacked. A record that cannot be read is a line on
stderr, FILE:LINE: SOURCE: message (byte N), and makes the exit code 1. The last line on
stderr sums up.

Example:
  echo '{"event":{"module":"endpoint","kind":"event","category":["process"],
  "type":["start"],"action":"exec"},"host":{"os":{"type":"linux"}},"process":{"name":"curl","args":["curl",
  "http://169.254.169.254/latest/meta-data/iam/security-credentials/web"]}}' |
    tr -d '\n' | imdswatch scan
`

type scan struct {
	source     *normalize.Source
	set        *detector.Set
	events     bool
	whole      bool
	out        *printer
	stderr     io.Writer
	complaints pipeline.Complaints
	sum        summary
	buf        []byte
}

// summary is the last line of a scan.
type summary struct {
	Records    int `json:"records"`
	Events     int `json:"events"`
	Skipped    int `json:"skipped"`
	NoMatch    int `json:"no_match"`
	Alerts     int `json:"alerts"`
	Excepted   int `json:"excepted"`
	Suppressed int `json:"suppressed"`
	Errors     int `json:"errors"`
}

func scanCommand() *cobra.Command {
	var source, out string
	var rules []string
	s := &scan{}
	c := &cobra.Command{Use: "scan [FILE...]", Long: scanUsage, Args: cobra.ArbitraryArgs}
	c.Flags().StringVar(&source, "source", "auto", "")
	c.Flags().StringVar(&out, "output", "", "")
	c.Flags().StringArrayVar(&rules, "rules", nil, "")
	c.Flags().BoolVar(&s.events, "events", false, "")
	c.Flags().BoolVar(&s.whole, "whole", false, "")
	c.RunE = func(c *cobra.Command, files []string) (err error) {
		how, err := output(out, c.OutOrStdout())
		if err != nil {
			return err
		}
		if s.source, err = sourceNamed(source); err != nil {
			return err
		}
		s.stderr = c.ErrOrStderr()
		if s.set, err = ruleSet(rules, func(line string) { fmt.Fprintln(s.stderr, line) }); err != nil {
			return err
		}
		if len(files) == 0 {
			files = []string{"-"}
		}
		if err := readable(files); err != nil {
			return err
		}
		s.out = newPrinter(c.OutOrStdout(), how)
		return s.run(files, c.InOrStdin())
	}
	return c
}

// readable fails before anything is scanned if a file cannot be opened.
func readable(files []string) error {
	var missing []error
	for _, name := range files {
		if name == "-" {
			continue
		}
		info, err := os.Stat(name)
		if err == nil && info.IsDir() {
			err = fmt.Errorf("%s is a folder, want files", name)
		}
		missing = append(missing, err)
	}
	return errors.Join(missing...)
}

func (s *scan) run(files []string, stdin io.Reader) error {
	broken := false
	for _, name := range files {
		if err := s.file(name, stdin); err != nil {
			fmt.Fprintf(s.stderr, "%v\n", err)
			broken = true
		}
	}
	if err := s.out.flush(); err != nil {
		return &exit{exitFaulty, err}
	}
	rest := s.complaints.Rest()
	for _, kind := range slices.Sorted(maps.Keys(rest)) {
		fmt.Fprintf(s.stderr, "%d more records not shown: %s\n", rest[kind], kind)
	}
	s.sumUp()
	if broken || s.sum.Errors > 0 {
		return &exit{code: exitFaulty}
	}
	return nil
}

func (s *scan) sumUp() {
	if isTerminal(s.stderr) {
		fmt.Fprintf(s.stderr, "%d records, %d process starts: %d alerts, %d without a match, %d other records skipped, %d unreadable\n",
			s.sum.Records, s.sum.Events, s.sum.Alerts, s.sum.NoMatch, s.sum.Skipped, s.sum.Errors)
		return
	}
	_ = json.NewEncoder(s.stderr).Encode(s.sum) // stderr gone: nobody to tell
}

// file judges the records of one file. It fails where the file itself breaks.
func (s *scan) file(name string, stdin io.Reader) error {
	in, err := open(name, stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	topic := filepath.Base(name)
	judge := pipeline.NewJudge(s.source, topic, 0)
	if s.whole {
		value, broken := io.ReadAll(io.LimitReader(in, normalize.MaxRecord+1))
		if err := s.record(judge, name, topic, &normalize.Record{Value: value}); err != nil {
			return err
		}
		if err := s.end(judge, name, topic); err != nil {
			return err
		}
		if broken != nil {
			return fmt.Errorf("%s: %w", name, broken)
		}
		return nil
	}
	lines := newLines(in)
	for offset := int64(0); ; offset++ {
		if lines.waits() { // on somebody's tail -f: show what there is
			if err := s.out.flush(); err != nil {
				return err
			}
		}
		value, err := lines.next()
		if err != nil {
			if err := s.end(judge, name, topic); err != nil {
				return err
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("%s:%d: %w", name, offset+1, err)
		}
		if normalize.Blank(value) {
			continue
		}
		if err := s.record(judge, name, topic, &normalize.Record{Value: value, Offset: offset}); err != nil {
			return err
		}
	}
}

// record judges one record and prints what comes of it.
func (s *scan) record(judge *pipeline.Judge, name, topic string, r *normalize.Record) error {
	s.sum.Records++
	return s.take(judge, judge.Judge(r, s.set), name, topic, r.Offset)
}

// end judges what is held back at the end of a file: it gets no more records.
func (s *scan) end(judge *pipeline.Judge, name, topic string) error {
	return s.take(judge, judge.Expire(normalize.EndOfInput, s.set), name, topic, 0)
}

// take counts and prints what a judgement came to.
func (s *scan) take(judge *pipeline.Judge, v pipeline.Verdict, name, topic string, offset int64) error {
	s.sum.Events += v.Events
	s.sum.Alerts += len(v.Alerts)
	s.sum.Skipped += v.Counts[pipeline.Skipped]
	s.sum.NoMatch += v.Counts[pipeline.NoMatch]
	if v.Fault != nil {
		s.sum.Errors++
		if s.complaints.Show(v.Fault.Source + " " + string(v.Fault.Reason)) {
			fmt.Fprintf(s.stderr, "%s:%d: %s: %s\n", name, offset+1, v.Fault.Source, v.Fault.Message)
		}
	}
	if s.events {
		events := judge.Events()
		for i := range events {
			s.buf = appendEvent(s.buf[:0], &events[i], cmp.Or(events[i].Source, s.source.Name), topic)
			if err := s.out.event(s.buf); err != nil {
				return err
			}
		}
		return nil
	}
	for _, a := range v.Alerts {
		s.buf = a.AppendJSON(s.buf[:0])
		if err := s.out.alert(s.buf); err != nil {
			return err
		}
	}
	return nil
}

// appendEvent appends an event with where it comes from.
func appendEvent(dst []byte, e *ecs.Event, source, topic string) []byte {
	dst = bytes.TrimSuffix(e.AppendJSON(dst), []byte("}"))
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, `"imdswatch":{"source":`...)
	dst = ecs.AppendString(dst, []byte(source))
	dst = append(dst, `,"shape":`...)
	dst = ecs.AppendString(dst, []byte(e.Shape))
	dst = append(dst, `,"topic":`...)
	dst = ecs.AppendString(dst, []byte(topic))
	dst = append(dst, `,"partition":0,"offset":`...)
	dst = strconv.AppendInt(dst, e.Offset, 10)
	dst = append(dst, `,"index":`...)
	dst = strconv.AppendInt(dst, int64(e.Index), 10)
	return append(dst, "}}"...)
}
