package normalize

import (
	"bytes"
	"math"
	"strconv"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// This file turns the text of members into the values of fields.

// copied is a member whose values go into a text field as they are.
type copied struct {
	from path
	to   ecs.Field
}

// copyAll copies the members of a table, each with all its values, and leaves
// out placeholders.
func (m *members) copyAll(e *ecs.Event, table []copied, placeholder func([]byte) bool) {
	for _, c := range table {
		for k := m.first(c.from); k != 0; k = m.next(k) {
			if v := m.at(k); v != nil && !placeholder(v) {
				e.Add(c.to, v)
			}
		}
	}
}

// dash reports a value by which Windows says that there is none.
func dash(v []byte) bool { return len(v) == 0 || len(v) == 1 && v[0] == '-' }

// setInt adds a member's values to a long field: decimal or 0x hex digits, as a
// number or a string. Text that is neither a number nor a placeholder is a fault
// of the record.
func (m *members) setInt(e *ecs.Event, f ecs.Field, p path, placeholder func([]byte) bool) {
	for k := m.first(p); k != 0; k = m.next(k) {
		v := m.at(k)
		if v == nil || placeholder(v) {
			continue
		}
		if n, ok := parseInt(v); ok {
			e.AddInt(f, n)
		} else {
			m.fail(Shape, int(m.found[k].start), "member for %s is no integer", e.Schema().Name(f))
		}
	}
}

// parseInt reads a decimal or 0x hex integer, also one written 4.0 or 4e0.
func parseInt(s []byte) (int64, bool) {
	if n := len(s); n == 0 || n > 32 {
		return 0, false
	}
	digits, negative := s, s[0] == '-'
	if negative {
		digits = s[1:]
	}
	base := uint64(10)
	if len(digits) > 2 && digits[0] == '0' && digits[1]|0x20 == 'x' {
		base, digits = 16, digits[2:]
	}
	if len(digits) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		d := hexDigit(c)
		switch {
		case base == 10 && (c == '.' || c|0x20 == 'e'):
			return parseWhole(s)
		case d < 0 || uint64(d) >= base || n > (math.MaxUint64-uint64(d))/base:
			return 0, false
		}
		n = n*base + uint64(d)
	}
	if n > math.MaxInt64 {
		return math.MinInt64, negative && n == 1<<63
	}
	if negative {
		return -int64(n), true
	}
	return int64(n), true
}

// parseWhole reads an integer that is written as a float.
func parseWhole(s []byte) (int64, bool) {
	x, err := strconv.ParseFloat(string(s), 64)
	if err != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return 0, false
	}
	return int64(x), true
}

// parseFloat reads a finite number.
func parseFloat(s []byte) (float64, bool) {
	x, err := strconv.ParseFloat(string(s), 64)
	return x, err == nil && !math.IsInf(x, 0) && !math.IsNaN(x)
}

// setDate adds a member's instant to a date field, if parse can read it.
func (m *members) setDate(e *ecs.Event, f ecs.Field, p path, parse func([]byte) (int64, bool)) bool {
	v := m.text(p)
	if v == nil || e.Has(f) {
		return false
	}
	ns, ok := parse(v)
	if ok {
		e.AddInt(f, ns)
	}
	return ok
}

// parseRFC3339 reads an instant with any number of fraction digits, in
// nanoseconds since 1970; false if there is no zone.
func parseRFC3339(s []byte) (int64, bool) {
	t, zone, ok := parseClock(s, 'T')
	switch {
	case !ok:
		return 0, false
	case string(zone) == "Z":
		return unixNano(t)
	case len(zone) != len("+01:00") || zone[3] != ':':
		return 0, false
	}
	return inZone(t, zone[0], zone[1:3], zone[4:])
}

// inZone is the instant of a clock that is ahead of UTC, or behind it, by so
// much.
func inZone(t time.Time, sign byte, hh, mm []byte) (int64, bool) {
	hours, minutes := digits(hh), digits(mm)
	if hours > 23 || minutes > 59 {
		return 0, false
	}
	offset := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	switch sign {
	case '+':
		return unixNano(t.Add(-offset))
	case '-':
		return unixNano(t.Add(offset))
	}
	return 0, false
}

