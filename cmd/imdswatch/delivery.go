package main

import (
	"cmp"
	"strings"

	"github.com/imdswatch/imdswatch/pipeline"
)

// DeliveryVariables say how often an alert may arrive. It is exported for
// envconfig, which fills no other embedded struct.
type DeliveryVariables struct {
	Delivery        string `default:"at-least-once" desc:"at-least-once, or exactly-once: in transactions"`
	TransactionalID string `split_words:"true" desc:"for exactly-once: a name of this member alone that stays over restarts"`
}

// delivery puts the variables into the configuration. A member that delivers
// exactly once has a static membership too: without it a member that died holds
// its partitions for the session timeout, and its open transaction the readers.
func (f *faults) delivery(v *DeliveryVariables, c *pipeline.Config) {
	if f.oneOf("DELIVERY", v.Delivery, "at-least-once", "exactly-once") != "exactly-once" {
		return
	}
	c.TransactionalID = strings.TrimSpace(v.TransactionalID)
	if c.TransactionalID == "" {
		f.add("TRANSACTIONAL_ID", "empty, but exactly-once needs a name that stays over restarts: by it the brokers end the transaction that a dead member left open")
	}
	c.InstanceID = cmp.Or(c.InstanceID, c.TransactionalID)
}
