package normalize

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// xmlPaths are what tests read from event XML.
var xmlPaths = []string{"winlog.provider_name", "winlog.event_id", "winlog.computer_name", "winlog.record_id", "winlog.time_created",
	"winlog.event_data.Image", "winlog.event_data.CommandLine", "winlog.event_data.a"}

var xmlNames = []string{"provider", "id", "computer", "record", "time", "Image", "CommandLine", "a"}

// xmlValue is a value in a document and where its text ends.
type xmlValue struct {
	text string
	to   int
}

// readXML are the values of the first event of a document, and where the event
// begins and ends; begin is -1 if there is none.
func readXML(doc []byte) (values map[string][]xmlValue, begin, end int, fault *Error) {
	m := newMembers(xmlPaths)
	m.restart(doc, 0)
	if begin = xmlEvent(doc, 0); begin < 0 {
		return nil, begin, 0, nil
	}
	end = m.scanXML(begin)
	values = map[string][]xmlValue{}
	for p, name := range xmlNames {
		for k := m.first(path(p)); k != 0; k = m.next(k) {
			values[name] = append(values[name], xmlValue{string(m.at(k)), int(m.found[k].start) + len(m.found[k].text)})
		}
	}
	return values, begin, end, m.err
}

// spellXML is what was found as `id=1 Image="a" …`.
func spellXML(values map[string][]xmlValue) string {
	var all []string
	for _, name := range xmlNames {
		for _, v := range values[name] {
			all = append(all, fmt.Sprintf("%s=%q", name, v.text))
		}
	}
	return strings.Join(all, " ")
}

// xmlDocs are events and what is read from them. {x} stands for an event data
// element around x.
var xmlDocs = []struct{ what, doc, want, fault string }{
	{"both quotes, any order, blanks", `<Event a="1"><System><Provider Guid='{1}' Name = "p" /><EventID Qualifiers=''> 1
	</EventID><TimeCreated SystemTime='t'/></System></Event>`, `provider="p" id="1" time="t"`, ""},
	{"empty elements", `{<Data Name='a'/><Data Name="Image" /><Data Name='CommandLine'></Data>}`, `Image="" CommandLine="" a=""`, ""},
	{"entities", `{<Data Name='a'>&lt;&gt;&amp;&quot;&apos;&#47;&#x2F;&#x2f;&#128512;&#xd800;</Data>}`, `a="<>&\"'///😀�"`, ""},
	{"entities once", `{<Data Name='a'>&amp;lt; &amp;#47;</Data>}`, `a="&lt; &#47;"`, ""},
	{"entities without an end", `{<Data Name='a'>&quot x&quot &ampx &lt</Data>}`, `a="\" x\" &ampx <"`, ""},
	{"no entities", `{<Data Name='a'>& &; &#; &#x; &#12 &#xg; &nbsp; &#99999999;</Data>}`, `a="& &; &#; &#x; &#12 &#xg; &nbsp; &#99999999;"`, ""},
	{"an entity in a name", `{<Data Name='Comm&#97;ndLine'>x</Data>}`, `CommandLine="x"`, ""},
	{"CDATA", `{<Data Name='a'>1<![CDATA[<Data Name='a'>&amp;]]]>2<![CDATA[]]></Data>}`, `a="1<Data Name='a'>&amp;]2"`, ""},
	{"comments", `<Event><!-- <System><EventID>2</EventID> --><System><!----><EventID>1<!-- </EventID> -->0</EventID></System><!-- </Event> --></Event>`, `id="10"`, ""},
	{"line ends", "{<Data Name='a'>1\r\n2\r3\n\r\n<![CDATA[4\r\n5\r6\n]]></Data>}", `a="1\n2\n3\n\n4\n5\n6\n"`, ""},
	{"prefixes", `<e:Event xmlns:e='x'><e:System><e:EventID>1</e:EventID></e:System><f:EventData><e:Data Name='a'>1</e:Data></f:EventData></e:Event>`, `id="1" a="1"`, ""},
	{"names in another case are others", `<Event><system><EventID>1</EventID></system><System><eventid>2</eventid><Provider name='p'/></System></Event>`, ``, ""},
	{"values without names", `{<Data>x</Data><Data name='a'>y</Data><Binary>00</Binary>}`, ``, ""},
	{"what is rendered is not read", `<Event><RenderingInfo><System><EventID>1</EventID></System><EventData><Data Name='a'/></EventData></RenderingInfo>` +
		`<UserData><x><Data Name='a'>1</Data></x></UserData><System><EventID>2</EventID></System></Event>`, `id="2"`, ""},
	{"a value twice", `{<Data Name='a'>1</Data><Data Name='a'>2</Data>}`, `a="1" a="2"`, ""},
	{"a second System", `<Event><System><EventID>1</EventID></System><System><EventID>2</EventID></System></Event>`, `id="1" id="2"`, ""},
	{"System in text", `{<Data Name='a'>&lt;System&gt;&lt;EventID&gt;2</Data>}`, `a="<System><EventID>2"`, ""},
	{"a > in an attribute", `<Event a='>'><System><Provider x=">" Name='p>q'/></System></Event>`, `provider="p>q"`, ""},
	{"a bare < is a letter", `{<Data Name='a'>1 < 2 <3 <b>4</b> </x> <</Data>}`, `a="1 < 2 <3 <b>4</b> </x> <"`, ""},
	{"long names", `{<` + strings.Repeat("x", 99) + `/><Data Name='` + strings.Repeat("x", 99) + `'>1</Data><Data Name='a'>2</Data>}`, `a="2"`, ""},

	{"no end", `<Event><System><EventID>1</EventID></System>`, `id="1"`, "event ends without </Event> (byte 44)"},
	{"a tag without an end", `<Event><System><EventID>1</EventID><Provider Name='p'`, `provider="p" id="1"`, "tag is not closed (byte 35)"},
	{"an attribute without an end", `<Event><System><Provider Name='p<EventID>1</EventID></System></Event>`, `id="1"`, "tag is not closed (byte 15)"},
	{"an attribute without quotes", `{<Data Name=a>1</Data><Data Name='Image'>2</Data>}`, `Image="2"`, "attribute has no value in quotes (byte 29)"},
	{"an attribute without a value", `{<Data x Name='a'>1</Data>}`, ``, "attribute has no value (byte 24)"},
	{"a name twice", `{<Data Name='a' Name='Image'>1</Data>}`, `a="1"`, "attribute stands there twice (byte 33)"},
	{"data that is not closed", `{<Data Name='a'>1<Data Name='Image'>2</Data>}`, `Image="2" a="1"`, "text of a data element has no end (byte 33)"},
	{"System that is not closed", `<Event><System><EventID>1</EventID><EventData><Data Name='a'>1</Data></EventData></Event>`, `id="1" a="1"`, ""},
	{"a comment without an end", `{<Data Name='a'>1<!-- </Data>}`, `a="1"`, "text of a data element has no end (byte 33)"},
	{"an event in an event", `{<Data Name='a'>1</Data><Event><System/></Event>}`, `a="1"`, "event begins within another (byte 41)"},
}

