package broker

import (
	"os"
	"testing"
)

// ForTest starts brokers that last as long as the test. It skips the test if
// real brokers were not asked for.
func ForTest(t testing.TB, brokers int) *Cluster {
	t.Helper()
	gate(t)
	c, err := Start(t.Context(), Options{Brokers: brokers, Dir: t.TempDir(), Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.tails()) // Close removes the logs
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func gate(t testing.TB) {
	t.Helper()
	if os.Getenv("IMDSWATCH_KAFKA") != "1" {
		t.Skip("set IMDSWATCH_KAFKA=1 to run this with real brokers; it takes java 17 and, the first time, maven")
	}
}
