package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// member is a process of imdswatch run.
type member struct {
	number int
	cmd    *exec.Cmd
	url    string
	waited sync.Once
	err    error
}

// startMember starts a member and waits for the address it listens on.
func startMember(ctx context.Context, number int, brokers []string) (*member, error) {
	var topics []string
	for _, s := range sources {
		topics = append(topics, inputPrefix+s+":"+s)
	}
	m := &member{number: number, cmd: exec.Command(*binary, "run")}
	m.cmd.Env = append(os.Environ(),
		"IMDSWATCH_BROKERS="+strings.Join(brokers, ","),
		"IMDSWATCH_GROUP="+group,
		"IMDSWATCH_TOPICS="+strings.Join(topics, ","),
		"IMDSWATCH_ALERTS_TOPIC="+alertsTopic,
		"IMDSWATCH_DEADLETTER_TOPIC="+deadletterTopic,
		"IMDSWATCH_DELIVERY="+*delivery,
		fmt.Sprintf("IMDSWATCH_TRANSACTIONAL_ID=e2e-%d", number),
		"IMDSWATCH_LISTEN=127.0.0.1:0",
	)
	stderr, err := m.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := m.cmd.Start(); err != nil {
		return nil, err
	}
	listen := make(chan string, 1)
	go m.follow(stderr, listen) // ends with the process
	select {
	case address := <-listen:
		m.url = "http://" + address
		return m, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("member %d does not start: %w", number, ctx.Err())
	}
}

// follow passes the member's log on and finds the address in it.
func (m *member) follow(r io.Reader, listen chan<- string) {
	for s := bufio.NewScanner(r); s.Scan(); {
		var line struct{ Listen string }
		if json.Unmarshal(s.Bytes(), &line) == nil && line.Listen != "" {
			listen <- line.Listen
		}
		log.Printf("member %d: %s", m.number, s.Text())
	}
}

// metric is the sum of a metric over its labels.
func (m *member) metric(ctx context.Context, name string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	sum := 0.0
	for s := bufio.NewScanner(response.Body); s.Scan(); {
		rest, ok := strings.CutPrefix(s.Text(), name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		v, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return 0, err
		}
		sum += v
	}
	return sum, nil
}

func (m *member) judged(ctx context.Context) (int, error) {
	n, err := m.metric(ctx, "imdswatch_records_total")
	return int(n), err
}

// awaitPartitions waits until the group gave the member its share.
func (m *member) awaitPartitions(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	share := float64(len(sources) * partitions / 2)
	for {
		n, err := m.metric(ctx, "imdswatch_partitions_assigned")
		if err != nil {
			return err
		}
		if n == share {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("member %d has %v partitions, want %v: %w", m.number, n, share, ctx.Err())
		}
	}
}

func (m *member) wait() error {
	m.waited.Do(func() { m.err = m.cmd.Wait() })
	return m.err
}

// kill is kill -9.
func (m *member) kill() error {
	err := m.cmd.Process.Kill()
	_ = m.wait() // "signal: killed" is what was asked for
	return err
}

// stop is a SIGTERM, which must end in exit code 0.
func (m *member) stop() error {
	if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	return m.wait()
}
