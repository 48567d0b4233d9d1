package broker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// node is a broker that this process started.
type node struct {
	Member
	home      string
	listeners map[string]string // addresses, by name
	cmd       *exec.Cmd
	exited    chan struct{} // closed when the process has ended and was reaped
}

// watch runs its arguments and kills them when the write end of descriptor 3
// is closed, which the kernel does for a parent that dies, however it dies. The
// watcher is a child of the broker and shares its process group, so "kill 0"
// reaches these two and no one else. PR_SET_PDEATHSIG would do without it, but
// only on Linux, and it follows the thread that started the broker instead of
// the process: https://go.dev/issue/27505.
const watch = `(read -r _ <&3; kill -KILL 0) & exec "$@" 3<&-`

// format writes the data folder's identity.
func (n *node) format(ctx context.Context, jars, clusterID string) error {
	cmd := exec.CommandContext(ctx, "java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC",
		"-cp", filepath.Join(jars, "*"), // java expands the star
		"kafka.tools.StorageTool", "format", "-t", clusterID, "-c", n.file("server.properties"))
	switch text, err := cmd.CombinedOutput(); {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("kafka needs java 17 or newer: %w", err)
	case err != nil:
		return fmt.Errorf("formatting broker %d: %w\n%s", n.ID, err, text)
	}
	return nil
}

// start runs the broker and returns at once; ready waits for it.
func (n *node) start(jars string, detached bool) error {
	log, err := os.OpenFile(n.file("broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()

	java := []string{"java", "-Xmx384m", "-Xms128m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile=" + filepath.Join(filepath.Dir(n.home), log4jFile),
		"-Dkafka.logs.dir=" + n.home,
		"-cp", filepath.Join(jars, "*"),
		"kafka.Kafka", n.file("server.properties")}
	var held *os.File // the write end; nil when the broker is to outlive us
	if detached {
		n.cmd = exec.Command(java[0], java[1:]...)
	} else {
		n.cmd = exec.Command("sh", append([]string{"-c", watch, "sh"}, java...)...)
		var watched *os.File
		if watched, held, err = os.Pipe(); err != nil {
			return err
		}
		defer watched.Close()
		n.cmd.ExtraFiles = []*os.File{watched}
	}
	n.cmd.Dir, n.cmd.Stdout, n.cmd.Stderr = n.home, log, log
	// A session of its own: Ctrl-C and the timeout of go test signal the whole
	// process group, and a cluster must not lose brokers by that.
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := n.cmd.Start(); err != nil {
		held.Close()
		return fmt.Errorf("starting broker %d: %w", n.ID, err)
	}
	n.PID = n.cmd.Process.Pid
	n.exited = make(chan struct{})
	go func() { // ends with the process; end and Close wait for it
		n.cmd.Wait()
		held.Close() // and the watcher ends too
		close(n.exited)
	}()
	return nil
}

// running tells whether the process has not ended yet.
func (n *node) running() bool {
	if n.exited == nil {
		return false
	}
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// end sends sig and waits until the process has ended. After limit it kills it
// and says so.
func (n *node) end(sig syscall.Signal, limit time.Duration) error {
	if !n.running() {
		return fmt.Errorf("broker %d does not run", n.ID)
	}
	if err := n.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-n.exited:
		return nil
	case <-timer.C:
	}
	n.cmd.Process.Kill()
	<-n.exited
	return fmt.Errorf("broker %d did not end within %s of %s and was killed", n.ID, limit, sig)
}

// tail is the end of the broker's log, for an error; empty if there is none.
func (n *node) tail() string {
	const lines = 40
	text, err := os.ReadFile(n.file("broker.log"))
	if err != nil || len(text) == 0 {
		return ""
	}
	all := strings.Split(strings.TrimRight(string(text), "\n"), "\n")
	return fmt.Sprintf("\n--- the log of broker %d ends:\n%s", n.ID, strings.Join(all[max(0, len(all)-lines):], "\n"))
}

func (n *node) file(name string) string { return filepath.Join(n.home, name) }
