package broker

import (
	"fmt"
	"strings"
)

// Listener is one more way into every broker, beside the plain one that the
// brokers and the probe use.
type Listener struct {
	Name     string // in capitals
	Protocol string // SSL, SASL_SSL or SASL_PLAINTEXT
}

// listenerProperties render the listeners of a broker with the ports they have.
// They stand behind the common properties: of a key that comes twice Kafka takes
// the last.
func (n *node) listenerProperties(listeners []Listener) string {
	all := fmt.Sprintf("PLAINTEXT://%s,CONTROLLER://127.0.0.1:%d", n.Addr(), n.ControllerPort)
	advertised := "PLAINTEXT://" + n.Addr()
	protocols := "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"
	for _, l := range listeners {
		all += "," + l.Name + "://" + n.listeners[l.Name]
		advertised += "," + l.Name + "://" + n.listeners[l.Name]
		protocols += "," + l.Name + ":" + l.Protocol
	}
	return "listeners=" + all + "\nadvertised.listeners=" + advertised + "\nlistener.security.protocol.map=" + protocols + "\n"
}

// openListeners gives every listener of every broker a port.
func (c *Cluster) openListeners(listeners []Listener) error {
	ports, err := freePorts(len(listeners)*len(c.nodes), 0)
	if err != nil {
		return err
	}
	for i, n := range c.nodes {
		n.listeners = map[string]string{}
		for j, l := range listeners {
			n.listeners[l.Name] = fmt.Sprintf("127.0.0.1:%d", ports[i*len(listeners)+j])
		}
	}
	return nil
}

// ListenerAddrs lists where clients reach the brokers by a listener, by commas.
func (c *Cluster) ListenerAddrs(name string) string {
	var addrs []string
	for _, n := range c.nodes {
		addrs = append(addrs, n.listeners[name])
	}
	return strings.Join(addrs, ",")
}
