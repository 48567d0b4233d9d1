package detector

import (
	"fmt"
	"strconv"
	"strings"
)

// sum reads a chain of + and -.
func (p *parser) sum() (node, *spot) { return p.arithmetic(p.product, "+", "-") }

// product reads a chain of *, / and %.
func (p *parser) product() (node, *spot) { return p.arithmetic(p.signed, "*", "/", "%") }

func (p *parser) arithmetic(term func() (node, *spot), marks ...string) (node, *spot) {
	left, fault := term()
	for fault == nil && p.isOneOf(tokenMark, marks...) {
		n := &arithmetic{at: p.tok.at, op: p.tok.text[0], left: left}
		if fault = p.addSum(); fault != nil {
			break
		}
		p.advance()
		n.right, fault = term()
		left = n
	}
	if fault != nil {
		return nil, fault
	}
	return left, nil
}

func (p *parser) addSum() *spot {
	if p.sums == maxSums {
		return p.failf("more than %d operators of arithmetic in one query", maxSums)
	}
	p.sums++
	return nil
}

// signed reads an operand that may have a sign. That of a number is part of it.
func (p *parser) signed() (node, *spot) {
	if !p.isOneOf(tokenMark, "+", "-") {
		return p.predicate()
	}
	if fault := p.nest(); fault != nil {
		return nil, fault
	}
	defer func() { p.nesting-- }()
	sign := p.tok
	p.advance()
	if p.tok.kind == tokenNumber {
		p.tok.text, p.tok.at = strings.TrimPrefix(sign.text, "+")+p.tok.text, sign.at
		return p.predicate()
	}
	right, fault := p.signed()
	if fault != nil || sign.text == "+" {
		return right, fault
	}
	return &arithmetic{at: sign.at, op: '-', right: right}, nil
}

// predicate reads an operand and what may stand directly behind it: a list, a
// pattern or a regular expression.
func (p *parser) predicate() (node, *spot) {
	left, fault := p.primary()
	if fault != nil {
		return nil, fault
	}
	op, found, fault := p.word(left)
	if fault != nil || !found {
		return left, fault
	}
	n := &compare{op: op, left: left}
	element := p.or
	if !op.member() {
		element = func() (node, *spot) { return p.pattern(op) }
	}
	switch {
	case p.is(tokenMark, "("):
		n.list = true
		n.right, fault = p.list(element)
	case op.member():
		fault = p.expected(fmt.Sprintf("a list (…) after %q", op))
	default:
		var t node
		t, fault = element()
		n.right = []node{t}
	}
	if fault != nil {
		return nil, fault
	}
	return n, nil
}

// word reads one of the operators that bind closest.
func (p *parser) word(left node) (op operator, found bool, fault *spot) {
	if p.accept(tokenKeyword, "not") {
		switch {
		case p.accept(tokenKeyword, "in"):
			return notIn, true, nil
		case p.accept(tokenKeyword, "in~"):
			return notInFold, true, nil
		case p.isOneOf(tokenKeyword, "like", "like~", "regex", "regex~"), p.is(tokenMark, ":"):
			return 0, false, &spot{at: p.last.at, message: fmt.Sprintf(`"not" cannot stand before %q: write not %s %[1]s …`, p.tok.text, left)}
		}
		return 0, false, p.expected(`"in" or "in~" after "not"`)
	}
	if p.accept(tokenMark, ":") {
		return match, true, nil
	}
	for _, op := range []operator{in, inFold, like, likeFold, regexMatch, regexFold} {
		if p.accept(tokenKeyword, op.String()) {
			return op, true, nil
		}
	}
	return 0, false, nil
}

// list reads what stands in parentheses behind an operator or a function.
func (p *parser) list(element func() (node, *spot)) ([]node, *spot) {
	if fault := p.nest(); fault != nil {
		return nil, fault
	}
	defer func() { p.nesting-- }()
	var list []node
	for {
		p.advance() // the bracket or the comma
		n, fault := element()
		if fault != nil {
			return nil, fault
		}
		list = append(list, n)
		if p.accept(tokenMark, ")") {
			return list, nil
		}
		if !p.is(tokenMark, ",") {
			return nil, p.expected(`"," or ")" in the list`)
		}
	}
}

// pattern reads the constant to the right of op.
func (p *parser) pattern(op operator) (node, *spot) {
	if p.tok.kind != tokenString {
		return nil, p.expected(fmt.Sprintf("a string after %q", op))
	}
	return p.literal()
}

