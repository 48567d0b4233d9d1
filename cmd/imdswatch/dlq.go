package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/pipeline"
)

const dlqUsage = `Look at dead letters, the records that could not be read, and send them through again.

Usage:
  imdswatch dlq list [FILTER...]     what is in the dead letter topic, and why
  imdswatch dlq show PARTITION:OFFSET    one dead letter whole
  imdswatch dlq redrive [FILTER...]  judge dead letters, or copy them back to their topics

"imdswatch dlq list --help" and so on say more.
`

// filterUsage is the help on the flags of letterFilter.
const filterUsage = `
  --reason R     syntax, encoding, shape, too_deep, too_large, decompress, panic or refused
  --source S     of records of that source
  --topic T      of records of that topic
  --from X       written at X or later: a time like 2026-01-31T00:00:00Z, or -24h for that long ago
  --to Y         written before Y
`

const dlqListUsage = `List the dead letters, from the first that is there to the last at the start of the command:
place, time, and what their headers say. What the records hold is not shown.

Usage:
  imdswatch dlq list [--reason R] [--source S] [--topic T] [--from X] [--to Y] [--output table|json]
` + filterUsage + `
Example:
  IMDSWATCH_BROKERS=127.0.0.1:9092 imdswatch dlq list --reason syntax --from -24h

The environment is that of "imdswatch run --help"; IMDSWATCH_TOPICS is not needed.
Exit code 1 if the topic holds records that are no dead letters.
`

const dlqShowUsage = `Show one dead letter whole: headers, key, value. On a terminal, what cannot be printed is a dot;
in a pipe, what is no UTF-8 text is base64 in key_base64 or value_base64.

Usage:
  imdswatch dlq show PARTITION:OFFSET [--output table|json]

Example:
  IMDSWATCH_BROKERS=127.0.0.1:9092 imdswatch dlq show 0:42

The place is that in the dead letter topic, as dlq list shows it. The environment is that of
"imdswatch run --help"; IMDSWATCH_TOPICS is not needed.
`

func dlqCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "dlq", Long: dlqUsage, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("no verb %q, see imdswatch dlq --help", "dlq "+args[0])
			}
			return errors.New("a verb is missing, see imdswatch dlq --help")
		},
	}
	c.AddCommand(dlqListCommand(), dlqShowCommand(), redriveCommand())
	return c
}

func dlqListCommand() *cobra.Command {
	var out, to string
	filter := &letterFilter{}
	c := &cobra.Command{Use: "list", Long: dlqListUsage, Args: atMost(0)}
	filter.addFlags(c)
	c.Flags().StringVar(&to, "to", "", "")
	c.Flags().StringVar(&out, "output", "", "")
	c.RunE = func(c *cobra.Command, _ []string) error {
		how, err := output(out, c.OutOrStdout())
		if err != nil {
			return err
		}
		selection, err := filter.selection(to, time.Now())
		cfg, configErr := readConfig(c.ErrOrStderr(), "TOPICS")
		if err := errors.Join(err, configErr); err != nil {
			return err
		}
		return listLetters(c.Context(), cfg, selection, newPrinter(c.OutOrStdout(), how), c.ErrOrStderr())
	}
	return c
}

func listLetters(ctx context.Context, cfg *config, s pipeline.Selection, out *printer, stderr io.Writer) error {
	failing := &failingLetters{w: stderr}
	err := pipeline.DeadLetters(ctx, cfg.pipeline, s, func(l *pipeline.DeadLetter) error {
		if l.Foreign != nil {
			failing.tell(l, l.Foreign)
			return nil
		}
		return out.letter(l)
	}, cfg.kafka...)
	failing.rest()
	if err := errors.Join(kafkaError(err), written(out.flush())); err != nil {
		return err
	}
	if failing.n > 0 {
		return &exit{code: exitFaulty}
	}
	return nil
}

