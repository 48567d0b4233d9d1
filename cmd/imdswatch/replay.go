package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/pipeline"
)

const replayUsage = `Judge a closed range of history once more, in a run of its own, then end. No consumer
group has a part in it: what "imdswatch run" has committed is neither read nor moved. The
alerts have the ids that they have live, and say which replay they are of.

Usage:
  imdswatch replay --from X --to Y

  --from X, --to Y    the records from X on, without Y: a time like 2026-01-31T00:00:00Z, a
                      time back from now like -24h, earliest, latest, or an offset, which
                      takes one --topic and one --partition
  --topic T           one of IMDSWATCH_TOPICS, or topic:source; repeatable; else all of them
  --partition P       a partition of each topic; repeatable; else all of them
  --rate N            read at most N records a second, over all
  --state FILE        note what is done, and go on from there when started again
  --stdout            print the alerts, as scan does, and produce nothing
  --alerts-topic T    the topic for alerts, in place of IMDSWATCH_ALERTS_TOPIC
  --report FILE       write what it came to as JSON
  --output FORMAT     of --stdout: table (default on a terminal) or json (default in a pipe)

The times are those of the records in Kafka. A raw audit event that spreads over several
records belongs to the range of its first one, and reading goes on behind the range until it
has ended. The exit code is 1 where a part of the range was not covered, because it was
stopped or retention was faster, or a record could not be read.

The last line on stderr sums up. Configuration is that of "imdswatch run --help".

Example, for the last day of a topic on a broker on this machine:
  IMDSWATCH_BROKERS=127.0.0.1:9092 IMDSWATCH_TOPICS=raw.sysmon:windows \
    imdswatch replay --from -24h --to latest --stdout
`

type replay struct {
	pipeline.ReplayConfig
	topics      []string
	stdout      bool
	alertsTopic string
	report      string
	output      string
}

func replayCommand() *cobra.Command {
	r := &replay{}
	c := &cobra.Command{Use: "replay --from X --to Y", Long: replayUsage, Args: atMost(0), RunE: func(c *cobra.Command, _ []string) error { return r.run(c) }}
	c.Flags().StringVar(&r.From, "from", "", "")
	c.Flags().StringVar(&r.To, "to", "", "")
	c.Flags().StringArrayVar(&r.topics, "topic", nil, "")
	c.Flags().Int32SliceVar(&r.Partitions, "partition", nil, "")
	c.Flags().IntVar(&r.Rate, "rate", 0, "")
	c.Flags().StringVar(&r.State, "state", "", "")
	c.Flags().BoolVar(&r.stdout, "stdout", false, "")
	c.Flags().StringVar(&r.alertsTopic, "alerts-topic", "", "")
	c.Flags().StringVar(&r.report, "report", "", "")
	c.Flags().StringVar(&r.output, "output", "", "")
	return c
}

// check finds what is wrong with the flags whatever the configuration is.
func (r *replay) check(c *cobra.Command) error {
	var faults []error
	wrong := func(format string, args ...any) { faults = append(faults, wrongUsage(c, format, args...)) }
	now := time.Now()
	for _, bound := range []struct{ flag, value string }{{"--from", r.From}, {"--to", r.To}} {
		b, err := pipeline.ParseBound(bound.value, now)
		switch {
		case bound.value == "":
			wrong("%s is needed", bound.flag)
		case err != nil:
			wrong("%s: %v", bound.flag, err)
		case b.IsOffset() && (len(r.topics) != 1 || len(r.Partitions) != 1):
			wrong("%s: offset %s is one partition's, give one --topic and one --partition", bound.flag, bound.value)
		}
	}
	for _, n := range r.Partitions {
		if n < 0 {
			wrong("--partition: %d is none", n)
		}
	}
	if c.Flags().Changed("rate") && r.Rate <= 0 {
		wrong("--rate: %d is no whole number above 0", r.Rate)
	}
	if r.stdout && r.alertsTopic != "" {
		wrong("--stdout and --alerts-topic: alerts go to one of them")
	}
	for _, file := range []struct{ flag, name string }{{"--state", r.State}, {"--report", r.report}} {
		if file.name == "" {
			continue
		}
		if _, err := os.Stat(filepath.Dir(file.name)); err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", file.flag, err))
		}
	}
	return errors.Join(faults...)
}

