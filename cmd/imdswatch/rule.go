package main

import (
	"fmt"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"
)

const ruleUsage = `Work on rule files.

Usage:
  imdswatch rule check PATH...       find the faults in rule files

"imdswatch rule check --help" says more.
`

const ruleCheckUsage = `Find the faults in rule files: .toml in the layout of Elastic's detection-rules, .eql a
bare query, or folders of both. Each fault is a line FILE:LINE:COL: MESSAGE on stdout, the
place being that in the file also for a query inside TOML. The last line on stderr counts.

Usage:
  imdswatch rule check PATH...

Example:
  echo 'process where process.nam == "curl"' > /tmp/r.eql; imdswatch rule check /tmp/r.eql

Exit code 1 if there is a fault. "builtin:imds" is the built-in rule.
`

func ruleCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rule", Long: ruleUsage, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("no verb %q, see imdswatch rule --help", "rule "+args[0])
			}
			return fmt.Errorf("a verb is missing, see imdswatch rule --help")
		},
	}
	c.AddCommand(&cobra.Command{Use: "check PATH...", Long: ruleCheckUsage, Args: cobra.ArbitraryArgs, RunE: checkRules})
	return c
}

func checkRules(c *cobra.Command, paths []string) error {
	if len(paths) == 0 {
		return wrongUsage(c, "want at least one rule file or folder")
	}
	l, err := loadRules(paths)
	if err != nil {
		return err
	}
	for _, f := range l.faults {
		if _, err := fmt.Fprintln(c.OutOrStdout(), f.Error()); err != nil {
			return written(err)
		}
	}
	for _, n := range l.notForUs {
		fmt.Fprintln(c.ErrOrStderr(), n.Error())
	}
	for _, r := range l.rules {
		for _, w := range r.Warnings() {
			fmt.Fprintln(c.ErrOrStderr(), "warning:", w.Error())
		}
	}
	err = json.NewEncoder(c.ErrOrStderr()).Encode(struct {
		Files    int `json:"files"`
		Rules    int `json:"rules"`
		NotForUs int `json:"not_for_us"`
		Faults   int `json:"faults"`
	}{l.files, len(l.rules), len(l.notForUs), len(l.faults)})
	if err == nil && len(l.faults) > 0 {
		err = &exit{code: exitFaulty}
	}
	return err
}
