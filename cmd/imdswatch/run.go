package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/goccy/go-json"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/pipeline"
)

const runUsage = `Consume raw records, normalize and judge them, and send alerts, until told to stop. The
first SIGTERM or SIGINT drains within the drain timeout, the second one quits.

Usage:
  imdswatch run

Configuration is by environment:

`

const runExample = `
Example, for a broker on this machine with Winlogbeat's records in the topic raw.sysmon:
  IMDSWATCH_BROKERS=127.0.0.1:9092 IMDSWATCH_TOPICS=raw.sysmon:windows imdswatch run

Topics are never created: IMDSWATCH_ALERTS_TOPIC and IMDSWATCH_DEADLETTER_TOPIC must exist.
`

func runCommand() *cobra.Command {
	return &cobra.Command{Use: "run", Long: runUsage + variableTable() + runExample, Args: atMost(0), RunE: run}
}

func run(c *cobra.Command, _ []string) error {
	cfg, err := readConfig(c.ErrOrStderr())
	if cfg == nil {
		return err
	}
	set, rulesErr := cfg.rules.set(func(line string) { cfg.log.Warn(line) })
	if err := errors.Join(err, rulesErr); err != nil {
		return err // all faults at once
	}
	if line := anchorless(set.Rules()); line != "" {
		cfg.log.Info(line)
	}
	reg := newRegistry()
	p, err := pipeline.New(cfg.pipeline, set, reg, cfg.kafka...)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cfg.listen)
	if err != nil {
		return fmt.Errorf(prefix+"_LISTEN: %w", err)
	}
	ctx, stop := untilSignal(context.Background(), cfg.log)
	defer stop()
	server := serve(listener, p, reg)
	defer server.Close()
	cfg.log.Info("imdswatch starts", "version", version, "commit", commit(), "group", cfg.pipeline.Group,
		"topics", topicNames(cfg.pipeline.Topics), "rules", len(set.Rules()), "rules_hash", set.Hash(), "listen", listener.Addr().String())
	err = p.Run(ctx)
	cfg.log.Info("imdswatch has stopped")
	return kafkaError(err)
}

// kafkaError gives what the brokers caused its exit code.
func kafkaError(err error) error {
	if errors.Is(err, pipeline.ErrKafka) {
		return &exit{exitKafka, err}
	}
	if err != nil {
		return &exit{exitFaulty, err}
	}
	return nil
}

func topicNames(topics []pipeline.Topic) (names []string) {
	for _, t := range topics {
		names = append(names, t.Name+":"+t.Source.Name)
	}
	return names
}

// untilSignal is a context that ends with the first SIGTERM or SIGINT; the
// second one ends the process.
func untilSignal(ctx context.Context, log *slog.Logger) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, os.Interrupt)
	go func() { // ends with the process
		log.Info("stopping, a second signal quits at once", "signal", (<-signals).String())
		cancel()
		log.Warn("quitting", "signal", (<-signals).String())
		os.Exit(exitFaulty)
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}

func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// serve answers health, readiness, metrics and version until it is closed.
func serve(l net.Listener, p *pipeline.Pipeline, reg *prometheus.Registry) *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{Registry: reg}))
	mux.HandleFunc("GET /healthz", answer(p.Healthy))
	mux.HandleFunc("GET /readyz", answer(p.Ready))
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(build()) // the client went away
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.Serve(l) }() // ends with Close
	return s
}

// answer is 200 where ask finds nothing wrong, else 503 and what is wrong.
func answer(ask func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := ask(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}
