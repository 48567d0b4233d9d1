package detector

import (
	"bytes"
	"math"
	"strconv"
	"strings"
)

// valueKind is what a value is. A null is what a function of an absent field
// gives.
type valueKind uint8

const (
	null valueKind = iota
	boolean
	long
	double
	textual
)

var valueKinds = [...]string{null: "null", boolean: "boolean", long: "long", double: "double", textual: "text"}

func (k valueKind) String() string { return valueKinds[k] }

// value is a constant, or what an expression comes to. The zero value is null.
type value struct {
	kind valueKind
	n    int64 // of a long; of a boolean 0 or 1
	x    float64
	text []byte // a view: of a field's value, of a literal or of a machine's memory
}

func textOf(s string) value    { return value{kind: textual, text: []byte(s)} }
func longOf(n int64) value     { return value{kind: long, n: n} }
func doubleOf(x float64) value { return value{kind: double, x: x} }

func booleanOf(b bool) value {
	v := value{kind: boolean}
	if b {
		v.n = 1
	}
	return v
}

// isTrue reports whether v is the boolean true.
func (v value) isTrue() bool { return v.kind == boolean && v.n != 0 }

// numeric reports whether v is a number.
func (v value) numeric() bool { return v.kind == long || v.kind == double }

// float is the number v as a double.
func (v value) float() float64 {
	if v.kind == long {
		return float64(v.n)
	}
	return v.x
}

// String is v as a query writes it.
func (v value) String() string {
	switch v.kind {
	case boolean:
		return strconv.FormatBool(v.n != 0)
	case long:
		return strconv.FormatInt(v.n, 10)
	case double:
		s := strconv.FormatFloat(v.x, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case textual:
		return quote(string(v.text))
	}
	return "null"
}

// appendText appends v as the function string gives it; a double as Java writes
// it: 1.0, 1.0E7.
func (v value) appendText(dst []byte) []byte {
	switch v.kind {
	case boolean:
		return strconv.AppendBool(dst, v.n != 0)
	case long:
		return strconv.AppendInt(dst, v.n, 10)
	case double:
		return appendDouble(dst, v.x)
	case textual:
		return append(dst, v.text...)
	}
	return dst
}

func appendDouble(dst []byte, x float64) []byte {
	var buf [32]byte
	size := math.Abs(x)
	if size == 0 || size >= 1e-3 && size < 1e7 {
		text := strconv.AppendFloat(buf[:0], x, 'f', -1, 64)
		if dst = append(dst, text...); bytes.IndexByte(text, '.') < 0 {
			dst = append(dst, ".0"...)
		}
		return dst
	}
	text := strconv.AppendFloat(buf[:0], x, 'E', -1, 64) // 1.5E+07
	e := bytes.IndexByte(text, 'E')
	if e < 0 { // infinite, or no number
		return append(dst, text...)
	}
	dst = append(dst, text[:e]...)
	if bytes.IndexByte(text[:e], '.') < 0 {
		dst = append(dst, ".0"...)
	}
	dst = append(dst, 'E')
	if text[e+1] == '-' {
		dst = append(dst, '-')
	}
	return append(dst, bytes.TrimLeft(text[e+2:], "0")...)
}
