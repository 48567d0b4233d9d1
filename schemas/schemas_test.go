// Package schemas_test holds the JSON Schemas against what imdswatch writes.
package schemas_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/pipeline"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var update = flag.Bool("update", false, "rewrite event.schema.json")

// TestEventSchemaIsThatOfTheRow holds event.schema.json to the fields and kinds
// of ecs.Default.
func TestEventSchemaIsThatOfTheRow(t *testing.T) {
	properties := map[string]any{}
	for f := range ecs.Default.Len() {
		def := ecs.Default.Def(ecs.Field(f))
		into := properties
		names := strings.Split(def.Name, ".")
		for _, name := range names[:len(names)-1] {
			object, ok := into[name].(map[string]any)
			if !ok {
				object = map[string]any{"type": "object", "additionalProperties": false, "properties": map[string]any{}}
				into[name] = object
			}
			into = object["properties"].(map[string]any)
		}
		into[names[len(names)-1]] = fieldSchema(def)
	}
	properties["imdswatch"] = map[string]any{"type": "object"}
	want, err := json.MarshalIndent(map[string]any{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"$id":                  "https://github.com/imdswatch/imdswatch/schemas/event.schema.json",
		"title":                "imdswatch event",
		"description":          "A normalized process-start event. A field has one value or, as an array, several.",
		"type":                 "object",
		"additionalProperties": false,
		"properties":           properties,
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("event.schema.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("event.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("event.schema.json is not that of ecs.Default; -update rewrites it\n%s", diff)
	}
}

func fieldSchema(def ecs.Def) any {
	var value map[string]any
	switch def.Kind {
	case ecs.Long:
		value = map[string]any{"type": "integer"}
	case ecs.Double:
		value = map[string]any{"type": "number"}
	case ecs.Boolean:
		value = map[string]any{"type": "boolean"}
	case ecs.Date:
		value = map[string]any{"type": "string", "format": "date-time"}
	default:
		value = map[string]any{"type": "string"}
	}
	if def.List {
		return map[string]any{"type": "array", "minItems": 1, "items": value}
	}
	return map[string]any{"anyOf": []any{value, map[string]any{"type": "array", "minItems": 2, "items": value}}}
}

// TestOutputIsValid judges the samples of every source and validates each event
// and each alert.
func TestOutputIsValid(t *testing.T) {
	event, alert := compile(t, "event.schema.json"), compile(t, "alert.schema.json")
	rule, err := detector.Builtin(ecs.Default, detector.FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	set, err := detector.NewSet([]*detector.Rule{rule})
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range normalize.Told() {
		t.Run(source.Name, func(t *testing.T) {
			attacks, nearMisses := source.Samples()
			judge := pipeline.NewJudge(source, "raw."+source.Name, 3)
			alerts := 0
			for i, value := range append(attacks, nearMisses...) {
				v := judge.Judge(&normalize.Record{Value: value, Offset: int64(i)}, set)
				for _, e := range judge.Events() {
					validate(t, event, e.AppendJSON(nil))
				}
				for _, a := range v.Alerts {
					validate(t, alert, a.AppendJSON(nil))
					a.Truncate(3000)
					validate(t, alert, a.AppendJSON(nil))
					alerts++
				}
			}
			if alerts != len(attacks) {
				t.Errorf("%d alerts of %d attacks", alerts, len(attacks))
			}
		})
	}
}

// TestSchemasRefuse makes sure that the schemas can say no.
func TestSchemasRefuse(t *testing.T) {
	for _, c := range []struct{ schema, document string }{
		{"event.schema.json", `{"process":{"args":"not an array"}}`},
		{"event.schema.json", `{"process":{"unheard_of":1}}`},
		{"event.schema.json", `{"process":{"pid":"4"}}`},
		{"alert.schema.json", `{"message":"no more than this"}`},
		{"deadletter.schema.json", `{"__imdswatch.errors.topic":"t"}`},
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(c.document))
		if err != nil {
			t.Fatal(err)
		}
		if compile(t, c.schema).Validate(document) == nil {
			t.Errorf("%s accepts %s", c.schema, c.document)
		}
	}
}

func compile(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	for _, name := range []string{"event.schema.json", "alert.schema.json", "deadletter.schema.json"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := c.AddResource("https://github.com/imdswatch/imdswatch/schemas/"+name, document); err != nil {
			t.Fatal(err)
		}
	}
	schema, err := c.Compile("https://github.com/imdswatch/imdswatch/schemas/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func validate(t *testing.T, schema *jsonschema.Schema, encoded []byte) {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(encoded))
	if err != nil {
		t.Fatalf("%v in %s", err, encoded)
	}
	if err := schema.Validate(document); err != nil {
		t.Errorf("%v in %s", err, encoded)
	}
}
