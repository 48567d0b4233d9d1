package detector

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// allocFree asks that judging an event allocates nothing once its memory has grown.
func allocFree(t *testing.T, name string, match func()) {
	t.Helper()
	match()
	if n := testing.AllocsPerRun(50, match); n != 0 {
		t.Errorf("%s: %v allocations, want none", name, n)
	}
}

// busy are events that take long ways: absent fields, many values, long texts,
// letters beyond ASCII and bytes that are none.
func busy(t *testing.T) map[string]*ecs.Event {
	long := strings.Repeat("a/x-", 300)
	rich := []values{
		{"event.category", "process"}, {args, "a", "B", "/latest/meta-data", long, "", "0x1F"}, {"process.name", "curl", long}, {line, long + "aab" + long},
		{"process.executable", "/usr/bin/curl", long}, {pid, "1", "-7", "9223372036854775807"}, {"process.args_count", "2"}, {"process.exit_code", "0"},
		{"process.Ext.relative_file_creation_time", "4.5", "70"}, {"process.interactive", "false", "true"}, {"@timestamp", "2031-05-06T07:08:09Z"},
		{hostIP, "10.0.0.1", "::ffff:1.2.3.4", "fe80::1%eth0", "x"}, {"user.id", "0"},
	}
	wide := slices.Clone(rich)
	wide = append(wide, values{args, "É" + longS + kelvin + "\xff", strings.Repeat("é😀", 500)}, values{"process.name", "É\x80"})
	return map[string]*ecs.Event{"absent": eventOf(t), "rich": typed(t, rich...), "wide": typed(t, wide...)}
}

// TestAllocsOfEveryTest has a rule for each opcode, and for each function one that
// only the machine can answer.
func TestAllocsOfEveryTest(t *testing.T) {
	if underRace {
		t.Skip("the race detector takes from pools")
	}
	events := busy(t)
	seen := make(map[opcode]bool)
	called := make(map[string]bool)
	for _, condition := range []string{
		`process.args != null`, `process.pid == 4.5`, `?no.such : "a"`, `process.name : "k\u{e9}"`, `process.args in~ ("k", "\u{e9}sk", "c")`,
		`process.args : "sk*"`, `process.args : "*sk"`, `process.args : "*no way*"`, `process.args : "?s*k?x*"`,
		`process.args : ("a1*", "*b1?", "*c*d*", "?e", "\u{e9}*x", "*?")`, `process.args regex~ "[a-z]+(k|no)"`, `process.args regex """.*a(a|b){12}x""" `,
		`process.args regex~ "` + hardPattern + `"`, `process.args > "zzz"`, `process.pid in (5, 6)`, `process.Ext.relative_file_creation_time > 1e9`,
		`process.interactive == false and process.pid == 3`, `cidrMatch(host.ip, "11.0.0.0/8", "2001:db8::/32")`, `host.ip == "::2"`, `@timestamp > "2032"`,
		`startsWith~(process.args, "skx")`, `endsWith(process.args, "skx")`, `stringContains~(process.args, "skx")`,

		`process.pid + process.args_count * 2 - 1 == 7 or -process.pid / 2 % 3 == 5`,
		`add(process.pid, 1) == 0.5 or subtract(process.pid, 1) == 0.5 or multiply(process.pid, 2) == 0.5 or divide(process.pid, 2) == 0.5 or modulo(process.pid, 2) == 0.5`,
		`between(process.args, "/", "-") == "q"`, `between~(process.args, "S", "k", true) == "q"`, `concat(process.args, process.pid, 1.5, true, "x") == "q"`,
		`concat(process.Ext.relative_file_creation_time, process.interactive) : ("1.0E*", "*q")`, `string(process.Ext.relative_file_creation_time) == "q"`,
		`endsWith~(process.args, process.name)`, `startsWith(process.name, process.args) == true and process.pid == 3`, `stringContains~(process.args, concat(process.name, "q"))`,
		`indexOf~(process.args, "sk", 1) == 77`, `length(process.args) == 77`, `substring(process.args, -3, -1) : ("q*", "*?q")`, `substring(process.args, 1) in~ ("q", "z")`,
		`substring(process.args, 1) regex~ "[q-z]s+"`, `cidrMatch(?no.such, "::/0")`, `null == (process.exit_code > 5) and not (process.pid > 0 or process.interactive) == null`,
		`string(not (process.pid > 3 and process.interactive) or process.args in ("q")) == "q"`, `number(string(process.pid)) == 77`,
		`number(process.args) == 77`, `number(process.args, 8) == 77`, `string(process.Ext.relative_file_creation_time / 1e9) == "q"`,
	} {
		for fold := range FoldUnicode + 1 {
			r, err := Compile("q", "any where "+condition, ecs.Default, fold)
			if err != nil {
				t.Fatal(err)
			}
			for _, in := range r.program.code {
				seen[in.op] = true
				if in.op == opEval {
					calls(called, r.query.cond)
				}
			}
			for name, e := range events {
				allocFree(t, fmt.Sprintf("fold %d, %s, %s", fold, condition, name), func() { r.Match(e) })
			}
		}
	}
	for op := range opcodes {
		if !seen[opcode(op)] {
			t.Errorf("no rule tests %s", opcodes[op])
		}
	}
	for _, f := range functions {
		if !called[f.name] {
			t.Errorf("no rule calls %s", f.name)
		}
	}
}

