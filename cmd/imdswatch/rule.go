package main

import (
	"fmt"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"
)

const ruleUsage = `Work on rule files.

Usage:
  imdswatch rule check PATH...       find the faults in rule files
  imdswatch rule show PATH...        what rules ask for, and the programs they were compiled to

"imdswatch rule check --help" and "imdswatch rule show --help" say more.
`

const ruleCheckUsage = `Find the faults in rule files: .toml in the layout of Elastic's detection-rules, .eql a
bare query, or folders of both. Each fault is a line FILE:LINE:COL: MESSAGE on stdout, the
place being that in the file also for a query inside TOML. Files that are not for us, such as
rules of another language, are named on stderr and counted by reason. The last line counts.

Usage:
  imdswatch rule check PATH...

Example:
  echo 'process where process.nam == "curl"' > /tmp/r.eql; imdswatch rule check /tmp/r.eql

Exit code 1 if there is a fault. "builtin:imds" is the built-in rule. IMDSWATCH_FOLD,
IMDSWATCH_BUILDING_BLOCKS and IMDSWATCH_SCOPE are those of "imdswatch run --help".
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
	c.AddCommand(&cobra.Command{Use: "check PATH...", Long: ruleCheckUsage, Args: rulePaths, RunE: checkRules}, ruleShowCommand())
	return c
}

// rulePaths refuses a command without a path.
func rulePaths(c *cobra.Command, paths []string) error {
	if len(paths) == 0 {
		return wrongUsage(c, "want at least one rule file or folder")
	}
	return nil
}

func checkRules(c *cobra.Command, paths []string) error {
	settings, err := readRuleSettings(paths)
	if err != nil {
		return err
	}
	l, err := settings.load()
	if err != nil {
		return err
	}
	for _, f := range l.faults {
		if _, err := fmt.Fprintln(c.OutOrStdout(), f.Error()); err != nil {
			return written(err)
		}
	}
	stderr := c.ErrOrStderr()
	for _, n := range l.notForUs {
		fmt.Fprintln(stderr, n.Error())
	}
	for _, w := range l.warnings() {
		fmt.Fprintln(stderr, w)
	}
	for _, r := range l.reasons() {
		fmt.Fprintln(stderr, r)
	}
	if line := anchorless(l.rules); line != "" {
		fmt.Fprintln(stderr, line)
	}
	err = json.NewEncoder(stderr).Encode(struct {
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
