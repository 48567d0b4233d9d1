package broker

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Member is one broker of a cluster, as the state file has it.
type Member struct {
	ID             int `json:"id"`
	Port           int `json:"port"`
	ControllerPort int `json:"controller_port"`
	PID            int `json:"pid"`
}

// Addr is where clients reach the broker.
func (m Member) Addr() string { return fmt.Sprintf("127.0.0.1:%d", m.Port) }

// State is what a cluster leaves in its folder, so that another process can
// find its brokers and stop them.
type State struct {
	Members []Member `json:"members"`

	dir string
}

const (
	stateFile = "cluster.json"
	log4jFile = "log4j2.properties"
)

// Load reads the state of the cluster under dir. The error is fs.ErrNotExist
// when there is none.
func Load(dir string) (*State, error) {
	path := filepath.Join(dir, stateFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := &State{dir: dir}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func (s *State) save() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	// By rename: a reader sees the old pids or the new ones.
	path := filepath.Join(s.dir, stateFile)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Addrs lists where clients reach the brokers.
func (s *State) Addrs() []string {
	addrs := make([]string, len(s.Members))
	for i, m := range s.Members {
		addrs[i] = m.Addr()
	}
	return addrs
}

// Alive tells whether member m runs. A pid alone does not say so, since pids
// are used again; but Kafka locks its data folder, and the kernel knows who
// holds the lock.
func (s *State) Alive(m Member) bool {
	f, err := os.Open(filepath.Join(s.home(m), "data", ".lock"))
	if err != nil {
		return false
	}
	defer f.Close()
	lock := syscall.Flock_t{Type: syscall.F_WRLCK}
	if err := syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock); err != nil {
		return false
	}
	return lock.Type != syscall.F_UNLCK && int(lock.Pid) == m.PID
}

// AnyAlive tells whether at least one member runs.
func (s *State) AnyAlive() bool {
	for _, m := range s.Members {
		if s.Alive(m) {
			return true
		}
	}
	return false
}

// Stop ends the brokers that run, by force after closeLimit, and removes the
// data of all.
func (s *State) Stop(ctx context.Context) error {
	running := make(map[Member]*os.Process)
	for _, m := range s.Members {
		// The handle comes before the look at the lock: from then on it means
		// this process, whatever becomes of the number.
		p, err := os.FindProcess(m.PID)
		if err == nil && s.Alive(m) {
			running[m] = p
			p.Signal(syscall.SIGTERM) // fails if it has just ended, which is the aim
		}
	}
	gentle, cancel := context.WithTimeout(ctx, closeLimit)
	defer cancel()
	err := poll(gentle, func() bool {
		for m, p := range running {
			if s.Alive(m) || p.Signal(syscall.Signal(0)) == nil {
				return false
			}
		}
		return true
	})
	if err != nil {
		for _, p := range running {
			p.Kill()
		}
		forced, cancel := context.WithTimeout(ctx, closeLimit)
		defer cancel()
		// The lock alone: a killed process keeps its number until init reaps it.
		if err := poll(forced, func() bool { return !s.AnyAlive() }); err != nil {
			return fmt.Errorf("brokers of %s outlived SIGKILL: %w", s.dir, err)
		}
	}
	return s.remove()
}

// home is the folder of member m.
func (s *State) home(m Member) string {
	return filepath.Join(s.dir, fmt.Sprintf("broker-%d", m.ID))
}

// remove deletes what Start made, and the folder itself if nothing else is in
// it: it may be one that the user named.
func (s *State) remove() error {
	for _, m := range s.Members {
		if err := os.RemoveAll(s.home(m)); err != nil {
			return err
		}
	}
	for _, name := range []string{log4jFile, stateFile} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			return err
		}
	}
	os.Remove(s.dir) // fails if it is not empty, and then it stays
	return nil
}

// poll returns when done holds, or with the cause of ctx if that ends before.
func poll(ctx context.Context, done func() bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
