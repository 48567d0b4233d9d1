package broker

import (
	"fmt"
	"net"
)

// freePorts returns n free ports of 127.0.0.1: first and those behind it, or
// what the kernel gives when first is 0. All are held until the last is known,
// so no two are equal. Another process may still take one before the broker
// does; Start then tries once more.
func freePorts(n, first int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		port := 0
		if first > 0 {
			port = first + i
		}
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports[i] = l.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
