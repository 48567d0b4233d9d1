package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// member is a process of imdswatch run.
type member struct {
	cmd   *exec.Cmd
	log   text
	ended chan struct{}
}

func startMember(env ...string) (*member, error) {
	m := &member{cmd: exec.Command(*binary, "run"), ended: make(chan struct{})}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "IMDSWATCH_") {
			m.cmd.Env = append(m.cmd.Env, variable)
		}
	}
	m.cmd.Env = append(m.cmd.Env, "IMDSWATCH_LISTEN=127.0.0.1:0")
	m.cmd.Env = append(m.cmd.Env, env...)
	m.cmd.Stderr = &m.log
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = m.cmd.Wait() // its exit code tells
		close(m.ended)
	}()
	return m, nil
}

// says waits for a pattern in the log behind a place in it.
func (m *member) says(ctx context.Context, from int, pattern string) error {
	p := regexp.MustCompile(pattern)
	return until(ctx, "a line of the log that matches "+pattern, func() bool { return p.MatchString(m.log.String()[from:]) })
}

// exits waits for the end and wants an exit code.
func (m *member) exits(ctx context.Context, want int) error {
	select {
	case <-m.ended:
	case <-ctx.Done():
		return fmt.Errorf("imdswatch does not end: %w", ctx.Err())
	}
	if got := m.cmd.ProcessState.ExitCode(); got != want {
		return fmt.Errorf("exit code %d, want %d", got, want)
	}
	return nil
}

// stop is a SIGTERM, which must end in exit code 0.
func (m *member) stop(ctx context.Context) error {
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return m.exits(ctx, 0)
}

func (m *member) kill() {
	_ = m.cmd.Process.Kill() // it may have ended
	<-m.ended
}

// text is a buffer that one goroutine writes while others look.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (t *text) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.Write(p)
}

func (t *text) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.b.String()
}

// until polls a condition that must come true.
func until(ctx context.Context, what string, true func() bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !true() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w, waiting for %s", ctx.Err(), what)
		}
	}
	return nil
}
