package broker

import (
	_ "embed"
	"fmt"
	"strings"
)

var (
	//go:embed common.properties
	commonProperties string
	//go:embed log4j2.properties
	log4jProperties []byte
)

// properties renders the server.properties of member n. Every member is a
// voter and the voters are static, so the same form serves one broker and
// three, and no broker has to be formatted as the first.
func properties(n Member, members []Member, data string) string {
	voters := make([]string, len(members))
	for i, m := range members {
		voters[i] = fmt.Sprintf("%d@127.0.0.1:%d", m.ID, m.ControllerPort)
	}
	// Three replicas of which two must have a record: what production runs, and
	// what survives the loss of one broker without the loss of a record.
	replicas, inSync := 1, 1
	if len(members) > 1 {
		replicas, inSync = 3, 2
	}

	var b strings.Builder
	b.WriteString(commonProperties)
	set := func(key string, value any) { fmt.Fprintf(&b, "%s=%v\n", key, value) }
	b.WriteString("\n# This broker.\n")
	set("node.id", n.ID)
	set("controller.quorum.voters", strings.Join(voters, ","))
	set("listeners", fmt.Sprintf("PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d", n.Addr(), n.ControllerPort))
	set("advertised.listeners", "PLAINTEXT://"+n.Addr())
	set("log.dirs", data)
	set("default.replication.factor", replicas)
	set("min.insync.replicas", inSync)
	set("offsets.topic.replication.factor", replicas)
	set("transaction.state.log.replication.factor", replicas)
	set("transaction.state.log.min.isr", inSync)
	set("share.coordinator.state.topic.replication.factor", replicas)
	set("share.coordinator.state.topic.min.isr", inSync)
	return b.String()
}
