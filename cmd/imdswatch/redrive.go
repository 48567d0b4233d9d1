package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/goccy/go-json"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/pipeline"
)

const redriveUsage = `Send dead letters through again, from the first that is there to the last at the start of the command.

Usage:
  imdswatch dlq redrive [--reason R] [--source S] [--topic T] [--from X] [--to Y]
                        [--to pipeline|topic] [--dry-run]
` + filterUsage + `
  --to pipeline  judge them here, by the rules and normalizers of today, and send the alerts (the default).
                 Letters have the places of their records, so alerts have the ids they would have had.
  --to topic     copy key, value and headers back to the topics and partitions they came from. The copies
                 have offsets of their own, so alerts of them have other ids. Goes to inputs alone.
  --dry-run      produce nothing

Example:
  IMDSWATCH_BROKERS=127.0.0.1:9092 IMDSWATCH_TOPICS=raw.sysmon:windows imdswatch dlq redrive --reason shape --dry-run

The environment is that of "imdswatch run --help". Dead letters stay where they are. Those that fail
again, or have lost their value, are named and counted. The last line counts.
Exit code 1 if a letter is still failing.
`

func redriveCommand() *cobra.Command {
	var to []string
	var dryRun bool
	filter := &letterFilter{}
	c := &cobra.Command{Use: "redrive", Long: redriveUsage, Args: atMost(0)}
	filter.addFlags(c)
	c.Flags().StringArrayVar(&to, "to", nil, "")
	c.Flags().BoolVar(&dryRun, "dry-run", false, "")
	c.RunE = func(c *cobra.Command, _ []string) error {
		toTopics, until, err := destination(to)
		if err != nil {
			return wrongUsage(c, "%v", err)
		}
		selection, err := filter.selection(until, time.Now())
		cfg, configErr := readConfig(c.ErrOrStderr())
		if cfg == nil {
			return configErr
		}
		set, rulesErr := cfg.rules.set(func(line string) { fmt.Fprintln(c.ErrOrStderr(), line) })
		if err := errors.Join(err, configErr, rulesErr); err != nil {
			return err
		}
		p, err := pipeline.New(cfg.pipeline, set, prometheus.NewRegistry(), cfg.kafka...)
		if err != nil {
			return err
		}
		if toTopics {
			fmt.Fprintln(c.ErrOrStderr(), "the copies get offsets of their own: alerts of them have other ids than alerts of the records they are copied from")
		}
		failing := &failingLetters{w: c.ErrOrStderr()}
		sum, err := p.Redrive(c.Context(), pipeline.Redrive{Selection: selection, ToTopics: toTopics, DryRun: dryRun, Failing: failing.tell})
		failing.rest()
		return redriven(c.ErrOrStderr(), sum, err)
	}
	return c
}

// destination takes the values of --to apart: where letters go, and the end of a
// range of time.
func destination(values []string) (toTopics bool, until string, err error) {
	where := ""
	for _, v := range values {
		place := &until
		if v == "pipeline" || v == "topic" {
			place = &where
		}
		if *place != "" {
			return false, "", fmt.Errorf("--to %s and --to %s", *place, v)
		}
		*place = v
	}
	return where == "topic", until, nil
}

// redriven says what a redrive came to, an error in front of the counts.
func redriven(stderr io.Writer, sum pipeline.Redriven, err error) error {
	if err != nil {
		fmt.Fprintf(stderr, "imdswatch: %v\n", err)
	}
	if isTerminal(stderr) {
		fmt.Fprintf(stderr, "%d letters read: %d redriven, %d still failing\n", sum.Read, sum.Redriven, sum.StillFailing)
	} else {
		_ = json.NewEncoder(stderr).Encode(sum) // stderr gone: nobody to tell
	}
	switch {
	case errors.Is(err, pipeline.ErrKafka):
		return &exit{code: exitKafka}
	case err != nil, sum.StillFailing > 0:
		return &exit{code: exitFaulty}
	}
	return nil
}
