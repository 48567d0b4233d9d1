package normalize

import (
	"bytes"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
)

// decodedEvent is an event as encoding/xml reads it.
type decodedEvent struct {
	System []struct {
		Provider, TimeCreated []struct {
			Attributes []xml.Attr `xml:",any,attr"`
		}
		EventID, Computer, EventRecordID []string
	}
	EventData []struct {
		Data []struct {
			Attributes []xml.Attr `xml:",any,attr"`
			Text       string     `xml:",chardata"`
		}
	}
}

// checkXML compares a document with what encoding/xml makes of it, and reports
// false where it makes nothing of it or where the document is no event by the
// schema.
func checkXML(t *testing.T, doc []byte) bool {
	t.Helper()
	values, begin, end, fault := readXML(doc)
	if begin < 0 || !isSchematic(doc[begin:]) {
		return false
	}
	var decoded decodedEvent
	if err := xml.Unmarshal(doc[begin:], &decoded); err != nil {
		t.Fatalf("%q: %v", doc, err)
	}
	want := map[string][]string{}
	add := func(name string, attributes []xml.Attr, attribute string) {
		for _, a := range attributes {
			if a.Name == (xml.Name{Local: attribute}) {
				want[name] = append(want[name], a.Value)
			}
		}
	}
	for _, s := range decoded.System {
		for _, p := range s.Provider {
			add("provider", p.Attributes, "Name")
		}
		for _, c := range s.TimeCreated {
			add("time", c.Attributes, "SystemTime")
		}
		want["id"] = append(want["id"], s.EventID...)
		want["computer"] = append(want["computer"], s.Computer...)
		want["record"] = append(want["record"], s.EventRecordID...)
	}
	for _, d := range decoded.EventData {
		for _, d := range d.Data {
			for _, a := range d.Attributes {
				if a.Name == (xml.Name{Local: "Name"}) && slices.Contains(xmlNames[5:], a.Value) {
					want[a.Value] = append(want[a.Value], d.Text)
				}
			}
		}
	}
	for p, name := range xmlNames {
		var got []string
		for _, v := range values[name] {
			got = append(got, v.text)
		}
		for i := range got {
			if p > 0 && p < 4 { // the space around them is left out
				got[i], want[name][i] = strings.TrimSpace(got[i]), strings.TrimSpace(want[name][i])
			}
		}
		if !slices.Equal(got, want[name]) {
			t.Fatalf("%q: %s is %q, encoding/xml says %q", doc, name, got, want[name])
		}
	}
	if fault != nil {
		t.Fatalf("%q: %v", doc, fault)
	}
	if last := xml.NewDecoder(bytes.NewReader(doc[begin:])); last.Decode(&decodedEvent{}) == nil && int(last.InputOffset()) != end-begin {
		t.Fatalf("%q: event ends at %d, encoding/xml says %d", doc, end-begin, last.InputOffset())
	}
	return true
}

// schematic are the names of the schema and the element that each stands in.
var schematic = map[string]string{"Event": "", "System": "Event", "EventData": "Event", "RenderingInfo": "Event", "UserData": "Event",
	"ProcessingErrorData": "Event", "DebugData": "Event", "Data": "EventData",
	"Provider": "System", "TimeCreated": "System", "EventID": "System", "Computer": "System", "EventRecordID": "System"}

// isSchematic reports whether a document begins with an event that is
// well-formed and in which the names of the schema stand where it has them.
func isSchematic(doc []byte) bool {
	d := xml.NewDecoder(bytes.NewReader(doc))
	var in []string
	for {
		tok, err := d.Token()
		if err != nil {
			return false
		}
		switch tok := tok.(type) {
		case xml.ProcInst, xml.Directive:
			return false
		case xml.StartElement:
			parent := ""
			if len(in) > 0 {
				parent = in[len(in)-1]
			}
			where, known := schematic[tok.Name.Local]
			if known && where != parent || strings.Contains(tok.Name.Local, ":") || parent == "Data" || parent != "System" && schematic[parent] == "System" {
				return false
			}
			seen := map[xml.Name]bool{}
			for _, a := range tok.Attr {
				if seen[a.Name] || strings.Contains(a.Name.Local, ":") {
					return false
				}
				seen[a.Name] = true
			}
			in = append(in, tok.Name.Local)
		case xml.EndElement:
			if in = in[:len(in)-1]; len(in) == 0 {
				return true
			}
		}
	}
}
