package normalize

import (
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

func TestParseIntReadsDecimalAndHex(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{
		{"0", 0, true},
		{"-0", 0, true},
		{"7", 7, true},
		{"007", 7, true}, // decimal: no source writes octal
		{"-42", -42, true},
		{"9007199254740993", 1<<53 + 1, true}, // no float on the way
		{"9223372036854775807", math.MaxInt64, true},
		{"-9223372036854775808", math.MinInt64, true},
		{"0x2078", 0x2078, true},
		{"0X2078", 0x2078, true},
		{"0xfFaA", 0xffaa, true},
		{"-0x10", -16, true},
		{"0x7fffffffffffffff", math.MaxInt64, true},
		{"0x0000000000000000000000000001", 1, true},
		{"4.0", 4, true},
		{"4e0", 4, true},
		{"-12.5e1", -125, true},
		{"1E3", 1000, true},
		{"9007199254740992.0", 1 << 53, true},
		{"", 0, false},
		{"-", 0, false},
		{"0x", 0, false},
		{"-0x", 0, false},
		{"0xg", 0, false},
		{"x10", 0, false},
		{"ff", 0, false},
		{"--1", 0, false},
		{"+1", 0, false},
		{" 1", 0, false},
		{"1 ", 0, false},
		{"1_000", 0, false},
		{"0x1p4", 0, false},
		{"1.5", 0, false},
		{"1e", 0, false},
		{"1.2.3", 0, false},
		{"e", 0, false},
		{"NaN", 0, false},
		{"Inf", 0, false},
		{"9223372036854775808", 0, false},
		{"-9223372036854775809", 0, false},
		{"18446744073709551616", 0, false},
		{"0x8000000000000000", 0, false},
		{"0x10000000000000000", 0, false},
		{"9007199254740994.0", 0, false}, // beyond what a float holds exactly
		{"1e19", 0, false},
		{"1e400", 0, false},
		{strings.Repeat("0", 32) + "1", 0, false},
	} {
		got, ok := parseInt([]byte(c.text))
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%q is %d, %v, want %d, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

func TestParseFloatReadsFiniteNumbers(t *testing.T) {
	for _, c := range []struct {
		text string
		want float64
		ok   bool
	}{
		{"0", 0, true}, {"-1.5", -1.5, true}, {"9382104.5518203", 9382104.5518203, true}, {"1e-3", 0.001, true}, {"5E2", 500, true},
		{"", 0, false}, {"NaN", 0, false}, {"-Infinity", 0, false}, {"inf", 0, false}, {"1e999", 0, false}, {"1,5", 0, false}, {"high", 0, false},
	} {
		if got, ok := parseFloat([]byte(c.text)); ok != c.ok || ok && got != c.want {
			t.Errorf("%q is %v, %v, want %v, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

// clocks are texts and the instants that the parsers make of them: in RFC 3339,
// as Sysmon's UtcTime, as milliseconds and as seconds; "" where one refuses.
var clocks = []struct{ text, rfc3339, utc, millis, seconds string }{
	{"2026-02-03T09:15:42Z", "2026-02-03T09:15:42.000Z", "=", "=", ""},
	{"2026-02-03T09:15:42.1Z", "2026-02-03T09:15:42.100Z", "=", "=", ""},
	{"2026-02-03T09:15:42.1873641Z", "2026-02-03T09:15:42.1873641Z", "=", "=", ""},
	{"2026-02-03T09:15:42.123456789Z", "2026-02-03T09:15:42.123456789Z", "=", "=", ""},
	{"2026-02-03T09:15:42.1234567899999Z", "2026-02-03T09:15:42.123456789Z", "=", "=", ""},
	{"2026-02-03T10:15:42+01:00", "2026-02-03T09:15:42.000Z", "=", "=", ""},
	{"2026-02-03T14:45:42.5+05:30", "2026-02-03T09:15:42.500Z", "=", "=", ""},
	{"2026-02-02T21:15:42-12:00", "2026-02-03T09:15:42.000Z", "=", "=", ""},
	{"2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z", "=", "=", ""},
	{"1678-01-01T00:00:00Z", "1678-01-01T00:00:00.000Z", "=", "=", ""},
	{"2261-12-31T23:59:59.999999999Z", "2261-12-31T23:59:59.999999999Z", "=", "=", ""},
	{"1677-12-31T23:59:59Z", "", "", "", ""},
	{"2262-01-01T00:00:00Z", "", "", "", ""},
	{"0001-01-01T00:00:00Z", "", "", "", ""}, // how some writers say "no time"
	{"9999-12-31T23:59:59Z", "", "", "", ""},
	{"2026-02-29T00:00:00Z", "", "", "", ""},
	{"2026-00-10T00:00:00Z", "", "", "", ""},
	{"2026-13-10T00:00:00Z", "", "", "", ""},
	{"2026-02-00T00:00:00Z", "", "", "", ""},
	{"2026-02-03T24:00:00Z", "", "", "", ""},
	{"2026-02-03T09:60:00Z", "", "", "", ""},
	{"2026-02-03T09:15:60Z", "", "", "", ""},
	{"2026-02-03T09:15:42", "", "", "", ""},
	{"2026-02-03T09:15:42.Z", "", "", "", ""},
	{"2026-02-03T09:15:42,5Z", "", "", "", ""},
	{"2026-02-03T09:15:42z", "", "", "", ""},
	{"2026-02-03t09:15:42Z", "", "", "", ""},
	{"2026-02-03T09:15:42+0100", "", "", "", ""},
	{"2026-02-03T09:15:42+24:00", "", "", "", ""},
	{"2026-02-03T09:15:42+01:60", "", "", "", ""},
	{"2026-02-03T09:15:42Z ", "", "", "", ""},
	{"2026-02-03T09:15Z", "", "", "", ""},
	{"2026-02-03", "", "", "", ""},
	{"2026-2-3T09:15:42Z0", "", "", "", ""},
	{"-026-02-03T09:15:42Z", "", "", "", ""},
	{"2026-02-03 09:15:42.187", "", "2026-02-03T09:15:42.187Z", "", ""},
	{"2026-02-03 09:15:42", "", "2026-02-03T09:15:42.000Z", "", ""},
	{"2026-02-03 09:15:42Z", "", "", "", ""},
	{"2026-02-03 09:15:42.", "", "", "", ""},
	{"2026-02-03 09:15:42 PM", "", "", "", ""},
	{"2026-02-30 09:15:42", "", "", "", ""},
	{"1770109742903", "", "", "2026-02-03T09:09:02.903Z", ""},
	{"1770109742.114", "", "", "", "2026-02-03T09:09:02.114Z"},
	{"1770109742.114000001", "", "", "", "2026-02-03T09:09:02.114000001Z"},
	{"1770109742", "", "", "1970-01-21T11:41:49.742Z", "2026-02-03T09:09:02.000Z"},
	{"0", "", "", "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"},
	{"-1", "", "", "1969-12-31T23:59:59.999Z", ""},
	{"-1.5", "", "", "", ""},
	{"1770109742.1140000001", "", "", "", ""},
	{"1770109742.1x", "", "", "", ""},
	{"9223372036854775807", "", "", "", ""},
	{"-9223372036854775808", "", "", "", ""},
	{"134145678901234567", "", "", "", ""}, // a FILETIME
	{"", "", "", "", ""},
	{".", "", "", "", ""},
	{"yesterday", "", "", "", ""},
	{"2026-02-03T09:15:42." + strings.Repeat("0", 50) + "Z", "", "", "", ""},
}

func TestParseClocks(t *testing.T) {
	for _, c := range clocks {
		for _, p := range []struct {
			what, want string
			parse      func([]byte) (int64, bool)
		}{
			{"RFC 3339", c.rfc3339, parseRFC3339}, {"UTC", c.utc, parseUTC}, {"millis", c.millis, parseMillis}, {"seconds", c.seconds, parseSeconds},
		} {
			got := ""
			if ns, ok := p.parse([]byte(c.text)); ok {
				got = string(ecs.AppendDate(nil, ns))
			}
			if want := strings.ReplaceAll(p.want, "=", c.rfc3339); got != want {
				t.Errorf("%q read as %s is %q, want %q", c.text, p.what, got, want)
			}
		}
	}
}

// strict is RFC 3339 as far as letters go; package time alone takes a comma for
// the point, one digit of an hour and offsets beyond a day.
var strict = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`)

// FuzzParseRFC3339 holds the parser against package time, which allocates.
func FuzzParseRFC3339(f *testing.F) {
	for _, c := range clocks {
		f.Add(c.text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var at time.Time
		want := len(text) <= 64 && strict.MatchString(text) && at.UnmarshalText([]byte(text)) == nil
		want = want && at.UTC().Year() >= 1678 && at.UTC().Year() <= 2261
		ns, ok := parseRFC3339([]byte(text))
		if ok != want || ok && ns != at.UnixNano() {
			t.Errorf("%q is %d, %v, package time says %v", text, ns, ok, at)
		}
	})
}

func TestRecordTimeFillsInForAMissingClock(t *testing.T) {
	for _, c := range []struct {
		at   time.Time
		had  bool
		want string
	}{
		{arrival, false, "2026-12-24T18:00:00.000Z"},
		{arrival.In(time.FixedZone("", 3600)), false, "2026-12-24T18:00:00.000Z"},
		{arrival, true, "1970-01-01T00:00:00.000Z"},
		{time.Time{}, false, ""},
		{time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), false, ""},
	} {
		e := ecs.NewEvent(ecs.Default)
		if c.had {
			e.AddInt(ecs.Timestamp, 0)
		}
		recordTime(e, &Record{Time: c.at})
		got := ""
		for _, v := range e.Values(ecs.Timestamp) {
			got += string(ecs.AppendDate(nil, v.Int()))
		}
		if got != c.want {
			t.Errorf("%v: @timestamp is %q, want %q", c.at, got, c.want)
		}
	}
}

func TestBaseIsTheLastPartOfAPath(t *testing.T) {
	for _, c := range []struct{ path, want string }{
		{`/usr/bin/curl`, `curl`},
		{`C:\Windows\System32\curl.exe`, `curl.exe`},
		{`C:/Kiln/kiln.exe`, `kiln.exe`},
		{`C:\Kiln/bin\kiln.exe`, `kiln.exe`},
		{`\Device\Mup\files\a.exe`, `a.exe`},
		{`\\server\share\a.exe`, `a.exe`},
		{`Registry`, `Registry`},
		{`/opt/a\b`, `a\b`}, // a letter of a name, not the end of a folder
		{`/opt\c/d`, `d`},
		{`/`, ``},
		{`C:\`, ``},
		{``, ``},
	} {
		if got := string(base([]byte(c.path))); got != c.want {
			t.Errorf("base of %q is %q, want %q", c.path, got, c.want)
		}
	}
}

func TestCutDevice(t *testing.T) {
	for _, c := range []struct {
		path, rest string
		ok         bool
	}{
		{`\Device\HarddiskVolume4\Kiln\a.exe`, `Kiln\a.exe`, true},
		{`\Device\HarddiskVolume12\a.exe`, `a.exe`, true},
		{`\device\harddiskvolume1\a`, `a`, true},
		{`\Device\HarddiskVolume\a`, `a`, true},
		{`\Device\HarddiskVolume4\`, ``, true},
		{`\Device\HarddiskVolume4`, `4`, false},
		{`\Device\HarddiskVolume4x\a`, ``, false},
		{`\Device\HarddiskVolumeShadowCopy3\a`, ``, false},
		{`\Device\Mup\a`, ``, false},
		{`C:\Device\HarddiskVolume4\a`, ``, false},
		{`\Device`, ``, false},
		{``, ``, false},
	} {
		rest, ok := cutDevice([]byte(c.path))
		if ok != c.ok || ok && string(rest) != c.rest {
			t.Errorf("%q: rest %q, %v, want %q, %v", c.path, rest, ok, c.rest, c.ok)
		}
	}
}

func TestSetHashes(t *testing.T) {
	sha256 := strings.Repeat("9F", 32)
	for _, c := range []struct{ list, want string }{
		{"SHA1=" + strings.Repeat("aB", 20) + ",MD5=0C,SHA256=" + sha256 + ",IMPHASH=0011", "md5=0c sha1=" + strings.Repeat("ab", 20) + " sha256=" + strings.ToLower(sha256) + " imphash=0011"},
		{"SHA256=" + sha256, "sha256=" + strings.ToLower(sha256)},
		{"MD5=00000000000000000000000000000000,SHA1=0", ""},
		{"MD5=,SHA1", ""},
		{"MD5=12zz", ""},
		{"md5=12", ""},
		{"SSDEEP=12,MD5=34", "md5=34"},
		{",,MD5=1=2,SHA1=3", "sha1=3"},
		{"-", ""},
		{"", ""},
	} {
		w := &windows{members: newMembers(winPaths)}
		e := ecs.NewEvent(ecs.Default)
		w.setHashes(e, []byte(c.list))
		var got []string
		for _, f := range []ecs.Field{ecs.ProcessHashMD5, ecs.ProcessHashSHA1, ecs.ProcessHashSHA256, ecs.ProcessPEImphash} {
			for _, v := range e.Values(f) {
				name := ecs.Default.Name(f)
				got = append(got, fmt.Sprintf("%s=%s", name[strings.LastIndexByte(name, '.')+1:], v.Text()))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q gives %q, want %q", c.list, strings.Join(got, " "), c.want)
		}
	}
}

func TestAccount(t *testing.T) {
	for _, c := range []struct{ user, want string }{
		{`FERNWOOD\otto`, `FERNWOOD,otto`},
		{`NT AUTHORITY\SYSTEM`, `NT AUTHORITY,SYSTEM`},
		{`otto`, `,otto`},
		{`a\b\c`, `,a\b\c`},
		{`\otto`, `,\otto`},
		{`FERNWOOD\`, `,FERNWOOD\`},
		{`-`, `,`},
		{``, `,`},
	} {
		domain, name := account([]byte(c.user))
		if diff := cmp.Diff(c.want, string(domain)+","+string(name)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.user, diff)
		}
	}
}

// TestSetArgsHoldsNoView splits a long line and then a short one: what the long
// one left in the scratch would keep its record alive.
func TestSetArgsHoldsNoView(t *testing.T) {
	m := newMembers(nil)
	e := ecs.NewEvent(ecs.Default)
	e.Add(ecs.ProcessCommandLine, []byte("a b c d"))
	e.Add(ecs.ProcessCommandLine, []byte("e"))
	m.setArgs(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessCommandLine)
	for _, held := range m.args[:cap(m.args)] {
		if held != nil {
			t.Errorf("%q is held in the scratch", held)
		}
	}
	var got []string
	for _, v := range e.Values(ecs.ProcessArgs) {
		got = append(got, string(v.Text()))
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, got); diff != "" || e.Values(ecs.ProcessArgsCount)[0].Int() != 5 {
		t.Errorf("count %d, arguments (-want +got):\n%s", e.Values(ecs.ProcessArgsCount)[0].Int(), diff)
	}
}
