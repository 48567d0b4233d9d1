// Command kafka starts real Kafka brokers on this machine, for trials by hand
// and for scripts. Tests start their own: see package broker.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/imdswatch/imdswatch/hack/kafka/broker"
)

const usage = `usage: go run ./hack/kafka start [-brokers N] [-port P] [-dir D]
       go run ./hack/kafka status [-dir D]
       go run ./hack/kafka stop [-dir D]

start   start brokers, print their addresses on stdout as A,B,C and return;
        if some run already, print theirs
status  print the addresses and which broker runs; exit 1 if none does
stop    stop the brokers and remove their data

  -brokers N  1 (the default) or 3, which keep every record three times
  -port P     the first broker's port, the others follow; else any free ports
  -dir D      where state, data and logs live (default: imdswatch/cluster in
              the user's cache folder)

It takes java 17 or newer and, the first time, maven. The jars are kept in
$IMDSWATCH_KAFKA_CACHE (default: imdswatch in the user's cache folder).

Example:
  export IMDSWATCH_BROKERS=$(go run ./hack/kafka start -brokers 3)
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run does what args say and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	verb := args[0]
	if verb == "-h" || verb == "-help" || verb == "--help" || verb == "help" {
		fmt.Fprint(stdout, usage)
		return 0
	}
	o := broker.Options{Brokers: 1, Detached: true, Log: stderr}
	flags := flag.NewFlagSet(verb, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.Dir, "dir", "", "")
	if verb == "start" {
		flags.IntVar(&o.Brokers, "brokers", o.Brokers, "")
		flags.IntVar(&o.Port, "port", 0, "")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return misused(stderr, err)
	}
	if flags.NArg() > 0 {
		return misused(stderr, fmt.Errorf("unknown argument %q", flags.Arg(0)))
	}
	if o.Brokers != 1 && o.Brokers != 3 {
		return misused(stderr, fmt.Errorf("-brokers %d: want 1 or 3", o.Brokers))
	}
	if o.Dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			fmt.Fprintf(stderr, "kafka: %v: name a folder with -dir\n", err)
			return 1
		}
		o.Dir = filepath.Join(cache, "imdswatch", "cluster")
	}

	var err error
	switch verb {
	case "start":
		err = start(ctx, o, stdout, stderr)
	case "status":
		err = status(o.Dir, stdout)
	case "stop":
		err = stop(ctx, o.Dir, stderr)
	default:
		return misused(stderr, fmt.Errorf("unknown command %q", verb))
	}
	if err != nil {
		fmt.Fprintf(stderr, "kafka: %v\n", err)
		return 1
	}
	return 0
}

func misused(stderr io.Writer, err error) int {
	if !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(stderr, "kafka: %v\n\n", err)
	}
	fmt.Fprint(stderr, usage)
	return 2
}

func start(ctx context.Context, o broker.Options, stdout, stderr io.Writer) error {
	if s, err := broker.Load(o.Dir); err == nil && s.AnyAlive() {
		fmt.Fprintf(stderr, "brokers already run under %s\n", o.Dir)
		fmt.Fprintln(stdout, strings.Join(s.Addrs(), ","))
		return nil
	}
	c, err := broker.Start(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, strings.Join(c.Addrs(), ","))
	return nil
}

func status(dir string, stdout io.Writer) error {
	s, err := broker.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("no broker runs under %s", dir)
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, strings.Join(s.Addrs(), ","))
	for _, m := range s.Members {
		life := "dead"
		if s.Alive(m) {
			life = "alive"
		}
		fmt.Fprintf(stdout, "broker %d at %s, pid %d: %s\n", m.ID, m.Addr(), m.PID, life)
	}
	if !s.AnyAlive() {
		return fmt.Errorf("no broker runs under %s", dir)
	}
	return nil
}

func stop(ctx context.Context, dir string, stderr io.Writer) error {
	s, err := broker.Load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(stderr, "no broker runs under %s\n", dir)
		return nil
	}
	if err != nil {
		return err
	}
	return s.Stop(ctx)
}
