package main

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Exactly once takes a transactional id, which is the instance id where there is
// none. At least once does not look at it.
func TestDelivery(t *testing.T) {
	tests := []struct {
		delivery, transactional, instance string
		want                              [2]string // transactional id and instance id
		fault                             string
	}{
		{"at-least-once", "", "", [2]string{"", ""}, ""},
		{"at-least-once", "t", "i", [2]string{"", "i"}, ""},
		{" exactly-once ", " t ", "", [2]string{"t", "t"}, ""},
		{"exactly-once", "t", "i", [2]string{"t", "i"}, ""},
		{"exactly-once", " ", "i", [2]string{"", "i"}, "IMDSWATCH_TRANSACTIONAL_ID: empty, but exactly-once needs a name that stays over restarts"},
	}
	for _, tt := range tests {
		t.Run(tt.delivery+"/"+tt.transactional+"/"+tt.instance, func(t *testing.T) {
			setEnvironment(t)
			t.Setenv("IMDSWATCH_DELIVERY", tt.delivery)
			t.Setenv("IMDSWATCH_TRANSACTIONAL_ID", tt.transactional)
			t.Setenv("IMDSWATCH_INSTANCE_ID", tt.instance)
			c, err := readConfig(io.Discard)
			if tt.fault != "" {
				if err == nil || !strings.HasPrefix(err.Error(), tt.fault) {
					t.Errorf("error %v, want %s", err, tt.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, [2]string{c.pipeline.TransactionalID, c.pipeline.InstanceID}); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
