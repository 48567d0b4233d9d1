package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"github.com/goccy/go-json"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/pipeline"
)

const demoUsage = `Show the real pipeline at work, without Kafka and without a network: an embedded broker,
made-up raw records of every source (attacks and near misses), and the alerts as they arrive.

Usage:
  imdswatch demo [--serve] [--output table|json]

  --serve    keep the broker, the pipeline and the metrics up until a signal, for kcat or curl

Example:
  imdswatch demo
`

// The demo's topics. Each source's records are in demoInput + its name.
const (
	demoInput       = "raw."
	demoAlerts      = "imdswatch.alerts"
	demoDeadletters = "imdswatch.deadletters"
	demoGroup       = "imdswatch-demo"
)

// The demo's addresses while it serves.
const (
	demoBrokerPort = 19092
	demoListen     = "127.0.0.1:9464"
)

// demoTimeout is far above the second or two that a demo takes.
const demoTimeout = time.Minute

type demo struct {
	serve  bool
	port   int    // of the broker, 0 for any
	listen string // address of the metrics while it serves
	out    *printer
	stderr io.Writer
	log    *slog.Logger
}

func demoCommand() *cobra.Command {
	var out string
	d := &demo{}
	c := &cobra.Command{Use: "demo", Long: demoUsage, Args: atMost(0)}
	c.Flags().BoolVar(&d.serve, "serve", false, "")
	c.Flags().StringVar(&out, "output", "", "")
	c.RunE = func(c *cobra.Command, _ []string) error {
		how, err := output(out, c.OutOrStdout())
		if err != nil {
			return err
		}
		d.out, d.stderr = newPrinter(c.OutOrStdout(), how), c.ErrOrStderr()
		if d.serve {
			d.port, d.listen = demoBrokerPort, demoListen
		}
		d.log = slog.New(slog.NewTextHandler(d.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		return kafkaError(d.run(c.Context()))
	}
	return c
}

func (d *demo) run(ctx context.Context) error {
	broker, err := startBroker(d.port)
	if err != nil {
		return err
	}
	defer broker.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(broker.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	defer client.Close()
	sent, err := sendSamples(ctx, client)
	if err != nil {
		return err
	}
	p, reg, err := d.pipeline(broker.ListenAddrs())
	if err != nil {
		return err
	}
	var listener net.Listener
	if d.serve {
		if listener, err = net.Listen("tcp", d.listen); err != nil {
			return err
		}
		defer serve(listener, p, reg).Close()
	}

	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.Run(running) }()
	seen, err := d.watch(ctx, broker.ListenAddrs(), kadm.NewClient(client), ended)
	if err == nil {
		d.tell(sent, seen)
		if d.serve {
			d.stay(ctx, broker.ListenAddrs()[0], listener.Addr().String())
		}
	}
	stop()
	if err != nil {
		return err
	}
	return <-ended
}

// startBroker starts the embedded broker, on a given port where others are to
// find it.
func startBroker(port int) (*kfake.Cluster, error) {
	topics := []string{demoAlerts, demoDeadletters}
	for _, s := range normalize.Told() {
		topics = append(topics, demoInput+s.Name)
	}
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.SeedTopics(1, topics...)}
	if port != 0 {
		opts = append(opts, kfake.Ports(port))
	}
	return kfake.NewCluster(opts...)
}

// sendSamples produces the samples of every source, in a fixed order, so that
// the alerts have the same ids each time. It returns how many of each source.
func sendSamples(ctx context.Context, client *kgo.Client) (map[string]int, error) {
	sent := map[string]int{}
	for _, s := range normalize.Told() {
		attacks, nearMisses := s.Samples()
		for _, value := range append(nearMisses, attacks...) {
			r := &kgo.Record{Topic: demoInput + s.Name, Value: value}
			if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
				return nil, fmt.Errorf("%w: topic %s: %w", pipeline.ErrKafka, r.Topic, err)
			}
			sent[s.Name]++
		}
	}
	return sent, nil
}

