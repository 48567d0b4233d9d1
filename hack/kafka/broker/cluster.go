// Package broker runs Apache Kafka itself, from its jars, for tests of what a
// fake broker cannot show: replication, the death of a broker, transactions
// that outlive their producer. It needs java and, the first time, Maven.
package broker

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	startLimit = 90 * time.Second // three JVMs on two busy cores take 20 s
	stopLimit  = 30 * time.Second // a broker that is stopped hands its partitions over first
	closeLimit = 5 * time.Second  // one broker needs 2 s; three at once lose their quorum and do not end
)

// Options says what Start is to start.
type Options struct {
	Brokers  int       // 1 or 3
	Dir      string    // where the data and logs live; a temporary folder if empty
	Port     int       // of the first broker, the others follow; free ports if 0
	Detached bool      // the brokers outlive this process; see Load
	Log      io.Writer // what is going on, a line each; discarded if nil

	Listeners  []Listener
	Properties string // more of server.properties, for every broker
}

// Cluster is brokers that this process started, numbered from 1. Different
// brokers may be killed, stopped and restarted at the same time, one broker by
// one goroutine only.
type Cluster struct {
	id       string
	dir      string
	jars     string
	detached bool
	nodes    []*node

	saving sync.Mutex // guards the state file and the pids in nodes
}

// Start starts brokers on 127.0.0.1 and returns when they have served a topic,
// a transaction and a consumer group. Unless they are detached, they die with
// this process.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Brokers != 1 && o.Brokers != 3 {
		return nil, fmt.Errorf("%d brokers: want 1 or 3", o.Brokers)
	}
	if o.Log == nil {
		o.Log = io.Discard
	}
	dir, err := vacant(o.Dir)
	if err != nil {
		return nil, err
	}
	lib, err := jars(ctx, o.Log)
	if err != nil {
		return nil, err
	}
	for retry := false; ; retry = true {
		c := &Cluster{id: clusterID(), dir: dir, jars: lib, detached: o.Detached}
		began := time.Now()
		err := c.launch(ctx, o)
		if err == nil {
			fmt.Fprintf(o.Log, "ready after %.1f s\n", time.Since(began).Seconds())
			return c, nil
		}
		err = fmt.Errorf("kafka did not start: %w%s", err, c.tails())
		err = errors.Join(err, c.Close())
		if retry || o.Port != 0 || !strings.Contains(err.Error(), "Address already in use") {
			return nil, err
		}
		fmt.Fprintln(o.Log, "another process took a port, trying others")
	}
}

