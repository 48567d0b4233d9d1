package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/pipeline"
)

const replayUsage = `Judge a closed range of history, in a run of its own, then end. No consumer group is joined, and no
offset of the live one is moved. Alerts have the ids they have live, and carry the run's id.

Usage:
  imdswatch replay --from X --to Y

  --from X, --to Y   a time (2026-01-31T00:00:00Z), a time back from now (-24h), earliest, latest,
                     or an offset with one --topic and one --partition; the range excludes Y
  --topic T          an input, repeatable; all inputs if none is given
  --partition P      repeatable; all partitions if none is given
  --rate N           records a second over all
  --alerts-topic T   where alerts go; IMDSWATCH_ALERTS_TOPIC if not given
  --stdout           print the alerts, and produce nothing
  --state FILE       keep what is done, and go on there in the next run with the same file
  --report FILE      write what was covered
  --output FORMAT    of --stdout: table (default on a terminal) or json (default in a pipe)

Example:
  IMDSWATCH_BROKERS=127.0.0.1:9092 IMDSWATCH_TOPICS=raw.sysmon:windows imdswatch replay --from -24h --to latest --stdout

The exact offsets are told before the run. Exit code 1 if the range was not covered whole, since
retention had taken a part or the run was stopped, or if a record could not be read.
`

// replay is the verb at work.
type replay struct {
	from, to, output, alertsTopic, state, report string
	topics                                       []string
	partitions                                   []int32
	rate                                         int
	stdout                                       bool

	stderr io.Writer
	out    *printer
	buf    []byte
}

func replayCommand() *cobra.Command {
	r := &replay{}
	c := &cobra.Command{Use: "replay", Long: replayUsage, Args: atMost(0), RunE: r.run}
	c.Flags().StringVar(&r.from, "from", "", "")
	c.Flags().StringVar(&r.to, "to", "", "")
	c.Flags().StringArrayVar(&r.topics, "topic", nil, "")
	c.Flags().Int32SliceVar(&r.partitions, "partition", nil, "")
	c.Flags().IntVar(&r.rate, "rate", 0, "")
	c.Flags().StringVar(&r.alertsTopic, "alerts-topic", "", "")
	c.Flags().BoolVar(&r.stdout, "stdout", false, "")
	c.Flags().StringVar(&r.state, "state", "", "")
	c.Flags().StringVar(&r.report, "report", "", "")
	c.Flags().StringVar(&r.output, "output", "", "")
	return c
}

func (r *replay) run(c *cobra.Command, _ []string) error {
	now := time.Now()
	from, err1 := r.bound("from", r.from, now)
	to, err2 := r.bound("to", r.to, now)
	how, err3 := output(r.output, c.OutOrStdout())
	if r.rate < 0 {
		err3 = errors.Join(err3, fmt.Errorf("--rate %d is negative", r.rate))
	}
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	r.stderr, r.out = c.ErrOrStderr(), newPrinter(c.OutOrStdout(), how)
	cfg, configErr := readConfig(r.stderr)
	if cfg == nil {
		return configErr
	}
	set, rulesErr := cfg.rules.set(func(line string) { cfg.log.Warn(line) })
	if err := errors.Join(configErr, rulesErr); err != nil {
		return err
	}
	if r.alertsTopic != "" {
		cfg.pipeline.AlertsTopic = r.alertsTopic
	}
	p, err := pipeline.New(cfg.pipeline, set, newRegistry(), cfg.kafka...)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(context.Background(), cfg.log)
	defer stop()
	run, err := r.begin(ctx, cfg, from, to)
	if err != nil {
		return kafkaError(err)
	}
	for _, s := range run.Spans {
		fmt.Fprintf(r.stderr, "%s/%d: offsets %d to %d, %d records at most, from %d on\n", s.Topic, s.Partition, s.From, s.To, s.To-s.From, s.Next)
		if s.Gap > 0 {
			fmt.Fprintf(r.stderr, "%s/%d: retention has taken %d offsets of the range\n", s.Topic, s.Partition, s.Gap)
		}
	}
	return r.drive(ctx, p, run)
}

// bound reads the value of --from or --to.
func (r *replay) bound(flag, value string, now time.Time) (b pipeline.Bound, err error) {
	var offset int64
	back, backErr := time.ParseDuration(value)
	at, timeErr := time.Parse(time.RFC3339, value)
	_, offsetErr := fmt.Sscanf(value+"\n", "%d\n", &offset)
	switch {
	case value == "":
		return b, fmt.Errorf("--%s is missing, see imdswatch replay --help", flag)
	case value == "earliest":
		b.Earliest = true
	case value == "latest":
		b.Latest = true
	case timeErr == nil:
		b.Time = at
	case offsetErr == nil && offset >= 0:
		if b.Offset = offset; len(r.topics) != 1 || len(r.partitions) != 1 {
			return b, fmt.Errorf("--%s %d: an offset is one of a partition, give one --topic and one --partition", flag, offset)
		}
	case backErr == nil && back < 0:
		b.Time = now.Add(back)
	default:
		return b, fmt.Errorf("--%s %q, want a time like 2026-01-31T00:00:00Z, a time back like -24h, earliest, latest or an offset", flag, value)
	}
	return b, nil
}

// begin makes the run: of the range, or of what the state file says is left.
func (r *replay) begin(ctx context.Context, cfg *config, from, to pipeline.Bound) (*replayRun, error) {
	asked := fmt.Sprintf("from %s to %s, topics %v, partitions %v, alerts to %s", r.from, r.to, r.topics, r.partitions, cfg.pipeline.AlertsTopic)
	if run, err := readState(r.state, asked); run != nil || err != nil {
		return run, err
	}
	spans, err := pipeline.Spans(ctx, cfg.pipeline, slices.Compact(slices.Sorted(slices.Values(r.topics))), r.partitions, from, to, cfg.kafka...)
	if err != nil {
		return nil, err
	}
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	return &replayRun{Run: hex.EncodeToString(id), Asked: asked, Spans: spans}, nil
}

// drive runs the replay and says what it came to.
func (r *replay) drive(ctx context.Context, p *pipeline.Pipeline, run *replayRun) error {
	bar := newMeter(r.stderr, run.Spans)
	how := pipeline.Replay{Run: run.Run, Spans: run.Spans, Rate: r.rate, Done: func() error {
		bar.show(run.Spans)
		return errors.Join(r.out.flush(), writeState(r.state, run))
	}}
	if r.stdout {
		how.Alert = func(a *detector.Alert) error {
			r.buf = a.AppendJSON(r.buf[:0])
			return r.out.alert(r.buf)
		}
	}
	tally, err := p.Replay(ctx, how)
	bar.end()
	err = errors.Join(err, r.out.flush(), writeState(r.state, run), run.writeReport(r.report))
	stopped := errors.Is(err, context.Canceled)
	if err != nil && !stopped {
		fmt.Fprintf(r.stderr, "imdswatch: %v\n", err)
	}
	_ = json.NewEncoder(r.stderr).Encode(summary{ // stderr gone: nobody to tell
		Records: tally.Records, Events: tally.Events, Skipped: tally.Skipped, NoMatch: tally.NoMatch, Alerts: tally.Alerts, Errors: tally.Unreadable,
	})
	switch {
	case errors.Is(err, pipeline.ErrKafka):
		return &exit{code: exitKafka}
	case err != nil, !run.covered(), tally.Unreadable > 0:
		return &exit{code: exitFaulty}
	}
	return nil
}
