package broker

import (
	"net"
	"testing"
)

func TestFreePortsGivesNoneThatIsTaken(t *testing.T) {
	ports, err := freePorts(6, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for _, p := range ports {
		if seen[p] {
			t.Errorf("port %d twice in %v", p, ports)
		}
		seen[p] = true
	}
}

func TestFreePortsRefusesTaken(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if ports, err := freePorts(1, l.Addr().(*net.TCPAddr).Port); err == nil {
		t.Errorf("freePorts gives %v, which is taken", ports)
	}
}
