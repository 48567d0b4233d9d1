package detector

import "github.com/imdswatch/imdswatch/schemas/ecs"

// RuleField is a field that a rule reads.
type RuleField struct {
	Name     string
	Kind     string // the kind's name; empty if the schema lacks the field
	Optional bool   // written ?name wherever it is read
}

// Fields are the fields that the rule reads, in the order of its text.
func (r *Rule) Fields() []RuleField {
	var fields []RuleField
	at := make(map[string]int)
	var walk func(node)
	walk = func(n node) {
		if f, ok := n.(*field); ok {
			i, seen := at[f.name]
			if !seen {
				i = len(fields)
				at[f.name] = i
				fields = append(fields, RuleField{Name: f.name, Kind: kindName(r.schema, f.name), Optional: true})
			}
			fields[i].Optional = fields[i].Optional && f.optional
		}
		for _, c := range children(n) {
			walk(c)
		}
	}
	if !r.query.any {
		walk(categoryOf(r.query))
	}
	walk(r.query.cond)
	return fields
}

func kindName(schema *ecs.Schema, name string) string {
	if f, known := schema.Lookup(name); known {
		return schema.Kind(f).String()
	}
	return ""
}
