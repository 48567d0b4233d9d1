package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-json"
	"github.com/schollz/progressbar/v3"

	"github.com/imdswatch/imdswatch/pipeline"
)

// replayRun is a replay that can be gone on with.
type replayRun struct {
	Run   string           `json:"run"`
	Asked string           `json:"asked"` // the range and the topics, as they were given
	Spans []*pipeline.Span `json:"partitions"`
	Ends  []int64          `json:"ends"` // of the logs, by span
}

// readState reads the run that a file keeps; nil if there is none.
func readState(file, asked string) (*replayRun, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	run := &replayRun{}
	if err := json.Unmarshal(text, run); err != nil || len(run.Ends) != len(run.Spans) || !pipeline.RunID.MatchString(run.Run) {
		return nil, fmt.Errorf("--state %s is not the state of a replay; name another file, or remove it", file)
	}
	if run.Asked != asked {
		return nil, fmt.Errorf("--state %s is that of another replay (%s); name another file, or remove it", file, run.Asked)
	}
	for i, end := range run.Ends {
		run.Spans[i].End = end
	}
	return run, nil
}

// writeState keeps the run in a file, whole or not at all.
func writeState(file string, run *replayRun) error {
	if file == "" {
		return nil
	}
	run.Ends = run.Ends[:0]
	for _, s := range run.Spans {
		run.Ends = append(run.Ends, s.End)
	}
	return writeJSON(file, run)
}

// writeReport writes what the run covered.
func (run *replayRun) writeReport(file string) error {
	if file == "" {
		return nil
	}
	return writeJSON(file, struct {
		Run        string           `json:"run"`
		Complete   bool             `json:"complete"`
		Partitions []*pipeline.Span `json:"partitions"`
	}{run.Run, run.covered(), run.Spans})
}

// covered reports whether the whole range was judged.
func (run *replayRun) covered() bool {
	for _, s := range run.Spans {
		if !s.Complete || s.Gap > 0 {
			return false
		}
	}
	return true
}

func writeJSON(file string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	beside, err := os.CreateTemp(filepath.Dir(file), ".imdswatch-*")
	if err != nil {
		return err
	}
	_, err = beside.Write(append(text, '\n'))
	if err = errors.Join(err, beside.Close()); err == nil {
		err = os.Rename(beside.Name(), file)
	}
	if err != nil {
		_ = os.Remove(beside.Name()) // the first error is the one to tell
	}
	return err
}

// meter tells how far a replay is: a bar on a terminal, else a line now and
// then.
type meter struct {
	w     io.Writer
	bar   *progressbar.ProgressBar // nil where stderr is no terminal
	total int64
	told  time.Time
	began time.Time
}

// tellInterval is the time between lines.
const tellInterval = 10 * time.Second

func newMeter(w io.Writer, spans []*pipeline.Span) *meter {
	p := &meter{w: w, told: time.Now(), began: time.Now()}
	for _, s := range spans {
		p.total += s.To - s.From
	}
	if isTerminal(w) {
		p.bar = progressbar.NewOptions64(p.total, progressbar.OptionSetWriter(w), progressbar.OptionShowCount(),
			progressbar.OptionShowIts(), progressbar.OptionSetItsString("offsets"), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

func (p *meter) show(spans []*pipeline.Span) {
	done := int64(0)
	for _, s := range spans {
		done += s.Next - s.From
	}
	switch {
	case p.bar != nil:
		_ = p.bar.Set64(done) // the terminal is gone: nobody to tell
	case time.Since(p.told) >= tellInterval:
		p.told = time.Now()
		left := "an unknown time"
		if done > 0 {
			rest := time.Since(p.began).Seconds() * float64(p.total-done) / float64(done)
			left = time.Duration(rest * float64(time.Second)).Round(time.Second).String()
		}
		fmt.Fprintf(p.w, "%d of %d offsets, %s left\n", done, p.total, left)
	}
}

func (p *meter) end() {
	if p.bar != nil {
		fmt.Fprintln(p.w)
	}
}
