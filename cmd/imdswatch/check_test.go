package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
)

func TestCheck(t *testing.T) {
	cluster, _ := startCluster(t, runTopics)
	setEnvironment(t)
	t.Setenv("IMDSWATCH_BROKERS", strings.Join(cluster.ListenAddrs(), ","))
	t.Setenv("IMDSWATCH_TOPICS", "raw.defend:defend,raw.ecs:auto,/none/:windows")
	rule := filepath.Join(t.TempDir(), "none.eql")
	if err := os.WriteFile(rule, []byte(`process where process.name == "none"`), 0o600); err != nil {
		t.Fatal(err)
	}
	const brokers = `^ok configuration: 3 inputs, alerts to imdswatch\.alerts, dead letters to imdswatch\.deadletters
ok brokers: 1 reached, Kafka .+
ok topic imdswatch\.alerts: 1 partitions, to write, max\.message\.bytes 1048588
ok topic imdswatch\.deadletters: 1 partitions, to write, max\.message\.bytes 1048588
ok topic raw\.defend: 1 partitions, to read
ok topic raw\.ecs: 1 partitions, to read
ok topic /none/: warning: matches no topic that this user may see
ok group imdswatch: to join and commit
`
	for _, test := range []struct {
		name, variable, value string
		code                  int
		stdout                string
	}{
		{"well", "GROUP", "imdswatch", exitDone, brokers + `ok rules: 1 run, 0 not for us
ok positives defend: (\d+) of (\d+) samples matched
ok positives auto: (\d+) of (\d+) samples matched
ok positives windows: (\d+) of (\d+) samples matched
$`},
		{"a rule that matches no sample", "RULES", rule, exitDone, brokers + `ok rules: 1 run, 0 not for us
ok positives defend: warning: none of the loaded rules matches the samples of this source
ok positives auto: warning: none of the loaded rules matches the samples of this source
ok positives windows: warning: none of the loaded rules matches the samples of this source
$`},
		{"no rule", "RULES", rule + "-not", exitFaulty, brokers + `FAIL rules: .*none\.eql-not: no such file or directory
$`},
		{"no topic", "ALERTS_TOPIC", "none.alerts", exitUsage, `^ok configuration: .*
FAIL configuration: output topic "none\.alerts" is an input as well, by "/none/"
ok rules(.*\n){4}$`},
		{"a missing topic", "ALERTS_TOPIC", "alerts", exitFaulty, `(?s)\nFAIL topic alerts: does not exist and is to be written; create it, imdswatch never does\nok topic .*\nok positives windows`},
		{"no brokers", "BROKERS", "127.0.0.1:1", exitKafka, `^ok configuration.*
FAIL brokers: kafka: brokers \[127\.0\.0\.1:1\]: .*
ok rules(.*\n){4}$`},
		{"faults", "TOPICS", "a,b:ecs,c:d", exitUsage, `^FAIL configuration: IMDSWATCH_TOPICS: topic "a": want topic:source
FAIL configuration: IMDSWATCH_TOPICS: topic "c:d": no source "d", .*
ok rules: 1 run, 0 not for us
ok positives ecs: 2 of 2 samples matched
$`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(prefix+"_"+test.variable, test.value)
			code, stdout, stderr := inProcess("", "check")
			if code != test.code || stderr != "" || !regexp.MustCompile(test.stdout).MatchString(stdout) {
				t.Errorf("exit code %d, want %d\n%s\nwant\n%s\n%s", code, test.code, stdout, test.stdout, stderr)
			}
			for _, m := range regexp.MustCompile(`(\d+) of (\d+) samples`).FindAllStringSubmatch(stdout, -1) {
				if m[1] != m[2] {
					t.Error(m[0])
				}
			}
		})
	}
}

// A normalizer that reads nothing of its samples is found.
func TestCheckFindsABlindSource(t *testing.T) {
	blind := *normalize.Lookup("defend")
	blind.New = normalize.Lookup("windows").New
	for _, test := range []struct {
		settings ruleSettings
		source   *normalize.Source
		want     string
	}{
		{ruleSettings{}, &blind, "FAIL positives defend: builtin:imds matches 0 of 4 samples\n"},
		{ruleSettings{}, normalize.Lookup("defend"), "ok positives defend: 4 of 4 samples matched\n"},
		{ruleSettings{fold: detector.FoldUnicode, byIndex: true}, normalize.Lookup("defend"), "ok positives defend: 4 of 4 samples matched\n"},
	} {
		set, err := test.settings.set(func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		k := &checking{stdout: &out, stderr: &out}
		k.positives(test.source, set, &test.settings)
		if out.String() != test.want || (k.code != exitDone) != strings.HasPrefix(test.want, "FAIL") {
			t.Errorf("exit code %d, %swant %s", k.code, out.String(), test.want)
		}
	}
}
