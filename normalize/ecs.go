package normalize

import (
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name:   "ecs",
	Shapes: []string{"ecs"},
	Key:    "any",
	Needs:  "documents that are ECS already; every field the schema knows is taken as it stands, nothing is derived",
	New:    func() Normalizer { return &document{ecsMembers: newECSMembers("imdswatch.id"), wanted: isProcess} },
	Marks: [][]string{
		{"event.category=process", "process.args"}, {"event.category=process", "process.command_line"}, {"event.category=process", "process.executable"},
		{"event.category"}, {"event.kind"}, {"event.type"},
	},
})

// document reads records that are ECS documents. Sources of such documents
// differ in which of them they want.
type document struct {
	*ecsMembers
	wanted  func(*ecsMembers) (bool, *Error)
	derives bool // missing arguments, related.* and a missing @timestamp
}

// isProcess wants every process event; whether it is a start is for the rule to
// ask. An alert of ours, should one come back as input, is not judged again.
func isProcess(m *ecsMembers) (bool, *Error) {
	if !m.has(path(ecs.EventCategory)) && !m.has(path(ecs.EventKind)) && !m.has(path(ecs.EventType)) {
		return false, failf(Shape, 0, "object has none of event.category, event.kind and event.type")
	}
	return m.equal(path(ecs.EventCategory), "process") && !m.has(m.extra), nil
}

func (d *document) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	d.read(r.Value)
	wanted, misfit := d.wanted(d.ecsMembers)
	if misfit != nil {
		d.fail(misfit.Reason, misfit.Byte, "%s", misfit.Message)
	}
	if !wanted {
		return dst, asError(d.err)
	}
	dst, e := ecs.Grow(dst, ecs.Default)
	e.Offset, e.Shape = r.Offset, "ecs"
	d.copyFields(e, nil)
	if d.derives {
		d.fillArgs(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessCommandLine)
		relate(e)
		recordTime(e, r)
	}
	return dst, asError(d.err)
}

// asError keeps a nil *Error from becoming an error that is not nil.
func asError(err *Error) error {
	if err == nil {
		return nil
	}
	return err
}

// ecsMembers reads the fields of ecs.Default from ECS documents, nested or
// dotted. The path of a field is its number.
type ecsMembers struct {
	*members
	extra path // the first path behind the fields
}

func newECSMembers(extra ...string) *ecsMembers {
	paths := make([]string, ecs.Default.Len(), ecs.Default.Len()+len(extra))
	for f := range paths {
		paths[f] = ecs.Default.Name(ecs.Field(f))
	}
	m := newMembers(append(paths, extra...))
	m.dotted, m.strict = true, true
	return &ecsMembers{members: m, extra: path(ecs.Default.Len())}
}

// copyFields copies all that was found into the event, each value by the kind
// of its field as Elasticsearch would index it. A value of another kind is a
// fault of the record. Placeholders are left out where a function tells them,
// but never from a list: "" and - can be arguments.
func (m *ecsMembers) copyFields(e *ecs.Event, placeholder func([]byte) bool) {
	for p := range ecs.Default.Len() {
		given := placeholder == nil || ecs.Default.Def(ecs.Field(p)).List
		for k := m.first(path(p)); k != 0; k = m.next(k) {
			if v := m.at(k); v != nil && (given || !placeholder(v)) && !setKind(e, ecs.Field(p), v) {
				m.fail(Shape, int(m.found[k].start), "value of %s is no %s", ecs.Default.Name(ecs.Field(p)), ecs.Default.Kind(ecs.Field(p)))
			}
		}
	}
}

// asStart marks the event of a document as the start of a process, where the
// document does not say so itself. It goes before copyFields.
func (m *ecsMembers) asStart(e *ecs.Event) {
	for _, c := range [...]struct {
		f    ecs.Field
		word []byte
	}{{ecs.EventKind, valEvent}, {ecs.EventCategory, valProcess}, {ecs.EventType, valStart}} {
		if !m.equal(path(c.f), string(c.word)) {
			e.Add(c.f, c.word)
		}
	}
}

// given reports whether the document has a value of the field, one that is
// neither null nor empty.
func (m *ecsMembers) given(f ecs.Field) bool { return len(m.text(path(f))) > 0 }

// addExtra adds the values of an extra path, counted from the first of them, to
// a field, each by the kind of the field; placeholders are left out.
func (m *ecsMembers) addExtra(e *ecs.Event, c copied) {
	for k := m.first(m.extra + c.from); k != 0; k = m.next(k) {
		if v := m.at(k); v != nil && !dash(v) && !setKind(e, c.to, v) {
			m.fail(Shape, int(m.found[k].start), "member for %s is no %s", ecs.Default.Name(c.to), ecs.Default.Kind(c.to))
		}
	}
}

func setKind(e *ecs.Event, f ecs.Field, v []byte) bool {
	switch ecs.Default.Kind(f) {
	case ecs.Long:
		n, ok := parseInt(v)
		if ok {
			e.AddInt(f, n)
		}
		return ok
	case ecs.Double:
		x, ok := parseFloat(v)
		if ok {
			e.AddFloat(f, x)
		}
		return ok
	case ecs.Boolean:
		yes := string(v) == "true"
		if yes || string(v) == "false" {
			e.AddBool(f, yes)
			return true
		}
		return false
	case ecs.Date:
		ns, ok := parseMillis(v)
		if ok {
			e.AddInt(f, ns)
		}
		return ok
	default:
		e.Add(f, v)
		return true
	}
}