func dlqShowCommand() *cobra.Command {
	var out string
	c := &cobra.Command{Use: "show PARTITION:OFFSET", Long: dlqShowUsage}
	c.Flags().StringVar(&out, "output", "", "")
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return wrongUsage(c, "want one PARTITION:OFFSET")
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		how, err := output(out, c.OutOrStdout())
		if err != nil {
			return err
		}
		p, o, _ := strings.Cut(args[0], ":")
		partition, err := strconv.ParseUint(p, 10, 31)
		offset, err2 := strconv.ParseUint(o, 10, 63)
		if err != nil || err2 != nil {
			return wrongUsage(c, "%q is no place, want PARTITION:OFFSET like 0:42", args[0])
		}
		cfg, err := readConfig(c.ErrOrStderr(), "TOPICS")
		if err != nil {
			return err
		}
		l, err := pipeline.DeadLetterAt(c.Context(), cfg.pipeline, int32(partition), int64(offset), cfg.kafka...)
		if err != nil {
			return kafkaError(err)
		}
		if l == nil {
			return &exit{exitFaulty, fmt.Errorf("topic %q holds no record at %s", cfg.pipeline.DeadletterTopic, args[0])}
		}
		if err := written(newPrinter(c.OutOrStdout(), how).wholeLetter(l)); err != nil || l.Foreign == nil {
			return err
		}
		return &exit{exitFaulty, fmt.Errorf("%s is no dead letter: %w", args[0], l.Foreign)}
	}
	return c
}

// letterFilter is the flags that select dead letters.
type letterFilter struct{ reason, source, topic, from string }

func (f *letterFilter) addFlags(c *cobra.Command) {
	c.Flags().StringVar(&f.reason, "reason", "", "")
	c.Flags().StringVar(&f.source, "source", "", "")
	c.Flags().StringVar(&f.topic, "topic", "", "")
	c.Flags().StringVar(&f.from, "from", "", "")
}

// selection is what the flags select, or all that is wrong with them.
func (f *letterFilter) selection(to string, now time.Time) (s pipeline.Selection, err error) {
	var errs [4]error
	s = pipeline.Selection{Reason: normalize.Reason(f.reason), Source: f.source, Topic: f.topic}
	if f.reason != "" && !slices.Contains(pipeline.Reasons, s.Reason) {
		errs[0] = fmt.Errorf("--reason %q: want one of %s", f.reason, strings.Trim(fmt.Sprint(pipeline.Reasons), "[]"))
	}
	if f.source != "" {
		_, errs[1] = sourceNamed(f.source)
	}
	s.From, errs[2] = letterTime("--from", f.from, now)
	s.To, errs[3] = letterTime("--to", to, now)
	return s, errors.Join(errs[:]...)
}

// letterTime reads a time, or how long ago it was; zero if there is none.
func letterTime(flag, value string, now time.Time) (time.Time, error) {
	if value == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(value); err == nil && ago < 0 {
		return now.Add(ago), nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return at, fmt.Errorf("%s %q: want a time like 2026-01-31T00:00:00Z, or -24h for that long ago", flag, value)
	}
	return at, nil
}

// failingLetters names the letters with which something is wrong, the first ten
// of a kind.
type failingLetters struct {
	w          io.Writer
	n          int
	complaints pipeline.Complaints
}

func (f *failingLetters) tell(l *pipeline.DeadLetter, why error) {
	f.n++
	if l.Foreign != nil {
		if f.complaints.Show("no dead letter") {
			fmt.Fprintf(f.w, "%s/%d/%d: no dead letter: %v\n", l.Record.Topic, l.Record.Partition, l.Record.Offset, why)
		}
		return
	}
	source := text.Trim(printable(l.Source), 40)
	if f.complaints.Show(source + " " + printable(string(l.Reason))) {
		fmt.Fprintf(f.w, "%s/%d/%d: %s: %v\n", l.Topic, l.Partition, l.Offset, source, why)
	}
}

func (f *failingLetters) rest() {
	rest := f.complaints.Rest()
	for kind, n := range rest {
		fmt.Fprintf(f.w, "%d more letters not shown: %s\n", n, kind)
	}
}
