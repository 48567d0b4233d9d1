package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
)

// lane is the topics and the group of a case, and its user.
type lane struct {
	*rig
	name      string // of the group, and before the names of the topics
	principal string
	attacks   int // that were produced
}

func (r *rig) lane(ctx context.Context, name, principal string) (*lane, error) {
	l := &lane{rig: r, name: name, principal: principal}
	_, err := r.admin.CreateTopics(ctx, 1, 1, nil, l.input(), l.alerts(), l.deadletters())
	return l, err
}

func (l *lane) input() string       { return l.name + ".raw" }
func (l *lane) alerts() string      { return l.name + ".alerts" }
func (l *lane) deadletters() string { return l.name + ".deadletters" }

// rights are the least rights of docs/security.md, by what they are for.
func (l *lane) rights(principal string) map[string]*kadm.ACLBuilder {
	allow := func() *kadm.ACLBuilder {
		return kadm.NewACLs().Allow("User:" + principal).AllowHosts().ResourcePatternType(kadm.ACLPatternLiteral)
	}
	return map[string]*kadm.ACLBuilder{
		"input":       allow().Topics(l.input()).Operations(kadm.OpRead),
		"alerts":      allow().Topics(l.alerts()).Operations(kadm.OpWrite),
		"deadletters": allow().Topics(l.deadletters()).Operations(kadm.OpWrite),
		"group":       allow().Groups(l.name).Operations(kadm.OpRead),
	}
}

// grant gives the lane's user its rights without one.
func (l *lane) grant(ctx context.Context, without string) error {
	for what, right := range l.rights(l.principal) {
		if what == without {
			continue
		}
		if err := l.allow(ctx, right); err != nil {
			return err
		}
	}
	return nil
}

func (r *rig) allow(ctx context.Context, right *kadm.ACLBuilder) error {
	results, err := r.admin.CreateACLs(ctx, right)
	for _, r := range results {
		if err == nil {
			err = r.Err
		}
	}
	return err
}

// forget takes all rights of a principal away.
func (r *rig) forget(ctx context.Context, principal string) error {
	_, err := r.admin.DeleteACLs(ctx, kadm.NewACLs().Allow("User:"+principal).AllowHosts().AnyResource().Operations().ResourcePatternType(kadm.ACLPatternAny))
	return err
}

// password makes a user of SCRAM, or gives it another password.
func (r *rig) password(ctx context.Context, user, password string) error {
	results, err := r.admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: user, Mechanism: kadm.ScramSha512, Iterations: 4096, Password: password}})
	for _, r := range results {
		if err == nil {
			err = r.Err
		}
	}
	return err
}

// start starts a member on the lane.
func (l *lane) start(listener string, env ...string) (*member, error) {
	return startMember(append([]string{
		"IMDSWATCH_BROKERS=" + l.kafka.ListenerAddrs(listener), "IMDSWATCH_GROUP=" + l.name, "IMDSWATCH_TOPICS=" + l.input() + ":defend",
		"IMDSWATCH_ALERTS_TOPIC=" + l.alerts(), "IMDSWATCH_DEADLETTER_TOPIC=" + l.deadletters(), "IMDSWATCH_TLS=true",
	}, env...)...)
}

// attack produces an attack.
func (l *lane) attack(ctx context.Context) error {
	attacks, _ := normalize.Lookup("defend").Samples()
	l.attacks++
	return l.client.ProduceSync(ctx, &kgo.Record{Topic: l.input(), Value: attacks[0]}).FirstErr()
}

// alerted waits for an alert of every attack so far.
func (l *lane) alerted(ctx context.Context) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(l.kafka.Addrs()...), kgo.ConsumeTopics(l.alerts()), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer client.Close()
	ids := map[string]bool{} // an alert may come twice
	for len(ids) < l.attacks {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("%w, with alerts of %d among %d attacks", ctx.Err(), len(ids), l.attacks)
		}
		for _, r := range fetches.Records() {
			var alert struct{ IMDSWatch struct{ ID string } }
			if err := json.Unmarshal(r.Value, &alert); err != nil {
				return err
			}
			ids[alert.IMDSWatch.ID] = true
		}
	}
	return nil
}

// works produces an attack, and wants its alert.
func (l *lane) works(ctx context.Context) error {
	if err := l.attack(ctx); err != nil {
		return err
	}
	return l.alerted(ctx)
}

// buries produces what cannot be read, and wants a dead letter.
func (l *lane) buries(ctx context.Context) error {
	if err := l.client.ProduceSync(ctx, &kgo.Record{Topic: l.input(), Value: []byte("{")}).FirstErr(); err != nil {
		return err
	}
	return l.ends(ctx, l.deadletters(), 1)
}

// ends waits for the end of a topic.
func (l *lane) ends(ctx context.Context, topic string, want int64) error {
	return until(ctx, fmt.Sprintf("%d records in %s", want, topic), func() bool {
		ends, err := l.admin.ListEndOffsets(ctx, topic)
		end, _ := ends.Lookup(topic, 0)
		return err == nil && end.Offset == want
	})
}

// finishes stops the member, and wants all that it read to be committed.
func (l *lane) finishes(ctx context.Context, m *member) error {
	if err := m.stop(ctx); err != nil {
		return err
	}
	committed, err := l.admin.FetchOffsets(ctx, l.name)
	if err != nil {
		return err
	}
	ends, err := l.admin.ListEndOffsets(ctx, l.input())
	if err != nil {
		return err
	}
	end, _ := ends.Lookup(l.input(), 0)
	if at, _ := committed.Lookup(l.input(), 0); at.At != end.Offset {
		return fmt.Errorf("%d is committed, the input ends at %d", at.At, end.Offset)
	}
	return nil
}
