package main

import (
	"bytes"
	"testing"
)

func TestRunExitCode(t *testing.T) {
	dir := t.TempDir() // where no broker runs
	tests := []struct {
		name string
		args []string
		want int
	}{
		{"NoCommand", nil, 2},
		{"UnknownCommand", []string{"launch", "-dir", dir}, 2},
		{"UnknownFlag", []string{"stop", "-brokers", "3"}, 2},
		{"UnknownArgument", []string{"start", "-dir", dir, "3"}, 2},
		{"TwoBrokers", []string{"start", "-dir", dir, "-brokers", "2"}, 2},
		{"Help", []string{"-h"}, 0},
		{"StatusOfNone", []string{"status", "-dir", dir}, 1},
		{"StopOfNone", []string{"stop", "-dir", dir}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if got := run(t.Context(), tt.args, &stdout, &stderr); got != tt.want {
				t.Errorf("run %q exits with %d, want %d\n%s%s", tt.args, got, tt.want, &stdout, &stderr)
			}
		})
	}
}
