package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/agnivade/levenshtein"
	"github.com/kelseyhightower/envconfig"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/pipeline"
)

const prefix = "IMDSWATCH"

// environment is the configuration as the variables give it. Every value is
// text here, since envconfig stops at the first value it cannot convert and
// keeps the spaces in lists; config converts, and reports all faults at once.
type environment struct {
	Brokers         string `desc:"addresses of brokers, host:port, by commas"`
	Group           string `default:"imdswatch" desc:"consumer group"`
	Topics          string `desc:"inputs, topic:source by commas; a topic written /regex/ is a pattern"`
	AlertsTopic     string `split_words:"true" default:"imdswatch.alerts" desc:"topic for alerts"`
	DeadletterTopic string `split_words:"true" default:"imdswatch.deadletters" desc:"topic for records that could not be read"`
	RuleVariables
	DeliveryVariables
	ConnectionVariables
	Start          string `default:"earliest" desc:"where a new group begins: earliest, latest or an RFC 3339 time"`
	CommitInterval string `split_words:"true" default:"1s" desc:"time between commits"`
	InstanceID     string `split_words:"true" desc:"static membership: a name that stays over restarts"`
	Balancer       string `default:"cooperative" desc:"cooperative, or server for KIP-848 on Kafka 4.3 and later"`
	Rack           string `desc:"rack or zone to read from"`
	Workers        string `default:"0" desc:"partitions judged at once; 0 is one a core"`
	DrainTimeout   string `split_words:"true" default:"30s" desc:"how long a stop waits for acknowledgements"`
	FetchMaxBytes  string `split_words:"true" default:"0" desc:"bytes of one fetch; 0 derives it from GOMEMLIMIT"`
	Listen         string `default:"127.0.0.1:9464" desc:"address of /metrics, /healthz, /readyz, /version"`
	LogLevel       string `split_words:"true" default:"info" desc:"debug, info, warn or error"`
	LogFormat      string `split_words:"true" default:"json" desc:"json or text"`
}

// later are variables that have a meaning which this version does not have,
// with the values that ask for what it does anyway. Taking no notice of
// exceptions would be worse than not starting.
var later = map[string]string{
	"EXCEPTIONS": "", "PREFILTER": "auto off", "PREFILTER_SAMPLE": "", "ALERT_FORMAT": "ecs", "STATUS": "false", "PPROF": "false",
}

// config is what run needs.
type config struct {
	pipeline pipeline.Config
	kafka    []kgo.Opt // how every client reaches the brokers beside their addresses
	rules    ruleSettings
	listen   string
	log      *slog.Logger
}

// readConfig reads the environment. The error lists all faults, and the rest of
// the configuration stands beside it. Variables that mean nothing are warned of
// on stderr: Kubernetes injects some. What is wrong with a variable that the verb
// has no use for is no fault.
func readConfig(stderr io.Writer, unused ...string) (*config, error) {
	var env environment
	if err := envconfig.Process(prefix, &env); err != nil {
		return nil, err
	}
	f := &faults{unused: unused}
	f.unsupported()
	warnUnknown(stderr)

	level := slog.LevelInfo
	if level.UnmarshalText([]byte(strings.TrimSpace(env.LogLevel))) != nil {
		f.add("LOG_LEVEL", "%q, want debug, info, warn or error", env.LogLevel)
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	if f.oneOf("LOG_FORMAT", env.LogFormat, "json", "text") == "text" {
		log = slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	}
	c := &config{
		kafka:  f.connection(&env.ConnectionVariables, log),
		rules:  f.rules(&env.RuleVariables),
		listen: f.address("LISTEN", env.Listen),
		log:    log,
		pipeline: pipeline.Config{
			Brokers:         f.addresses("BROKERS", env.Brokers),
			Group:           f.given("GROUP", env.Group),
			InstanceID:      strings.TrimSpace(env.InstanceID),
			Rack:            strings.TrimSpace(env.Rack),
			ServerBalancer:  f.oneOf("BALANCER", env.Balancer, "cooperative", "server") == "server",
			Topics:          f.topics("TOPICS", env.Topics),
			AlertsTopic:     f.given("ALERTS_TOPIC", env.AlertsTopic),
			DeadletterTopic: f.given("DEADLETTER_TOPIC", env.DeadletterTopic),
			Start:           f.start("START", env.Start),
			CommitInterval:  f.duration("COMMIT_INTERVAL", env.CommitInterval),
			DrainTimeout:    f.duration("DRAIN_TIMEOUT", env.DrainTimeout),
			Workers:         f.number("WORKERS", env.Workers),
			FetchMaxBytes:   f.number("FETCH_MAX_BYTES", env.FetchMaxBytes),
			Version:         version, Commit: commit(), Log: log,
		},
	}
	f.delivery(&env.DeliveryVariables, &c.pipeline)
	if c.pipeline.Workers == 0 {
		c.pipeline.Workers = runtime.GOMAXPROCS(0)
	}
	return c, errors.Join(f.errs...)
}

// faults collects what is wrong with variables.
type faults struct {
	errs   []error
	unused []string // variables that are not looked at
}

func (f *faults) add(name, format string, args ...any) {
	if slices.Contains(f.unused, name) {
		return
	}
	f.errs = append(f.errs, fmt.Errorf(prefix+"_"+name+": "+format, args...))
}

func (f *faults) check(name string, err error) {
	if err != nil {
		f.add(name, "%v", err)
	}
}

func (f *faults) unsupported() {
	for _, name := range slices.Sorted(maps.Keys(later)) {
		harmless := append(strings.Fields(later[name]), "")
		if !slices.Contains(harmless, strings.TrimSpace(os.Getenv(prefix+"_"+name))) {
			f.add(name, "not supported by this version")
		}
		if os.Getenv(prefix+"_"+name+"_FILE") != "" {
			f.add(name+"_FILE", "not supported by this version")
		}
	}
}

func (f *faults) given(name, value string) string {
	value = strings.TrimSpace(value)
	if value == "" {
		f.add(name, "empty")
	}
	return value
}

func (f *faults) oneOf(name, value string, words ...string) string {
	value = strings.TrimSpace(value)
	if !slices.Contains(words, value) {
		f.add(name, "%q, want %s", value, strings.Join(words, " or "))
	}
	return value
}

func (f *faults) addresses(name, value string) []string {
	addresses := list(value)
	if len(addresses) == 0 {
		f.add(name, "empty, want host:port of at least one broker")
	}
	for _, a := range addresses {
		f.address(name, a)
	}
	return addresses
}

func (f *faults) address(name, value string) string {
	value = strings.TrimSpace(value)
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		f.add(name, "%q is no address, want host:port", value)
	}
	return value
}

