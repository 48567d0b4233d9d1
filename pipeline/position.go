package pipeline

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A replay ends by its position. Offsets that no record fills, those of
// transaction markers, aborted records and what compaction took, come with no
// record either, and where they are the last ones the client moves its position
// and has nothing to return. So where it is silent the replay asks for itself.

// position is what a broker said of the offsets from one on.
type position struct {
	next int64 // the first offset at or above it that a record may fill
	end  int64 // where reading ends for now: the last stable offset
	log  extent
	err  error
}

// lookWait is how long a broker waits for records where there are none. A broker
// that reads from a remote store may need it.
const lookWait = 500

// look asks where the readers of partitions can go on.
func look(ctx context.Context, admin *kadm.Client, client *kgo.Client, open map[topicPartition]*partition) (map[topicPartition]position, error) {
	var names []string
	for tp := range open {
		names = append(names, tp.topic)
	}
	topics, err := admin.ListTopics(ctx, names...)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	found := map[topicPartition]position{}
	var asking sync.WaitGroup
	for tp, pt := range open {
		topic, next := topics[tp.topic], pt.next
		asking.Go(func() {
			at := lookAt(ctx, admin, client, topic, tp, next)
			mu.Lock()
			found[tp] = at
			mu.Unlock()
		})
	}
	asking.Wait()
	return found, nil
}

// lookAt fetches once from an offset of a partition and keeps what the answer
// says of positions.
func lookAt(ctx context.Context, admin *kadm.Client, client *kgo.Client, topic kadm.TopicDetail, tp topicPartition, offset int64) position {
	if err := errors.Join(topic.Err, topic.Partitions[tp.partition].Err); err != nil {
		return position{err: err}
	}
	request := kmsg.NewPtrFetchRequest()
	request.MaxWaitMillis, request.MinBytes, request.IsolationLevel = lookWait, 1, 1
	of := kmsg.NewFetchRequestTopic()
	of.Topic, of.TopicID = tp.topic, topic.ID
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = tp.partition, offset, 1<<20
	of.Partitions = append(of.Partitions, p)
	request.Topics = append(request.Topics, of)
	response, err := client.Broker(int(topic.Partitions[tp.partition].Leader)).RetriableRequest(ctx, request)
	if err != nil {
		return position{err: err}
	}
	fetch := response.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(fetch.ErrorCode); err != nil {
		return position{err: err}
	}
	if len(fetch.Topics) != 1 || len(fetch.Topics[0].Partitions) != 1 {
		return position{err: fmt.Errorf("broker answered about %d topics, want one", len(fetch.Topics))}
	}
	answer := &fetch.Topics[0].Partitions[0]
	if err := kerr.ErrorForCode(answer.ErrorCode); errors.Is(err, kerr.OffsetOutOfRange) {
		return lookAround(ctx, admin, tp, offset)
	} else if err != nil {
		return position{err: err}
	}
	got, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		KeepControlRecords: true, Offset: offset, IsolationLevel: kgo.ReadCommitted(), Topic: tp.topic, Partition: tp.partition,
	}, answer, kgo.DefaultDecompressor(), nil)
	at := position{next: next, end: got.LastStableOffset, log: extent{got.LogStartOffset, got.HighWatermark}, err: got.Err}
	switch {
	case len(got.Records) > 0: // the client will return them
		at.next = got.Records[0].Offset
	case len(answer.RecordBatches) == 0: // nothing is left up to the end
		at.next = max(next, at.end)
	}
	return at
}

// lookAround says where a log goes on of which an offset is no part any more.
func lookAround(ctx context.Context, admin *kadm.Client, tp topicPartition, offset int64) position {
	starts, err := admin.ListStartOffsets(ctx, tp.topic)
	if err = listError(starts, err); err != nil {
		return position{err: err}
	}
	ends, err := admin.ListEndOffsets(ctx, tp.topic)
	if err = listError(ends, err); err != nil {
		return position{err: err}
	}
	start, _ := starts.Lookup(tp.topic, tp.partition)
	end, _ := ends.Lookup(tp.topic, tp.partition)
	return position{next: max(offset, start.Offset), end: start.Offset, log: extent{start.Offset, end.Offset}}
}
