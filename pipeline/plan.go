package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Narrow leaves the named topics as the only inputs. Each has the source that its
// name is configured with, or one of its own, written topic:source. An output must
// not be any of the inputs there were before: a live run may read them.
func (c *Config) Narrow(names []string) error {
	if err := c.check(); err != nil {
		return err
	}
	var topics []Topic
	for _, name := range names {
		t := Topic{Name: name}
		if strings.ContainsRune(name, ':') { // which no topic's name does
			var err error
			if t, err = ParseTopic(name); err != nil {
				return err
			}
		} else if t.Source = c.sourceOf(name); t.Source == nil {
			return fmt.Errorf("topic %q is not configured, and its source not known; write it topic:source", name)
		}
		if slices.ContainsFunc(topics, func(other Topic) bool { return other.Name == t.Name }) {
			return fmt.Errorf("topic %q is given twice", t.Name)
		}
		topics = append(topics, t)
	}
	c.Topics = topics
	return nil
}

// Plan asks the brokers what the replay's range is in each partition, or takes it
// from the state of an earlier start, which stands however time went on. The
// report lists it then.
func (r *Replay) Plan(ctx context.Context) (err error) {
	p := r.pipeline
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	var before *state
	if r.cfg.State != "" {
		if before, err = readState(r.cfg.State, &r.state.Request); err != nil {
			return err
		}
	}
	if err := p.checkTopics(ctx); err != nil {
		return err
	}
	if r.client, err = kgo.NewClient(append(p.cfg.base(), r.opts...)...); err != nil {
		return err
	}
	r.admin = kadm.NewClient(r.client)
	defer func() {
		if err != nil {
			r.client.Close()
		}
	}()
	if before != nil {
		r.state = *before
	} else if err := r.resolve(ctx); err != nil {
		return err
	}
	return r.findStarts(ctx)
}

// resolve makes spans of the bounds.
func (r *Replay) resolve(ctx context.Context) error {
	topics, err := r.topics(ctx)
	if err != nil {
		return err
	}
	tps, err := places(topics, r.cfg.Partitions)
	if err != nil {
		return err
	}
	if (r.from.IsOffset() || r.to.IsOffset()) && len(tps) != 1 {
		return fmt.Errorf("an offset is one partition's, and this is about %d; give one topic and one partition", len(tps))
	}
	names := topics.Names()
	if len(names) == 0 {
		return nil
	}
	ends, err := r.admin.ListEndOffsets(ctx, names...)
	if err := listError(ends, err); err != nil {
		return err
	}
	froms, err := r.from.list(ctx, r.admin, names)
	if err != nil {
		return err
	}
	tos, err := r.to.list(ctx, r.admin, names)
	if err != nil {
		return err
	}
	for _, tp := range tps {
		end, _ := ends.Lookup(tp.topic, tp.partition)
		s := Span{Topic: tp.topic, Partition: tp.partition, From: min(r.from.in(froms, tp), end.Offset)}
		s.To = max(s.From, min(r.to.in(tos, tp), end.Offset))
		s.Next = s.From
		r.state.Report.Partitions = append(r.state.Report.Partitions, s)
	}
	return nil
}

// topics are those that the configuration names or has patterns for, as the
// brokers describe them.
func (r *Replay) topics(ctx context.Context) (kadm.TopicDetails, error) {
	var names []string
	patterns := false
	for _, t := range r.pipeline.cfg.Topics {
		if t.Pattern != nil {
			patterns = true
		} else {
			names = append(names, t.Name)
		}
	}
	if patterns {
		names = nil // all
	}
	topics, err := r.admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKafka, err)
	}
	maps.DeleteFunc(topics, func(name string, _ kadm.TopicDetail) bool { return r.pipeline.cfg.sourceOf(name) == nil })
	if err := topics.Error(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKafka, err)
	}
	return topics, nil
}

// findStarts notes where the logs begin. What lies in front of that retention
// took: a gap, also where it went on while a replay stood still.
func (r *Replay) findStarts(ctx context.Context) error {
	spans := r.state.Report.Partitions
	var names []string
	for _, s := range spans {
		names = append(names, s.Topic)
	}
	if names = slices.Compact(names); len(names) == 0 {
		return nil
	}
	starts, err := r.admin.ListStartOffsets(ctx, names...)
	if err := listError(starts, err); err != nil {
		return err
	}
	for i := range spans {
		s := &spans[i]
		start, ok := starts.Lookup(s.Topic, s.Partition)
		if !ok {
			return fmt.Errorf("%w: topic %q has no partition %d any more", ErrKafka, s.Topic, s.Partition)
		}
		r.starts[s.place()] = start.Offset
		if !s.over() {
			s.lose(s.Next, start.Offset)
			s.advance(start.Offset)
		}
	}
	return nil
}

func comparePlaces(a, b topicPartition) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// places are the partitions of topics that the replay is about, in order.
func places(topics kadm.TopicDetails, wanted []int32) (tps []topicPartition, err error) {
	for _, name := range slices.Sorted(maps.Keys(topics)) {
		numbers := topics[name].Partitions
		for _, n := range wanted {
			if _, ok := numbers[n]; !ok {
				return nil, fmt.Errorf("topic %q has no partition %d, it has %d", name, n, len(numbers))
			}
		}
		for n := range numbers {
			if len(wanted) == 0 || slices.Contains(wanted, n) {
				tps = append(tps, topicPartition{name, n})
			}
		}
	}
	slices.SortFunc(tps, comparePlaces)
	return tps, nil
}

// Lines describe the report's partitions for a log, one each.
func (r *Report) Lines() (lines []string) {
	for _, s := range r.Partitions {
		var b strings.Builder
		fmt.Fprintf(&b, "%s/%d: from %d to %d, %d offsets", s.Topic, s.Partition, s.From, s.To, s.To-s.From)
		if s.Gap > 0 {
			fmt.Fprintf(&b, ", %d gone before they were read", s.Gap)
		}
		if s.Next > s.From+s.Gap {
			fmt.Fprintf(&b, ", going on at %d", s.Next)
		}
		lines = append(lines, b.String())
	}
	return lines
}
