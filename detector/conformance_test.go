package detector

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// sharedData is a file of Elasticsearch's own tests or of rules shaped like
// Elastic's. They belong to other projects, so they are not here: the tests read
// them from IMDSWATCH_SHARED_DATA and skip without it.
func sharedData(t testing.TB, name string) []byte {
	dir := os.Getenv("IMDSWATCH_SHARED_DATA")
	if dir == "" {
		dir = filepath.Join("..", "..", "shared", "data")
	}
	text, err := os.ReadFile(filepath.Join(dir, "eql", name))
	if err != nil {
		t.Skipf("no conformance data: %v; set IMDSWATCH_SHARED_DATA to its folder", err)
	}
	return text
}

// ndjson decodes a value a line; numbers stay as they are written.
func ndjson[T any](t testing.TB, text []byte) (list []T) {
	t.Helper()
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		var v T
		d := json.NewDecoder(bytes.NewReader(s.Bytes()))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// documents turns flat documents into events of a schema of their own, in which
// the field category stands for event.category. Fields not in kinds are keywords.
func documents(t testing.TB, docs []map[string]any, category string, kinds map[string]ecs.Kind) ([]*ecs.Event, *ecs.Schema) {
	t.Helper()
	defs := []ecs.Def{{Name: categoryField}}
	for name, kind := range kinds {
		defs = append(defs, ecs.Def{Name: name, Kind: kind})
	}
	for _, d := range docs {
		for name := range d {
			if !slices.ContainsFunc(defs, func(d ecs.Def) bool { return d.Name == name }) {
				defs = append(defs, ecs.Def{Name: name})
			}
		}
	}
	schema, err := ecs.NewSchema(defs)
	if err != nil {
		t.Fatal(err)
	}
	var events []*ecs.Event
	for _, d := range docs {
		e := ecs.NewEvent(schema)
		for name, v := range d {
			f, _ := schema.Lookup(name)
			addJSON(t, e, f, v)
			if name == category {
				addJSON(t, e, 0, v)
			}
		}
		events = append(events, e)
	}
	return events, schema
}

func addJSON(t testing.TB, e *ecs.Event, f ecs.Field, v any) {
	t.Helper()
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			addJSON(t, e, f, one)
		}
	case json.Number:
		if e.Schema().Kind(f) == ecs.Long {
			n, err := v.Int64()
			if err != nil {
				t.Fatal(err)
			}
			e.AddInt(f, n)
		} else {
			e.Add(f, []byte(v))
		}
	case string:
		e.Add(f, []byte(v))
	}
}

// TestConformanceElasticsearch runs the queries of Elasticsearch's integration
// tests. A pipe is refused at its place; cut off, it is applied here.
func TestConformanceElasticsearch(t *testing.T) {
	type test struct {
		Name, Query string
		Expected    []int64 `json:"expected_event_ids"`
		Pipes       [][]any
	}
	tests := ndjson[test](t, sharedData(t, "es-queries.ndjson"))
	kinds := map[string]ecs.Kind{"source_address": ecs.IP}
	for _, name := range []string{"opcode", "pid", "ppid", "exit_code", "serial_event_id"} {
		kinds[name] = ecs.Long
	}
	events, schema := documents(t, ndjson[map[string]any](t, sharedData(t, "endgame-events.ndjson")), "event_type", kinds)
	id, _ := schema.Lookup("serial_event_id")
	whole, piped := 0, 0
	for _, c := range tests {
		rule, err := Compile(c.Name, c.Query, schema, FoldASCII)
		if len(c.Pipes) > 0 {
			var faults Faults
			at := strings.IndexByte(c.Query, '|')
			want := faultAt(c.Name, c.Query, at, "not a single-event query: a pipe is about several events")
			if !errors.As(err, &faults) || len(faults) != 1 || faults[0] != want {
				t.Errorf("%s: error %v, want %v", c.Name, err, want)
			}
			rule, err = Compile(c.Name, c.Query[:at], schema, FoldASCII)
			piped++
		} else {
			whole++
		}
		if err != nil {
			t.Errorf("%s: %v", c.Query, err)
			continue
		}
		got := []int64{}
		for _, e := range events {
			if rule.Match(e) {
				got = append(got, e.Values(id)[0].Int())
			}
		}
		for _, pipe := range c.Pipes {
			n, _ := pipe[1].(json.Number).Int64()
			n = min(n, int64(len(got)))
			if pipe[0] == "head" {
				got = got[:n]
			} else {
				got = got[int64(len(got))-n:]
			}
		}
		if diff := cmp.Diff(append([]int64{}, c.Expected...), got); diff != "" {
			t.Errorf("%s: %s\n%s\n%s", c.Name, c.Query, rule, diff)
		}
	}
	t.Logf("%d queries as written, %d behind their pipe", whole, piped)
	if whole != 141 || piped != 6 {
		t.Errorf("%d and %d queries, want 141 and 6", whole, piped)
	}
}

// TestConformanceOptional runs Elasticsearch's tests of optional fields. Its
// mapping gives one field a value in place of null.
func TestConformanceOptional(t *testing.T) {
	var data struct {
		Events  []map[string]any
		Queries [][]json.RawMessage
	}
	if err := json.Unmarshal(sharedData(t, "es-optional.json"), &data); err != nil {
		t.Fatal(err)
	}
	for _, e := range data.Events {
		if v, given := e["default_null_value_field"]; given && v == nil {
			e["default_null_value_field"] = "NULL"
		}
		e["sequence"] = json.Number(string(strconvFloat(e["sequence"])))
	}
	events, schema := documents(t, data.Events, "event_type",
		map[string]ecs.Kind{"sequence": ecs.Long, "no_docs_field": ecs.Long, "transID": ecs.Long})
	id, _ := schema.Lookup("sequence")
	for _, q := range data.Queries {
		var name, query string
		var want []int64
		for i, to := range []any{&name, &query, &want} {
			if err := json.Unmarshal(q[i], to); err != nil {
				t.Fatal(err)
			}
		}
		rule, err := Compile(name, query, schema, FoldASCII)
		if err != nil {
			t.Error(err)
			continue
		}
		got := []int64{}
		for _, e := range events {
			if rule.Match(e) {
				got = append(got, e.Values(id)[0].Int())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s\n%s", name, query, diff)
		}
	}
	if len(data.Queries) != 6 {
		t.Errorf("%d queries, want 6", len(data.Queries))
	}
}

func strconvFloat(v any) []byte {
	text, _ := json.Marshal(v)
	return text
}

// processRules are queries with the structure of Elastic's process rules.
func processRules(t testing.TB) (queries []string) {
	for _, c := range ndjson[struct{ Query string }](t, sharedData(t, "process-rules-scrambled.ndjson")) {
		queries = append(queries, c.Query)
	}
	return queries
}

// TestConformanceProcessRules compiles rules shaped like Elastic's, all of them.
func TestConformanceProcessRules(t *testing.T) {
	queries := processRules(t)
	for _, q := range queries {
		rule, err := Compile("q", q, ecs.Default, FoldASCII)
		if err != nil {
			t.Errorf("%s\n%v", q, err)
		} else if len(rule.Warnings()) > 0 {
			t.Errorf("%s\n%v", q, rule.Warnings())
		}
	}
	if len(queries) != 491 {
		t.Errorf("%d rules, want 491", len(queries))
	}
}
