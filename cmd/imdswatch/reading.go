package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/pipeline"
)

// reading is the records of files, or of stdin, each of them judged: what scan
// and explain have in common.
type reading struct {
	flags struct {
		source, output string
		rules          []string
		whole          bool
	}
	source *normalize.Source
	rules  ruleSettings
	set    *detector.Set
	files  []string
	stdin  io.Reader
	stderr io.Writer
	out    *printer

	take       func(*judgement) error // writes what a judgement came to
	complaints pipeline.Complaints
	sum        summary
}

// judgement is the verdict on one record, or at the end of a file on what was
// held back until then. It is valid until the next one.
type judgement struct {
	pipeline.Verdict
	judge  *pipeline.Judge
	file   string
	record *normalize.Record
	end    bool // the record is none
}

// topic stands for the topic of the records of a file.
func topic(file string) string { return filepath.Base(file) }

// summary is the last line on stderr.
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

func (r *reading) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&r.flags.source, "source", "auto", "")
	c.Flags().StringVar(&r.flags.output, "output", "", "")
	c.Flags().StringArrayVar(&r.flags.rules, "rules", nil, "")
	c.Flags().BoolVar(&r.flags.whole, "whole", false, "")
}

// prepare fails on all that is wrong with the command before a record is read.
func (r *reading) prepare(c *cobra.Command, files []string) error {
	how, err := output(r.flags.output, c.OutOrStdout())
	if err != nil {
		return err
	}
	if r.source, err = sourceNamed(r.flags.source); err != nil {
		return err
	}
	r.stdin, r.stderr = c.InOrStdin(), c.ErrOrStderr()
	var faults error
	r.rules, faults = readRuleSettings(r.flags.rules)
	if r.set, err = r.rules.set(func(line string) { fmt.Fprintln(r.stderr, line) }); err != nil || faults != nil {
		return errors.Join(faults, err)
	}
	if r.files = files; len(files) == 0 {
		r.files = []string{"-"}
	}
	r.out = newPrinter(c.OutOrStdout(), how)
	return readable(r.files)
}

// readable fails if a file cannot be opened.
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

func (r *reading) run(take func(*judgement) error) error {
	r.take = take
	broken := false
	for _, name := range r.files {
		if err := r.file(name); err != nil {
			fmt.Fprintf(r.stderr, "%v\n", err)
			broken = true
		}
	}
	if err := r.out.flush(); err != nil {
		return &exit{exitFaulty, err}
	}
	rest := r.complaints.Rest()
	for _, kind := range slices.Sorted(maps.Keys(rest)) {
		fmt.Fprintf(r.stderr, "%d more records not shown: %s\n", rest[kind], kind)
	}
	r.sum.tell(r.stderr)
	if broken || r.sum.Errors > 0 {
		return &exit{code: exitFaulty}
	}
	return nil
}

func (s *summary) tell(stderr io.Writer) {
	if isTerminal(stderr) {
		fmt.Fprintf(stderr, "%d records, %d process starts: %d alerts, %d without a match, %d other records skipped, %d unreadable\n",
			s.Records, s.Events, s.Alerts, s.NoMatch, s.Skipped, s.Errors)
		return
	}
	_ = json.NewEncoder(stderr).Encode(s) // stderr gone: nobody to tell
}

// file judges the records of one file. It fails where the file itself breaks.
func (r *reading) file(name string) error {
	in, err := open(name, r.stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	judge := pipeline.NewJudge(r.source, topic(name), 0)
	if r.flags.whole {
		value, broken := io.ReadAll(io.LimitReader(in, normalize.MaxRecord+1))
		if err := r.judge(judge, name, &normalize.Record{Value: value}); err != nil {
			return err
		}
		if err := r.end(judge, name); err != nil {
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
			if err := r.out.flush(); err != nil {
				return err
			}
		}
		value, err := lines.next()
		if err != nil {
			if err := r.end(judge, name); err != nil {
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
		if err := r.judge(judge, name, &normalize.Record{Value: value, Offset: offset}); err != nil {
			return err
		}
	}
}

// judge judges one record.
func (r *reading) judge(judge *pipeline.Judge, file string, record *normalize.Record) error {
	r.sum.Records++
	return r.count(&judgement{Verdict: judge.Judge(record, r.set), judge: judge, file: file, record: record})
}

// end judges what is held back at the end of a file: it gets no more records.
func (r *reading) end(judge *pipeline.Judge, file string) error {
	verdict := judge.Expire(normalize.EndOfInput, r.set)
	return r.count(&judgement{Verdict: verdict, judge: judge, file: file, record: &normalize.Record{}, end: true})
}

// count counts what a judgement came to, and complains where a record could not
// be read.
func (r *reading) count(j *judgement) error {
	r.sum.Events += j.Events
	r.sum.Alerts += len(j.Alerts)
	r.sum.Skipped += j.Counts[pipeline.Skipped]
	r.sum.NoMatch += j.Counts[pipeline.NoMatch]
	if j.Fault != nil {
		r.sum.Errors++
		if r.complaints.Show(j.Fault.Source + " " + string(j.Fault.Reason)) {
			fmt.Fprintf(r.stderr, "%s:%d: %s: %s\n", j.file, j.record.Offset+1, j.Fault.Source, j.Fault.Message)
		}
	}
	return r.take(j)
}
