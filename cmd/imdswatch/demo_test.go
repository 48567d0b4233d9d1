package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/imdswatch/imdswatch/normalize"
)

// demoAlert is what the tests look at of an alert.
type demoAlert struct {
	Event struct {
		Kind string `json:"kind"`
	} `json:"event"`
	IMDSWatch struct {
		ID     string `json:"id"`
		Source string `json:"source"`
		Topic  string `json:"topic"`
		Offset int    `json:"offset"`
	} `json:"imdswatch"`
}

// alertsOn decodes the NDJSON on a demo's stdout.
func alertsOn(t *testing.T, stdout string) (alerts []demoAlert) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		var a demoAlert
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("stdout holds more than NDJSON: %v: %q", err, line)
		}
		alerts = append(alerts, a)
	}
	return alerts
}

func TestDemoAlertsOnEverySource(t *testing.T) {
	code, stdout, stderr := inProcess("", "demo")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	seen, hit := map[string]int{}, map[string]map[int]bool{}
	ids := map[string]bool{}
	for _, a := range alertsOn(t, stdout) {
		m := a.IMDSWatch
		if a.Event.Kind != "alert" || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(m.ID) || m.Topic != "raw."+m.Source {
			t.Errorf("no alert of the demo: %+v", a)
		}
		if ids[m.ID] {
			t.Errorf("id %s twice", m.ID)
		}
		ids[m.ID] = true
		seen[m.Source]++
		if hit[m.Source] == nil {
			hit[m.Source] = map[int]bool{}
		}
		hit[m.Source][m.Offset] = true
	}
	for _, s := range normalize.Told() {
		attacks, nearMisses := s.Samples()
		if len(attacks) == 0 || len(nearMisses) == 0 {
			t.Errorf("%s: %d attacks, %d near misses, want some of both", s.Name, len(attacks), len(nearMisses))
		}
		if seen[s.Name] != len(attacks) || len(hit[s.Name]) != len(attacks) {
			t.Errorf("%s: %d alerts on %d records, want one on each of %d attacks", s.Name, seen[s.Name], len(hit[s.Name]), len(attacks))
		}
		row := regexp.MustCompile(`│ ` + s.Name + ` +│ +(\d+) │ +(\d+) │ +(\d+) │`).FindStringSubmatch(stderr)
		if row == nil {
			t.Errorf("stderr has no row of %s:\n%s", s.Name, stderr)
		}
	}
	if _, again, _ := inProcess("", "demo"); len(again) == 0 {
		t.Error("the second run is silent")
	} else {
		for _, a := range alertsOn(t, again) {
			if !ids[a.IMDSWatch.ID] {
				t.Errorf("the second run has another id, %s, for %s/%d", a.IMDSWatch.ID, a.IMDSWatch.Topic, a.IMDSWatch.Offset)
			}
			delete(ids, a.IMDSWatch.ID)
		}
		for id := range ids {
			t.Errorf("the second run lacks the alert %s", id)
		}
	}
}

// TestDemoServeStaysUp: broker and metrics answer until the end, at the addresses
// that were printed, and a record that others send is judged.
func TestDemoServeStaysUp(t *testing.T) {
	var stdout, stderr shared
	d := &demo{serve: true, listen: "127.0.0.1:0", out: newPrinter(&stdout, "json"), stderr: &stderr, log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	until(t, "the addresses are printed", func() bool { return strings.Contains(stderr.String(), "# the counters\n") })
	broker := regexp.MustCompile(`kcat -b (\S+) -t imdswatch.alerts`).FindStringSubmatch(stderr.String())
	metrics := regexp.MustCompile(`curl -s (http://\S+/metrics) `).FindStringSubmatch(stderr.String())
	if broker == nil || metrics == nil {
		t.Fatalf("no addresses on stderr:\n%s", stderr.String())
	}

	client, err := kgo.NewClient(kgo.SeedBrokers(broker[1]))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: "raw.defend", Value: []byte(`{"a":`)}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	until(t, "the metrics count the record", func() bool {
		return strings.Contains(body(t, metrics[1]), `imdswatch_deadletters_total{reason="syntax",source="defend"} 1`)
	})

	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if response, err := http.Get(metrics[1]); err == nil {
		response.Body.Close()
		t.Error("the metrics answer behind the end")
	}
	if alerts := alertsOn(t, stdout.String()); len(alerts) == 0 {
		t.Error("no alerts on stdout")
	}
}
