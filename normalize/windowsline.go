package normalize

import (
	"bytes"
	"strings"
)

// Sysmon for Linux writes to syslog, where other programs write too: their lines
// are skipped, if nothing in them speaks of an event that should be read.

// syslogHeader reports whether a line begins as those of syslog do: with a
// priority (RFC 5424), a month (RFC 3164) or a year.
func syslogHeader(line []byte) bool {
	const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec "
	switch {
	case len(line) < 16:
		return false
	case line[0] == '<':
		return line[1]-'0' <= 9
	}
	return strings.Contains(months, string(line[:4])) || digits(line[:4]) <= 9999 && line[4] == '-'
}

// otherLine reports whether a line is another program's or Sysmon's greeting.
func otherLine(line []byte) bool {
	line = bytes.TrimLeft(line, " \t\r\n")
	return (syslogHeader(line) || bytes.HasPrefix(line, []byte("Sysmon v"))) && !speaksOfStarts(line)
}

// speaksOfStarts reports whether the name of a provider of starts is in a text.
func speaksOfStarts(text []byte) bool {
	for s := range winStarts {
		if bytes.Contains(text, winStarts[s].provider) {
			return true
		}
	}
	return false
}

// otherProgram reports whether a JSON record without an event is the wrapping of
// a line that is not for us. The journal writes a line that is no text as
// numbers, and nobody knows what is in it.
func (w *windows) otherProgram() bool {
	if w.has(winBeat) || w.has(winProvider) || w.has(winEventID) || w.anyText(winText, speaksOfStarts) {
		return false
	}
	for k := w.first(winLine); k != 0; k = w.next(k) {
		if !w.isText(k) {
			return false
		}
	}
	if w.has(winLine) {
		return !w.any(winLine, speaksOfStarts)
	}
	return w.anyText(winText, otherLine)
}

// anyText is any for the values that are strings.
func (m *members) anyText(p path, is func([]byte) bool) bool {
	for k := m.first(p); k != 0; k = m.next(k) {
		scratch := len(m.buf)
		found := m.isText(k) && is(m.at(k))
		if m.buf = m.buf[:scratch]; found {
			return true
		}
	}
	return false
}
