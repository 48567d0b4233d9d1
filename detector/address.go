package detector

import (
	"bytes"
	"net/netip"
)

// address is an IP address in its IPv6 form. netip reads strings alone, and
// keeping one for its errors would allocate for every value of an event.
type address [16]byte

// block is the addresses that begin with the same bits.
type block struct {
	first address
	bits  int
}

func (b block) contains(a address) bool {
	whole, rest := b.bits/8, b.bits%8
	if !bytes.Equal(a[:whole], b.first[:whole]) {
		return false
	}
	return rest == 0 || (a[whole]^b.first[whole])>>(8-rest) == 0
}

// parseBlock reads an address, or a block in CIDR notation whose address need not
// be its first (https://datatracker.ietf.org/doc/html/rfc4632). An IPv4 block is
// one of IPv6 too, behind 96 fixed bits.
func parseBlock(s []byte) (block, bool) {
	if bytes.IndexByte(s, '/') < 0 {
		a, ok := parseAddress(s)
		return block{a, 128}, ok
	}
	p, err := netip.ParsePrefix(string(s))
	if err != nil {
		return block{}, false
	}
	b := block{p.Addr().As16(), p.Bits()}
	if p.Addr().Is4() {
		b.bits += 96
	}
	return b, true
}

var ipv4In6 = address{10: 0xff, 11: 0xff}

// parseAddress reads an IPv4 or IPv6 address without a zone.
func parseAddress(s []byte) (address, bool) {
	if bytes.IndexByte(s, ':') >= 0 {
		return parseIPv6(s)
	}
	a := ipv4In6
	rest, ok := parseIPv4(a[12:], s)
	return a, ok && len(rest) == 0
}

// parseIPv4 reads four numbers without leading zeros and returns what follows.
func parseIPv4(dst, s []byte) (rest []byte, ok bool) {
	for i := range 4 {
		if i > 0 {
			if len(s) == 0 || s[0] != '.' {
				return nil, false
			}
			s = s[1:]
		}
		n, digits := 0, 0
		for digits < len(s) && isDigit(s[digits]) && digits < 4 {
			n = n*10 + int(s[digits]-'0')
			digits++
		}
		if digits == 0 || n > 255 || digits > 1 && s[0] == '0' {
			return nil, false
		}
		dst[i], s = byte(n), s[digits:]
	}
	return s, true
}

// parseIPv6 reads groups of four hex digits, of which one run of zeros may be
// written :: and the last two as an IPv4 address (RFC 4291, section 2.2).
func parseIPv6(s []byte) (a address, ok bool) {
	at, gap := 0, -1
	if bytes.HasPrefix(s, []byte("::")) {
		gap, s = 0, s[2:]
	}
	for at < len(a) && len(s) > 0 {
		n, digits := 0, 0
		for digits < len(s) && digits < 5 && hexDigit(s[digits]) >= 0 {
			n = n<<4 | hexDigit(s[digits])
			digits++
		}
		switch {
		case digits < len(s) && s[digits] == '.' && at <= len(a)-4:
			rest, ok := parseIPv4(a[at:], s)
			if !ok {
				return a, false
			}
			if at, s = at+4, rest; len(s) > 0 {
				return a, false
			}
			continue
		case digits == 0 || digits > 4:
			return a, false
		}
		a[at], a[at+1], at = byte(n>>8), byte(n), at+2
		if s = s[digits:]; len(s) == 0 {
			break
		}
		if s[0] != ':' || len(s) == 1 {
			return a, false
		}
		if s = s[1:]; s[0] == ':' {
			if gap >= 0 {
				return a, false
			}
			gap, s = at, s[1:]
		}
	}
	switch {
	case len(s) > 0 || gap < 0 && at < len(a) || gap >= 0 && at == len(a):
		return a, false
	case gap >= 0:
		tail := len(a) - (at - gap)
		copy(a[tail:], a[gap:at])
		clear(a[gap:tail])
	}
	return a, true
}

func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// within reports whether text is an address in one of the blocks.
func within(blocks []block, text []byte) bool {
	a, ok := parseAddress(text)
	if !ok {
		return false
	}
	for _, b := range blocks {
		if b.contains(a) {
			return true
		}
	}
	return false
}
