package detector

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-json"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// Origin is where an event comes from and what judged it.
type Origin struct {
	Source    string // the normalizer's name
	Shape     string // the wrapping in which the source sent the event
	Topic     string
	Partition int32
	Offset    int64  // of the event's first record
	Index     int    // the event's place in its record
	Rules     string // the hash of the set
	Replay    string // the id of a replay, empty outside of one
}

// Alert is a rule's match on an event. It owns its memory and may leave the
// batch of the event. It is not safe for concurrent use.
type Alert struct {
	Rule   *Rule
	Origin Origin

	event     *ecs.Event // a copy, with event.kind and the scores of an alert
	id        string
	key       []byte
	message   []byte
	truncated []string // names of the fields that were cut, sorted
}

// NewAlert makes an alert of rule's match on e and copies e: it is the one place
// where the text of an event is copied out of its batch.
func NewAlert(rule *Rule, e *ecs.Event, o Origin) *Alert {
	a := &Alert{Rule: rule, Origin: o, event: e.Clone()}
	a.id = alertID(rule, o)
	a.key = a.first("host.id", "host.name")
	a.message = a.sentence()
	a.with("event.kind", func(f ecs.Field) { a.event.Add(f, []byte("alert")) })
	a.with("event.severity", func(f ecs.Field) { a.event.AddInt(f, rule.Severity.Number()) })
	a.with("event.risk_score", func(f ecs.Field) { a.event.AddFloat(f, float64(rule.RiskScore)) })
	return a
}

// with replaces the values of a field, if the schema has it.
func (a *Alert) with(name string, add func(ecs.Field)) {
	if f, ok := a.event.Schema().Lookup(name); ok {
		a.event.Clear(f)
		add(f)
	}
}

// ID is a function of the event's place in Kafka and the rule's id and of
// nothing else, so that a repeat or a replay can be told from a second event:
// 32 lower-case hex digits.
func (a *Alert) ID() string { return a.id }

func alertID(rule *Rule, o Origin) string {
	framed := appendFramed(nil, o.Topic)
	framed = binary.BigEndian.AppendUint32(framed, uint32(o.Partition))
	framed = binary.BigEndian.AppendUint64(framed, uint64(o.Offset))
	framed = binary.BigEndian.AppendUint64(framed, uint64(o.Index))
	framed = appendFramed(framed, rule.ID)
	return digest(framed)
}

// Key is the Kafka key of the alert, so that those of a host stay in order: the
// host's id, else its name, else nil.
func (a *Alert) Key() []byte { return a.key }

// Time is the event's own time, the zero time if it has none.
func (a *Alert) Time() time.Time {
	if values := a.values("@timestamp"); len(values) > 0 {
		return time.Unix(0, values[0].Int()).UTC()
	}
	return time.Time{}
}

// Message is the alert in one line of text.
func (a *Alert) Message() string { return string(a.message) }

func (a *Alert) values(name string) []ecs.Value {
	if f, ok := a.event.Schema().Lookup(name); ok {
		return a.event.Values(f)
	}
	return nil
}

// first is the first text of the first named field that has one and is not
// empty.
func (a *Alert) first(names ...string) []byte {
	for _, name := range names {
		if values := a.values(name); len(values) > 0 && len(values[0].Text()) > 0 {
			return values[0].Text()
		}
	}
	return nil
}

// maxPart bounds each part of a message, in code points: a command line can
// have megabytes, a sentence cannot.
const maxPart = 256

// sentence says what happened as far as the event knows:
//
//	RULE: PROCESS (pid 1) started by PARENT as USER on HOST: COMMAND LINE
func (a *Alert) sentence() []byte {
	s := appendLine(nil, []byte(a.Rule.Name))
	s = append(s, ": "...)
	name := a.first("process.name", "process.executable")
	if name == nil {
		name = []byte("a process")
	}
	s = appendLine(s, name)
	if pid := a.values("process.pid"); len(pid) > 0 {
		s = append(s, " (pid "...)
		s = strconv.AppendInt(s, pid[0].Int(), 10)
		s = append(s, ')')
	}
	s = append(s, " started"...)
	for _, p := range []struct {
		word string
		text []byte
	}{
		{" by ", a.first("process.parent.name", "process.parent.executable")},
		{" as ", a.first("user.name", "user.id")},
		{" on ", a.first("host.name", "host.hostname", "host.id")},
		{": ", a.commandLine()},
	} {
		if p.text != nil {
			s = append(s, p.word...)
			s = appendLine(s, p.text)
		}
	}
	return s
}

