package detector

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
)

// addressTexts are texts that are addresses, or nearly.
var addressTexts = []string{
	"", ".", ":", "::", ":::", "1", "1.2.3.4", "0.0.0.0", "255.255.255.255", "256.1.1.1", "1.2.3.256", "1.2.3", "1.2.3.", ".1.2.3", "1.2.3.4.", "1.2.3.4.5",
	"1..2.3", "01.2.3.4", "1.2.3.04", "1.2.3.00", "1.2.3.0", "1.2.3.1000", "1.2.3.-4", "1.2.3.+4", "1.2.3.a", " 1.2.3.4", "1.2.3.4 ", "1.2.3.4\n", "１.2.3.4",
	"1.2.3.4%eth0", "1.2.3.4/32", "1.2.3.4:80", "0x1.2.3.4", "99999999999999999999.1.1.1",
	"::1", "1::", "::1:2", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::3:4:5:6:7:8", "1:2:3:4::5:6:7:8",
	"::1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "1::2::3", "1:2:3:4:5:6:7:", ":1:2:3:4:5:6:7", "1:", ":1", "1:::2", "00001::", "0001::", "12345::", "::ABCD:ef01", "::g", "::-1",
	"::1.2.3.4", "::ffff:1.2.3.4", "::FFFF:1.2.3.4", "::ffff:102:304", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "1::5:1.2.3.4", "::1.2.3", "::1.2.3.4.5",
	"::01.2.3.4", "::1.2.3.04", "::256.2.3.4", "::1.2.3.4:5", "1.2.3.4::", "1:2:3:4:5:6:7:1.2", "::1.2.3.4%x", "::ffff:", "1:2:3:4:5:6:1.2.3.4::", "::a.2.3.4", "::1a.2.3.4",
	"fe80::1%eth0", "fe80::1%", "%eth0", "::%1", "fe80::%eth0/64", "[::1]", "::1]", "::\x00", "::\xff", "é::1",
}

var blockTexts = []string{
	"10.0.0.0/8", "10.1.2.3/8", "10.0.0.0/0", "10.0.0.0/32", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08", "10.0.0.0/", "/8", "10.0.0.0//8", "10.0.0.0/8/8", "10.0.0/8",
	"010.0.0.0/8", "10.0.0.0/8 ", "10.0.0.0/a", "::/0", "::/128", "::/129", "::1/1", "2001:db8::/33", "::ffff:10.0.0.0/104", "::ffff:10.0.0.0/8", "fe80::1%eth0/64", "fe80::/64%eth0", "1::2::3/4",
	"10.0.0.0/999999999999999999999",
}

// sameAddress holds the reader of addresses to net/netip, zones apart.
func sameAddress(t *testing.T, text string) {
	t.Helper()
	want, err := netip.ParseAddr(text)
	ok := err == nil && want.Zone() == "" && !strings.Contains(text, "%")
	got, read := parseAddress([]byte(text))
	if read != ok || ok && netip.AddrFrom16(got) != netip.AddrFrom16(want.As16()) {
		t.Errorf("%q: read as %s, %v, want %s, %v", text, netip.AddrFrom16(got), read, want, ok)
	}
}

// sameBlock holds the reader of blocks to net/netip, on the addresses at and
// beside both of its ends.
func sameBlock(t *testing.T, text string) {
	t.Helper()
	want, err := netip.ParsePrefix(text)
	got, ok := parseBlock([]byte(text))
	if !strings.Contains(text, "/") {
		want16, single := parseAddress([]byte(text))
		if ok != single || ok && got != (block{want16, 128}) {
			t.Errorf("%q: block %v, %v, want that of one address, %v", text, got, ok, single)
		}
		return
	}
	if ok != (err == nil) {
		t.Errorf("%q: read %v, want %v", text, ok, err == nil)
	}
	if !ok || err != nil {
		return
	}
	first := want.Masked().Addr().AsSlice()
	last := append([]byte{}, first...)
	for i := want.Bits(); i < 8*len(last); i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	for _, end := range [][]byte{first, last} {
		a, _ := netip.AddrFromSlice(end)
		for _, one := range []netip.Addr{a, a.Prev(), a.Next()} {
			if !one.IsValid() {
				continue
			}
			if in := got.contains(one.As16()); in != want.Contains(one) {
				t.Errorf("%q holds %s: %v, want %v", text, one, in, !in)
			}
		}
	}
}

func TestAddressAgreesWithNetip(t *testing.T) {
	read := 0
	for _, text := range addressTexts {
		sameAddress(t, text)
		if _, ok := parseAddress([]byte(text)); ok {
			read++
		}
	}
	if read != 20 {
		t.Errorf("%d of the texts are addresses, want 20", read)
	}
	random := rand.New(rand.NewPCG(41, 42))
	for range 60_000 {
		var b strings.Builder
		for range random.IntN(18) {
			b.WriteString([]string{":", ":", "::", ".", "0", "1", "25", "255", "f", "ffff", "00ab", "%", "x"}[random.IntN(13)])
		}
		sameAddress(t, b.String())
	}
}

func TestBlockAgreesWithNetip(t *testing.T) {
	for _, text := range append(blockTexts, addressTexts...) {
		sameBlock(t, text)
	}
	for bits := range 129 {
		a := netip.MustParseAddr("8765:4321:89ab:cdef:fedc:ba98:1234:5678")
		sameBlock(t, netip.PrefixFrom(a, bits).String())
		if v4 := netip.MustParseAddr("172.22.165.90"); bits <= 32 {
			sameBlock(t, netip.PrefixFrom(v4, bits).String())
		}
	}
}

// TestBlockMapsIPv4 is about addresses of one family in blocks of the other.
func TestBlockMapsIPv4(t *testing.T) {
	for _, c := range []struct {
		block, address string
		want           bool
	}{
		{"::/0", "1.2.3.4", true}, {"::ffff:0:0/96", "1.2.3.4", true}, {"::ffff:0:0/96", "::1.2.3.4", false}, {"0.0.0.0/0", "::ffff:1.2.3.4", true},
		{"0.0.0.0/0", "::", false}, {"::ffff:10.0.0.0/104", "10.1.2.3", true}, {"::ffff:10.0.0.0/104", "11.1.2.3", false},
		{"10.0.0.0/8", "::ffff:a01:203", true}, {"10.0.0.0/8", "a01:203::", false}, {"1.2.3.4", "::ffff:1.2.3.4", true}, {"::1.2.3.4", "1.2.3.4", false},
		{"fe80::/10", "fe80::1%eth0", false}, {"10.0.0.0/8", "10.0.0.0/8", false}, {"10.0.0.0/8", "", false},
	} {
		b, ok := parseBlock([]byte(c.block))
		if got := within([]block{{ipv4In6, 128}, b}, []byte(c.address)); !ok || got != c.want {
			t.Errorf("%s in %s: %v, want %v", c.address, c.block, got, c.want)
		}
	}
	if within(nil, []byte("1.2.3.4")) {
		t.Error("no block holds an address")
	}
}

func FuzzAddress(f *testing.F) {
	for _, text := range append(blockTexts, addressTexts...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		sameAddress(t, text)
		sameBlock(t, text)
	})
}
