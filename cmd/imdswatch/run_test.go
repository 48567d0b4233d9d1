package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestRunFromRecordToAlert is the whole way: records in, alerts and dead letters
// out, what it says of itself meanwhile, and the end by a signal.
func TestRunFromRecordToAlert(t *testing.T) {
	cluster, client := startCluster(t, runTopics)
	produce(t, client, "raw.defend", nearMiss(t, "defend"), attack(t, "defend"), `{"a":`)
	p := startRun(t, cluster.ListenAddrs())
	url := p.url(t)
	produce(t, client, "raw.ecs", attack(t, "ecs"), "")

	got := map[string]int{}
	for _, r := range consume(t, cluster, "imdswatch.alerts", 2) {
		var a demoAlert
		if err := json.Unmarshal(r.Value, &a); err != nil {
			t.Fatal(err)
		}
		got[fmt.Sprintf("%s %s/%d %s", a.Event.Kind, a.IMDSWatch.Topic, a.IMDSWatch.Offset, a.IMDSWatch.Source)]++
	}
	if got["alert raw.defend/1 defend"] != 1 || got["alert raw.ecs/0 ecs"] != 1 {
		t.Errorf("alerts on %v", got)
	}
	letter := consume(t, cluster, "imdswatch.deadletters", 1)[0]
	if string(letter.Value) != `{"a":` {
		t.Errorf("dead letter %q", letter.Value)
	}
	headers := map[string]string{}
	for _, h := range letter.Headers {
		headers[strings.TrimPrefix(h.Key, "__imdswatch.errors.")] = string(h.Value)
	}
	if headers["topic"] != "raw.defend" || headers["offset"] != "2" || headers["source"] != "defend" || headers["reason"] != "syntax" {
		t.Errorf("headers of the dead letter: %v", headers)
	}
	p.says(t, `"msg":"raw.defend/0/2: defend: record ends within a value (byte 5)"`)

	ready(t, url)
	if code, answer := status(t, url+"/healthz"); code != http.StatusOK || answer != "ok\n" {
		t.Errorf("/healthz: %d %q", code, answer)
	}
	var build struct{ Version, GoVersion string }
	if err := json.Unmarshal([]byte(body(t, url+"/version")), &build); err != nil || build.Version != "dev" || !strings.HasPrefix(build.GoVersion, "go") {
		t.Errorf("/version: %+v, %v", build, err)
	}
	if code, _ := status(t, url+"/nowhere"); code != http.StatusNotFound {
		t.Errorf("/nowhere: %d", code)
	}
	until(t, "everything is counted", func() bool { return sum(body(t, url+"/metrics"), "imdswatch_records_total") == 5 })
	until(t, "everything is committed", func() bool {
		return committed(t, client, "raw.defend") == 3 && committed(t, client, "raw.ecs") == 2
	})
	checkMetrics(t, body(t, url+"/metrics"))

	p.signal(t, syscall.SIGTERM)
	p.exits(t, exitDone)
	p.says(t, `"msg":"stopping, a second signal quits at once","signal":"terminated"`)
	p.says(t, `"msg":"imdswatch has stopped"`)
	if strings.Contains(p.stderr.String(), "169.254.169.254") {
		t.Error("the log holds what a record says")
	}
}

