package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/imdswatch/imdswatch/normalize"
)

// The parts of a Defend record with an attack in it, and a Sysmon record around
// a command line.
const (
	hostileURL    = "http://169.254.169.254/latest/meta-data/iam/security-credentials/web"
	hostileHead   = `{"event":{"kind":"event","category":["process"],"type":["start"],"action":"exec"},"host":{"os":{"type":"linux"}},`
	hostileTail   = `"process":{"name":"curl","args":["curl","` + hostileURL + `"]}}`
	hostileArgs   = `"process":{"name":"curl","args":[`
	hostileSysmon = `{"SourceName":"Microsoft-Windows-Sysmon","EventID":1,"Image":"C:\\Windows\\System32\\curl.exe","CommandLine":`
)

// generated are the inputs that are too large to be stored.
func generated() []hostileInput {
	const mb = 1 << 20
	// The object around it is the first level.
	deepest := 511
	return []hostileInput{
		{"deep-objects-at-limit-defend", parts(hostileHead, `"x":`, repeat(`{"a":`, deepest-1), `{}`, repeat(`}`, deepest-1), ",", hostileTail)},
		{"deep-objects-above-limit-defend", parts(hostileHead, `"x":`, repeat(`{"a":`, deepest), `{}`, repeat(`}`, deepest), ",", hostileTail)},
		{"deep-arrays-at-limit-defend", parts(hostileHead, `"x":`, repeat(`[`, deepest), repeat(`]`, deepest), ",", hostileTail)},
		{"deep-arrays-above-limit-defend", parts(hostileHead, `"x":`, repeat(`[`, deepest+1), repeat(`]`, deepest+1), ",", hostileTail)},
		{"deep-arrays-10MB-behind-attack-defend", parts(strings.TrimSuffix(hostileHead+hostileTail, "}"), `,"x":`, repeat(`[`, 10*mb))},
		{"deep-args-above-limit-defend", parts(hostileHead, hostileArgs, repeat(`[`, 600), `"`+hostileURL+`"`, repeat(`]`, 600), `]}}`)},

		{"huge-line-within-limit-defend", parts(hostileHead, repeat(" ", normalize.MaxRecord-len(hostileHead+hostileTail)), hostileTail)},
		{"huge-line-beyond-limit-defend", parts(hostileHead, repeat(" ", normalize.MaxRecord+1-len(hostileHead+hostileTail)), hostileTail)},
		{"huge-line-far-beyond-limit-windows", parts(repeat("x", 3*normalize.MaxRecord))},
		{"huge-argument-within-limit-defend", parts(hostileHead, hostileArgs, `"`, repeat("a", 10*mb), hostileURL, `"]}}`)},
		{"huge-escaped-argument-within-limit-defend", parts(hostileHead, hostileArgs, `"`, repeat(`\n`, 5*mb), hostileURL, `"]}}`)},
		{"huge-number-of-arguments-within-limit-defend", parts(hostileHead, hostileArgs, repeat(`"a",`, 500_000), `"`, hostileURL, `"]}}`)},
		{"huge-number-of-arguments-beyond-limit-defend", parts(hostileHead, hostileArgs, `"`, hostileURL, `"`, repeat(`,"a"`, 2_000_000), `]}}`)},
		{"huge-number-of-members-within-limit-defend", parts(hostileHead, repeat(`"m":1,`, 200_000), hostileTail)},
		{"huge-member-name-within-limit-defend", parts(hostileHead, `"`, repeat("n", mb), `":1,`, hostileTail)},
		{"huge-escaped-member-name-within-limit-defend", parts(hostileHead, `"`, repeat(`\u006e`, mb/6), `":1,`, hostileTail)},
		{"huge-dotted-member-name-within-limit-defend", parts(hostileHead, `"`, repeat("process.", mb/8), `":1,`, hostileTail)},
		{"huge-number-of-actions-within-limit-defend", parts(strings.Replace(hostileHead, `"exec"`, `[`, 1)[:strings.Index(hostileHead, `"exec"`)+1],
			repeat(`"fork",`, 200_000), `"exec"]`, hostileHead[strings.Index(hostileHead, `"exec"`)+len(`"exec"`):], hostileTail)},
		{"huge-escaped-action-within-limit-defend", parts(hostileHead[:strings.Index(hostileHead, `"exec"`)], `["`, repeat(`\n`, 5*mb), `","exec"]`,
			hostileHead[strings.Index(hostileHead, `"exec"`)+len(`"exec"`):], hostileTail)},
		{"huge-command-line-of-words-beyond-limit-windows", parts(hostileSysmon, `"`, hostileURL, repeat(" a", 600_000), `"}`)},
		{"huge-command-line-of-quotes-beyond-limit-windows", parts(hostileSysmon, `"`, hostileURL, repeat(` \"\"`, 600_000), `"}`)},
		{"huge-command-line-of-backslashes-within-limit-windows", parts(hostileSysmon, `"\"`, repeat(`\\`, 3*mb), ` `, hostileURL, `"}`)},
		{"huge-hashes-within-limit-windows", parts(hostileSysmon, `"curl.exe `, hostileURL, `","Hashes":"`, repeat("MD5=a,", 10*mb/6), `"}`)},
		{"huge-message-within-limit-windows", parts(hostileSysmon, `"curl.exe `, hostileURL, `","ProcessGuid":"{1}","Message":"`, repeat(`\nProcessGuid: `, mb), `"}`)},
	}
}

// parts writes parts behind each other.
func parts(parts ...any) func(io.Writer) error {
	return func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				b.WriteString(p)
			case repetition:
				for range p.times {
					b.WriteString(p.text)
				}
			default:
				return fmt.Errorf("no part: %T", p)
			}
		}
		return b.Flush()
	}
}

// repetition is a text many times over, which need not be held in memory.
type repetition struct {
	text  string
	times int
}

func repeat(text string, times int) repetition { return repetition{text, times} }