// primary reads a literal, a call, a field or an expression in parentheses.
func (p *parser) primary() (node, *spot) {
	switch {
	case p.is(tokenMark, "("):
		if fault := p.nest(); fault != nil {
			return nil, fault
		}
		defer func() { p.nesting-- }()
		p.advance()
		n, fault := p.or()
		if fault != nil {
			return nil, fault
		}
		if !p.accept(tokenMark, ")") {
			return nil, p.expected(`"and", "or" or ")"`)
		}
		return n, nil
	case p.tok.kind == tokenString, p.tok.kind == tokenNumber, p.isOneOf(tokenKeyword, "true", "false", "null"):
		return p.literal()
	case p.tok.kind == tokenCall:
		return p.call(p.tok)
	}
	return p.field()
}

// literal reads a constant.
func (p *parser) literal() (node, *spot) {
	if p.literals == maxLiterals {
		return nil, p.failf("more than %d literals in one query", maxLiterals)
	}
	p.literals++
	n := &literal{at: p.tok.at}
	switch {
	case p.tok.kind == tokenString:
		n.value = textOf(p.tok.text)
	case p.tok.kind == tokenNumber:
		var err error
		if n.value, err = parseNumber(p.tok.text); err != nil {
			return nil, p.failf("number %s: %v", p.tok.text, err)
		}
	case p.tok.text == "null":
	default:
		n.value = booleanOf(p.tok.text == "true")
	}
	p.advance()
	return n, nil
}

// parseNumber reads a whole number, or where it has a point or an exponent one
// with 53 bits of precision.
func parseNumber(s string) (value, error) {
	if !strings.ContainsAny(s, ".eE") {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return value{}, fmt.Errorf("does not fit in 64 bits")
		}
		return longOf(n), nil
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return value{}, fmt.Errorf("is beyond the range of double")
	}
	return doubleOf(x), nil
}

// field reads a field's name, or where "(" follows a call.
func (p *parser) field() (node, *spot) {
	f := &field{at: p.tok.at}
	f.optional = p.accept(tokenMark, "?")
	switch {
	case p.tok.kind == tokenName, p.tok.kind == tokenQuoted:
	case f.optional:
		return nil, p.expected(`a field after "?"`)
	case p.last.kind == tokenMark && p.last.text != "(", p.is(tokenMark, ")"), p.is(tokenMark, ","):
		return nil, p.expected(fmt.Sprintf("a value after %q", p.last.text))
	default:
		return nil, p.expected("a condition")
	}
	first := p.tok
	for {
		f.name += p.tok.text
		p.advance()
		switch {
		case len(f.name) > maxName:
			return nil, &spot{at: f.at, message: fmt.Sprintf("name of a field is longer than %d bytes", maxName)}
		case p.is(tokenMark, "("):
			if f.optional || f.name != first.text || first.kind != tokenName {
				return nil, &spot{at: f.at, message: fmt.Sprintf("no function %q", f)}
			}
			return p.arguments(first)
		case p.is(tokenMark, "["):
			return nil, p.failf("a place in an array cannot be asked for: %q stands for any of its values", f)
		case !p.accept(tokenMark, "."):
			return f, nil
		case p.tok.kind != tokenName && p.tok.kind != tokenQuoted:
			return nil, p.expected(fmt.Sprintf("a name after %q", f.name+"."))
		}
		f.name += "."
	}
}

// call reads a call whose name ends in ~.
func (p *parser) call(name token) (node, *spot) {
	p.advance()
	if !p.is(tokenMark, "(") {
		return nil, p.expected(fmt.Sprintf(`"(" after %q`, name.text))
	}
	return p.arguments(name)
}

// arguments reads the arguments of the named function.
func (p *parser) arguments(name token) (node, *spot) {
	base, fold := strings.CutSuffix(name.text, "~")
	n := &call{at: name.at, fn: functionNamed(base), fold: fold}
	switch {
	case n.fn == nil:
		return nil, &spot{at: name.at, message: noFunction(base)}
	case fold && !n.fn.folds:
		return nil, &spot{at: name.at, message: fmt.Sprintf("function %s has no form %[1]s~: it does not compare letters", n.fn.name)}
	}
	var fault *spot
	if n.args, fault = p.list(p.or); fault != nil {
		return nil, fault
	}
	if least, most := len(n.fn.params)-n.fn.optional, len(n.fn.params); len(n.args) < least || !n.fn.variadic && len(n.args) > most {
		return nil, &spot{at: name.at, message: fmt.Sprintf("function %s takes %s, found %d", n.fn.name, n.fn.arity(), len(n.args))}
	}
	return n, nil
}
