package detector

import (
	"math"
	"math/big"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// call is a function of the oracle.
func (s script) call(n *call) any {
	args := make([]any, len(n.args))
	for i, a := range n.args {
		args[i] = s.eval(a)
	}
	if n.fn.name != "number" && slices.Contains(args, nil) {
		return nil
	}
	same := exactly
	if n.fold {
		same = s.same
	}
	text := func(i int) []rune { return points(args[i].(string)) }
	switch n.fn.name {
	case "add", "subtract", "multiply", "divide", "modulo":
		op := map[string]byte{"add": '+', "subtract": '-', "multiply": '*', "divide": '/', "modulo": '%'}[n.fn.name]
		return number2(op, args[0], args[1])
	case "concat", "string":
		all := ""
		for _, a := range args {
			all += textOfAny(a)
		}
		return all
	case "startsWith":
		a, b := text(0), text(1)
		return len(a) >= len(b) && slices.EqualFunc(a[:len(b)], b, same)
	case "endsWith":
		a, b := text(0), text(1)
		return len(a) >= len(b) && slices.EqualFunc(a[len(a)-len(b):], b, same)
	case "stringContains":
		return indexPoints(text(0), text(1), 0, same) >= 0
	case "length":
		return int64(size(text(0)))
	case "indexOf":
		return oracleIndexOf(text(0), text(1), args[2:], same)
	case "substring":
		return oracleSubstring(text(0), args[1:])
	case "between":
		greedy := len(args) > 3 && args[3] == true
		return oracleBetween(text(0), text(1), text(2), greedy, same)
	case "number":
		return oracleNumber(args)
	}
	for _, block := range args[1:] {
		if inBlock(args[0].(string), block.(string)) {
			return true
		}
	}
	return false
}

// inBlock asks net/netip.
func inBlock(address, block string) bool {
	a, err := netip.ParseAddr(address)
	if err != nil || a.Zone() != "" {
		return false
	}
	if p, err := netip.ParsePrefix(block); err == nil {
		return p.Contains(a) || p.Contains(a.Unmap()) || p.Contains(netip.AddrFrom16(a.As16()))
	}
	b, err := netip.ParseAddr(block)
	return err == nil && a.Unmap() == b.Unmap()
}

func oracleIndexOf(s, part []rune, from []any, same func(a, b rune) bool) any {
	start := 0
	if len(from) > 0 {
		place, _, _ := floats(from[0], int64(0))
		at := int(min(max(place, 0), 1000))
		if start = atSize(s, at); start < len(s) && size(s[:start]) < at {
			start++
		}
	}
	if i := indexPoints(s, part, start, same); i >= 0 {
		return int64(size(s[:i]))
	}
	return nil
}

func oracleSubstring(s []rune, args []any) any {
	place := func(v any) int {
		x, n, _ := floats(v, int64(size(s)))
		if x < 0 {
			x += n
		}
		return int(min(max(x, 0), n))
	}
	from, to := place(args[0]), size(s)
	if len(args) > 1 {
		to = place(args[1])
	}
	if from >= to {
		return ""
	}
	return unpoints(s[atSize(s, from):atSize(s, to)])
}

func oracleBetween(s, left, right []rune, greedy bool, same func(a, b rune) bool) any {
	if len(s) == 0 || len(left) == 0 || len(right) == 0 {
		return unpoints(s)
	}
	i := indexPoints(s, left, 0, same)
	if i < 0 {
		return ""
	}
	s = s[i+len(left):]
	end := indexPoints(s, right, 0, same)
	for next := end; greedy && next >= 0; {
		end = next
		next = indexPoints(s, right, next+1, same)
	}
	if end < 0 {
		return ""
	}
	return unpoints(s[:end])
}

func oracleNumber(args []any) any {
	s, ok := args[0].(string)
	if !ok {
		return nil
	}
	base, given := int64(10), false
	if len(args) > 1 {
		base, given = args[1].(int64)
	}
	if !given {
		base = 10
		if strings.HasPrefix(s, "0x") {
			base = 16
		}
	}
	switch {
	case base < 2 || base > 36:
		return nil
	case base != 10:
		if base == 16 {
			s = strings.TrimPrefix(s, "0x")
		}
		if n, err := strconv.ParseInt(s, int(base), 64); err == nil {
			return n
		}
		return nil
	case strings.ContainsAny(s, ".eE"):
		if x, err := strconv.ParseFloat(s, 64); err == nil {
			return x
		}
	default:
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n
		}
	}
	return nil
}

// number2 is a op b, by way of numbers without a limit.
func number2(op byte, a, b any) any {
	if x, y, ok := longs(a, b); ok {
		if y == 0 && (op == '/' || op == '%') {
			return nil
		}
		p, q, r := big.NewInt(x), big.NewInt(y), new(big.Int)
		switch op {
		case '+':
			r.Add(p, q)
		case '-':
			r.Sub(p, q)
		case '*':
			r.Mul(p, q)
		case '/':
			r.Quo(p, q)
		case '%':
			r.Rem(p, q)
		}
		if !r.IsInt64() {
			return nil
		}
		return r.Int64()
	}
	x, y, ok := floats(a, b)
	if !ok {
		return nil
	}
	switch op {
	case '+':
		return x + y
	case '-':
		return x - y
	case '*':
		return x * y
	case '/':
		return x / y
	}
	return math.Mod(x, y)
}

func ordered(op operator, a, b any) bool {
	var less3 int
	if x, y, ok := floats(a, b); ok {
		if math.IsNaN(x) || math.IsNaN(y) {
			return false
		}
		less3 = unrounded(a).Cmp(unrounded(b))
	} else {
		return a == b && !op.order()
	}
	switch op {
	case less:
		return less3 < 0
	case lessEqual:
		return less3 <= 0
	case greater:
		return less3 > 0
	case greaterEqual:
		return less3 >= 0
	}
	return less3 == 0
}

// unrounded is a number without rounding.
func unrounded(v any) *big.Float {
	if n, ok := v.(int64); ok {
		return new(big.Float).SetInt64(n)
	}
	return big.NewFloat(v.(float64))
}

func longs(a, b any) (x, y int64, ok bool) {
	x, ok1 := a.(int64)
	y, ok2 := b.(int64)
	return x, y, ok1 && ok2
}

func floats(a, b any) (x, y float64, ok bool) {
	to := func(v any) (float64, bool) {
		switch v := v.(type) {
		case int64:
			return float64(v), true
		case float64:
			return v, true
		}
		return 0, false
	}
	x, ok1 := to(a)
	y, ok2 := to(b)
	return x, y, ok1 && ok2
}
