package detector

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// drawn is an explanation a line a node: + for true and - for false, the place,
// the text and the values with their types.
func drawn(b *strings.Builder, d *Explanation, indent string) {
	sign := "-"
	if d.Pass {
		sign = "+"
	}
	fmt.Fprintf(b, "%s%s %d:%d %s", indent, sign, d.Line, d.Col, d.Text)
	for _, v := range d.Values {
		fmt.Fprintf(b, " | %T %v", v, v)
	}
	b.WriteByte('\n')
	for _, c := range d.Children {
		drawn(b, c, indent+"  ")
	}
}

func TestExplain(t *testing.T) {
	query := strings.Join([]string{
		`process where event.action == "exec" and`,
		`  // é, a column is a code point`,
		`  (process.name : "é*" or /* é */ process.args like ("-x", "-y")) and`,
		"\tnot process.pid > 4.5 and not (user.id == \"0\" or user.id != \"1\") and",
		`  process.Ext.relative_file_creation_time < 5 and process.interactive and`,
		`  @timestamp < "2031-01-01" and cidrMatch(host.ip, "10.0.0.0/8") and process.exit_code == null and`,
		`  startsWith(process.executable, process.working_directory) and ?no.such != "a" and true`,
	}, "\n")
	event := []values{
		{"event.category", "process"}, {"event.action", "exec", "fork"}, {args, "-Y", "-y"}, {pid, "4", "-1"}, {"user.id", "2"},
		{"process.Ext.relative_file_creation_time", "4.25", "7"}, {"process.interactive", "false", "true"},
		{"@timestamp", "2030-05-06T07:08:09.123Z"}, {"host.ip", "10.0.0.1", "::1"},
		{"process.executable", "/bin/é"}, {"process.working_directory", "/", "/bin"},
	}
	var b strings.Builder
	for _, c := range []struct{ name, text string }{
		{"a.eql", "\n" + query},
		{"a.toml", head + "query = '''\n" + query + "\n'''"},
		{"b.toml", head + `query = "process where not \u0070rocess.name == \"a\" and process.args : \"*\""`},
		{"b.eql", "any where process.name : \"é\""},
	} {
		r, err := Load(c.name, []byte(c.text), ecs.Default, FoldUnicode)
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(c.name + "\n")
		drawn(&b, r.Explain(typed(t, event...)), "")
	}
	golden(t, "explain.golden", b.String())
}

func TestExplainShowsSomeOfMuch(t *testing.T) {
	long := strings.Repeat("é", maxShownText)
	many := make(values, 1+maxShown+50)
	for i := range many {
		many[i] = fmt.Sprint(i - 1)
	}
	many[0] = args
	for _, c := range []struct {
		condition string
		fields    []values
		want      []any
	}{
		{`process.args == "0"`, []values{many[:1+maxShown]}, first(many[1 : 1+maxShown])},
		{`process.args == "0"`, []values{many[:2+maxShown]}, append(first(many[1:1+maxShown]), "… and 1 more")},
		{`process.args == "0"`, []values{many}, append(first(many[1:1+maxShown]), "… and 50 more")},
		{`process.name == "0"`, []values{{"process.name", long, "x"}}, []any{long, "x"}},
		{`process.name == "0"`, []values{{"process.name", long + "x"}}, []any{cut(long+"x", maxShownText)}},
		{`startsWith(process.name, process.args)`, []values{{"process.name", long + "x"}, {args, "b", "a"}},
			[]any{"process.name: " + cut(long+"x", maxShownText), "process.args: b", "process.args: a"}},
		{`process.pid + process.args_count == 1`, []values{{pid, "7", "8"}}, []any{"process.pid: 7", "process.pid: 8"}},
		{`concat(?no.such, process.name) == "a"`, []values{{"process.name", "x"}}, []any{"process.name: x"}},
		{`?no.such == "a"`, []values{{"process.name", "x"}}, nil},
		{`process.name == "a"`, nil, nil},
		{`process.name == ""`, []values{{"process.name", ""}}, []any{""}},
		{`false`, []values{{"process.name", "x"}}, nil},
	} {
		d := mustCompile(t, "any where "+c.condition).Explain(typed(t, c.fields...))
		if diff := cmp.Diff(c.want, d.Values); diff != "" && len(d.Values)+len(c.want) > 0 {
			t.Errorf("%s (-want +got):\n%s", c.condition, diff)
		}
	}
	if shown := cut(long+"x", maxShownText); len([]rune(shown)) > maxShownText+20 || !strings.HasPrefix(shown, "éé") {
		t.Errorf("a long text is shown as %q", shown)
	}
}

func first(texts []string) (list []any) {
	for _, s := range texts {
		list = append(list, s)
	}
	return slices.Clip(list)
}

