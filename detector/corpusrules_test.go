package detector

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The one rule with a long list of names, and its place: a rule about Linux, and
// so late that small sets do without it.
const (
	longRule      = `(process.user.id == "0" and process.real_user.id != "0") and process.name in ({names 640})`
	longRulePlace = 245
)

// The shares of rules, of 100, by what they have beside head and body.
const (
	shareUsual     = 4  // the subject is a usual command: the rule is noisy
	shareBeside    = 32 // of each of three draws
	shareLong      = 3  // of lists, not of rules
	shareSeldom    = 25
	shareExclusion = 50
	shareComment   = 22
)

// generateRules returns n EQL queries over process starts, the same for the same
// seed. Those for a smaller n are the first of those for a larger, and a fair
// mix of systems.
func generateRules(seed uint64, n int) []string {
	r := &ruleSource{corpusSource: newCorpusSource(seed, 2)}
	credit := make([]int, len(allRuleShapes))
	decks := make([][]string, len(allRuleShapes))
	rules := make([]string, n)
	for i := range rules {
		next := 0
		for j, s := range allRuleShapes {
			credit[j] += s.share
			if credit[j] > credit[next] {
				next = j
			}
		}
		credit[next] -= 100
		if len(decks[next]) == 0 {
			decks[next] = slices.Clone(allRuleShapes[next].bodies)
			r.Shuffle(len(decks[next]), func(a, b int) { decks[next][a], decks[next][b] = decks[next][b], decks[next][a] })
		}
		body := decks[next][0]
		decks[next] = decks[next][1:]
		if i == longRulePlace {
			body = longRule
		}
		rules[i] = r.rule(allRuleShapes[next], body)
	}
	return rules
}

// ruleSource is chance for rules, and what the literals of a rule agree on.
type ruleSource struct {
	*corpusSource
	subject corpusCommand
	names   []string // the last list of names, for that of original file names
}

func (r *ruleSource) rule(s *ruleShapes, body string) string {
	system := corpusSystems[r.IntN(2)]
	for _, c := range corpusSystems {
		if c.name == s.system {
			system = c
		}
	}
	r.names = nil
	r.user = r.word(system.users)
	if r.subject = r.suspect(system); r.percent(shareUsual) && strings.Contains(body, "{names") {
		r.subject = system.usualCommands[r.IntN(len(system.usualCommands))]
	}
	if body == longRule {
		return "process where " + s.heads[0] + " and\n" + r.literals(body)
	}
	terms := []string{r.of(s.heads...), body}
	for range 3 {
		if term := r.of(s.beside...); r.percent(shareBeside) && !slices.Contains(terms, term) {
			terms = append(terms, term)
		}
	}
	if r.percent(shareSeldom) {
		terms = append(terms, r.of(s.seldom...))
	}
	if r.percent(shareExclusion) {
		few := []string{r.of(s.exclusions...), r.of(s.exclusions...)}
		var list []string
		for range 1 + r.IntN(1+r.IntN(12)) { // mostly few
			list = append(list, r.of(few...))
		}
		terms = append(terms, "not (\n  "+strings.Join(list, " or\n  ")+"\n)")
	}
	if r.percent(shareComment) {
		terms[1] = r.of("// the programs that are used for it\n", "/* as of its second version */\n") + terms[1]
	}
	for i := range terms {
		terms[i] = r.literals(terms[i])
	}
	return "process where " + strings.Join(terms, " and\n")
}

// literals replaces the slots of a shape.
func (r *ruleSource) literals(shape string) string {
	var b strings.Builder
	for {
		before, slot, found := strings.Cut(shape, "{")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		slot, shape, _ = strings.Cut(slot, "}")
		b.WriteString(strings.Join(r.list(strings.Fields(slot)), ", "))
	}
}

