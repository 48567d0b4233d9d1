package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// loaded is what the rule files came to. A file is one of three: its rule runs,
// it is not for us, or it has faults.
type loaded struct {
	settings *ruleSettings
	files    int
	rules    []*detector.Rule
	notForUs []*detector.NotForUs
	faults   detector.Faults
}

const builtinRule = "builtin:imds"

// load reads the rules of the paths: files, folders, and the built-in rule by
// its name. The error lists the paths that cannot be read; what is wrong in a
// file is among the faults.
func (s *ruleSettings) load() (*loaded, error) {
	paths := s.paths
	if len(paths) == 0 {
		paths = []string{builtinRule}
	}
	l := &loaded{settings: s}
	var errs []error
	for _, p := range paths {
		if err := l.read(p); err != nil {
			errs = append(errs, fmt.Errorf("%s%w", s.origin, err))
		}
	}
	l.findTwins()
	l.rules = slices.DeleteFunc(l.rules, func(r *detector.Rule) bool {
		out := r.BuildingBlock != "" && !s.buildingBlocks
		if out {
			l.notForUs = append(l.notForUs, &detector.NotForUs{Name: r.File, Reason: "building block, run with " + prefix + "_BUILDING_BLOCKS=true"})
		}
		return out
	})
	return l, errors.Join(errs...)
}

func (l *loaded) read(path string) error {
	if path == builtinRule {
		l.files++
		l.take(detector.Builtin(ecs.Default, l.settings.fold))
		return nil
	}
	if strings.HasPrefix(path, "builtin:") {
		return fmt.Errorf("no rules %q, want %s, a file or a folder", path, builtinRule)
	}
	files, err := ruleFiles(path)
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		l.files++
		l.take(detector.Load(filepath.ToSlash(file), text, ecs.Default, l.settings.fold))
	}
	return nil
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

// reason is why some files are not for us.
type reason struct {
	text  string
	files []string
}

// String is the reason with how many files it is that of.
func (r reason) String() string { return fmt.Sprintf("%d not for us: %s", len(r.files), r.text) }

// reasons are why files are not for us, the most common first.
func (l *loaded) reasons() (reasons []reason) {
	for _, n := range l.notForUs {
		i := slices.IndexFunc(reasons, func(r reason) bool { return r.text == n.Reason })
		if i < 0 {
			i = len(reasons)
			reasons = append(reasons, reason{text: n.Reason})
		}
		reasons[i].files = append(reasons[i].files, n.Name)
	}
	slices.SortFunc(reasons, func(a, b reason) int {
		return cmp.Or(len(b.files)-len(a.files), strings.Compare(a.text, b.text))
	})
	return reasons
}

// warnings are what is legal in the rules and may still not be meant.
func (l *loaded) warnings() (warnings []string) {
	for _, r := range l.rules {
		for _, w := range r.Warnings() {
			warnings = append(warnings, "warning: "+w.Error())
		}
		if l.settings.byIndex && slices.Equal(sourcesOf(r), []string{"ecs"}) {
			warnings = append(warnings, fmt.Sprintf("warning: %s: its index %q names no source, so only events of ecs are judged", r.File, r.Index))
		}
	}
	return warnings
}

// What is told at a start: there can be thousands of each.
const (
	shownFiles    = 3 // of a reason
	shownWarnings = 10
)

// tell says in a few lines what was left out and what is doubtful.
func (l *loaded) tell(say func(string)) {
	for _, r := range l.reasons() {
		files := strings.Join(r.files[:min(shownFiles, len(r.files))], ", ")
		if more := len(r.files) - shownFiles; more > 0 {
			files += fmt.Sprintf(" and %d more", more)
		}
		say(fmt.Sprintf("%s (%s)", r, files))
	}
	warnings := l.warnings()
	for _, w := range warnings[:min(shownWarnings, len(warnings))] {
		say(w)
	}
	if more := len(warnings) - shownWarnings; more > 0 {
		say(fmt.Sprintf("%d more warnings, imdswatch rule check shows them", more))
	}
}

// anchorless says how many rules match without any text that must be in the
// record; empty if none does.
func anchorless(rules []*detector.Rule) string {
	n := 0
	for _, r := range rules {
		if len(r.Anchors()) == 0 {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d of %d rules have no anchor", n, len(rules))
}