// TestExplainOwnsItsMemory changes the event behind the explanation.
func TestExplainOwnsItsMemory(t *testing.T) {
	for fold := range FoldUnicode + 1 {
		r, err := Compile("q", `any where process.name : "\u{e9}b"`, ecs.Default, fold)
		if err != nil {
			t.Fatal(err)
		}
		name := []byte("éB")
		e := ecs.NewEvent(ecs.Default)
		e.Add(ecs.ProcessName, name)
		d := r.Explain(e)
		copy(name, "xxxxx")
		e.Reset()
		if !d.Pass || d.Values[0] != "éB" {
			t.Errorf("%v", *d)
		}
	}
}

// TestDecisive names the leaves that decided, by the value that each asks for.
func TestDecisive(t *testing.T) {
	for _, c := range []struct {
		condition string
		args      values
		pass      bool
		want      string
	}{
		{`$a`, values{"a"}, true, "a"},
		{`$a`, nil, false, "a"},
		{`not $a`, nil, true, "a"},
		{`not not $a`, values{"a"}, true, "a"},

		// A near miss names the one leaf that failed.
		{`$a and $b and $c`, values{"a", "c"}, false, "b"},
		{`$a and not $b and $c`, values{"a", "b", "c"}, false, "b"},
		{`$a and ($b or $c) and $d`, values{"a", "c"}, false, "d"},
		{`$a and not ($b or $c)`, values{"a", "c"}, false, "c"},
		{`$a and not ($b and $c)`, values{"a", "b", "c"}, false, "b c"},
		{`$a and ($b or $c) and $d`, values{"a", "d"}, false, "b c"},
		{`$a and ($b and $c or $d) and $e`, values{"a", "b", "e"}, false, "c d"},
		{`not ($a and not ($b or not $c))`, values{"a", "b", "c"}, true, "b"},
		{`not ($a and not ($b or not $c))`, values{"a", "c"}, false, "a b c"},
		{`not ($a or $b)`, nil, true, "a b"},
		{`not ($a or $b)`, values{"b"}, false, "b"},
		{`not ($a and $b)`, values{"b"}, true, "a"},

		// What is true needs all of an and, any that is true of an or.
		{`$a and $b`, values{"a", "b"}, true, "a b"},
		{`$a or $b or $c`, values{"b", "c"}, true, "b c"},
		{`$a or $b and $c`, values{"b", "c"}, true, "b c"},
		{`$a or $b`, nil, false, "a b"},
		{`$a and $b`, nil, false, "a b"},
		{`($a or $b) and ($c or $d)`, values{"a", "d"}, true, "a d"},
	} {
		query := c.condition
		for _, letter := range "abcde" {
			query = strings.ReplaceAll(query, "$"+string(letter), fmt.Sprintf(`process.args == "%c"`, letter))
		}
		d := mustCompile(t, "any where "+query).Explain(eventOf(t, append(values{args}, c.args...)))
		var got []string
		for _, leaf := range d.Decisive() {
			got = append(got, strings.Trim(strings.TrimPrefix(leaf.Text, "process.args == "), `"`))
		}
		if joined := strings.Join(got, " "); d.Pass != c.pass || joined != c.want {
			t.Errorf("%s of %q is %v by %q, want %v by %q", c.condition, c.args, d.Pass, joined, c.pass, c.want)
		}
	}

	// The category is a leaf like others.
	d := mustCompile(t, `process where process.args == "a"`).Explain(eventOf(t, values{args, "a"}, values{"event.category", "file"}))
	if leaves := d.Decisive(); len(leaves) != 1 || leaves[0].Text != `event.category == "process"` {
		t.Errorf("of another category decides %v", leaves)
	}
}

// turned is what an explanation comes to with some of its leaves the other way round.
func turned(d *Explanation, leaves []*Explanation) bool {
	if len(d.Children) == 0 {
		return d.Pass != slices.Contains(leaves, d)
	}
	for _, c := range d.Children {
		switch pass := turned(c, leaves); {
		case d.Text == "not":
			return !pass
		case pass == (d.Text == "or"):
			return pass
		}
	}
	return d.Text == "and"
}

// TestDecisiveDecide turns the leaves round that are said to decide.
func TestDecisiveDecide(t *testing.T) {
	c := choices{rand.New(rand.NewPCG(21, 22)).IntN}
	some := 0 // conditions that not all leaves decide
	for range 2000 {
		q := c.query()
		r, err := Compile("q", q.String(), ecs.Default, FoldASCII)
		if err != nil {
			continue
		}
		d := r.Explain(c.event(q))
		leaves := d.Decisive()
		if turned(d, nil) != d.Pass || turned(d, leaves) == d.Pass {
			t.Fatalf("%s is %v, with %d leaves turned %v", q, d.Pass, len(leaves), turned(d, leaves))
		}
		if len(leaves) < len(leavesOf(nil, d)) {
			some++
		}
	}
	if some < 500 {
		t.Errorf("only %d conditions are decided by some of their leaves", some)
	}
}

func leavesOf(list []*Explanation, d *Explanation) []*Explanation {
	if len(d.Children) == 0 {
		return append(list, d)
	}
	for _, c := range d.Children {
		list = leavesOf(list, c)
	}
	return list
}