// TestRunTakesTheRuleSettings: a building block runs and says so, a rule whose
// index is of another source does not, and the log tells of what was left out.
func TestRunTakesTheRuleSettings(t *testing.T) {
	rules := t.TempDir()
	for name, text := range map[string]string{
		"block.toml":   "[rule]\nrule_id = 'block'\nname = 'block'\ntype = 'eql'\nlanguage = 'eql'\nseverity = 'low'\nindex = ['logs-endpoint*']\nbuilding_block_type = 'default'\nquery = 'process where true'\n",
		"windows.toml": "[rule]\nrule_id = 'windows'\nname = 'windows'\ntype = 'eql'\nlanguage = 'eql'\nseverity = 'low'\nindex = ['winlogbeat-*']\nquery = 'process where true'\n",
		"kuery.toml":   "[rule]\ntype = 'query'\n",
	} {
		if err := os.WriteFile(filepath.Join(rules, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cluster, client := startCluster(t, runTopics)
	produce(t, client, "raw.defend", attack(t, "defend"), attack(t, "defend"))
	p := startRun(t, cluster.ListenAddrs(), "IMDSWATCH_RULES="+rules, "IMDSWATCH_BUILDING_BLOCKS=true", "IMDSWATCH_SCOPE=index")
	for _, r := range consume(t, cluster, "imdswatch.alerts", 2) {
		var a struct {
			Rule      struct{ UUID string }
			IMDSWatch struct {
				BuildingBlock bool `json:"building_block"`
			}
		}
		if err := json.Unmarshal(r.Value, &a); err != nil || a.Rule.UUID != "block" || !a.IMDSWatch.BuildingBlock {
			t.Errorf("alert %s, %v", r.Value, err)
		}
	}
	p.says(t, `"msg":"1 not for us: rule type is \"query\", only \"eql\" is run (`+filepath.Join(rules, "kuery.toml")+`)"`)
	p.says(t, `"msg":"2 of 2 rules have no anchor"`)
}

// checkMetrics holds what five records, two alerts and a dead letter must come to.
func checkMetrics(t *testing.T, text string) {
	t.Helper()
	for _, want := range []string{
		`imdswatch_records_total{outcome="alert",source="defend"} 1`,
		`imdswatch_records_total{outcome="error",source="defend"} 1`,
		`imdswatch_records_total{outcome="alert",source="ecs"} 1`,
		`imdswatch_records_total{outcome="skipped",source="ecs"} 1`,
		`imdswatch_deadletters_total{reason="syntax",source="defend"} 1`,
		`imdswatch_alerts_total{rule="ecc0cd54-608e-11ef-ab6d-f661ea17fbce",severity="medium"} 2`,
		`imdswatch_event_to_alert_seconds_count 2`,
		`imdswatch_lag_records{partition="0",topic="raw.defend"} 0`,
		`imdswatch_lag_seconds{partition="0",topic="raw.defend"} 0`,
		`imdswatch_partitions_assigned 2`,
		`imdswatch_rules_loaded 1`,
		`imdswatch_data_loss_total 0`,
	} {
		if !slices.Contains(strings.Split(text, "\n"), want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
	for _, family := range []string{
		"imdswatch_bytes_total", "imdswatch_events_total", "imdswatch_batch_seconds", "imdswatch_commits_total",
		"imdswatch_rebalances_total", "imdswatch_rules_info", "imdswatch_build_info",
		"imdswatch_kafka_", "go_goroutines", "process_resident_memory_bytes",
	} {
		if !strings.Contains(text, "# TYPE "+family) {
			t.Errorf("/metrics lacks %s", family)
		}
	}
}

// sum adds up a metric over its labels.
func sum(text, metric string) (total float64) {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, metric+"{") {
			n, _ := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' '):]), 64)
			total += n
		}
	}
	return total
}

// TestRunDrains: what was polled when the signal comes is acknowledged and
// committed before the end.
func TestRunDrains(t *testing.T) {
	cluster, client := startCluster(t, runTopics)
	produce(t, client, "raw.defend", attack(t, "defend"))
	asked, release := make(chan struct{}), make(chan struct{})
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.DropControl()
		cluster.SleepControl(func() { close(asked); <-release })
		return nil, nil, false
	})
	p := startRun(t, cluster.ListenAddrs())
	<-asked
	p.signal(t, os.Interrupt)
	p.says(t, "stopping")
	if at := committed(t, client, "raw.defend"); at > 0 {
		t.Errorf("offset %d is committed before the alert is acknowledged", at)
	}
	close(release)
	p.exits(t, exitDone)
	consume(t, cluster, "imdswatch.alerts", 1)
	if at := committed(t, client, "raw.defend"); at != 1 {
		t.Errorf("offset %d is committed, want 1", at)
	}
}

// acknowledgeNothing lets a broker take alerts without a word and tells when it
// has got the first.
func acknowledgeNothing(cluster *kfake.Cluster) <-chan struct{} {
	asked := make(chan struct{}, 100)
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked <- struct{}{}
		return nil, nil, true
	})
	return asked
}

