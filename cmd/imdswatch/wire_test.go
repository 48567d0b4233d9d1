package main

import (
	"net"
	"sync"
)

// wire is the connections of a fake broker, so that a test can cut them.
type wire struct {
	mu   sync.Mutex
	open []net.Conn
}

// listen is for kfake.ListenFn.
func (w *wire) listen(network, address string) (net.Listener, error) {
	inner, err := net.Listen(network, address)
	return &tapped{inner, w}, err
}

// cut ends all connections: the next request needs a new one.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.open {
		c.Close()
	}
	w.open = nil
}

type tapped struct {
	net.Listener
	wire *wire
}

func (t *tapped) Accept() (net.Conn, error) {
	c, err := t.Listener.Accept()
	if err == nil {
		t.wire.mu.Lock()
		t.wire.open = append(t.wire.open, c)
		t.wire.mu.Unlock()
	}
	return c, err
}