// vacant returns the absolute form of dir, made if need be and rid of what a
// dead cluster left, or a temporary folder.
func vacant(dir string) (string, error) {
	if dir == "" {
		return os.MkdirTemp("", "imdswatch-kafka-")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	switch s, err := Load(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return dir, nil
	case err != nil:
		return "", err
	case s.AnyAlive():
		return "", fmt.Errorf("brokers already run under %s", dir)
	default:
		return dir, s.remove()
	}
}

func (c *Cluster) launch(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, fmt.Errorf("not ready after %s", startLimit))
	defer cancel()
	if err := c.lay(o); err != nil {
		return err
	}
	fmt.Fprintf(o.Log, "starting kafka %s under %s, brokers: %d\n", Version, c.dir, o.Brokers)
	g, formatCtx := errgroup.WithContext(ctx)
	for _, n := range c.nodes {
		g.Go(func() error { return n.format(formatCtx, c.jars, c.id) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, n := range c.nodes {
		if err := c.spawn(n); err != nil {
			return err
		}
	}
	return whileRunning(ctx, c.nodes, func(ctx context.Context) error {
		for _, n := range c.nodes {
			if err := c.visible(ctx, n, len(c.nodes)); err != nil {
				return err
			}
		}
		return probe(ctx, c.Addrs())
	})
}

// lay gives each broker its ports, its folder and its properties.
func (c *Cluster) lay(o Options) error {
	ports, err := freePorts(o.Brokers, o.Port)
	if err != nil {
		return err
	}
	controllers, err := freePorts(o.Brokers, 0)
	if err != nil {
		return err
	}
	s := &State{dir: c.dir}
	for i := range o.Brokers {
		s.Members = append(s.Members, Member{ID: i + 1, Port: ports[i], ControllerPort: controllers[i]})
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(c.dir, log4jFile), log4jProperties, 0o644); err != nil {
		return err
	}
	for _, m := range s.Members {
		n := &node{Member: m, home: s.home(m)}
		// Mkdir, since what is there already is not ours to overwrite.
		if err := os.Mkdir(n.home, 0o755); err != nil {
			return err
		}
		c.nodes = append(c.nodes, n)
	}
	if err := c.openListeners(o.Listeners); err != nil {
		return err
	}
	for _, n := range c.nodes {
		text := properties(n.Member, s.Members, n.file("data")) + n.listenerProperties(o.Listeners) + o.Properties
		if err := os.WriteFile(n.file("server.properties"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// spawn runs the broker and has the state file say so.
func (c *Cluster) spawn(n *node) error {
	c.saving.Lock()
	defer c.saving.Unlock()
	if err := n.start(c.jars, c.detached); err != nil {
		return err
	}
	return c.state().save()
}

// whileRunning calls f with a context that ends when one of nodes does.
func whileRunning(ctx context.Context, nodes []*node, f func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	for _, n := range nodes {
		wg.Go(func() {
			select {
			case <-n.exited:
				cancel(fmt.Errorf("broker %d ended: %s", n.ID, n.cmd.ProcessState))
			case <-ctx.Done():
			}
		})
	}
	if err := f(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause // the error of f follows from it
		}
		return err
	}
	return nil
}

// Addrs lists where clients reach the brokers, also those that do not run.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.Addr()
	}
	return addrs
}

// Kill ends a broker with SIGKILL, as a crash would.
func (c *Cluster) Kill(id int) error {
	n, err := c.node(id)
	if err != nil {
		return err
	}
	return n.end(syscall.SIGKILL, stopLimit)
}

// Stop ends a broker with SIGTERM and waits until it has handed over.
func (c *Cluster) Stop(id int) error {
	n, err := c.node(id)
	if err != nil {
		return err
	}
	return n.end(syscall.SIGTERM, stopLimit)
}

// Restart starts a broker that was killed or stopped, with its data and its
// address, and returns when it serves. It does so only as one of a majority: if
// most are down, restart them at the same time.
func (c *Cluster) Restart(id int) error {
	n, err := c.node(id)
	if err != nil {
		return err
	}
	if n.running() {
		return fmt.Errorf("broker %d runs already", id)
	}
	if err := c.spawn(n); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), startLimit, fmt.Errorf("not ready after %s", startLimit))
	defer cancel()
	err = whileRunning(ctx, []*node{n}, func(ctx context.Context) error { return c.visible(ctx, n, 1) })
	if err != nil {
		return fmt.Errorf("broker %d did not restart: %w%s", id, err, n.tail())
	}
	return nil
}

// Close ends all brokers, by force if need be, and removes their data.
func (c *Cluster) Close() error {
	var wg sync.WaitGroup
	for _, n := range c.nodes {
		if n.running() {
			// Being killed is an end like any other here.
			wg.Go(func() { n.end(syscall.SIGTERM, closeLimit) })
		}
	}
	wg.Wait()
	return c.state().remove()
}

func (c *Cluster) node(id int) (*node, error) {
	if id < 1 || id > len(c.nodes) {
		return nil, fmt.Errorf("no broker %d: there are %d", id, len(c.nodes))
	}
	return c.nodes[id-1], nil
}

// tails is the end of each broker's log.
func (c *Cluster) tails() string {
	var b strings.Builder
	for _, n := range c.nodes {
		b.WriteString(n.tail())
	}
	return b.String()
}

func (c *Cluster) state() *State {
	s := &State{dir: c.dir}
	for _, n := range c.nodes {
		s.Members = append(s.Members, n.Member)
	}
	return s
}

// clusterID returns a random id in the form of Kafka's Uuid, which has no dash
// in front: a command line would take it for a flag.
func clusterID() string {
	b := make([]byte, 16)
	rand.Read(b)
	id := base64.RawURLEncoding.EncodeToString(b)
	if id[0] == '-' {
		id = "A" + id[1:]
	}
	return id
}