// pipeline makes the pipeline that run runs, over the demo's topics.
func (d *demo) pipeline(brokers []string) (*pipeline.Pipeline, *prometheus.Registry, error) {
	set, err := (&ruleSettings{}).set(func(string) {})
	if err != nil {
		return nil, nil, err
	}
	cfg := pipeline.Config{
		Brokers: brokers, Group: demoGroup, AlertsTopic: demoAlerts, DeadletterTopic: demoDeadletters,
		Start: kgo.NewOffset().AtStart(), CommitInterval: 50 * time.Millisecond, DrainTimeout: 5 * time.Second,
		Workers: 2, Version: version, Commit: commit(), Log: d.log,
	}
	for _, s := range normalize.Told() {
		cfg.Topics = append(cfg.Topics, pipeline.Topic{Name: demoInput + s.Name, Source: s})
	}
	reg := newRegistry()
	p, err := pipeline.New(cfg, set, reg)
	return p, reg, err
}

// watch prints the alerts as they arrive, until every sample is committed and
// every alert printed. It returns the number of alerts of each source.
func (d *demo) watch(ctx context.Context, brokers []string, admin *kadm.Client, ended <-chan error) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(ctx, demoTimeout)
	defer cancel()
	alerts, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(demoAlerts), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer alerts.Close()
	seen, printed := map[string]int{}, int64(0)
	for {
		select {
		case err := <-ended:
			return nil, fmt.Errorf("the pipeline ended early: %w", err)
		default:
		}
		end, done, err := progress(ctx, admin)
		if err != nil {
			return nil, err
		}
		if done && printed >= end {
			return seen, d.out.flush()
		}
		short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		fetches := alerts.PollFetches(short)
		cancel()
		for _, r := range fetches.Records() {
			printed++
			var a struct {
				IMDSWatch struct {
					Source string `json:"source"`
				} `json:"imdswatch"`
			}
			if err := json.Unmarshal(r.Value, &a); err != nil {
				return nil, err
			}
			seen[a.IMDSWatch.Source]++
			if err := d.out.alert(r.Value); err != nil {
				return nil, err
			}
		}
	}
}

// progress asks the broker whether the group has committed all inputs, and if
// so how many alerts there are.
func progress(ctx context.Context, admin *kadm.Client) (alerts int64, done bool, err error) {
	committed, err := admin.FetchOffsets(ctx, demoGroup)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return 0, false, nil // nobody joined yet
	}
	if err != nil {
		return 0, false, err
	}
	for _, s := range normalize.Told() {
		end, err := endOf(ctx, admin, demoInput+s.Name)
		if err != nil {
			return 0, false, err
		}
		if at, ok := committed.Lookup(demoInput+s.Name, 0); !ok || at.At < end {
			return 0, false, nil
		}
	}
	alerts, err = endOf(ctx, admin, demoAlerts) // after the commits: all that belong to them are in
	return alerts, true, err
}

func endOf(ctx context.Context, admin *kadm.Client, topic string) (int64, error) {
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, err
	}
	end, ok := ends.Lookup(topic, 0)
	if !ok {
		return 0, errors.New("no end offset of topic " + topic)
	}
	return end.Offset, end.Err
}

// tell says what was seen and what to do next.
func (d *demo) tell(sent, seen map[string]int) {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{"source", "records", "alerts", "silent near misses"})
	for _, s := range normalize.Told() {
		t.AppendRow(table.Row{s.Name, sent[s.Name], seen[s.Name], sent[s.Name] - seen[s.Name]})
	}
	fmt.Fprintf(d.stderr, "\n%s\n", t.Render())
	fmt.Fprint(d.stderr, `
Each alert is a process that asked a cloud's metadata service for credentials. The near
misses look like it and are not: forks, ends, role listings, other programs, other events.

Next:
  imdswatch sources                           what to put on a topic, and how
  imdswatch scan --source windows FILE        the same over records of your own
  imdswatch run --help                        the same over your Kafka
`)
}

// stay keeps everything up until a signal.
func (d *demo) stay(ctx context.Context, broker, listen string) {
	fmt.Fprintf(d.stderr, `
Serving until a signal:
  kcat -b %[1]s -t %[2]s -C -e  # the alerts
  echo '{"a":' | kcat -b %[1]s -t %[3]sdefend -P  # a record that cannot be read
  kcat -b %[1]s -t %[4]s -C -e -f '%%h\n'  # why it could not
  curl -s http://%[5]s/metrics | grep ^imdswatch_  # the counters
`, broker, demoAlerts, demoInput, demoDeadletters, listen)
	ctx, stop := untilSignal(ctx, d.log)
	defer stop()
	<-ctx.Done()
}