func (f *faults) topics(name, value string) (topics []pipeline.Topic) {
	twice := map[string]bool{}
	for _, item := range topicItem.FindAllString(value, -1) {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		t, err := pipeline.ParseTopic(item)
		f.check(name, err)
		if err == nil && twice[t.Name] {
			f.add(name, "topic %q is given twice", t.Name)
		}
		twice[t.Name] = true
		topics = append(topics, t)
	}
	if len(topics) == 0 {
		f.add(name, "empty, want topic:source, for example raw.sysmon:windows")
	}
	return topics
}

func (f *faults) start(name, value string) kgo.Offset {
	switch value = strings.TrimSpace(value); value {
	case "earliest":
		return kgo.NewOffset().AtStart()
	case "latest":
		return kgo.NewOffset().AtEnd()
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		f.add(name, "%q, want earliest, latest or a time like 2026-01-31T00:00:00Z", value)
	}
	return kgo.NewOffset().AfterMilli(at.UnixMilli())
}

func (f *faults) duration(name, value string) time.Duration {
	d, err := time.ParseDuration(strings.TrimSpace(value))
	if err != nil || d <= 0 {
		f.add(name, "%q is no duration above 0, want one like 500ms or 1s", value)
	}
	return d
}

func (f *faults) number(name, value string) int {
	n, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || n < 0 {
		f.add(name, "%q is no whole number from 0 up", value)
	}
	return n
}

// topicItem is an item of a list of topics: a comma within /a pattern/ is part
// of the pattern.
var topicItem = regexp.MustCompile(`\s*/.*?/\s*:[^,]*|[^,]+`)

// list splits at commas, trims, and drops what is empty.
func list(value string) (items []string) {
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// variableTable is the help on the variables.
func variableTable() string {
	var b bytes.Buffer
	const row = "{{range .}}  {{usage_key . | printf \"%-34s\"}}{{usage_description .}}{{with usage_default .}} ({{.}}){{end}}\n{{end}}"
	if err := envconfig.Usagef(prefix, &environment{}, &b, row); err != nil {
		panic(err) // the template above is wrong
	}
	return b.String()
}

// variables are the names of the variables that mean something.
func variables() (names []string) {
	var b bytes.Buffer
	if err := envconfig.Usagef(prefix, &environment{}, &b, "{{range .}}{{usage_key .}}\n{{end}}"); err != nil {
		panic(err) // the template above is wrong
	}
	return strings.Fields(b.String())
}

// nearest is the word that takes the fewest edits to reach from name.
func nearest(name string, words []string) string {
	return slices.MinFunc(words, func(a, b string) int {
		return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
	})
}

// warnUnknown warns of variables with our prefix that mean nothing, with the
// name that was perhaps meant.
func warnUnknown(stderr io.Writer) {
	known := variables()
	for name := range later {
		known = append(known, prefix+"_"+name, prefix+"_"+name+"_FILE")
	}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, prefix+"_") && !slices.Contains(known, name) {
			fmt.Fprintf(stderr, "imdswatch: warning: %s means nothing; the nearest name is %s\n", name, nearest(name, known))
		}
	}
}