func calls(called map[string]bool, n node) {
	if c, ok := n.(*call); ok {
		called[c.fn.name] = true
	}
	for _, c := range children(n) {
		calls(called, c)
	}
}

// TestAllocsOfASet judges generated events, as they are and with letters that
// fold, by a set as large as Elastic's.
func TestAllocsOfASet(t *testing.T) {
	if underRace {
		t.Skip("the race detector takes from pools")
	}
	for fold := range FoldUnicode + 1 {
		set, err := NewSet(corpus(t, fold))
		if err != nil {
			t.Fatal(err)
		}
		events := generateEvents(61, 100)
		for _, e := range slices.Clone(events[:50]) {
			wide := e.Clone()
			wide.Add(ecs.ProcessArgs, []byte("É"+kelvin+longS+"\xff"))
			events = append(events, wide)
		}
		for _, name := range slices.Sorted(maps.Keys(busy(t))) {
			events = append(events, busy(t)[name])
		}
		matched := make([]*Rule, 0, len(set.rules))
		allocFree(t, fmt.Sprintf("fold %d", fold), func() {
			for _, e := range events {
				matched = set.Match(matched[:0], e)
			}
		})
	}
}

// TestAllocsOfManyValues judges an event with ten thousand arguments, also by a
// leaf that tries each of them.
func TestAllocsOfManyValues(t *testing.T) {
	if underRace {
		t.Skip("the race detector takes from pools")
	}
	for fold, n := range []int{FoldASCII: 10_000, FoldUnicode: 4000} { // a view keeps no memory for more than some thousand values of a field
		fold := Fold(fold)
		e := eventOf(t, values{"event.category", "process"}, append(values{args}, manyTexts("é", n)...))
		rules := corpus(t, fold)[:40]
		for i, condition := range []string{`length(process.args) > 90`, `process.args : ("a?1*", "*b?2", "*zz*", "c*")`, `substring(process.args, 2) : "q*"`} {
			r, err := Compile(fmt.Sprint(i), "any where "+condition, ecs.Default, fold)
			if err != nil {
				t.Fatal(err)
			}
			rules = append(rules, r)
		}
		set, err := NewSet(rules)
		if err != nil {
			t.Fatal(err)
		}
		matched := make([]*Rule, 0, len(rules))
		match := func() { matched = set.Match(matched[:0], e) }
		match()
		if n := testing.AllocsPerRun(5, match); n != 0 {
			t.Errorf("fold %d: %v allocations, want none", fold, n)
		}
	}
}

func manyTexts(prefix string, n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("%s%d", prefix, i))
	}
	return list
}
