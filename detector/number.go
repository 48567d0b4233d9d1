package detector

import (
	"bytes"
	"strconv"
)

// number reads a text as a number, to the given base or, from 0x on, to base 16.
func number(_ *machine, _ *term, args []value) value {
	if args[0].kind != textual || len(args[0].text) > maxDigits {
		return value{}
	}
	s, base := args[0].text, int64(10)
	if len(args) > 1 && args[1].kind == long {
		base = args[1].n
	} else if bytes.HasPrefix(s, []byte("0x")) {
		base = 16
	}
	if base == 16 {
		s = bytes.TrimPrefix(s, []byte("0x"))
	}
	if base == 10 && bytes.ContainsAny(s, ".eE") {
		if !isDecimal(s) { // strconv's error would keep the text
			return value{}
		}
		x, err := strconv.ParseFloat(string(s), 64)
		if err != nil {
			return value{}
		}
		return doubleOf(x)
	}
	if base < 2 || base > 36 {
		return value{}
	}
	return parseLong(s, base)
}

// maxDigits bounds the text that number reads: a double has at most 767
// significant digits.
const maxDigits = 1000

// parseLong reads a whole number, which may have a sign.
func parseLong(s []byte, base int64) value {
	negative := len(s) > 0 && s[0] == '-'
	if negative || len(s) > 0 && s[0] == '+' {
		s = s[1:]
	}
	if len(s) == 0 {
		return value{}
	}
	n := longOf(0)
	for _, c := range s {
		digit := digitOf(c)
		if digit >= base {
			return value{}
		}
		if n = computeLong('*', n.n, base); n.kind == long { // downwards, where one more number lies
			n = computeLong('-', n.n, digit)
		}
		if n.kind == null {
			return n
		}
	}
	if !negative {
		return computeLong('-', 0, n.n)
	}
	return n
}

// digitOf is the value of a digit, more than any base if c is none.
func digitOf(c byte) int64 {
	switch {
	case isDigit(c):
		return int64(c - '0')
	case lower[c] >= 'a' && lower[c] <= 'z':
		return int64(lower[c]-'a') + 10
	}
	return 99
}

// isDecimal reports whether s is digits with a point and an exponent.
func isDecimal(s []byte) bool {
	at := 0
	sign := func() {
		if at < len(s) && (s[at] == '-' || s[at] == '+') {
			at++
		}
	}
	digits := func() int {
		start := at
		for at < len(s) && isDigit(s[at]) {
			at++
		}
		return at - start
	}
	sign()
	n := digits()
	if at < len(s) && s[at] == '.' {
		at++
		n += digits()
	}
	if n == 0 {
		return false
	}
	if at < len(s) && s[at]|0x20 == 'e' {
		at++
		if sign(); digits() == 0 {
			return false
		}
	}
	return at == len(s)
}
