// Command imdswatch finds credential theft from cloud metadata services in
// endpoint telemetry on Kafka.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const usage = `imdswatch reads raw endpoint telemetry from Kafka, maps it to ECS process starts,
evaluates detection rules on each and writes alerts to a topic.

Usage:
  imdswatch run                      consume, normalize, detect, alert, until told to stop
  imdswatch replay --from X --to Y   the same over a closed range of history, in a run of its own, then end
  imdswatch scan [FILE...]           the same over files or stdin, no Kafka
  imdswatch explain [FILE...]        for each record: its outcome, and per rule why it did or did not match
  imdswatch demo [--serve]           embedded broker, sample records of every source, the real pipeline
  imdswatch rule check PATH...       find the faults in rule files
  imdswatch rule show PATH...        what rules ask for, and the programs they were compiled to
  imdswatch dlq list|show|redrive    look at dead letters, send them through again
  imdswatch check                    configuration, brokers, topics, rights, rules, known attacks through the rules
  imdswatch sources [NAME]           the sources, their shapes, what each needs
  imdswatch version

Try it, nothing else is needed:
  imdswatch demo

stdout carries data alone: a table on a terminal, NDJSON in a pipe (--output table|json overrides).
Exit codes: 0 done, 1 something given is wrong, 2 wrong usage or configuration, 3 Kafka failed.
"imdswatch VERB --help" says more.
`

// The exit codes, the same for every verb.
const (
	exitDone   = 0
	exitFaulty = 1 // done, and something is wrong with what was given
	exitUsage  = 2 // wrong usage or configuration, nothing was started
	exitKafka  = 3 // Kafka could not be reached or refused
)

// exit is an error with its exit code.
type exit struct {
	code int
	err  error // nil where everything was said already
}

func (e *exit) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

func main() { os.Exit(command(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// command runs one command line and returns its exit code.
func command(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use: "imdswatch", Long: usage,
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("no verb %q, see imdswatch --help", args[0])
			}
			fmt.Fprint(stdout, usage)
			return nil
		},
	}
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetHelpCommand(helpCommand(root))
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error { return wrongUsage(c, "%v", err) })
	root.AddCommand(runCommand(), replayCommand(), scanCommand(), explainCommand(), demoCommand(),
		ruleCommand(), dlqCommand(), checkCommand(), sourcesCommand(), versionCommand())
	byHand(root)

	err := root.Execute()
	var e *exit
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &e):
	default:
		e = &exit{exitUsage, err} // cobra's own: flags and arguments
	}
	if e.err != nil {
		for line := range strings.SplitSeq(e.err.Error(), "\n") {
			fmt.Fprintf(stderr, "imdswatch: %s\n", line)
		}
	}
	return e.code
}

func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{Use: "help [VERB]", Long: usage, RunE: func(_ *cobra.Command, args []string) error {
		c, rest, err := root.Find(args)
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("no verb %q, see imdswatch --help", strings.Join(args, " "))
		}
		if err != nil {
			return err
		}
		return c.Help()
	}}
}

// wrongUsage is an error that says where the right usage stands.
func wrongUsage(c *cobra.Command, format string, args ...any) error {
	return fmt.Errorf(format+"; see %s --help", append(args, c.CommandPath())...)
}

// atMost refuses more than n arguments.
func atMost(n int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > n {
			return wrongUsage(c, "unexpected argument %q", args[n])
		}
		return nil
	}
}

// written gives a failed write its exit code: the usage was right.
func written(err error) error {
	if err != nil {
		return &exit{exitFaulty, err}
	}
	return nil
}

// byHand makes every verb print the help text that was written for it.
func byHand(c *cobra.Command) {
	c.SetHelpFunc(func(c *cobra.Command, _ []string) { fmt.Fprint(c.OutOrStdout(), c.Long) })
	c.SetUsageFunc(func(c *cobra.Command) error {
		_, err := fmt.Fprint(c.ErrOrStderr(), c.Long)
		return err
	})
	for _, sub := range c.Commands() {
		byHand(sub)
	}
}

// isTerminal reports whether somebody reads w.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// output is how data is written: "table" or "json".
func output(flag string, stdout io.Writer) (string, error) {
	switch {
	case flag == "table" || flag == "json":
		return flag, nil
	case flag == "ocsf":
		return "", errors.New("--output ocsf is not supported by this version, want table or json")
	case flag != "":
		return "", fmt.Errorf("--output %q: want table or json", flag)
	case isTerminal(stdout):
		return "table", nil
	}
	return "json", nil
}