func TestScanXML(t *testing.T) {
	for _, c := range xmlDocs {
		doc := c.doc
		if inner, ok := strings.CutPrefix(doc, "{"); ok {
			doc = "<Event><EventData>" + strings.TrimSuffix(inner, "}") + "</EventData></Event>"
		}
		values, _, _, fault := readXML([]byte(doc))
		got := ""
		if fault != nil {
			got = fault.Error()
		}
		if found := spellXML(values); found != c.want || got != c.fault {
			t.Errorf("%s: found %s, want %s; fault %q, want %q", c.what, found, c.want, got, c.fault)
		}
		checkXML(t, []byte(doc))
		checkCuts(t, []byte(doc))
	}
}

func TestXMLEvent(t *testing.T) {
	for _, c := range []struct {
		doc  string
		want int
	}{
		{`<Event>`, 0}, {`<Event/>`, 0}, {"<Event\n", 0}, {`<Event`, 0}, {` - <Event >`, 3}, {`<Events><Event>`, 8}, {`<e:Event>`, 0},
		{`<14>Feb <Event>`, 8}, {`<EventData><EventID/>`, -1}, {`</Event>`, -1}, {`Event>`, -1}, {`<x Event>`, -1}, {`<x y:Event>`, -1},
		{`<event>`, -1}, {`<e:f:Event>`, -1}, {``, -1}, {`<` + strings.Repeat("p", 40) + `:Event>`, -1},
	} {
		if got := xmlEvent([]byte(c.doc), 0); got != c.want {
			t.Errorf("%q: event at %d, want %d", c.doc, got, c.want)
		}
	}
}

// TestXMLOfGoldens holds every golden of XML against encoding/xml and cuts it at
// every byte.
func TestXMLOfGoldens(t *testing.T) {
	seen := 0
	for _, g := range goldens(t) {
		if g.source == "windows" && !bytes.HasPrefix(g.raw, []byte("{")) {
			if checkXML(t, g.raw) {
				seen++
			}
			checkCuts(t, g.raw)
		}
	}
	if seen < 8 {
		t.Errorf("encoding/xml read %d of them", seen)
	}
}

// checkCuts wants of a document cut at any byte that every value which ended in
// front of the cut is found, and that the cut is a fault.
func checkCuts(t *testing.T, doc []byte) {
	t.Helper()
	whole, begin, end, _ := readXML(doc)
	for cut := begin + 1; begin >= 0 && cut < end; cut++ {
		checkCut(t, doc[:cut], whole)
	}
}

func checkCut(t *testing.T, doc []byte, whole map[string][]xmlValue) {
	t.Helper()
	got, begin, _, fault := readXML(doc)
	if begin < 0 {
		return
	}
	if fault == nil {
		t.Fatalf("cut is no fault: %q", doc)
	}
	for name, values := range whole {
		ended := slices.IndexFunc(values, func(v xmlValue) bool { return v.to >= len(doc) })
		if ended < 0 {
			ended = len(values)
		}
		if len(got[name]) < ended || !slices.Equal(got[name][:ended], values[:ended]) {
			t.Fatalf("%q: %s is %v, want %v", doc, name, got[name], values[:ended])
		}
	}
}

