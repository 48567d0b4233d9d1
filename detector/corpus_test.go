package detector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// The corpus is what benchmarks and differential tests run on: process starts
// as normalizers emit them, and rules that speak of the same programs (see
// generateRules), both invented from a seed. It uses nothing of the code that it
// is to try.

// corpusSystem is the vocabulary of an operating system.
type corpusSystem struct {
	name   string
	slash  string            // separates the parts of a path
	share  int               // of 100 events
	styles [corpusStyles]int // of 100 events of the system
	users  string            // who starts processes, the frequent ones repeated
	shells string            // what starts rare programs
	bin    string            // where programs lie
	lairs  string            // where programs seldom lie
	tools  string            // rare programs: attackers' and administrators'
	flags  string            // arguments of rare programs
	apps   string            // patterns of products' paths, which rules exclude, one a line

	parents, usual, suspicious string // tables of commands

	// The tables, read.
	parent                                            map[string]corpusCommand
	parentCommands, usualCommands, suspiciousCommands []corpusCommand
}

// The ways in which sources fill events.
const (
	styleRich    = iota // an endpoint agent: signatures, session, hashes
	styleVendor         // another vendor's agent: the process and its parent
	styleJournal        // the Windows event log: Sysmon 1, Security 4688
	styleAudit          // the Linux audit log: of the parent the number alone
	corpusStyles
)

// corpusCommand is a process start whose texts have slots.
type corpusCommand struct {
	system     *corpusSystem
	parent     string // a name in the table of parents
	executable string
	args       []string // without the program's own
}

func (c corpusCommand) name() string {
	return c.executable[strings.LastIndex(c.executable, c.system.slash)+1:]
}

func init() {
	for _, s := range corpusSystems {
		s.parent = map[string]corpusCommand{}
		s.parentCommands = s.commands(s.parents)
		for _, c := range s.parentCommands {
			s.parent[c.parent] = c
		}
		s.usualCommands = s.commands(s.usual)
		s.suspiciousCommands = s.commands(s.suspicious)
	}
}

func (s *corpusSystem) commands(table string) []corpusCommand {
	var all []corpusCommand
	for line := range strings.Lines(strings.TrimSpace(table)) {
		parent, rest, _ := strings.Cut(line, " > ")
		var words []string
		for i, part := range strings.Split(rest, `"`) {
			if i%2 == 1 { // within quotes
				words = append(words, part)
			} else {
				words = append(words, strings.Fields(part)...)
			}
		}
		all = append(all, corpusCommand{system: s, parent: parent, executable: words[0], args: words[1:]})
	}
	return all
}

// corpusSource is chance with a seed, and the user that the texts of an event
// agree on.
type corpusSource struct {
	*rand.Rand
	user string
}

// newCorpusSource is a source of its own for every seed and stream.
func newCorpusSource(seed, stream uint64) *corpusSource {
	return &corpusSource{rand.New(rand.NewPCG(seed, stream)), "root"}
}

func (r *corpusSource) of(list ...string) string { return list[r.IntN(len(list))] }

// word is one of the words of a text.
func (r *corpusSource) word(words string) string { return r.of(strings.Fields(words)...) }

func (r *corpusSource) percent(p int) bool { return r.IntN(100) < p }

func (r *corpusSource) hex(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "0123456789abcdef"[r.IntN(16)]
	}
	return string(b)
}

func (r *corpusSource) slot(name string) string {
	switch name {
	case "user":
		return r.user
	case "n":
		return fmt.Sprint(r.IntN(60000))
	case "hex":
		return r.hex(12)
	case "guid":
		return r.hex(8) + "-" + r.hex(4) + "-" + r.hex(4) + "-" + r.hex(4) + "-" + r.hex(12)
	case "ip":
		return fmt.Sprintf("10.%d.%d.%d", r.IntN(256), r.IntN(256), r.IntN(256))
	case "made":
		var b strings.Builder
		for range 2 + r.IntN(3) {
			b.WriteString(r.of("ba", "cor", "den", "fi", "gra", "hul", "ja", "kel", "lo", "mur", "nis", "po", "qua", "rid", "sta", "ter", "vo", "wex", "zin"))
		}
		return b.String()
	}
	return r.of(corpusSlots[name]...)
}

