// Package normalize turns raw endpoint records into ECS process-start events.
//
// A source is one file and one testdata folder: the file registers the source
// and holds its whole mapping. Normalizers know neither Kafka nor rules.
package normalize

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// Record is one raw record as a normalizer sees it. The normalizer reads it and
// never writes to it.
type Record struct {
	Value, Key []byte
	Time       time.Time // the record's own timestamp; zero if it has none
	Offset     int64
}

// Normalizer turns the records of one partition into events. It is made for one
// partition and is not safe for concurrent use.
type Normalizer interface {
	// Normalize appends the events that r holds to dst: none for a readable
	// record about something else, one or several else. The events are views of
	// r or of the normalizer and valid until its next call.
	//
	// On an error, always an *Error, dst still holds every event that could be
	// read, so that one bad element never hides its neighbours.
	Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error)
}

// Joiner is a normalizer of a source that spreads an event over several
// records. It copies what it holds back.
type Joiner interface {
	Normalizer
	// Expire appends the events that will get no more records. now is the wall
	// clock of a reader that has caught up, or EndOfInput. Events of the
	// Normalize before it stay valid.
	Expire(dst []ecs.Event, now time.Time) []ecs.Event
	// Safe is the offset of the first record of the oldest event that is held
	// back, or next: who starts there again misses none.
	Safe(next int64) int64
	// Settled accounts for the records whose fate the last Normalize or Expire
	// decided: of how many each appended event was joined, in their order, and
	// how many came to nothing. An event of 0 shares the record of the event in
	// front of it. A record with an error is not counted.
	Settled() (joined []int, skipped int)
	// Pending is how many events are held back.
	Pending() int
	// Reset drops what is held back: the partition was taken away.
	Reset()
}

// Source is a kind of raw record.
type Source struct {
	Name   string
	Shapes []string // the wrappings it reads, most common first
	Joins  bool     // New returns a Joiner
	Key    string   // what the message key must be for the source to work, or "any"
	Needs  string   // what the sender has to switch on, in a sentence
	// Indices are names of indices, one of each kind, in which Elastic's products
	// keep what the source sends; none if that can be any.
	Indices []string
	New     func() Normalizer
	// Marks are what the source auto tells the source's records by: sets of
	// members of which one set must be there in full. A member may have to have a
	// value, in either case and with ? for any byte: "event.module=endpoint", or
	// one that begins so: "category=AdvancedHunting-*". Or a mark is a part of a text,
	// "message=*audit(*"; the name "" stands for a record that is no JSON.
	Marks [][]string
}

var registered []*Source

// register is called by each source's file, once, as the program starts.
func register(s Source) *Source {
	registered = append(registered, &s)
	return &s
}

// Sources are all sources, by name.
func Sources() []*Source {
	all := slices.Clone(registered)
	slices.SortFunc(all, func(a, b *Source) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Lookup finds a source by its name; nil if there is none.
func Lookup(name string) *Source {
	for _, s := range registered {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Indexed reports whether a rule whose index is patterns is meant for events of
// the source: whether they name one of its indices, as Elasticsearch reads them.
// A star stands for any text, a minus in front takes out what patterns before it
// took in, and a cluster's name in front does not matter here. A rule without
// patterns is meant for all sources, and to a source without indices all rules
// are.
func (s *Source) Indexed(patterns []string) bool {
	if len(patterns) == 0 || len(s.Indices) == 0 {
		return true
	}
	return slices.ContainsFunc(s.Indices, func(index string) bool {
		in := false
		for _, p := range patterns {
			p, out := strings.CutPrefix(p, "-")
			if names(p[strings.IndexByte(p, ':')+1:], index) {
				in = !out
			}
		}
		return in
	})
}

// names reports whether a pattern, in which a star stands for any text, is one
// of the index.
func names(pattern, index string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == index
	}
	first, last := parts[0], parts[len(parts)-1]
	rest, ok := strings.CutPrefix(index, first)
	for _, p := range parts[1 : len(parts)-1] {
		if !ok {
			return false
		}
		_, rest, ok = strings.Cut(rest, p)
	}
	return ok && strings.HasSuffix(rest, last)
}

// Reason says why a record could not be read. The words are those of a dead
// letter's reason header.
type Reason string

// The reasons a normalizer gives.
const (
	Syntax   Reason = "syntax"    // broken JSON or XML
	Encoding Reason = "encoding"  // not UTF-8 text, or a serialization that is not read here
	Shape    Reason = "shape"     // well-formed, but not a record of the source
	TooDeep  Reason = "too_deep"  // nested beyond maxDepth
	TooLarge Reason = "too_large" // larger than MaxRecord
)

// MaxRecord is the size of the largest record that is read, in bytes: far above
// what a broker takes by default, and a bound on the work one record can cause.
const MaxRecord = 64 << 20

// Error is a record that could not be read, in whole or in part. Its text never
// holds the record's content.
type Error struct {
	Reason  Reason
	Message string // a lower-case clause
	Byte    int    // where in the record, counted from 0
	Source  string // where auto told it, the source's name
}

// Error is the message and its place.
func (e *Error) Error() string { return fmt.Sprintf("%s (byte %d)", e.Message, e.Byte) }

func failf(reason Reason, at int, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...), Byte: at}
}

// Blank reports whether a record's value is missing or white space alone: a
// tombstone or a heartbeat, which no source reads.
func Blank(value []byte) bool { return len(bytes.Trim(value, " \t\r\n")) == 0 }

// text checks that a value can be UTF-8 text in front of the parsers and
// returns it without a schema id and a byte order mark, and how many bytes those
// took.
func text(value []byte) ([]byte, int, *Error) {
	if bytes.HasPrefix(value, []byte("\x00\x00\xfe\xff")) || bytes.HasPrefix(value, []byte("\xff\xfe\x00\x00")) {
		return nil, 0, failf(Encoding, 0, "record is UTF-32, want UTF-8")
	}
	value, framed, err := unframe(value)
	switch {
	case err != nil:
		return nil, 0, err
	case len(value) > MaxRecord:
		return nil, 0, failf(TooLarge, MaxRecord, "record has %d bytes, the limit is %d", len(value), MaxRecord)
	case bytes.HasPrefix(value, []byte("\xef\xbb\xbf")):
		return value[3:], framed + 3, nil
	case bytes.HasPrefix(value, []byte("\xff\xfe")), bytes.HasPrefix(value, []byte("\xfe\xff")),
		len(value) > 1 && (value[0] == 0) != (value[1] == 0):
		return nil, 0, failf(Encoding, 0, "record is UTF-16, want UTF-8")
	case len(value) > 1 && value[0] == 0x1f && value[1] == 0x8b:
		return nil, 0, failf(Encoding, 0, "record is gzip, want text")
	}
	return value, framed, nil
}

// unframe cuts off the zero byte and the four-byte schema id that Confluent's
// serializers put in front of a value, if JSON or XML follows. Behind the same
// bytes Avro and Protobuf begin with a length or an index.
func unframe(value []byte) (rest []byte, framed int, err *Error) {
	const header = 5
	if len(value) <= header || value[0] != 0 || value[1] != 0 && value[2] == 0 && value[4] == 0 { // the latter is UTF-16
		return value, 0, nil
	}
	switch value[header] {
	case '{', '[', '<', ' ', '\t', '\r', '\n':
		return value[header:], header, nil
	}
	return nil, 0, failf(Encoding, header, "record is Avro or Protobuf behind a schema id, want JSON")
}
