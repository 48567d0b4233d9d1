package broker

import "testing"

func TestListenerProperties(t *testing.T) {
	n := &node{Member: Member{ID: 1, Port: 9092, ControllerPort: 19092}, listeners: map[string]string{"SASL": "127.0.0.1:9093", "MTLS": "127.0.0.1:9094"}}
	const want = `listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:19092,SASL://127.0.0.1:9093,MTLS://127.0.0.1:9094
advertised.listeners=PLAINTEXT://127.0.0.1:9092,SASL://127.0.0.1:9093,MTLS://127.0.0.1:9094
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_SSL,MTLS:SSL
`
	if got := n.listenerProperties([]Listener{{"SASL", "SASL_SSL"}, {"MTLS", "SSL"}}); got != want {
		t.Errorf("got\n%s, want\n%s", got, want)
	}
}