// fill replaces the slots of a text.
func (r *corpusSource) fill(text string) string {
	var b strings.Builder
	for {
		before, slot, found := strings.Cut(text, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		slot, text, _ = strings.Cut(slot, "}")
		b.WriteString(r.slot(slot))
	}
}

// suspect is a command that rules are about: one of the table, or a rare
// program.
func (r *corpusSource) suspect(s *corpusSystem) corpusCommand {
	if r.percent(50) {
		return s.suspiciousCommands[r.IntN(len(s.suspiciousCommands))]
	}
	place := s.bin
	if r.percent(50) {
		place = r.word(s.lairs)
	}
	c := corpusCommand{system: s, executable: place + r.word(s.tools)}
	for s.parent[c.parent].executable == "" {
		c.parent = r.word(s.shells)
	}
	for range 1 + r.IntN(3) {
		c.args = append(c.args, r.word(s.flags))
	}
	return c
}

// generateEvents returns n normalized process starts of mixed kind, the same for
// the same seed. Those for a smaller n are the first of those for a larger.
func generateEvents(seed uint64, n int) []*ecs.Event {
	r := newCorpusSource(seed, 1)
	events := make([]*ecs.Event, n)
	for i := range events {
		events[i] = r.event()
		events[i].Offset = int64(i)
	}
	return events
}

// pick is a place in a list of shares of 100.
func (r *corpusSource) pick(shares []int) int {
	dice, i := r.IntN(100), 0
	for ; dice >= shares[i]; i++ {
		dice -= shares[i]
	}
	return i
}

func (r *corpusSource) event() *ecs.Event {
	var shares []int
	for _, s := range corpusSystems {
		shares = append(shares, s.share)
	}
	s := corpusSystems[r.pick(shares)]
	style := r.pick(s.styles[:])
	c := s.usualCommands[r.IntN(len(s.usualCommands))]
	if r.percent(1) {
		c = r.suspect(s)
	}
	r.user = r.word(s.users)

	e := corpusEvent{ecs.NewEvent(ecs.Default), r, s}
	e.AddInt(ecs.Timestamp, 1767225600e9+r.Int64N(90*86400e9))
	e.text(ecs.EventCategory, "process")
	e.text(ecs.EventKind, "event")
	e.text(ecs.EventType, "start")
	e.text(ecs.HostName, r.slot("host"))
	e.text(ecs.HostOSType, s.name)
	e.process(c)
	parent := s.parent[c.parent]
	switch style {
	case styleRich:
		e.rich(parent)
	case styleVendor:
		e.vendor(parent)
	case styleJournal:
		e.journal(c, parent)
	case styleAudit:
		e.audit()
	}
	return e.Event
}

// corpusEvent is an event that is being filled.
type corpusEvent struct {
	*ecs.Event
	*corpusSource
	system *corpusSystem
}

func (e corpusEvent) text(f ecs.Field, values ...string) {
	for _, v := range values {
		e.Add(f, []byte(v))
	}
}

// account is the number of the user.
func (e corpusEvent) account() string {
	switch {
	case e.user == "root":
		return "0"
	case e.user == "SYSTEM":
		return "S-1-5-18"
	case e.system.name == "windows":
		return fmt.Sprint("S-1-5-21-3410215876-1044310218-1180699209-11", len(e.user))
	}
	return fmt.Sprint(990 + len(e.user))
}

// line is what was run, in words and as one text.
func (e corpusEvent) line(c corpusCommand) (executable string, args []string, line string) {
	executable = e.fill(c.executable)
	args = []string{executable}
	if e.system.name != "windows" && e.percent(50) {
		args[0] = c.name()
	}
	for _, a := range c.args {
		args = append(args, e.fill(a))
	}
	words := slices.Clone(args)
	for i, w := range words {
		if e.system.name == "windows" && strings.Contains(w, " ") {
			words[i] = `"` + w + `"`
		}
	}
	return executable, args, strings.Join(words, " ")
}

func (e corpusEvent) process(c corpusCommand) {
	executable, args, line := e.line(c)
	e.text(ecs.ProcessArgs, args...)
	e.AddInt(ecs.ProcessArgsCount, int64(len(args)))
	e.text(ecs.ProcessCommandLine, line)
	e.text(ecs.ProcessExecutable, executable)
	e.text(ecs.ProcessName, c.name())
	e.AddInt(ecs.ProcessPID, 300+e.Int64N(60000))
	e.text(ecs.UserName, e.user)
}

// ancestor is the parent as everything but the audit log tells it.
func (e corpusEvent) ancestor(c corpusCommand) {
	executable, args, line := e.line(c)
	e.text(ecs.ProcessParentArgs, args...)
	e.AddInt(ecs.ProcessParentArgsCount, int64(len(args)))
	e.text(ecs.ProcessParentCommandLine, line)
	e.text(ecs.ProcessParentExecutable, executable)
	e.text(ecs.ProcessParentName, c.name())
	e.AddInt(ecs.ProcessParentPID, 1+e.Int64N(60000))
}

func (e corpusEvent) rich(parent corpusCommand) {
	e.ancestor(parent)
	e.text(ecs.AgentID, e.slot("guid"))
	e.text(ecs.DataStreamDataset, "endpoint.events.process")
	e.text(ecs.EventID, e.hex(16))
	e.text(ecs.ProcessEntityID, e.hex(28))
	e.text(ecs.ProcessHashSHA256, e.hex(64))
	e.text(ecs.UserID, e.account())
	if e.system.name == "windows" {
		e.text(ecs.EventAction, "start")
		e.text(ecs.UserDomain, "FERNWOOD")
		e.text(ecs.ProcessPEOriginalFileName, originalFileName(string(e.First(ecs.ProcessName))))
		e.text(ecs.ProcessExtTokenIntegrityLevelName, e.of("medium", "high", "system"))
		e.AddFloat(ecs.ProcessExtRelativeFileCreationTime, 1e6*e.Float64())
	} else {
		e.text(ecs.EventAction, "exec")
		e.text(ecs.ProcessWorkingDirectory, e.fill(e.of("/", "/root", "/srv/{dir}", "/home/{user}", "/tmp")))
		e.AddBool(ecs.ProcessInteractive, e.percent(20))
		e.text(ecs.ProcessEntryLeaderEntryMetaType, e.of("init", "init", "sshd", "container", "terminal"))
	}
	if e.system.name == "linux" {
		if e.percent(15) {
			e.text(ecs.ContainerID, e.hex(64))
		}
		return // whose programs are not signed
	}
	for _, f := range []struct{ exists, trusted, subject ecs.Field }{
		{ecs.ProcessCodeSignatureExists, ecs.ProcessCodeSignatureTrusted, ecs.ProcessCodeSignatureSubjectName},
		{ecs.ProcessParentCodeSignatureExists, ecs.ProcessParentCodeSignatureTrusted, ecs.ProcessParentCodeSignatureSubjectName},
	} {
		signed := e.percent(95)
		e.AddBool(f.exists, signed)
		if signed {
			e.AddBool(f.trusted, e.percent(99))
			e.text(f.subject, e.of(corpusSigners[e.system.name]...))
		}
	}
}

var corpusSigners = map[string][]string{
	"windows": {"Microsoft Windows", "Microsoft Windows", "Microsoft Corporation", "Larkspur Software GmbH"},
	"macos":   {"Software Signing", "Software Signing", "Developer ID Application: Larkspur Software (K2J4Q8N1XY)"},
}

func (e corpusEvent) vendor(parent corpusCommand) {
	e.ancestor(parent)
	e.text(ecs.EventAction, e.of("ProcessRollup2", "start", "exec_event"))
	e.text(ecs.AgentID, e.slot("guid"))
	e.text(ecs.ProcessEntityID, e.hex(16))
	e.text(ecs.ProcessHashSHA256, e.hex(64))
	e.text(ecs.UserID, e.account())
}

func (e corpusEvent) journal(c, parent corpusCommand) {
	e.text(ecs.UserDomain, "FERNWOOD")
	if e.percent(40) {
		e.text(ecs.EventAction, "start", "created-process")
		e.text(ecs.EventCode, "4688")
		e.text(ecs.EventProvider, "Microsoft-Windows-Security-Auditing")
		e.text(ecs.UserID, e.account())
		e.text(ecs.ProcessParentExecutable, e.fill(parent.executable))
		e.text(ecs.ProcessParentName, parent.name())
		e.text(ecs.WinlogEventDataSubjectUserName, e.user)
		return
	}
	e.ancestor(parent)
	e.text(ecs.EventAction, "Process Create (rule: ProcessCreate)")
	e.text(ecs.EventCode, "1")
	e.text(ecs.EventProvider, "Microsoft-Windows-Sysmon")
	e.text(ecs.ProcessEntityID, "{"+e.slot("guid")+"}")
	e.text(ecs.ProcessHashSHA256, e.hex(64))
	e.text(ecs.ProcessPEOriginalFileName, originalFileName(c.name()))
	e.text(ecs.ProcessWorkingDirectory, e.fill(e.of(`C:\Windows\System32\`, `C:\Users\{user}\`)))
	e.text(ecs.WinlogEventDataIntegrityLevel, e.of("Medium", "High", "System"))
}

func (e corpusEvent) audit() {
	id := e.account()
	e.text(ecs.EventAction, e.of("executed", "executed", "process_started"))
	e.AddInt(ecs.ProcessParentPID, 1+e.Int64N(60000))
	e.text(ecs.ProcessTitle, string(e.First(ecs.ProcessCommandLine)))
	e.text(ecs.ProcessWorkingDirectory, e.fill(e.of("/", "/root", "/srv/{dir}", "/home/{user}")))
	e.text(ecs.AuditdDataSyscall, "execve")
	e.text(ecs.UserID, id)
	e.text(ecs.ProcessRealUserID, id)
}

// originalFileName is the name that the maker of a Windows program gave it:
// seldom written like the file's.
func originalFileName(name string) string {
	stem, suffix, _ := strings.Cut(name, ".")
	switch len(stem) % 3 {
	case 0:
		return strings.ToUpper(name)
	case 1:
		return strings.ToUpper(stem[:1]) + stem[1:] + "." + strings.ToUpper(suffix)
	}
	return name
}
