package detector

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

func mustBuiltin(t testing.TB) *Rule {
	t.Helper()
	r, err := Builtin(ecs.Default, FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestBuiltinListing(t *testing.T) { golden(t, "builtin.golden", mustBuiltin(t).String()) }

func TestBuiltinIsClean(t *testing.T) {
	r := mustBuiltin(t)
	if len(r.Warnings()) > 0 {
		t.Errorf("warnings: %v", r.Warnings())
	}
	if r.ID != "ecc0cd54-608e-11ef-ab6d-f661ea17fbce" || r.Severity.Number() != 47 || r.RiskScore != 47 || r.Version == "" {
		t.Errorf("id %s, severity %s, risk %d, version %q", r.ID, r.Severity, r.RiskScore, r.Version)
	}
	var ids []string
	for _, threat := range r.Threat {
		ids = append(ids, threat.Tactic.ID)
		for _, technique := range threat.Technique {
			ids = append(ids, technique.ID)
			for _, sub := range technique.Subtechnique {
				ids = append(ids, sub.ID)
			}
		}
	}
	if want := []string{"TA0006", "T1552", "T1552.005", "TA0007", "T1016", "T1082", "T1580"}; !slices.Equal(ids, want) {
		t.Errorf("tactics and techniques %v, want %v", ids, want)
	}
}

// The condition of the built-in rule by hand, as the logic it comes from has it:
// any value of each field, wildcards spelled out as what they mean.

func anyOf(e *ecs.Event, f ecs.Field, test func(string) bool) bool {
	return slices.ContainsFunc(e.Values(f), func(v ecs.Value) bool { return test(string(v.Text())) })
}

func oneOf(list ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(list, s) }
}

func startsWithAny(s string, prefixes ...string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s, p) })
}

// small folds the letters of ASCII and no others.
func small(s string) string {
	return string(bytes.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 32
		}
		return r
	}, []byte(s)))
}

