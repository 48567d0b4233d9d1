package main

import (
	"strings"
	"testing"
)

func TestPrinterAlertTable(t *testing.T) {
	const header = "TIME                         SOURCE        HOST                  WHAT HAPPENED\n"
	for _, test := range []struct{ name, alert, want string }{
		{"one value each", `{"@timestamp":"2026-03-04T05:06:07.891Z","message":"m","host":{"name":"h","id":"i"},"imdswatch":{"source":"ecs"}}`,
			"2026-03-04T05:06:07.891Z     ecs           h                     m\n"},
		{"no host, no time", `{"message":"m","imdswatch":{"source":"ecs"}}`,
			"                             ecs                                 m\n"},
		{"id in place of a name", `{"message":"m","host":{"id":"i"},"imdswatch":{"source":"ecs"}}`,
			"                             ecs           i                     m\n"},
		{"several values", `{"@timestamp":["a","b"],"message":"m","host":{"name":["x","y"]},"imdswatch":{"source":"ecs"}}`,
			"a b                          ecs           x y                   m\n"},
		{"wide characters", `{"message":"m","host":{"name":"東京"},"imdswatch":{"source":"ecs"}}`,
			"                             ecs           東京                  m\n"},
		{"a long host", `{"message":"m","host":{"name":"abcdefghijklmnopqrstuvwxyz"},"imdswatch":{"source":"ecs"}}`,
			"                             ecs           abcdefghijklmnopqrstuvwxyz  m\n"},
		{"terminal commands", `{"message":"a\u001b]0;x\u0007b\nc\rd\u0085e\u009b31mf","host":{"name":"\u001b[2J"},"imdswatch":{"source":"ecs"}}`,
			"                             ecs           ·[2J                  a·]0;x·b·c·d·e·31mf\n"},
		{"direction and hiding", `{"message":"a\u202eb\u2066c\u200bd\u2028e\ufefff\ue000g\u0000h","imdswatch":{"source":"ecs"}}`,
			"                             ecs                                 a·b·c·d·e·f·g·h\n"},
		{"no UTF-8", "{\"message\":\"a\xffb\xc0\xafc\",\"imdswatch\":{\"source\":\"ecs\"}}",
			"                             ecs                                 a\ufffdb\ufffd\ufffdc\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			if err := newPrinter(&b, "table").alert([]byte(test.alert)); err != nil {
				t.Fatal(err)
			}
			if got := b.String(); got != header+test.want {
				t.Errorf("got\n%q, want\n%q", got, header+test.want)
			}
		})
	}
}

func TestPrinterEventTable(t *testing.T) {
	for _, test := range []struct{ name, event, want string }{
		{"command line", `{"process":{"command_line":"c  d","args":["c","d"]}}`, "c  d"},
		{"several command lines", `{"process":{"command_line":["c d","e"],"args":["c","d"]}}`, "c d e"},
		{"arguments", `{"process":{"args":["c","d"]}}`, "c d"},
		{"a name alone", `{"process":{"name":["c","d"]}}`, "c d"},
		{"one argument", `{"process":{"args":"c"}}`, "c"},
		{"too long", `{"process":{"command_line":"` + strings.Repeat("é", maxCell+1) + `"}}`, strings.Repeat("é", maxCell) + "…"},
		{"as long as can be", `{"process":{"command_line":"` + strings.Repeat("é", maxCell) + `"}}`, strings.Repeat("é", maxCell)},
	} {
		t.Run(test.name, func(t *testing.T) {
			var b strings.Builder
			p := newPrinter(&b, "table")
			for range 2 {
				if err := p.event([]byte(test.event)); err != nil {
					t.Fatal(err)
				}
			}
			lines := strings.Split(b.String(), "\n")
			if len(lines) != 4 || !strings.HasSuffix(lines[0], "  COMMAND LINE") {
				t.Fatalf("want a header and two lines, got %q", lines)
			}
			for _, line := range lines[1:3] {
				if got := strings.TrimLeft(line, " "); got != test.want {
					t.Errorf("got %.100q, want %.100q", got, test.want)
				}
			}
		})
	}
}
