package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Check is one thing that was looked at.
type Check struct {
	What   string
	Detail string // of what is as it must be
	Err    error  // what is wrong; ErrKafka if brokers cannot be reached
}

// Inspect looks at all that a run of cfg needs of the brokers, and changes
// nothing there. The checks end with the first without which the others make no
// sense.
func Inspect(ctx context.Context, cfg Config, opts ...kgo.Opt) []Check {
	if err := cfg.check(); err != nil {
		return []Check{{What: "configuration", Err: err}}
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client, err := kgo.NewClient(append(cfg.base(), opts...)...)
	if err != nil {
		return []Check{{What: "brokers", Err: err}}
	}
	defer client.Close()
	i := &inspection{cfg: &cfg, client: client}
	if i.brokers(ctx) {
		i.topics(ctx)
		i.patterns(ctx)
		i.group(ctx)
		if cfg.TransactionalID != "" {
			i.transactions(ctx)
		}
	}
	return i.checks
}

// inspection is an Inspect at work.
type inspection struct {
	cfg    *Config
	client *kgo.Client
	checks []Check
}

func (i *inspection) note(what, detail string, err error) {
	i.checks = append(i.checks, Check{what, detail, err})
}

// brokers reports whether all brokers can be reached.
func (i *inspection) brokers(ctx context.Context) bool {
	answers, err := kadm.NewClient(i.client).ApiVersions(ctx)
	if err != nil {
		i.note("brokers", "", fmt.Errorf("%w: %w", ErrKafka, unreachable(err, i.cfg.Brokers)))
		return false
	}
	var wrong []error
	versions := map[string]bool{}
	for _, b := range answers.Sorted() {
		if b.Err != nil {
			wrong = append(wrong, fmt.Errorf("%w: broker %d of %d: %w", ErrKafka, b.NodeID, len(answers), b.Err))
			continue
		}
		versions[b.VersionGuess()] = true
	}
	i.note("brokers", fmt.Sprintf("%d reached, Kafka %s", len(answers), strings.Join(slices.Sorted(maps.Keys(versions)), " and ")), errors.Join(wrong...))
	return len(wrong) == 0
}

// topics looks at the topics that are used by name.
func (i *inspection) topics(ctx context.Context) {
	states, err := askTopics(ctx, i.client, i.cfg.uses())
	if err != nil {
		i.note("topics", "", fmt.Errorf("%w: %w", ErrKafka, unreachable(err, i.cfg.Brokers)))
		return
	}
	var limits limits
	limits.read(ctx, i.client, i.cfg.AlertsTopic, i.cfg.DeadletterTopic)
	for _, s := range states {
		detail := fmt.Sprintf("%d partitions, to read", s.Partitions)
		if s.Write {
			detail = fmt.Sprintf("%d partitions, to write, max.message.bytes %d", s.Partitions, limits.of(s.Name))
			if _, told := limits.told(s.Name); !told {
				detail += " is assumed, this user may not ask (DescribeConfigs)"
			}
		}
		i.note("topic "+s.Name, detail, s.Err)
	}
}

// patterns looks at what the patterns match. A topic that may not be described
// is not among the topics at all, and is never consumed.
func (i *inspection) patterns(ctx context.Context) {
	if _, regex := i.cfg.consumed(); !regex {
		return
	}
	all := kmsg.NewPtrMetadataRequest()
	all.Topics, all.IncludeTopicAuthorizedOperations = nil, true
	response, err := all.RequestWith(ctx, i.client)
	if err != nil {
		i.note("patterns", "", fmt.Errorf("%w: %w", ErrKafka, unreachable(err, i.cfg.Brokers)))
		return
	}
	named := i.cfg.uses()
	for _, pattern := range i.cfg.Topics {
		if pattern.Pattern == nil {
			continue
		}
		matches, partitions := 0, 0
		var wrong []error
		for _, t := range response.Topics {
			if t.Topic == nil || t.IsInternal || named[*t.Topic] != 0 || !pattern.Pattern.MatchString(*t.Topic) {
				continue
			}
			s := stateOf(t, opRead)
			matches++
			partitions += s.Partitions
			if s.Err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", s.Name, s.Err))
			}
		}
		detail := fmt.Sprintf("matches %d topics with %d partitions, to read", matches, partitions)
		if matches == 0 {
			detail = "warning: matches no topic that this user may see"
		}
		i.note("topic "+pattern.Name, detail, errors.Join(wrong...))
	}
}

// group looks whether the group may be joined.
func (i *inspection) group(ctx context.Context) {
	describe := kmsg.NewPtrDescribeGroupsRequest()
	describe.Groups, describe.IncludeAuthorizedOperations = []string{i.cfg.Group}, true
	err := error(nil)
	if response, asked := describe.RequestWith(ctx, i.client); asked != nil {
		err = asked
	} else if g := response.Groups[0]; g.AuthorizedOperations > 0 && g.AuthorizedOperations&opRead == 0 {
		err = kerr.GroupAuthorizationFailed
	} else if err = kerr.ErrorForCode(g.ErrorCode); g.AuthorizedOperations <= 0 && !errors.Is(err, kerr.GroupAuthorizationFailed) {
		err = i.heartbeat(ctx)
	}
	i.note("group "+i.cfg.Group, "to join and commit", allowed(err, "read",
		kerr.GroupIDNotFound, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.InconsistentGroupProtocol))
}

// heartbeat is that of a member which does not exist: a broker that does not say
// what is allowed on a group, as none does while the group does not exist either,
// refuses it for the right first.
func (i *inspection) heartbeat(ctx context.Context) error {
	beat := kmsg.NewPtrHeartbeatRequest()
	beat.Group, beat.Generation, beat.MemberID = i.cfg.Group, 0, "imdswatch-check"
	response, err := beat.RequestWith(ctx, i.client)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(response.ErrorCode)
}

// transactions looks whether offsets may be committed in a transaction. What it
// asks is of a producer that does not exist, so it touches no transaction.
func (i *inspection) transactions(ctx context.Context) {
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.Group, add.ProducerID = i.cfg.TransactionalID, i.cfg.Group, 1<<62
	response, err := add.RequestWith(ctx, i.client)
	if err == nil {
		err = kerr.ErrorForCode(response.ErrorCode)
	}
	i.note("transactional id "+i.cfg.TransactionalID, "to write", allowed(err, "write",
		kerr.InvalidProducerIDMapping, kerr.InvalidProducerEpoch, kerr.ConcurrentTransactions,
		kerr.GroupAuthorizationFailed)) // the group has a check of its own
}

// allowed is what is wrong by an answer to a member or producer that does not
// exist: all but the answers that say so.
func allowed(err error, what string, expected ...error) error {
	for _, e := range expected {
		if errors.Is(err, e) {
			return nil
		}
	}
	code, isCode := errors.AsType[*kerr.Error](err)
	switch {
	case errors.Is(err, kerr.GroupAuthorizationFailed), errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return fmt.Errorf("not allowed to %s (%s)", what, code.Message)
	case err != nil && !isCode:
		return fmt.Errorf("%w: %w", ErrKafka, err)
	}
	return err
}