func asksForCredentials(e *ecs.Event) bool {
	start := anyOf(e, ecs.EventCategory, oneOf("process")) && anyOf(e, ecs.EventType, oneOf("start")) &&
		anyOf(e, ecs.HostOSType, oneOf("linux", "macos", "windows")) &&
		anyOf(e, ecs.EventAction, func(s string) bool {
			return oneOf("exec", "exec_event", "start", "ProcessRollup2", "executed", "process_started")(s) ||
				strings.HasPrefix(s, "Process Create")
		})
	client := anyOf(e, ecs.ProcessName, func(s string) bool {
		s = small(s)
		return oneOf("curl", "curl.exe", "wget", "wget.exe", "bash", "dash", "sh", "tcsh", "tclsh", "wish", "csh", "zsh",
			"ksh", "fish", "mksh", "busybox", "powershell.exe", "cmd.exe", "pwsh.exe", "pwsh")(s) ||
			startsWithAny(s, ".", "python", "perl", "ruby", "php", "lua", "java")
	})
	folder := anyOf(e, ecs.ProcessExecutable, func(s string) bool {
		s = small(s)
		home, inHome := strings.CutPrefix(s, "/home/")
		drive := []rune(s)
		return startsWithAny(s, "/tmp/", "/var/tmp/", "/dev/shm/", "/var/run/", "/run/", "/boot/", "/.", `c:\users\`, "/var/www/", "./") ||
			inHome && strings.Contains(home, "/") ||
			len(drive) > 0 && strings.HasPrefix(string(drive[1:]), `:\programdata\`)
	})
	path := anyOf(e, ecs.ProcessArgs, func(s string) bool {
		s = small(s)
		_, role, aws := strings.Cut(s, "/latest/meta-data/iam/security-credentials/")
		_, account, google := strings.Cut(s, "computemetadata/v1/instance/service-accounts/")
		_, query, azure := strings.Cut(s, "/metadata/identity/oauth2/token")
		return aws && role != "" || google && strings.Contains(account, "/oauth2/access_token") ||
			azure && strings.Contains(query, "resource=")
	})
	return start && (client || folder) && path
}

// near are values at the edge of each test of the rule.
var near = map[ecs.Field][]string{
	ecs.EventCategory: {"process", "process", "process", "file"},
	ecs.EventType:     {"start", "start", "start", "Start", "end"},
	ecs.HostOSType:    {"linux", "macos", "windows", "unix", "Linux", "osx"},
	ecs.EventAction: {"exec", "exec_event", "start", "ProcessRollup2", "executed", "process_started", "Process Create",
		"Process Create (rule: ProcessCreate)", "process create", "Process creation", "Exec", "fork"},
	ecs.ProcessName: {"curl", "curl.exe", "wget", "wget.exe", "bash", "dash", "sh", "tcsh", "tclsh", "wish", "csh", "zsh", "ksh",
		"fish", "mksh", "busybox", "powershell.exe", "cmd.exe", "pwsh.exe", "pwsh", ".x", "python3.11", "perl", "ruby", "php-fpm",
		"lua5.4", "java", "node", "bash.exe", "ash", "go"},
	ecs.ProcessExecutable: {"/tmp/x", "/var/tmp/x", "/dev/shm/x", "/home/u/x", "/home/x", "/var/run/x", "/run/x", "/boot/x", "/.x",
		`C:\Users\u\x.exe`, `D:\Users\u\x.exe`, `D:\ProgramData\x.exe`, `:\ProgramData\x.exe`, "/var/www/x", "./x", "x", "/usr/bin/curl"},
	ecs.ProcessArgs: {"-s", "http://169.254.169.254/latest/meta-data/iam/security-credentials/web",
		"http://169.254.169.254/latest/meta-data/iam/security-credentials/", "/LATEST/meta-data/IAM/security-credentials/\n",
		"/latest/meta-data/iam/security-credentials//latest/meta-data/iam/security-credentials/",
		"http://metadata/computeMetadata/v1/instance/service-accounts/default/oauth2/access_token",
		"http://metadata/computeMetadata/v1/instance/service-accounts/oauth2/access_token",
		"http://metadata/computeMetadata/v1/instance/service-accounts//oauth2/access_token/x",
		"http://169.254.169.254/metadata/identity/oauth2/token?api-version=1&resource=https://x",
		"http://169.254.169.254/metadata/identity/oauth2/token?api-version=1", "resource=https://x",
		"resource=/metadata/identity/oauth2/token"},
}

// TestBuiltinAgreesWithPredicate draws events from near, whole and with a byte
// cut off, changed or in the other case.
func TestBuiltinAgreesWithPredicate(t *testing.T) {
	rule := mustBuiltin(t)
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list []string) string { return list[random.IntN(len(list))] }
	twist := func(s string) string {
		i := random.IntN(max(1, len(s)))
		switch random.IntN(20) {
		case 0:
			return s[:i]
		case 1:
			return s[i:]
		case 2:
			return s[:i] + "x" + s[i:]
		case 3:
			return strings.ToUpper(s)
		case 4:
			return s[:i] + "\u212a" + s[i:]
		case 5:
			return strings.ToLower(s)
		}
		return s
	}
	const total = 100_000
	hits := map[bool]int{}
	for range total {
		e := ecs.NewEvent(ecs.Default)
		for f, list := range near {
			for range 1 + random.IntN(2) - random.IntN(15)/14 {
				e.Add(f, []byte(twist(pick(list))))
			}
		}
		want := asksForCredentials(e)
		hits[want]++
		if got := rule.Match(e); got != want {
			t.Fatalf("rule %v, predicate %v of %s", got, want, e.AppendJSON(nil))
		}
	}
	if hits[true] < total/20 || hits[false] < total/20 {
		t.Errorf("%d matches, %d misses: too few of one kind to tell anything", hits[true], hits[false])
	}
}

// TestBuiltinNeedsEveryTest starts from an event that matches and breaks one
// field at a time.
func TestBuiltinNeedsEveryTest(t *testing.T) {
	rule := mustBuiltin(t)
	whole := [][]string{
		{"event.category", "process"}, {"event.type", "start"}, {"event.action", "exec"}, {"host.os.type", "linux"},
		{"process.name", "curl"}, {"process.args", "curl", "http://169.254.169.254/latest/meta-data/iam/security-credentials/web"},
	}
	if !rule.Match(eventOf(t, whole...)) {
		t.Fatal("the whole event does not match")
	}
	for i := range whole {
		if e := eventOf(t, slices.Delete(slices.Clone(whole), i, i+1)...); rule.Match(e) {
			t.Errorf("matches without %s", whole[i][0])
		}
	}
}