// commandLine is the command line as the event has it, else its arguments.
func (a *Alert) commandLine() []byte {
	if line := a.first("process.command_line"); line != nil {
		return line
	}
	var line []byte
	for i, v := range a.values("process.args") {
		if i > 0 {
			line = append(line, ' ')
		}
		line = append(line, v.Text()...)
	}
	return line
}

// appendLine appends s so that it stays on one line and cannot command a
// terminal: what does not print becomes a space, and what is beyond maxPart an
// ellipsis.
func appendLine(dst, s []byte) []byte {
	for n := 0; len(s) > 0; n++ {
		if n == maxPart {
			return append(dst, "…"...)
		}
		r, size := utf8.DecodeRune(s)
		if !unicode.IsPrint(r) {
			r = ' '
		}
		dst = utf8.AppendRune(dst, r)
		s = s[size:]
	}
	return dst
}

// cut is s up to n code points, with an ellipsis in place of what is missing.
func cut(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i] + "…"
		}
		n--
	}
	return s
}

// ecsVersion is the version of ECS that the names of ecs.Default are from.
const ecsVersion = "8.17.0"

// AppendJSON appends the alert as one JSON object on one line.
func (a *Alert) AppendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	if values := a.values("@timestamp"); len(values) > 0 {
		dst = append(dst, `"@timestamp":"`...)
		dst = ecs.AppendDate(dst, values[0].Int())
		dst = append(dst, `",`...)
	}
	dst = append(dst, `"message":`...)
	dst = ecs.AppendString(dst, a.message)
	dst = append(dst, `,"ecs":{"version":"`+ecsVersion+`"},"event":`...)
	dst = a.event.AppendObject(dst, "event")
	dst = a.appendRule(dst)
	for _, name := range []string{"host", "process", "user", "related"} {
		dst = append(dst, `,"`+name+`":`...)
		dst = a.event.AppendObject(dst, name)
	}
	for _, name := range []string{"agent", "container", "data_stream", "group", "winlog", "auditd"} {
		start := len(dst)
		dst = append(dst, `,"`+name+`":`...)
		value := len(dst)
		if dst = a.event.AppendObject(dst, name); string(dst[value:]) == "{}" {
			dst = dst[:start]
		}
	}
	dst = a.appendOrigin(dst)
	return append(dst, '}')
}

func (a *Alert) appendRule(dst []byte) []byte {
	r := a.Rule
	members := struct {
		Rule struct {
			UUID        string   `json:"uuid"`
			Name        string   `json:"name"`
			Version     string   `json:"version,omitempty"`
			Description string   `json:"description,omitempty"`
			Reference   string   `json:"reference,omitempty"`
			Author      []string `json:"author,omitempty"`
		} `json:"rule"`
		Tags   []string `json:"tags,omitempty"`
		Threat []Threat `json:"threat,omitempty"`
	}{Tags: r.Tags, Threat: r.Threat}
	m := &members.Rule
	m.UUID, m.Name, m.Version = r.ID, r.Name, r.Version
	m.Description, m.Reference, m.Author = r.Description, r.Reference, r.Authors
	encoded, err := json.MarshalWithOption(&members, json.DisableHTMLEscape())
	if err != nil {
		panic(fmt.Sprintf("detector: %v", err)) // texts and lists of texts always encode
	}
	dst = append(dst, ',')
	return append(dst, encoded[1:len(encoded)-1]...)
}

func (a *Alert) appendOrigin(dst []byte) []byte {
	o := &a.Origin
	text := func(name, value string) {
		dst = append(dst, `,"`+name+`":`...)
		dst = ecs.AppendString(dst, []byte(value))
	}
	number := func(name string, value int64) {
		dst = append(dst, `,"`+name+`":`...)
		dst = strconv.AppendInt(dst, value, 10)
	}
	dst = append(dst, `,"imdswatch":{"id":"`...)
	dst = append(dst, a.id...)
	dst = append(dst, '"')
	text("source", o.Source)
	text("shape", o.Shape)
	text("topic", o.Topic)
	number("partition", int64(o.Partition))
	number("offset", o.Offset)
	number("index", int64(o.Index))
	text("rules", o.Rules)
	if o.Replay != "" {
		text("replay", o.Replay)
	}
	if a.Rule.BuildingBlock != "" {
		dst = append(dst, `,"building_block":true`...)
	}
	for i, name := range a.truncated {
		if i == 0 {
			dst = append(dst, `,"truncated":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = ecs.AppendString(dst, []byte(name))
		if i == len(a.truncated)-1 {
			dst = append(dst, ']')
		}
	}
	return append(dst, '}')
}