func TestRunSecondSignalQuitsAtOnce(t *testing.T) {
	cluster, client := startCluster(t, runTopics)
	produce(t, client, "raw.defend", attack(t, "defend"))
	asked := acknowledgeNothing(cluster)
	p := startRun(t, cluster.ListenAddrs(), "IMDSWATCH_DRAIN_TIMEOUT=1h")
	<-asked
	p.signal(t, syscall.SIGTERM)
	p.says(t, "stopping")
	p.signal(t, syscall.SIGTERM)
	p.exits(t, exitFaulty)
	p.says(t, `"msg":"quitting"`)
	if at := committed(t, client, "raw.defend"); at > 0 {
		t.Errorf("offset %d is committed and its alert was not acknowledged", at)
	}
}

func TestRunDrainTimeoutEndsIt(t *testing.T) {
	cluster, client := startCluster(t, runTopics)
	produce(t, client, "raw.defend", attack(t, "defend"))
	asked := acknowledgeNothing(cluster)
	p := startRun(t, cluster.ListenAddrs(), "IMDSWATCH_DRAIN_TIMEOUT=50ms")
	<-asked
	p.signal(t, syscall.SIGTERM)
	p.exits(t, exitFaulty)
	p.says(t, "imdswatch: drain timeout is over")
	if at := committed(t, client, "raw.defend"); at > 0 {
		t.Errorf("offset %d is committed and its alert was not acknowledged", at)
	}
}

// TestRunIsNotReadyWithoutAssignment, and is alive.
func TestRunIsNotReadyWithoutAssignment(t *testing.T) {
	cluster, _ := startCluster(t, runTopics)
	joined, release := make(chan struct{}), make(chan struct{})
	cluster.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.DropControl()
		cluster.SleepControl(func() { close(joined); <-release })
		return nil, nil, false
	})
	p := startRun(t, cluster.ListenAddrs())
	url := p.url(t)
	<-joined
	if code, answer := status(t, url+"/readyz"); code != http.StatusServiceUnavailable || answer != "no partitions were assigned yet\n" {
		t.Errorf("/readyz: %d %q", code, answer)
	}
	if code, _ := status(t, url+"/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	close(release)
	ready(t, url)
	p.signal(t, syscall.SIGTERM)
	p.exits(t, exitDone)
}

// TestRunRefusesToStart where Kafka is not as it must be, or the address is taken.
func TestRunRefusesToStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, test := range []struct {
		name, topics string
		more         []string
		code         int
		says         []string
	}{
		{"no topics", "other", nil, exitKafka, []string{
			`imdswatch: kafka: topic "imdswatch.alerts": does not exist and is to be written; create it, imdswatch never does`,
			`imdswatch: kafka: topic "imdswatch.deadletters": does not exist and is to be written`,
			`imdswatch: kafka: topic "raw.defend": does not exist and is to be read`,
			`imdswatch: kafka: topic "raw.ecs": does not exist and is to be read`,
		}},
		{"no alerts topic", "raw.defend,raw.ecs,imdswatch.deadletters", nil, exitKafka, []string{
			`imdswatch: kafka: topic "imdswatch.alerts": does not exist and is to be written`,
		}},
		{"address taken", runTopics, []string{"IMDSWATCH_LISTEN=" + taken.Addr().String()}, exitUsage, []string{
			"imdswatch: IMDSWATCH_LISTEN: listen tcp " + taken.Addr().String() + ": ",
		}},
		{"outputs are one topic", runTopics, []string{"IMDSWATCH_ALERTS_TOPIC=imdswatch.deadletters"}, exitUsage, []string{
			`imdswatch: alerts and dead letters both go to topic "imdswatch.deadletters", want two topics`,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			cluster, _ := startCluster(t, test.topics)
			p := startRun(t, cluster.ListenAddrs(), test.more...)
			p.exits(t, test.code)
			for _, want := range test.says {
				if !strings.Contains(p.stderr.String(), want) {
					t.Errorf("stderr lacks %s", want)
				}
			}
			if kafka := strings.Count(p.stderr.String(), "imdswatch: "); kafka != len(test.says) {
				t.Errorf("%d complaints, want %d", kafka, len(test.says))
			}
		})
	}
}
