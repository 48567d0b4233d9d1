package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// request is what a replay was asked for, as its state remembers it: a state is
// good for the same request alone.
type request struct {
	From       string   `json:"from"`
	To         string   `json:"to"`
	Topics     []string `json:"topics"`
	Partitions []int32  `json:"partitions"`
	Alerts     string   `json:"alerts"` // where alerts go
	Rules      string   `json:"rules"`  // the hash of the set
}

// state is a replay on disk.
type state struct {
	Request request `json:"request"`
	Report  Report  `json:"report"`
	Sum     Sum     `json:"sum"`
}

// readState reads the state of an earlier start; there is none if the file is
// missing. It refuses the state of another request: its offsets would leave a
// part of this one out.
func readState(name string, asked *request) (*state, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s: no state of a replay: %w", name, err)
	}
	for _, member := range []struct{ what, was, is string }{
		{"--from", s.Request.From, asked.From},
		{"--to", s.Request.To, asked.To},
		{"topics", fmt.Sprint(s.Request.Topics), fmt.Sprint(asked.Topics)},
		{"--partition", fmt.Sprint(s.Request.Partitions), fmt.Sprint(asked.Partitions)},
		{"alerts to", s.Request.Alerts, asked.Alerts},
		{"rules", s.Request.Rules, asked.Rules},
	} {
		if member.was != member.is {
			return nil, fmt.Errorf("%s: state of another replay, of %s %s, not %s; give it another file", name, member.what, member.was, member.is)
		}
	}
	if s.Report.Run == "" || !slices.IsSortedFunc(s.Report.Partitions, func(a, b Span) int { return comparePlaces(a.place(), b.place()) }) {
		return nil, fmt.Errorf("%s: no state of a replay", name)
	}
	return &s, nil
}

// WriteFile writes v as JSON to a file that is there in full or, if the process
// or the machine ends meanwhile, as it was before.
func WriteFile(name string, v any) (err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
