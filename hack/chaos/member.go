package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// member is a process of imdswatch run. Its ids are those of its number.
type member struct {
	number int
	cmd    *exec.Cmd
	waited sync.Once
	err    error

	assigned chan struct{} // closed when the group gave it partitions
}

func startMember(ctx context.Context, number int, brokers []string) (*member, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	m := &member{number: number, cmd: exec.Command(*binary, "run"), assigned: make(chan struct{})}
	id := fmt.Sprintf("chaos-%d", number)
	m.cmd.Env = append(os.Environ(),
		"IMDSWATCH_BROKERS="+strings.Join(brokers, ","),
		"IMDSWATCH_GROUP="+group,
		"IMDSWATCH_TOPICS="+inputTopic+":"+sourceName,
		"IMDSWATCH_ALERTS_TOPIC="+alertsTopic,
		"IMDSWATCH_DEADLETTER_TOPIC="+deadletterTopic,
		"IMDSWATCH_DELIVERY="+*delivery,
		"IMDSWATCH_TRANSACTIONAL_ID="+id,
		"IMDSWATCH_INSTANCE_ID="+id,
		"IMDSWATCH_LISTEN=127.0.0.1:0",
	)
	stderr, err := m.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	go m.follow(stderr) // ends with the process
	return m, nil
}

// awaitPartitions waits until the group gave the member partitions.
func (m *member) awaitPartitions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	select {
	case <-m.assigned:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("member %d gets no partitions: %w", m.number, ctx.Err())
	}
}

// follow passes the member's log on and looks for its first partitions.
func (m *member) follow(r io.Reader) {
	assigned := sync.OnceFunc(func() { close(m.assigned) })
	for s := bufio.NewScanner(r); s.Scan(); {
		if strings.Contains(s.Text(), "partitions assigned") {
			assigned()
		}
		log.Printf("member %d: %s", m.number, s.Text())
	}
}

func (m *member) wait() error {
	m.waited.Do(func() { m.err = m.cmd.Wait() })
	return m.err
}

// kill is kill -9; that it ends the process is no error.
func (m *member) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.wait()
}

// stopPatience is when a member that does not stop is asked where it is. A
// broker that is bounced is away for some ten seconds.
const stopPatience = 20 * time.Second

// stop is a SIGTERM, which must end in exit code 0. A member that hangs ends
// with its goroutines in the log.
func (m *member) stop() error {
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	hung := time.AfterFunc(stopPatience, func() { _ = m.cmd.Process.Signal(syscall.SIGQUIT) })
	defer hung.Stop()
	return m.wait()
}
