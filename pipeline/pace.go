package pipeline

import (
	"context"
	"time"
)

// pace keeps to a number of records a second; the zero value knows no bound.
type pace struct {
	rate int
	due  time.Time // when the records so far have had their time
}

// most is how many records to take at once: a tenth of a second's.
func (p *pace) most() int {
	if p.rate == 0 {
		return pollRecords
	}
	return min(pollRecords, max(1, p.rate/10))
}

// wait waits until n more records have had their time, or ctx ends.
func (p *pace) wait(ctx context.Context, n int) {
	if p.rate == 0 || n == 0 {
		return
	}
	if now := time.Now(); p.due.Before(now) {
		p.due = now
	}
	p.due = p.due.Add(time.Duration(n) * time.Second / time.Duration(p.rate))
	timer := time.NewTimer(time.Until(p.due))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
