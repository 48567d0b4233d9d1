package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// loaded is what a list of rule paths came to.
type loaded struct {
	files    int
	rules    []*detector.Rule
	notForUs []*detector.NotForUs
	faults   detector.Faults
}

const builtinRule = "builtin:imds"

// loadRules reads the rules of paths: files, folders, and the built-in rule by
// its name. It fails only where a path cannot be read; what is wrong in a file
// is among the faults.
func loadRules(paths []string) (*loaded, error) {
	if len(paths) == 0 {
		paths = []string{builtinRule}
	}
	l := &loaded{}
	for _, p := range paths {
		if strings.HasPrefix(p, "builtin:") {
			if p != builtinRule {
				return nil, fmt.Errorf("no rules %q, want %s, a file or a folder", p, builtinRule)
			}
			l.files++
			l.take(detector.Builtin(ecs.Default, detector.FoldASCII))
			continue
		}
		files, err := ruleFiles(p)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			l.files++
			l.take(detector.Load(filepath.ToSlash(file), text, ecs.Default, detector.FoldASCII))
		}
	}
	l.findTwins()
	return l, nil
}

func (l *loaded) take(rule *detector.Rule, err error) {
	var faults detector.Faults
	var notForUs *detector.NotForUs
	switch {
	case err == nil:
		l.rules = append(l.rules, rule)
	case errors.As(err, &faults):
		l.faults = append(l.faults, faults...)
	case errors.As(err, &notForUs):
		l.notForUs = append(l.notForUs, notForUs)
	default:
		l.faults = append(l.faults, detector.Fault{Name: "rule", Line: 1, Col: 1, Message: err.Error()})
	}
}

// findTwins makes a fault of each id that two files claim.
func (l *loaded) findTwins() {
	first := map[string]*detector.Rule{}
	l.rules = slices.DeleteFunc(l.rules, func(r *detector.Rule) bool {
		if twin := first[r.ID]; twin != nil {
			l.faults = append(l.faults, detector.Fault{Name: r.File, Line: 1, Col: 1,
				Message: fmt.Sprintf("rule id %q is that of %s as well", r.ID, twin.File)})
			return true
		}
		first[r.ID] = r
		return false
	})
}

// ruleFiles are the rule files at a path: itself, or all below a folder.
func ruleFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := filesBelow(path)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no .toml or .eql file in %s", path)
	}
	return files, err
}

// filesBelow follows links and passes over names that begin with two dots: in a
// mounted ConfigMap all files are links into such a folder.
func filesBelow(folder string) (files []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "..") {
			continue
		}
		path := filepath.Join(folder, e.Name())
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			below, err := filesBelow(path)
			if err != nil {
				return nil, err
			}
			files = append(files, below...)
		} else if ext := filepath.Ext(path); ext == ".toml" || ext == ".eql" {
			files = append(files, path)
		}
	}
	return files, nil
}

// ruleSet loads rules that are to be run: a fault stops the start.
func ruleSet(paths []string, say func(string)) (*detector.Set, error) {
	l, err := loadRules(paths)
	switch {
	case err != nil:
		return nil, err
	case len(l.faults) > 0:
		return nil, l.faults
	case len(l.rules) == 0:
		return nil, fmt.Errorf("no rule to run among %d files", l.files)
	}
	for _, n := range l.notForUs {
		say(n.Error())
	}
	for _, r := range l.rules {
		for _, w := range r.Warnings() {
			say("warning: " + w.Error())
		}
	}
	return detector.NewSet(l.rules)
}
