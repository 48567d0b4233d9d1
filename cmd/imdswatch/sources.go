package main

import (
	"fmt"
	"strings"

	"github.com/goccy/go-json"
	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/normalize"
)

const sourcesUsage = `List the sources: the kinds of raw record that imdswatch reads, the shapes of each,
what the message key must be, and what the sender has to switch on.

Usage:
  imdswatch sources [NAME] [--output table|json]

Example:
  imdswatch sources windows
`

func sourcesCommand() *cobra.Command {
	var out string
	c := &cobra.Command{
		Use: "sources [NAME]", Long: sourcesUsage, Args: atMost(1),
		RunE: func(c *cobra.Command, args []string) error {
			how, err := output(out, c.OutOrStdout())
			if err != nil {
				return err
			}
			sources := normalize.Sources()
			if len(args) == 1 {
				s, err := sourceNamed(args[0])
				if err != nil {
					return err
				}
				sources = []*normalize.Source{s}
			}
			return written(printSources(c, sources, how))
		},
	}
	c.Flags().StringVar(&out, "output", "", "")
	return c
}

func printSources(c *cobra.Command, sources []*normalize.Source, how string) error {
	if how == "table" {
		t := table.NewWriter()
		t.AppendHeader(table.Row{"source", "shapes", "key", "needs"})
		t.SetColumnConfigs([]table.ColumnConfig{{Number: 4, WidthMax: 60, WidthMaxEnforcer: text.WrapSoft}})
		t.SetStyle(table.StyleLight)
		t.Style().Options.SeparateRows = true
		for _, s := range sources {
			t.AppendRow(table.Row{s.Name, strings.Join(s.Shapes, "\n"), s.Key, s.Needs})
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), t.Render())
		return err
	}
	enc := json.NewEncoder(c.OutOrStdout())
	enc.SetEscapeHTML(false)
	for _, s := range sources {
		err := enc.Encode(struct {
			Name   string   `json:"name"`
			Shapes []string `json:"shapes"`
			Joins  bool     `json:"joins"`
			Key    string   `json:"key"`
			Needs  string   `json:"needs"`
		}{s.Name, s.Shapes, s.Joins, s.Key, s.Needs})
		if err != nil {
			return err
		}
	}
	return nil
}

// sourceNamed finds a source or names those there are.
func sourceNamed(name string) (*normalize.Source, error) {
	if s := normalize.Lookup(name); s != nil {
		return s, nil
	}
	var names []string
	for _, s := range normalize.Sources() {
		names = append(names, s.Name)
	}
	if name == "" {
		return nil, fmt.Errorf("--source is needed: one of %s", strings.Join(names, " "))
	}
	return nil, fmt.Errorf("no source %q, want one of %s", name, strings.Join(names, " "))
}
