package normalize

import "github.com/imdswatch/imdswatch/schemas/ecs"

var _ = register(Source{
	Name:    "defend",
	Shapes:  []string{"ecs"},
	Key:     "any",
	Needs:   "Elastic Defend with process events on, written to Kafka by its own output",
	Indices: []string{"logs-endpoint.events.process-default"},
	New:     func() Normalizer { return &document{ecsMembers: newECSMembers(), wanted: isDefendStart, derives: true} },
	Marks:   [][]string{{"event.module=endpoint"}, {"data_stream.dataset=endpoint.*"}, {"agent.type=endpoint"}},
})

// isDefendStart wants the documents of Elastic Defend in which a program image
// was started: exec on Linux and macOS, start on Windows. Defend merges the
// events of short-lived processes, so the action may be ["fork","exec","end"].
// A fork still carries its parent's image and arguments, a module load
// (load_module) is of category process and type start too, and alerts differ in
// kind alone (elastic/endpoint-package, custom_documentation).
func isDefendStart(m *ecsMembers) (bool, *Error) {
	if !m.has(path(ecs.EventKind)) && !m.has(path(ecs.EventCategory)) {
		return false, failf(Shape, 0, "object has neither event.kind nor event.category")
	}
	windows, other := m.equal(path(ecs.HostOSType), "windows"), !m.has(path(ecs.HostOSType))
	for k := m.first(path(ecs.HostOSType)); k != 0; k = m.next(k) {
		other = other || string(m.at(k)) != "windows"
	}
	return (other && m.equal(path(ecs.EventAction), "exec") || windows && m.equal(path(ecs.EventAction), "start")) &&
		m.equal(path(ecs.EventKind), "event") &&
		m.equal(path(ecs.EventCategory), "process") &&
		m.equal(path(ecs.EventType), "start"), nil
}