// parseClock reads the date and the time in front of a zone, as if it were UTC,
// and returns what stands behind them. Package time allocates for odd zones and
// for text that is no time, which in some records every second clock is.
func parseClock(s []byte, between byte) (t time.Time, rest []byte, ok bool) {
	const second = len("2006-01-02T15:04:05")
	if len(s) < second || len(s) > 64 || s[4] != '-' || s[7] != '-' || s[10] != between || s[13] != ':' || s[16] != ':' {
		return t, nil, false
	}
	year, month, day := digits(s[:4]), digits(s[5:7]), digits(s[8:10])
	hour, minute, sec := digits(s[11:13]), digits(s[14:16]), digits(s[17:second])
	if year > 9999 || month > 12 || day > 31 || hour > 23 || minute > 59 || sec > 59 {
		return t, nil, false
	}
	ns, unit := 0, int(1e8)
	rest = s[second:]
	if len(rest) > 1 && rest[0] == '.' && rest[1]-'0' <= 9 {
		for rest = rest[1:]; len(rest) > 0 && rest[0]-'0' <= 9; rest = rest[1:] {
			ns += int(rest[0]-'0') * unit
			unit /= 10
		}
	}
	t = time.Date(year, time.Month(month), day, hour, minute, sec, ns, time.UTC)
	return t, rest, t.Day() == day && t.Month() == time.Month(month) // no 31 February
}