// madeEvent is a well-formed event with all that XML offers to write one thing
// in many ways.
func madeEvent(seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	prefix := pick("", "", "", "e:", "long-prefix.1:")
	blank := func() string { return pick("", "", " ", "\n\t", "\r\n") }
	text := func() string {
		s := ""
		for range r.IntN(6) {
			s += pick("curl ", "/latest", "&amp;", "&lt;b>", "&#47;", "&#x2F;", "&#xd;", "&quot;x&quot;", "&apos;", `"`, "'", "é😀", "\r\n", "\r", "\n", "]", "-->", "/>",
				"<![CDATA[</Data><a&lt;\r\n]]>", "<![CDATA[]]]]>", "<!-- </Data> -->", "<!---->", "&#128512;", "\t", "a=1&amp;b=2")
		}
		return s
	}
	attribute := func(name string) string {
		q := pick("'", `"`)
		v := strings.NewReplacer("\r", "", "\n", "", "\t", "", "<", "", q, "").Replace(text())
		if name == "Name" {
			v = pick("Image", "CommandLine", "a", "&#97;", "b", v)
		}
		return " " + blank() + name + blank() + "=" + blank() + q + v + q
	}
	element := func(name, attributes, body string) string {
		name = prefix + name
		if body == "" && r.IntN(2) == 0 {
			return "<" + name + attributes + blank() + "/>"
		}
		return "<" + name + attributes + blank() + ">" + body + "</" + name + blank() + ">"
	}
	system := func() string {
		s := ""
		for range r.IntN(8) {
			s += blank() + pick("", "", "-", "<!-- <EventID>9</EventID> -->") + pick(
				element("Provider", pick("", attribute("Guid"))+pick("", attribute("Name"))+pick("", attribute("EventSourceName")), ""),
				element("EventID", pick("", attribute("Qualifiers")), pick("1", "4688", " 1 ", text())), element("Computer", "", text()),
				element("EventRecordID", "", "77"), element("TimeCreated", attribute("SystemTime"), ""), element("Task", "", "1"), element("Security", attribute("UserID"), ""))
		}
		return s
	}
	data := func() string {
		s := ""
		for range r.IntN(8) {
			s += blank() + pick("", "<!-- <Data Name='a'> -->", "x", "<![CDATA[<Data Name='a'>1</Data>]]>") + pick(
				element("Data", attribute("Name"), text()), element("Data", attribute("x")+attribute("Name")+attribute("y"), text()),
				element("Data", "", text()), element("Binary", "", "00"), element("ComplexData", attribute("Name"), "x"))
		}
		return s
	}
	s := ""
	for range r.IntN(4) {
		s += blank() + pick(element("System", "", system()), element("EventData", "", data()), element("EventData", attribute("Name"), data()),
			element("RenderingInfo", attribute("Culture"), element("Message", "", text())), element("UserData", "", element("x", "", text())), "<!-- </Event> -->")
	}
	return []byte(element("Event", attribute("xmlns"), s))
}

// FuzzMadeXML reads events that are made from a number.
func FuzzMadeXML(f *testing.F) {
	for seed := range uint64(500) {
		f.Add(seed, uint16(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, cut uint16) {
		doc := madeEvent(seed)
		if !checkXML(t, doc) {
			t.Fatalf("encoding/xml does not read %q", doc)
		}
		whole, _, end, _ := readXML(doc)
		if end != len(doc) {
			t.Fatalf("%q ends at %d", doc, end)
		}
		checkCut(t, doc[:int(cut)%len(doc)], whole)
	})
}

// FuzzXML reads any text: where encoding/xml reads an event too, the values are
// the same, and wherever it is cut, what ended in front of the cut is.
func FuzzXML(f *testing.F) {
	for i, g := range goldens(f) {
		if g.source == "windows" && !bytes.HasPrefix(g.raw, []byte("{")) {
			f.Add(g.raw, uint16(i*31))
		}
	}
	for _, c := range xmlDocs {
		f.Add([]byte(c.doc), uint16(40))
	}
	for seed := range uint64(100) {
		f.Add(madeEvent(seed), uint16(seed))
	}
	f.Fuzz(func(t *testing.T, doc []byte, cut uint16) {
		before := bytes.Clone(doc)
		checkXML(t, doc)
		whole, begin, end, _ := readXML(doc)
		if begin >= 0 && (end <= begin || end > len(doc)) {
			t.Fatalf("event from %d to %d of %d bytes", begin, end, len(doc))
		}
		if at := begin + 1 + int(cut); begin >= 0 && at < end {
			checkCut(t, doc[:at], whole)
		}
		if diff := cmp.Diff(before, doc); diff != "" {
			t.Fatalf("document changed:\n%s", diff)
		}
	})
}