func (r *ruleSource) list(slot []string) []string {
	kind, bounds, form := slot[0], []int{}, ""
	for _, word := range slot[1:] {
		if n, err := strconv.Atoi(word); err == nil {
			bounds = append(bounds, n)
		} else {
			form = word
		}
	}
	size := 1
	switch {
	case kind == "number":
		return []string{fmt.Sprint(1 + r.IntN(5))}
	case kind == "codes" && len(bounds) == 0:
		size = len(r.names)
	case len(bounds) == 1:
		size = bounds[0]
	case len(bounds) == 2: // most lists are short, a few are far longer
		u := r.Float64()
		size = int(float64(bounds[0]) * math.Pow(float64(bounds[1]+1)/float64(bounds[0]), u*u))
		if r.percent(shareLong) {
			size += 10 + r.IntN(90)
		}
	}
	if kind == "names" || kind == "tools" {
		r.names = nil
	}
	var list []string
	for i := 0; len(list) < size; i++ {
		word := r.choose(kind, form, i)
		if kind == "names" || kind == "tools" {
			r.names = append(r.names, word)
		}
		text := r.pattern(form, word)
		if form != "regex" {
			text = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	return list
}

// choose is a word of a kind for the i-th literal of a list; the first one suits
// the subject.
func (r *ruleSource) choose(kind, form string, i int) string {
	s, first := r.subject.system, i == 0
	parent := s.parent[r.subject.parent]
	switch kind {
	case "names":
		if first {
			return r.subject.name()
		}
		if r.percent(7) {
			return s.usualCommands[r.IntN(len(s.usualCommands))].name()
		}
		return r.tool(s)
	case "programs": // none that is usual
		isSubject := func(c corpusCommand) bool { return c.name() == r.subject.name() }
		if first && !slices.ContainsFunc(s.usualCommands, isSubject) {
			return r.subject.name()
		}
		return r.tool(s)
	case "tools":
		return r.tool(s)
	case "codes": // the original names of the names listed before, if any
		if i < len(r.names) {
			return originalFileName(r.names[i])
		}
		return originalFileName(r.tool(s))
	case "parents":
		if first {
			return parent.name()
		}
		if r.percent(40) {
			return s.parentCommands[r.IntN(len(s.parentCommands))].name()
		}
		return r.tool(s)
	case "strangers": // to the subject
		if name := s.parentCommands[r.IntN(len(s.parentCommands))].name(); name != parent.name() && r.percent(50) {
			return name
		}
		return r.tool(s)
	case "shells":
		return strings.Fields(s.shells)[i]
	case "args":
		if first && len(r.subject.args) > 0 {
			// The longest tells most, and a slot suits a pattern alone.
			word := slices.MaxFunc(r.subject.args, compareLengths)
			if form != "contains" && form != "regex" {
				word = r.of(r.subject.args...)
			}
			if plain := slices.IndexFunc(r.subject.args, hasNoSlot); form == "" && plain >= 0 && !hasNoSlot(word) {
				word = r.subject.args[plain]
			}
			return word
		}
		return r.flag(s)
	case "flags":
		return r.flag(s)
	case "parentargs":
		if first {
			return r.of(append(parent.args, parent.executable)...)
		}
		return r.flag(s)
	case "lairs":
		if place := strings.TrimSuffix(r.subject.executable, r.subject.name()); first && slices.Contains(strings.Fields(s.lairs), place) {
			return place
		}
		if r.percent(70) {
			return r.word(s.lairs)
		}
		return r.word(s.lairs) + r.slot("made") + s.slash
	case "files":
		if first {
			return r.subject.executable
		}
		return r.word(s.lairs) + r.tool(s)
	case "apps":
		return r.fill(r.of(strings.Split(strings.TrimSpace(s.apps), "\n")...))
	}
	panic("corpus: no words of the kind " + kind)
}

// tool is the name of a rare program, known or made up.
func (r *ruleSource) tool(s *corpusSystem) string {
	switch {
	case r.percent(60):
		return r.word(s.tools)
	case s.name == "windows":
		return r.slot("made") + ".exe"
	}
	return r.slot("made")
}

// flag is an argument of a rare program, known or made up.
func (r *ruleSource) flag(s *corpusSystem) string {
	if r.percent(60) {
		return r.word(s.flags)
	}
	return r.of("--", "-", "/", "", s.slash) + r.slot("made") + r.of("", "=", ".", s.slash) + r.slot("made")
}

func compareLengths(a, b string) int { return len(a) - len(b) }

func hasNoSlot(word string) bool { return !strings.Contains(word, "{") }

var slotOfText = regexp.MustCompile(`\{[a-z]+\}`)

// pattern is a literal that a word satisfies, in one of the forms that rules
// have.
func (r *ruleSource) pattern(form, word string) string {
	if form == "mixed" {
		if form = mixedForms[r.pick(mixedShares)]; strings.HasPrefix(word, "C:") {
			form = "drive"
		}
	}
	if form == "" {
		return r.fill(word)
	}
	word = slotOfText.ReplaceAllString(word, "*")
	if len(strings.Trim(word, "*")) < 2 { // says nothing
		word = r.slot("made")
	}
	if len(word) < 4 && (form == "prefix" || form == "suffix" || form == "middle" || form == "several") {
		return word // a part of it would suit too much
	}
	third := 1 + len(word)/3
	switch form {
	case "concrete":
		return strings.ReplaceAll(word, "*", r.slot("made"))
	case "drive":
		if rest, found := strings.CutPrefix(word, "C:"); found {
			word = "?:" + rest
		}
		if strings.HasSuffix(word, `\`) {
			word += "*"
		}
		return word
	case "versions":
		return word + r.of("", "", "*")
	case "prefix":
		if name := strings.LastIndex(word, "/") + 1; name < len(word) {
			word = word[:(name+1+len(word))/2]
		}
		return word + "*"
	case "suffix":
		return "*" + word[third-1:]
	case "contains":
		if len(word) < 5 {
			word = " " + word + " "
		}
		if len(word) > 12 && !strings.Contains(word, "*") && r.percent(60) {
			word = word[third : 2*third]
		}
		return "*" + word + "*"
	case "middle":
		return word[:third] + "*" + word[len(word)-len(word)/3:]
	case "several":
		return "*" + word[:third] + "*" + word[len(word)-len(word)/3:] + "*"
	case "regex":
		letters := slices.MaxFunc(regexp.MustCompile(`[a-zA-Z0-9]*`).FindAllString(word, -1), compareLengths)
		if len(letters) < 3 {
			letters = r.slot("made")
		}
		return fmt.Sprintf(r.of(
			`.*(%[1]s|%[2]s)[ =:].*`, `.*%[1]s[a-zA-Z0-9_.\-]{2,40}( .*)?`, `[^ ]+ .*(%[2]s|%[1]s)\s?.*`, `.*%[1]s\.?[a-z]{1,3}.*`,
		), letters, r.slot("made"))
	}
	panic("corpus: no patterns of the form " + form)
}

// The forms of patterns, drive letters aside, and their shares of 100.
var (
	mixedForms  = []string{"", "contains", "prefix", "several", "middle", "suffix"}
	mixedShares = []int{58, 13, 12, 8, 5, 4}
)