// digits is the number that a few decimal digits make, a large one where a byte
// is no digit.
func digits(s []byte) int {
	n := 0
	for _, c := range s {
		if c-'0' > 9 {
			return math.MaxInt32
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// parseUTC reads "2006-01-02 15:04:05.000" in UTC, the clock of Sysmon's
// UtcTime, and RFC 3339, which Azure makes of it.
func parseUTC(s []byte) (int64, bool) {
	if t, rest, ok := parseClock(s, ' '); ok && len(rest) == 0 {
		return unixNano(t)
	}
	return parseRFC3339(s)
}

// parseOffset reads "2006-01-02 15:04:05 -0700", the clock of Fluent Bit's
// winevtlog.
func parseOffset(s []byte) (int64, bool) {
	t, zone, ok := parseClock(s, ' ')
	if !ok || len(zone) != len(" +0100") || zone[0] != ' ' {
		return 0, false
	}
	return inZone(t, zone[1], zone[2:4], zone[4:])
}

// parseMillis reads milliseconds since 1970, or RFC 3339.
func parseMillis(s []byte) (int64, bool) {
	if n, ok := parseInt(s); ok {
		return unixNano(time.UnixMilli(n))
	}
	return parseRFC3339(s)
}

// parseSeconds reads decimal seconds since 1970, such as 1625677535.068.
func parseSeconds(s []byte) (int64, bool) {
	whole, fraction, _ := bytes.Cut(s, []byte("."))
	sec, ok := parseInt(whole)
	if !ok || sec < 0 || len(fraction) > 9 {
		return 0, false
	}
	var ns int64
	for i := range 9 {
		ns *= 10
		if i < len(fraction) {
			if fraction[i]-'0' > 9 {
				return 0, false
			}
			ns += int64(fraction[i] - '0')
		}
	}
	return unixNano(time.Unix(sec, ns))
}

// unixNano is t in nanoseconds since 1970; false where they do not fit, which
// is before 1678 and after 2261.
func unixNano(t time.Time) (int64, bool) {
	if y := t.Year(); y < 1678 || y > 2261 {
		return 0, false
	}
	return t.UnixNano(), true
}

// base is the last part of a path; the whole of it where there is no separator.
// Windows takes either slash for one. A path that begins with / is none of
// Windows', and \ is a letter in it.
func base(executable []byte) []byte {
	if len(executable) > 0 && executable[0] == '/' {
		return executable[bytes.LastIndexByte(executable, '/')+1:]
	}
	return executable[bytes.LastIndexAny(executable, `\/`)+1:]
}

// nameFromExecutable sets process.name, or the parent's, from the executable.
func nameFromExecutable(e *ecs.Event, name, executable ecs.Field) {
	for _, v := range e.Values(executable) {
		if b := base(v.Text()); len(b) > 0 {
			e.Add(name, b)
		}
	}
}

// setArgs splits each value of a command line field into an args field and its
// count.
func (m *members) setArgs(e *ecs.Event, args, count, line ecs.Field) {
	for _, v := range e.Values(line) {
		m.args, m.buf = splitCommandLine(m.args[:0], m.buf, v.Text())
		for _, a := range m.args {
			e.Add(args, a)
		}
		clear(m.args) // a view left behind would keep its record alive
		if len(e.Values(args)) >= maxValues {
			m.fail(TooLarge, 0, "command line has %d arguments or more", maxValues)
			break
		}
	}
	if e.Has(line) {
		e.AddInt(count, int64(len(e.Values(args))))
	}
}

// fillArgs splits a command line field where there are no arguments yet, and
// counts them where nobody did.
func (m *members) fillArgs(e *ecs.Event, args, count, line ecs.Field) {
	switch {
	case !e.Has(args) && e.Has(line):
		e.Clear(count)
		m.setArgs(e, args, count, line)
	case e.Has(args) && !e.Has(count):
		e.AddInt(count, int64(len(e.Values(args))))
	}
}

// setHash sets a field to the lower-case digits of a hash, the first one that is
// given; one of zeros alone means none.
func (m *members) setHash(e *ecs.Event, f ecs.Field, digits []byte) {
	if e.Has(f) || len(bytes.Trim(digits, "0")) == 0 {
		return
	}
	from := len(m.buf)
	for _, c := range digits {
		if hexDigit(c) < 0 {
			return
		}
		if c >= 'A' && c <= 'F' {
			c |= 0x20
		}
		m.buf = append(m.buf, c)
	}
	e.Add(f, m.buf[from:len(m.buf):len(m.buf)])
}

// Values that normalizers write themselves. They are never written to.
var (
	valEvent   = []byte("event")
	valProcess = []byte("process")
	valStart   = []byte("start")
	valSuccess = []byte("success")
	valLinux   = []byte("linux")
	valMacOS   = []byte("macos")
	valWindows = []byte("windows")
)

// osType is the value of host.os.type that a source's word for an operating
// system means; nil if it means none of the three.
func osType(word []byte) []byte {
	for _, c := range [...]struct {
		word   string
		system []byte
	}{{"linux", valLinux}, {"windows", valWindows}, {"macos", valMacOS}, {"darwin", valMacOS}, {"osx", valMacOS}} {
		if len(word) == len(c.word) && bytes.EqualFold(word, []byte(c.word)) {
			return c.system
		}
	}
	return nil
}

// asStart marks an event as the start of a process.
func asStart(e *ecs.Event) {
	e.Add(ecs.EventKind, valEvent)
	e.Add(ecs.EventCategory, valProcess)
	e.Add(ecs.EventType, valStart)
}

// relate collects the users, hashes and the host of an event in related.*, each
// where the source did not.
func relate(e *ecs.Event) {
	if !e.Has(ecs.RelatedHash) {
		for _, f := range [...]ecs.Field{ecs.ProcessHashMD5, ecs.ProcessHashSHA1, ecs.ProcessHashSHA256} {
			for _, v := range e.Values(f) {
				e.Add(ecs.RelatedHash, v.Text())
			}
		}
	}
	if !e.Has(ecs.RelatedUser) {
		user, effective := e.First(ecs.UserName), e.First(ecs.UserEffectiveName)
		if user != nil {
			e.Add(ecs.RelatedUser, user)
		}
		if effective != nil && !bytes.Equal(user, effective) {
			e.Add(ecs.RelatedUser, effective)
		}
	}
	if host := e.First(ecs.HostName); host != nil && !e.Has(ecs.RelatedHosts) {
		e.Add(ecs.RelatedHosts, host)
	}
}

// recordTime sets @timestamp from the record where the source gave none.
func recordTime(e *ecs.Event, r *Record) {
	if e.Has(ecs.Timestamp) || r.Time.IsZero() {
		return
	}
	if ns, ok := unixNano(r.Time); ok {
		e.AddInt(ecs.Timestamp, ns)
	}
}
