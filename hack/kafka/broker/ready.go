package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// visible waits until broker n itself lists n and at least want brokers. The
// cluster's id tells it from a stranger on the same port.
func (c *Cluster) visible(ctx context.Context, n *node, want int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(n.Addr()))
	if err != nil {
		return err
	}
	defer cl.Close()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // none; nil would be all
	return poll(ctx, func() bool {
		// A broker that has just begun to listen may accept and not answer.
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		resp, err := req.RequestWith(ctx, cl.SeedBrokers()[0])
		if err != nil || resp.ClusterID == nil || *resp.ClusterID != c.id {
			return false
		}
		return len(resp.Brokers) >= want && slices.ContainsFunc(resp.Brokers, func(b kmsg.MetadataResponseBroker) bool {
			return int(b.NodeID) == n.ID
		})
	})
}

// probe makes a topic, produces to it with and without a transaction, reads
// it in a group and removes it. Brokers list each other up to two seconds
// before that works, and the internal topics are made on first use: without the
// probe a test's first transaction would pay for it.
func probe(ctx context.Context, addrs []string) error {
	name := "imdswatch-probe-" + rand.Text()
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic(name))
	if err != nil {
		return err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	const partitions, brokerDefault = 1, -1
	if _, err := admin.CreateTopic(ctx, partitions, brokerDefault, nil, name); err != nil {
		return fmt.Errorf("creating topic %s: %w", name, err)
	}
	if err := produce(ctx, cl); err != nil {
		return fmt.Errorf("producing to %s: %w", name, err)
	}
	if err := transact(ctx, addrs, name); err != nil {
		return fmt.Errorf("transaction on %s: %w", name, err)
	}
	if err := consume(ctx, addrs, name, 2); err != nil {
		return fmt.Errorf("consuming %s: %w", name, err)
	}
	if _, err := admin.DeleteGroup(ctx, name); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("deleting group %s: %w", name, err)
	}
	if _, err := admin.DeleteTopic(ctx, name); err != nil {
		return fmt.Errorf("deleting topic %s: %w", name, err)
	}
	return nil
}

func transact(ctx context.Context, addrs []string, name string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.DefaultProduceTopic(name), kgo.TransactionalID(name))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	if err := produce(ctx, cl); err != nil {
		return err
	}
	return cl.EndTransaction(ctx, kgo.TryCommit)
}

// produce is ProduceSync with a bound: a record that is in flight to a broker
// that dies ignores its context.
func produce(ctx context.Context, cl *kgo.Client) error {
	acked := make(chan error, 1)
	cl.Produce(ctx, kgo.StringRecord("probe"), func(_ *kgo.Record, err error) { acked <- err })
	select {
	case err := <-acked:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// consume polls topic and group name until it has seen n records. Errors on
// the way are those of a cluster that is not ready yet.
func consume(ctx context.Context, addrs []string, name string, n int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ConsumeTopics(name), kgo.ConsumerGroup(name),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.DisableAutoCommit())
	if err != nil {
		return err
	}
	defer cl.Close()
	for n > 0 {
		n -= cl.PollFetches(ctx).NumRecords()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}
