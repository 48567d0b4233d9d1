package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/goccy/go-json"
	"github.com/spf13/cobra"
)

const versionUsage = `Print the version, the commit and the Go version of this build.

Usage:
  imdswatch version
`

// version is set by the linker in a release (-X main.version=1.2.3).
var version = "dev"

// commit is the revision the binary was built from, empty where the build had
// no repository.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

func versionCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "version", Long: versionUsage, Args: atMost(0),
		RunE: func(c *cobra.Command, _ []string) error {
			how, err := output(out, c.OutOrStdout())
			if err != nil {
				return err
			}
			if how == "table" {
				_, err := fmt.Fprintf(c.OutOrStdout(), "imdswatch %s %s %s\n", version, commit(), runtime.Version())
				return written(err)
			}
			return written(json.NewEncoder(c.OutOrStdout()).Encode(build()))
		},
	}
	c.Flags().StringVar(&out, "output", "", "")
	return c
}

func build() any {
	return struct {
		Version   string `json:"version"`
		Commit    string `json:"commit"`
		GoVersion string `json:"goversion"`
	}{version, commit(), runtime.Version()}
}