// run replays as the flags and the environment say.
func (r *replay) run(c *cobra.Command) error {
	how, outputErr := output(r.output, c.OutOrStdout())
	stderr := c.ErrOrStderr()
	cfg, err := readConfig(stderr)
	if cfg == nil {
		return err
	}
	cfg.pipeline.AlertsTopic = cmp.Or(r.alertsTopic, cfg.pipeline.AlertsTopic)
	if err == nil && len(r.topics) > 0 {
		err = cfg.pipeline.Narrow(r.topics)
	}
	set, rulesErr := cfg.rules.set(func(line string) { cfg.log.Warn(line) })
	if err := errors.Join(r.check(c), outputErr, err, rulesErr); err != nil {
		return err // all faults at once
	}
	if r.stdout {
		r.Print = printAlerts(newPrinter(c.OutOrStdout(), how))
	}
	seen := isTerminal(stderr)
	var shown *progressbar.ProgressBar
	switch {
	case !seen:
		r.Progress = logProgress(cfg.log)
	case !r.stdout || !isTerminal(c.OutOrStdout()): // else alerts and the bar would be in each other's way
		r.Progress = func(done, total int64) {
			if shown == nil {
				shown = bar(stderr, total)
			}
			_ = shown.Set64(done) // stderr gone: nobody to tell
		}
	}
	run, err := pipeline.NewReplay(cfg.pipeline, r.ReplayConfig, set, cfg.kafka...)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(context.Background(), cfg.log)
	defer stop()
	switch err := run.Plan(ctx); {
	case ctx.Err() != nil:
		return &exit{exitFaulty, errors.New("stopped before anything was judged")}
	case errors.Is(err, pipeline.ErrKafka):
		return kafkaError(err)
	case err != nil:
		return err
	}
	report := run.Report()
	printPlan(stderr, &report, seen)
	cfg.log.Info("replay starts", "run", report.Run, "version", version, "commit", commit(), "rules", len(set.Rules()), "rules_hash", set.Hash())
	err = run.Run(ctx)
	if shown != nil {
		_ = shown.Exit() // leaves the bar as it is
		fmt.Fprintln(stderr)
	}
	return r.end(run, stderr, err)
}

// end writes what the replay came to and returns it as an exit code.
func (r *replay) end(run *pipeline.Replay, stderr io.Writer, err error) error {
	report, s := run.Report(), run.Sum()
	if r.report != "" {
		err = errors.Join(err, pipeline.WriteFile(r.report, &report))
	}
	if err != nil { // here, as the last line is the summary's
		fmt.Fprintf(stderr, "imdswatch: %v\n", err)
	}
	sum := summary{Records: s.Records, Events: s.Events, Skipped: s.Skipped, NoMatch: s.NoMatch, Alerts: s.Alerts, Errors: s.Errors}
	sum.tell(stderr)
	switch {
	case errors.Is(err, pipeline.ErrKafka):
		return &exit{code: exitKafka}
	case err != nil, !report.Complete, s.Errors > 0:
		return &exit{code: exitFaulty}
	}
	return nil
}

// printAlerts prints alerts as scan does.
func printAlerts(out *printer) func([]*detector.Alert) error {
	var buf []byte
	return func(alerts []*detector.Alert) error {
		for _, a := range alerts {
			buf = a.AppendJSON(buf[:0])
			if err := out.alert(buf); err != nil {
				return err
			}
		}
		return out.flush()
	}
}

// printPlan says what is going to be read.
func printPlan(stderr io.Writer, report *pipeline.Report, seen bool) {
	if !seen {
		for _, line := range report.Lines() {
			fmt.Fprintln(stderr, line)
		}
		return
	}
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"topic", "partition", "from", "to", "goes on at", "gone"})
	for _, s := range report.Partitions {
		t.AppendRow(table.Row{s.Topic, s.Partition, s.From, s.To, s.Next, s.Gap})
	}
	fmt.Fprintln(stderr, t.Render())
}

func bar(stderr io.Writer, total int64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(total, progressbar.OptionSetWriter(stderr), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("offsets"),
		progressbar.OptionSetPredictTime(true), progressbar.OptionFullWidth())
}

// progressInterval is the time between lines on how far a replay is.
const progressInterval = 10 * time.Second

// logProgress logs how far a replay is, now and then.
func logProgress(log *slog.Logger) func(done, total int64) {
	began := time.Now()
	said := began
	first := int64(-1)
	return func(done, total int64) {
		if first < 0 {
			first = done
		}
		now := time.Now()
		if now.Sub(said) < progressInterval {
			return
		}
		said = now
		left := "unknown"
		if done > first {
			left = time.Duration(float64(now.Sub(began)) / float64(done-first) * float64(total-done)).Round(time.Second).String()
		}
		log.Info("replay goes on", "done", done, "of", total, "left", left)
	}
}
