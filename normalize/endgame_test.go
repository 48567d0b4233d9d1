package normalize

import (
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

func TestEndgameClocks(t *testing.T) {
	for _, c := range []struct{ text, ticks, utc string }{
		{"134152692753184567", "2026-02-11T07:41:15.3184567Z", ""},
		{"116444736000000000", "1970-01-01T00:00:00.000Z", ""},
		{"116444735999999999", "1969-12-31T23:59:59.9999999Z", ""},
		{"1770795675318", "2026-02-11T07:41:15.318Z", ""},
		{"9223372036854775807", "", ""}, // the year 30828
		{"-1", "1969-12-31T23:59:59.999Z", ""},
		{"2026-02-11T07:41:15Z", "2026-02-11T07:41:15.000Z", "2026-02-11T07:41:15.000Z"},
		{"2026-02-11 07:41:15Z", "", "2026-02-11T07:41:15.000Z"},
		{"2026-02-11 07:41:15.5Z", "", "2026-02-11T07:41:15.500Z"},
		{"2026-02-11 07:41:15", "", "2026-02-11T07:41:15.000Z"},
		{"2026-02-11 07:41:15ZZ", "", ""},
		{"Z", "", ""},
		{"", "", ""},
	} {
		for _, p := range []struct {
			what, want string
			parse      func([]byte) (int64, bool)
		}{{"ticks", c.ticks, parseTicks}, {"UTC", c.utc, parseEndgameUTC}} {
			got := ""
			if ns, ok := p.parse([]byte(c.text)); ok {
				got = string(ecs.AppendDate(nil, ns))
			}
			if got != p.want {
				t.Errorf("%q read as %s is %q, want %q", c.text, p.what, got, p.want)
			}
		}
	}
}

func TestOSType(t *testing.T) {
	for word, want := range map[string]string{
		"windows": "windows", "Windows": "windows", "linux": "linux", "macos": "macos", "darwin": "macos", "osx": "macos",
		"unix": "", "ios": "", "Windows 10": "", "": "",
	} {
		if got := string(osType([]byte(word))); got != want {
			t.Errorf("%q is %q, want %q", word, got, want)
		}
	}
}
