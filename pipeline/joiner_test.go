package pipeline

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/imdswatch/imdswatch/normalize"
)

var auditd = normalize.Lookup("auditd")

// auditLines are the records of one start: an attack, or with an empty role a
// role listing.
func auditLines(serial int, role string) [][]byte {
	id := fmt.Sprintf("node=web-%d type=%%s msg=audit(17701101%02d.187:%d): ", serial%7, serial%60, serial)
	return [][]byte{
		[]byte(fmt.Sprintf(id, "SYSCALL") + `arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid=2 uid=33 comm="curl" exe="/usr/bin/curl"`),
		[]byte(fmt.Sprintf(id, "EXECVE") + `argc=2 a0="curl" a1="http://169.254.169.254/latest/meta-data/iam/security-credentials/` + role + `"`),
		[]byte(fmt.Sprintf(id, "CWD") + `cwd="/"`),
		[]byte(fmt.Sprintf(id, "PROCTITLE") + `proctitle="curl"`),
	}
}

// The records of an event lie on both sides of a restart: the commit does not
// pass the first of them, and they are joined by the next start.
func TestARestartWithinAnEventLosesNone(t *testing.T) {
	onEachCluster(t, func(t *testing.T, c *cluster) {
		s := c.newScene(t, 1, auditd)
		whole, cut := auditLines(1, "role"), auditLines(2, "role")
		records := s.produce(t, s.input(), append(append(whole, auditLines(3, "")...), cut[:1]...)...)
		m := s.start(t)
		eventually(t, "all but the last record is committed", func() bool { return s.committed(t, s.input(), 0) == 8 })
		if got := m.metric(t, "joiner_pending_events", "source", "auditd"); got != 1 {
			t.Errorf("%v events are held back, want 1", got)
		}
		if err := m.stop(t); err != nil {
			t.Errorf("Run returns %v", err)
		}
		if at := s.committed(t, s.input(), 0); at != 8 {
			t.Errorf("committed to %d, want 8, where the event that is held back begins", at)
		}
		records = append(records, s.produce(t, s.input(), cut[1:]...)...)
		m = s.start(t)
		s.settled(t)
		want := s.alertsOf(t, records...)
		for id, a := range want {
			if a.Origin.Offset != 0 && a.Origin.Offset != 8 {
				t.Errorf("alert %s has offset %d, want that of an event's first record", id, a.Origin.Offset)
			}
		}
		if len(want) != 2 {
			t.Fatalf("%d alerts are due, want 2", len(want))
		}
		s.wantAlerts(t, false, records...)
		if got := m.metric(t, "records_total", "source", "auditd", "outcome", "alert"); got != 4 {
			t.Errorf("%v records with the outcome alert, want the 4 of the event", got)
		}
	})
}

// An event whose last records never come ends by the clock once everything was
// read, and pins the commit no longer.
func TestAnEventThatStaysIncompleteEnds(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, auditd)
	records := s.produce(t, s.input(), auditLines(4, "role")[:2]...)
	m := s.start(t)
	s.settled(t)
	s.wantAlerts(t, false, records...)
	if got := m.metric(t, "records_total", "source", "auditd", "outcome", "alert"); got != 2 {
		t.Errorf("%v records with the outcome alert, want 2", got)
	}
}

// A batch that is refused comes again from where the oldest event begins, and a
// joiner that has seen its records does not take them for repeated.
func TestARefusedBatchIsJoinedAgain(t *testing.T) {
	t.Parallel()
	s := fakeCluster(t).newScene(t, 1, auditd)
	lines := auditLines(5, "role")
	records := s.produce(t, s.input(), lines[:1]...)
	m := s.start(t)
	eventually(t, "the first record is held back", func() bool { return m.metric(t, "joiner_pending_events") == 1 })
	f := s.fault(kmsg.Produce, s.cfg.AlertsTopic, kerr.TopicAuthorizationFailed, -1)
	records = append(records, s.produce(t, s.input(), lines[1:]...)...)
	s.waitFault(t, f, 2)
	if at := s.committed(t, s.input(), 0); at > 0 {
		t.Errorf("committed to %d while the alert is refused", at)
	}
	f.Remove()
	s.settled(t)
	s.wantAlerts(t, false, records...)
}
