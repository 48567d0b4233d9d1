package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/pipeline"
)

const checkUsage = `Look at everything that "imdswatch run" needs, and change nothing: configuration, brokers, topics,
rights, rules, and whether the loaded rules match known attacks: the samples of every source
that is configured, through its normalizer.

Usage:
  imdswatch check

Example:
  IMDSWATCH_BROKERS=127.0.0.1:9092 IMDSWATCH_TOPICS=raw.sysmon:windows imdswatch check

Each check is a line on stdout, "ok WHAT: DETAIL" or "FAIL WHAT: DETAIL". The environment is that of
"imdswatch run --help". Exit code 1 if topics, rights or rules are not as they must be, 2 if the
configuration is not, 3 if brokers cannot be reached.
`

func checkCommand() *cobra.Command {
	return &cobra.Command{Use: "check", Long: checkUsage, Args: atMost(0), RunE: func(c *cobra.Command, _ []string) error {
		k := &checking{stdout: c.OutOrStdout(), stderr: c.ErrOrStderr()}
		k.run(c)
		if k.broken != nil {
			return written(k.broken)
		}
		if k.code != exitDone {
			return &exit{code: k.code}
		}
		return nil
	}}
}

// checking is a check at work.
type checking struct {
	stdout, stderr io.Writer
	code           int   // the gravest so far
	broken         error // of stdout
}

// note writes the line of a check, or a line each for what is wrong with it.
func (k *checking) note(what, detail string, err error, code int) {
	if err == nil {
		k.line("ok", what, detail)
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		k.line("FAIL", what, line)
	}
	if k.code != exitUsage && (code == exitUsage || code > k.code) { // a wrong configuration explains the rest
		k.code = code
	}
}

func (k *checking) line(verdict, what, detail string) {
	if _, err := fmt.Fprintf(k.stdout, "%s %s: %s\n", verdict, what, detail); err != nil {
		k.broken = err
	}
}

func (k *checking) run(c *cobra.Command) {
	cfg, err := readConfig(k.stderr)
	if cfg == nil {
		k.note("configuration", "", err, exitUsage)
		return
	}
	p := &cfg.pipeline
	k.note("configuration", fmt.Sprintf("%d inputs, alerts to %s, dead letters to %s", len(p.Topics), p.AlertsTopic, p.DeadletterTopic), err, exitUsage)
	if err == nil {
		for _, found := range pipeline.Inspect(c.Context(), cfg.pipeline, cfg.kafka...) {
			code := exitFaulty
			switch {
			case found.What == "configuration":
				code = exitUsage
			case errors.Is(found.Err, pipeline.ErrKafka):
				code = exitKafka
			}
			k.note(found.What, found.Detail, found.Err, code)
		}
	}
	set, err := k.rules(&cfg.rules)
	if err != nil {
		return
	}
	var seen []*normalize.Source
	for _, t := range p.Topics {
		if t.Source != nil && !slices.Contains(seen, t.Source) {
			seen = append(seen, t.Source)
			k.positives(t.Source, set, &cfg.rules)
		}
	}
}

// rules loads the rules.
func (k *checking) rules(s *ruleSettings) (*detector.Set, error) {
	l, err := s.load()
	if len(l.faults) > 0 {
		err = errors.Join(err, l.faults)
	}
	l.tell(func(line string) { fmt.Fprintln(k.stderr, line) })
	var set *detector.Set
	if err == nil && len(l.rules) == 0 {
		err = fmt.Errorf("no rule to run among %d files", l.files)
	}
	if err == nil {
		set, err = l.set()
	}
	detail := fmt.Sprintf("%d run, %d not for us", len(l.rules), len(l.notForUs))
	if line := anchorless(l.rules); line != "" {
		detail += ", " + line
	}
	k.note("rules", detail, err, exitFaulty)
	return set, err
}

// positives sends the samples of a source through its normalizer and the rules.
// The built-in rule matches them all; other rules may rightly match none.
func (k *checking) positives(source *normalize.Source, set *detector.Set, settings *ruleSettings) {
	samples, matched, byBuiltin := 0, 0, 0
	for _, s := range samplesOf(source) {
		samples++
		judge := pipeline.NewJudge(source, "check", 0)
		rules := map[string]bool{}
		take := func(v pipeline.Verdict) {
			for _, a := range v.Alerts {
				rules[a.Rule.File] = true
			}
		}
		take(judge.Judge(&normalize.Record{Value: s}, set))
		take(judge.Expire(normalize.EndOfInput, set))
		if len(rules) > 0 {
			matched++
		}
		if rules[builtinRule] {
			byBuiltin++
		}
	}
	what := "positives " + source.Name
	detail := fmt.Sprintf("%d of %d samples matched", matched, samples)
	if matched == 0 {
		detail = "warning: none of the loaded rules matches the samples of this source"
	}
	var err error
	expected := slices.ContainsFunc(set.Rules(), func(r *detector.Rule) bool {
		return r.File == builtinRule && (source.Name == "auto" || settings.runs(r, source.Name))
	})
	if expected && byBuiltin < samples {
		err = fmt.Errorf("%s matches %d of %d samples", builtinRule, byBuiltin, samples)
	}
	k.note(what, detail, err, exitFaulty)
}

// samplesOf are the attacks among the samples of a source; of auto, those of
// every source it tells.
func samplesOf(source *normalize.Source) (attacks [][]byte) {
	sources := []*normalize.Source{source}
	if source.Name == "auto" {
		sources = normalize.Told()
	}
	for _, s := range sources {
		a, _ := s.Samples()
		attacks = append(attacks, a...)
	}
	return attacks
}
