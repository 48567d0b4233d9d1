package main

import (
	"context"
	"fmt"
	"log"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/imdswatch/imdswatch/hack/kafka/broker"
)

// harmMembers kills and stops members by turns, and starts each again under its
// ids at once.
func harmMembers(ctx context.Context, members *[3]*member, brokers []string, n int, span time.Duration, done *count) error {
	for i := range n {
		// Somewhere in its share of the time, so that a fault is not always in the
		// same place of a transaction.
		share := span / time.Duration(n)
		early := rand.N(share)
		if err := pause(ctx, early); err != nil {
			return err
		}
		m := members[i%len(members)]
		if i%2 == 0 {
			log.Printf("kill -9 of member %d", m.number)
			m.kill()
			done.kill9.Add(1)
		} else {
			log.Printf("sigterm to member %d", m.number)
			if err := m.stop(); err != nil {
				return fmt.Errorf("member %d did not stop in good order: %w", m.number, err)
			}
			done.sigterm.Add(1)
		}
		done.faults.Add(1)
		again, err := startMember(ctx, m.number, brokers)
		if err != nil {
			return err
		}
		members[i%len(members)] = again
		if err := pause(ctx, share-early); err != nil {
			return err
		}
	}
	return nil
}

// harmBrokers kills a broker, stops one in good order, and moves leaders by
// turns, and waits each time until all replicas are in sync again: of three
// brokers one may be missing.
func harmBrokers(ctx context.Context, kafka *broker.Cluster, admin *kadm.Client, n int, span time.Duration, done *count) error {
	for i := range n {
		began := time.Now()
		var err error
		switch id := i%3 + 1; i % 3 {
		case 0:
			log.Printf("kill -9 of broker %d", id)
			done.kill9.Add(1)
			err = bounce(ctx, kafka, id, kafka.Kill)
		case 1:
			log.Print("leaders move")
			err = moveLeaders(ctx, admin)
		case 2:
			log.Printf("sigterm to broker %d", id)
			done.sigterm.Add(1)
			err = bounce(ctx, kafka, id, kafka.Stop)
		}
		if err != nil {
			return err
		}
		done.faults.Add(1)
		if err := awaitSync(ctx, admin); err != nil {
			return err
		}
		if err := pause(ctx, span/time.Duration(n)-time.Since(began)); err != nil {
			return err
		}
	}
	return nil
}

func bounce(ctx context.Context, kafka *broker.Cluster, id int, end func(int) error) error {
	if err := end(id); err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	return kafka.Restart(id)
}

var moved = []string{inputTopic, alertsTopic, deadletterTopic, "__consumer_offsets", "__transaction_state"}

// moveLeaders makes the second replica of every partition its leader.
func moveLeaders(ctx context.Context, admin *kadm.Client) error {
	topics, err := admin.ListTopicsWithInternal(ctx, moved...)
	if err != nil {
		return err
	}
	var turned kadm.AlterPartitionAssignmentsReq
	var elected kadm.TopicsSet
	topics.EachPartition(func(p kadm.PartitionDetail) {
		if len(p.Replicas) > 1 {
			turned.Assign(p.Topic, p.Partition, append(p.Replicas[1:len(p.Replicas):len(p.Replicas)], p.Replicas[0]))
			elected.Add(p.Topic, p.Partition)
		}
	})
	if _, err := admin.AlterPartitionAssignments(ctx, turned); err != nil {
		return err
	}
	_, err = admin.ElectLeaders(ctx, kadm.ElectPreferredReplica, elected)
	return err
}

// awaitSync waits until every replica of every partition is in sync. What was
// seen at once may be from before a broker was missed.
func awaitSync(ctx context.Context, admin *kadm.Client) error {
	for inSync := 0; inSync < 5; {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		topics, err := admin.ListTopicsWithInternal(ctx, moved...)
		if err != nil {
			return err
		}
		inSync++
		topics.EachPartition(func(p kadm.PartitionDetail) {
			if len(p.ISR) < len(p.Replicas) {
				inSync = 0
			}
		})
	}
	return nil
}
