package main

import (
	"errors"
	"fmt"

	"github.com/kelseyhightower/envconfig"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
)

// RuleVariables are the part of the environment that every verb with rules
// reads. envconfig fills it in as a part of environment only if it is exported.
type RuleVariables struct {
	Rules          string `default:"builtin:imds" desc:"rule files and folders, by commas"`
	Fold           string `default:"ascii" desc:"letters that rules take for one in either case: ascii or unicode"`
	BuildingBlocks string `split_words:"true" default:"false" desc:"true runs building blocks, rules for other rules to count"`
	Scope          string `default:"all" desc:"all, or index: a rule judges only the sources that its index names"`
}

// ruleSettings are which rules run, and how.
type ruleSettings struct {
	paths          []string
	origin         string // the variable that gave the paths and a colon, empty where a flag did
	fold           detector.Fold
	buildingBlocks bool
	byIndex        bool // a rule judges only the sources that its index names
}

// rules converts the variables about rules.
func (f *faults) rules(v *RuleVariables) ruleSettings {
	s := ruleSettings{
		paths: list(v.Rules), origin: prefix + "_RULES: ",
		buildingBlocks: f.oneOf("BUILDING_BLOCKS", v.BuildingBlocks, "true", "false") == "true",
		byIndex:        f.oneOf("SCOPE", v.Scope, "all", "index") == "index",
	}
	if f.oneOf("FOLD", v.Fold, "ascii", "unicode") == "unicode" {
		s.fold = detector.FoldUnicode
	}
	return s
}

// readRuleSettings reads the variables about rules. Paths that were given to the
// command go before those of the environment.
func readRuleSettings(paths []string) (ruleSettings, error) {
	var v RuleVariables
	if err := envconfig.Process(prefix, &v); err != nil {
		return ruleSettings{}, err
	}
	f := &faults{}
	s := f.rules(&v)
	if len(paths) > 0 {
		s.paths, s.origin = paths, ""
	}
	return s, errors.Join(f.errs...)
}

// runs reports whether a rule judges the events of a source.
func (s *ruleSettings) runs(r *detector.Rule, source string) bool {
	return !s.byIndex || normalize.Lookup(source).Indexed(r.Index)
}

// sourcesOf are the sources that a rule is meant for by its index.
func sourcesOf(r *detector.Rule) (names []string) {
	for _, s := range normalize.Sources() {
		if s.Name != "auto" && s.Indexed(r.Index) { // auto is told as one of the others
			names = append(names, s.Name)
		}
	}
	return names
}

// set loads the rules that are to run. A fault stops the start, and all of them
// are in the error. say is told what was left out and what is doubtful.
func (s *ruleSettings) set(say func(string)) (*detector.Set, error) {
	l, err := s.load()
	if len(l.faults) > 0 {
		err = errors.Join(err, l.faults)
	}
	if err != nil {
		return nil, err
	}
	l.tell(say)
	return l.set()
}

// set makes a set of the rules that are to run.
func (l *loaded) set() (*detector.Set, error) {
	s := l.settings
	if len(l.rules) == 0 {
		return nil, fmt.Errorf("%sno rule to run among %d files", s.origin, l.files)
	}
	set, err := detector.NewSet(l.rules)
	if err == nil && s.byIndex {
		var sources []string
		for _, source := range normalize.Told() {
			sources = append(sources, source.Name)
		}
		set = set.Scoped(sources, s.runs)
	}
	return set, err
}
