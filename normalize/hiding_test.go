package normalize_test

import (
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/detector"
	"github.com/imdswatch/imdswatch/normalize"
	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// hidden are ways in which an attacker, the kernel or a shipper can write one
// request so that a reader that is careless about one layer does not see it.
// line changes the command, audit the lines in which the audit system tells of
// it, record the bytes of the record that it ended up in.
var hidden = []struct {
	name                string
	layers              string // those of a row in which there is this way, "" for all
	line, audit, record func(string) string
}{
	{name: "as it is"},
	{name: "upper case", line: strings.ToUpper},
	{name: "padding", line: func(c string) string { return strings.Replace(c, " ", " -A "+strings.Repeat("x", 5000)+" ", 1) }},
	{name: "empty argument", line: replace(" -s ", ` ""  -s `)},
	{name: "quotes in the URL", layers: "command line", line: replace("/latest/meta-data/iam", `/la""test/"meta-data"/iam`)},
	{name: "hex", layers: "audit lines", audit: func(lines string) string { return rewrite(lines, "$n=", inHex) }},
	{name: "over fields", layers: "audit lines", audit: func(lines string) string { return rewrite(lines, "$n_len=99 $n[0]=$q $n[1]=", inHex) }},
	{name: "over records", layers: "audit lines", audit: overRecords},
	{name: "over records in reverse", layers: "audit lines", audit: func(lines string) string {
		all := strings.Split(overRecords(lines), "\n")
		slices.Reverse(all)
		return strings.Join(all, "\n")
	}},
	{name: "%6d", layers: "percent codes", record: replace("meta-data", "%6deta-data")},
	{name: `\/`, layers: "JSON", record: replace("/latest/", `\/latest\/`)},
	{name: `\u002f`, layers: "JSON", record: replace("/latest/", `\u002flatest\u002F`)},
	{name: `\u006d`, layers: "JSON", record: replace("meta-data", `\u006deta-data`)},
	{name: `\\u006d`, layers: "JSON in JSON", record: replace("/meta-data", `\\/\\u006deta-data`)},
	{name: "&#47;", layers: "XML", record: replace("/latest/", "&#47;latest&#x2f;")},
	{name: "&#x6D;", layers: "XML", record: replace("meta-data", "&#x6D;eta-data")},
	{name: `\u0026#x6d;`, layers: "XML in JSON", record: replace("meta-data", `\u0026#x6d;eta-data`)},
	{name: "CDATA", layers: "XML", record: replace("/latest/", "<![CDATA[/lat]]>est<!-- -->/")},
	{name: "member twice", layers: "names", record: twice},
	{name: "array action", layers: "event.action", record: func(raw string) string {
		return regexp.MustCompile(`action":"(\w+)"`).ReplaceAllString(raw, `action":["fork","$1","end"]`)
	}},
}

func replace(from, to string) func(string) string {
	return func(s string) string { return strings.Replace(s, from, to, 1) }
}

// rewrite writes the argument that is a URL in another of the kernel's ways: its
// number is $n, its first part, if it is cut in two, $q in quotes, and the rest
// follows, as encode writes it.
func rewrite(lines, as string, encode func(string) string) string {
	return regexp.MustCompile(`a\d+="(?i:http)[^"]*"`).ReplaceAllStringFunc(lines, func(field string) string {
		n, rest, _ := strings.Cut(strings.TrimSuffix(field, `"`), `="`)
		first := ""
		if strings.Contains(as, "$q") {
			const cut = len("http://169.254.169.254/latest/meta-d")
			first, rest = rest[:cut], rest[cut:]
		}
		return strings.NewReplacer("$n", n, "$q", inQuotes(first)).Replace(as) + encode(rest)
	})
}

func overRecords(lines string) string {
	return rewrite(lines, "$n_len=99 $n[0]=$q\ntype=EXECVE msg="+auditID+": $n[1]=", inQuotes)
}

func inHex(s string) string    { return strings.ToUpper(hex.EncodeToString([]byte(s))) }
func inQuotes(s string) string { return `"` + s + `"` }

// twice puts a harmless command in front of the real one, under the same name.
func twice(raw string) string {
	raw = regexp.MustCompile(`(\\?")((?i:[a-z.]*command_?line|[a-z.]*cmdline)\\?":)`).ReplaceAllString(raw, `$1$2${1}harmless$1,$1$2`)
	raw = regexp.MustCompile(`(\\?")((?:process\.)?args\\?":|ARGV\\?":)`).ReplaceAllString(raw, `$1$2[${1}harmless$1],$1$2`)
	return strings.ReplaceAll(raw, `<Data Name='CommandLine'>`, `<Data Name='CommandLine'>harmless</Data><Data Name='CommandLine'>`)
}

// oneEach is the layer of rows that send a record for each line.
const oneEach = "a record a line"

// listing asks for the names of roles; a byte more, and it asks for keys.
const listing = "curl -s http://169.254.169.254/latest/meta-data/iam/security-credentials/"

// records are what a row makes of a command line.
func (r *hidingRow) records(line string, audit, record func(string) string) []string {
	raw := line
	if strings.Contains(r.layers, "audit lines") {
		raw = hide(execve(line), audit)
	}
	raw = hide(r.wrap(raw), record)
	if strings.Contains(r.layers, oneEach) {
		return strings.Split(raw, "\n")
	}
	return []string{raw}
}

// hide is what a way of hiding makes of a text: something else.
func hide(s string, way func(string) string) string {
	if way == nil {
		return s
	}
	if way(s) == s {
		panic(fmt.Sprintf("nothing is hidden in %.2000s", s))
	}
	return way(s)
}

// judge counts the events of the records of one source and the alerts they make.
func judge(n normalize.Normalizer, set *detector.Set, want *hidingRow, records []string) (events, alerts int, err error) {
	take := func(es []ecs.Event) {
		for i := range es {
			alerts += len(set.Match(nil, &es[i]))
			if e := &es[i]; e.Shape != want.shape || e.Source != "" && e.Source != want.source {
				err = errors.Join(err, fmt.Errorf("event of %s/%s", e.Source, e.Shape))
			}
		}
		events += len(es)
	}
	for i, raw := range records {
		es, fault := n.Normalize(nil, &normalize.Record{Value: []byte(raw), Offset: int64(i)})
		err = errors.Join(err, fault)
		take(es)
	}
	if joiner, ok := n.(normalize.Joiner); ok {
		take(joiner.Expire(nil, normalize.EndOfInput))
		joiner.Reset()
	}
	return events, alerts, err
}

func builtinSet(t *testing.T) *detector.Set {
	t.Helper()
	rule, err := detector.Builtin(ecs.Default, detector.FoldASCII)
	if err != nil {
		t.Fatal(err)
	}
	set, err := detector.NewSet([]*detector.Rule{rule})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestHiding wants of every cell that the request for a role's keys alerts and
// that its twin, one byte short of the role's name, does not, whether the row's
// source reads the records or auto.
func TestHiding(t *testing.T) {
	set, auto := builtinSet(t), normalize.Lookup("auto").New()
	rows := map[string]int{}
	var matrix strings.Builder
	for _, h := range hidden {
		fmt.Fprintf(&matrix, " | %s", h.name)
	}
	for i := range hiding {
		r := &hiding[i]
		rows[r.source+"/"+r.shape]++
		own := normalize.Lookup(r.source).New()
		fmt.Fprintf(&matrix, "\n%s/%s (%s)", r.source, r.shape, r.layers)
		for _, h := range hidden {
			if !strings.Contains(r.layers, h.layers) {
				fmt.Fprintf(&matrix, " | n/a: no %s", h.layers)
				continue
			}
			alerts := func(n normalize.Normalizer, line string) bool {
				records := r.records(hide(line, h.line), h.audit, h.record)
				events, alerts, err := judge(n, set, r, records)
				if events != 1 || err != nil {
					t.Errorf("%s/%s (%s), %s: %T: %d events, error %v, of %.2000s", r.source, r.shape, r.layers, h.name, n, events, err, records)
				}
				return alerts == 1
			}
			cell := "seen"
			for _, n := range []normalize.Normalizer{own, auto} {
				if attack, twin := alerts(n, listing+"r"), alerts(n, listing); !attack || twin {
					cell = fmt.Sprintf("%T: attack %v, twin %v", n, attack, twin)
					t.Errorf("%s/%s (%s), %s: %s", r.source, r.shape, r.layers, h.name, cell)
				}
			}
			fmt.Fprintf(&matrix, " | %s", cell)
		}
	}
	for _, s := range normalize.Told() {
		for _, shape := range s.Shapes {
			if rows[s.Name+"/"+shape] == 0 {
				t.Errorf("no row of %s/%s", s.Name, shape)
			}
		}
	}
	t.Log(matrix.String())
}

// TestHidingNothing wants no alert of what only looks like the attack, in any
// row of a source that has the words to change.
func TestHidingNothing(t *testing.T) {
	set, auto := builtinSet(t), normalize.Lookup("auto").New()
	var table strings.Builder
	for _, l := range lookAlikes {
		rows := 0
		for i := range hiding {
			r := &hiding[i]
			if !slices.Contains(strings.Fields(l.sources), r.source) {
				continue
			}
			attack := r.records(listing+"r", nil, nil)
			changed := slices.Clone(attack)
			for i := range changed {
				changed[i] = strings.NewReplacer(l.fromTo...).Replace(changed[i])
			}
			if slices.Equal(changed, attack) {
				continue
			}
			rows++
			for _, n := range []normalize.Normalizer{normalize.Lookup(r.source).New(), auto} {
				if _, alerts, err := judge(n, set, r, changed); alerts != 0 || err != nil {
					t.Errorf("%s of %s/%s (%s), read by %T: %d alerts, error %v, of %.2000s", l.name, r.source, r.shape, r.layers, n, alerts, err, changed)
				}
			}
		}
		if rows == 0 {
			t.Errorf("%s: no row of %s has the words", l.name, l.sources)
		}
		fmt.Fprintf(&table, "\n%s: %s: none of %d rows alerts", l.sources, l.name, rows)
	}
	t.Log(table.String())
}
