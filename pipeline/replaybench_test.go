package pipeline

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// BenchmarkReplay is how many records a second a replay judges, and beside it the
// live run on the same brokers. One in a thousand raises an alert.
func BenchmarkReplay(b *testing.B) {
	const partitions, perPartition, batches = 4, 50_000, 100
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "raw"), kfake.SeedTopics(1, "alerts", "letters"))
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	ordinary := bytes.ReplaceAll(nearMiss(b, defend), []byte("security-credentials"), []byte("info"))
	for i := range batches {
		var records []*kgo.Record
		for j := range partitions * perPartition / batches {
			value := ordinary
			if j%1000 == 0 {
				value = attack(b, defend)
			}
			records = append(records, &kgo.Record{Topic: "raw", Partition: int32((i + j) % partitions), Value: value})
		}
		if err := client.ProduceSync(b.Context(), records...).FirstErr(); err != nil {
			b.Fatal(err)
		}
	}
	cfg := Config{
		Brokers: k.ListenAddrs(), AlertsTopic: "alerts", DeadletterTopic: "letters", Topics: []Topic{{Name: "raw", Source: defend}},
		Start: kgo.NewOffset().AtStart(), CommitInterval: 20 * time.Millisecond, DrainTimeout: patience, Workers: 2, Log: slog.New(slog.DiscardHandler),
	}
	set := builtinSet(b)
	rate := func(b *testing.B, once func()) {
		for range b.N {
			once()
		}
		b.ReportMetric(float64(b.N*partitions*perPartition)/b.Elapsed().Seconds(), "records/s")
	}
	b.Run("Run", func(b *testing.B) {
		rate(b, func() {
			cfg.Group = rand.Text()
			p, err := New(cfg, set, prometheus.NewRegistry())
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(b.Context())
			ended := make(chan error, 1)
			go func() { ended <- p.Run(ctx) }()
			admin := kadm.NewClient(client)
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for done := int64(0); done < partitions*perPartition; <-tick.C {
				offsets, err := admin.FetchOffsets(ctx, cfg.Group)
				if err != nil {
					continue // the group is not there yet
				}
				done = 0
				offsets.Each(func(o kadm.OffsetResponse) { done += o.At })
			}
			stop()
			if err := <-ended; err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("Replay", func(b *testing.B) {
		rate(b, func() {
			r, err := NewReplay(cfg, ReplayConfig{From: "earliest", To: "latest"}, set)
			if err != nil {
				b.Fatal(err)
			}
			if err := r.Plan(b.Context()); err != nil {
				b.Fatal(err)
			}
			if err := r.Run(b.Context()); err != nil || r.Sum().Records != partitions*perPartition {
				b.Fatal(err, r.Sum())
			}
		})
	})
}
