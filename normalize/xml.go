package normalize

import "bytes"

// This file reads Windows event XML into members, under the names that the
// documents of Beats give the same values (winlog.provider_name,
// winlog.event_data.Image). It is written by hand: real event XML is cut off in
// mid-element by syslog's line limit, has entities without a semicolon and
// stands behind headers, all of which encoding/xml refuses. Every byte is looked
// at once or twice, whatever the text.
//
// It goes by the sections of an event, not by nesting: what is declared stands
// in System and in EventData, and an element that is not closed hides nothing
// behind it.

// maxName is longer than any element's name in the schema of events.
const maxName = 32

// tag is one tag of the document.
type tag struct {
	name       []byte // without its prefix; nil if it is longer than maxName
	from       int    // of its <
	attributes int    // behind the name
	to         int    // behind its >
	end, empty bool   // </name>, <name/>
}

// xmlEvent is where the first event at or behind i begins, -1 if there is none.
func xmlEvent(text []byte, i int) int {
	for {
		j := bytes.Index(text[i:], []byte("Event"))
		if j < 0 {
			return -1
		}
		i += j + len("Event")
		if i < len(text) && !endsName(text[i]) {
			continue // <Events>, <EventData>
		}
		from := i - len("Event")
		for from > 0 && i-from < maxName && text[from-1] != '<' && !endsName(text[from-1]) {
			from--
		}
		if from > 0 && text[from-1] == '<' && string(local(text[from:i])) == "Event" {
			return from - 1
		}
	}
}

func endsName(c byte) bool { return c == '>' || c == '/' || c <= ' ' }

// scanXML notes the values of the event whose tag begins at i and returns the
// place behind it. What came through in front of a cut is there all the same.
func (m *members) scanXML(i int) int {
	t, ok := m.tag(i)
	if t.empty {
		return t.to
	}
	var section string // of the event; "" between them
	for ok {
		if t, ok = m.tag(t.to); !ok {
			break
		}
		switch string(t.name) {
		case "Event":
			if !t.end {
				m.fail(Syntax, t.from, "event begins within another")
				return t.from
			}
			return t.to
		case "System", "EventData":
			if section == "" || section == "System" || section == "EventData" {
				section = sectionOf(t)
				continue
			}
		}
		switch {
		case section == "System" && !t.end:
			m.system(&t)
		case section == "EventData" && !t.end:
			m.data(&t)
		case section == "" && !t.end && !t.empty:
			section = other(t.name)
		case t.end && section == other(t.name):
			section = ""
		}
	}
	m.fail(Syntax, len(m.doc), "event ends without </Event>")
	return len(m.doc)
}

// sectionOf is the section behind a tag of System or EventData.
func sectionOf(t tag) string {
	switch {
	case t.end || t.empty:
		return ""
	case string(t.name) == "System":
		return "System"
	}
	return "EventData"
}

// other names a section in which nothing is declared: its elements may have the
// names of those that are.
func other(name []byte) string {
	switch string(name) {
	case "RenderingInfo":
		return "RenderingInfo"
	case "UserData":
		return "UserData"
	case "ProcessingErrorData":
		return "ProcessingErrorData"
	case "DebugData":
		return "DebugData"
	}
	return ""
}

// scanData notes the values of event data that stands without its event: an
// EventData element, perhaps within others, or what is in one.
func (m *members) scanData(i int) {
	open := false
	for {
		t, ok := m.tag(i)
		if !ok {
			break
		}
		if i = t.to; string(t.name) == "EventData" {
			open = !t.end && !t.empty
		} else if !t.end {
			m.data(&t)
			i = t.to
		}
	}
	if open {
		m.fail(Syntax, len(m.doc), "event data ends without </EventData>")
	}
}

// system notes what an element of System holds, and moves the tag's end behind
// its text.
func (m *members) system(t *tag) {
	winlog := m.step(0, []byte("winlog"))
	switch string(t.name) {
	case "Provider":
		if from, to, ok := m.attribute(t, "Name"); ok {
			m.note(m.step(winlog, []byte("provider_name")), from, to)
		}
	case "TimeCreated":
		if from, to, ok := m.attribute(t, "SystemTime"); ok {
			m.note(m.step(winlog, []byte("time_created")), from, to)
		}
	case "EventID":
		m.trimmed(m.step(winlog, []byte("event_id")), t)
	case "Computer":
		m.trimmed(m.step(winlog, []byte("computer_name")), t)
	case "EventRecordID":
		m.trimmed(m.step(winlog, []byte("record_id")), t)
	}
}

// trimmed notes the text of an element without the space around it.
func (m *members) trimmed(node int, t *tag) {
	from, to := m.body(t)
	for from < to && m.doc[from] <= ' ' {
		from++
	}
	for from < to && m.doc[to-1] <= ' ' {
		to--
	}
	m.note(node, from, to)
}

// data notes the text of a Data element by its name, and moves the tag's end
// behind it.
func (m *members) data(t *tag) {
	if string(t.name) != "Data" {
		return
	}
	from, to, ok := m.attribute(t, "Name")
	if !ok {
		return // classic events have values without names
	}
	name, scratch := m.doc[from:to], len(m.buf)
	if bytes.IndexByte(name, '&') >= 0 {
		m.buf = unescapeXML(m.buf, name)
		name = m.buf[scratch:]
	}
	node := m.step(m.step(m.step(0, []byte("winlog")), []byte("event_data")), name)
	m.buf = m.buf[:scratch]
	if from, to = m.body(t); !t.empty && !bytes.HasPrefix(m.doc[to:], []byte("</")) {
		m.fail(Syntax, from, "text of a data element has no end")
	}
	m.note(node, from, to)
}

// note records a text for a node, if values of it are declared.
func (m *members) note(node, from, to int) {
	if node == nothing || m.nodes[node].path < 0 {
		return
	}
	kind := byte('"')
	for _, special := range [...]byte{'&', '<', '\r'} {
		if bytes.IndexByte(m.doc[from:to], special) >= 0 {
			kind = '&'
		}
	}
	m.record(m.nodes[node].path, kind, from, to)
}

// tag is the first tag from i on. Comments and CDATA hide none of what is in
// them, and a < without a name behind it is a letter.
func (m *members) tag(i int) (t tag, ok bool) {
	doc := m.doc
	for {
		j := bytes.IndexByte(doc[i:], '<')
		if j < 0 {
			return tag{}, false
		}
		i += j
		if behind := passed(doc, i); behind > 0 {
			i = behind
			continue
		}
		t = tag{from: i}
		if i++; i < len(doc) && doc[i] == '/' {
			t.end = true
			i++
		}
		name := i
		for i < len(doc) && !endsName(doc[i]) && doc[i] != '<' {
			i++
		}
		if name == i || !beginsName(doc[name]) {
			continue
		}
		t.name, t.attributes = local(doc[name:i]), i
		for quote := byte(0); i < len(doc) && doc[i] != '<' && (quote != 0 || doc[i] != '>'); i++ {
			switch c := doc[i]; {
			case c == quote:
				quote = 0
			case quote == 0 && (c == '"' || c == '\''):
				quote = c
			}
		}
		if t.to = i; i == len(doc) || doc[i] == '<' {
			m.fail(Syntax, t.from, "tag is not closed")
			return t, true
		}
		t.empty = doc[i-1] == '/'
		t.to++
		return t, true
	}
}

func beginsName(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= 0x80 }

// local is a name without its prefix, nil if it is none of the schema's.
func local(name []byte) []byte {
	if len(name) > maxName {
		return nil
	}
	return name[bytes.IndexByte(name, ':')+1:]
}

// passed is the place behind the comment or the CDATA section that begins at i,
// the end of the text if it is not closed, 0 if there is none.
func passed(text []byte, i int) int {
	if i+1 == len(text) || text[i+1] != '!' {
		return 0
	}
	for _, p := range [...]struct{ open, shut string }{{"<!--", "-->"}, {"<![CDATA[", "]]>"}} {
		if !bytes.HasPrefix(text[i:], []byte(p.open)) {
			continue
		}
		from := i + len(p.open)
		if end := bytes.Index(text[from:], []byte(p.shut)); end >= 0 {
			return from + end + len(p.shut)
		}
		return len(text)
	}
	return 0
}

// body is the text behind a tag, whose end it moves behind the text. The text of
// Data ends with a tag that can stand behind it and not with any <, so that a
// command line in which somebody forgot to escape one is whole.
func (m *members) body(t *tag) (from, to int) {
	from, to = t.to, t.to
	if t.empty {
		return from, to
	}
	for {
		j := bytes.IndexByte(m.doc[to:], '<')
		if j < 0 {
			t.to = len(m.doc)
			return from, t.to
		}
		to += j
		if behind := passed(m.doc, to); behind > 0 {
			to = behind
			continue
		}
		if m.ends(to, string(t.name) == "Data") {
			t.to = to
			return from, to
		}
		to++
	}
}

// ends reports whether the < at i ends a text: that of Data or another one. At a
// cut it does, since nobody knows.
func (m *members) ends(i int, data bool) bool {
	rest := bytes.TrimPrefix(m.doc[i+1:], []byte("/"))
	n := 0
	for n < len(rest) && n <= maxName && !endsName(rest[n]) && rest[n] != '<' {
		n++
	}
	switch {
	case n == len(rest):
		return true
	case !data:
		return n > 0 && beginsName(rest[0])
	}
	switch string(local(rest[:n])) {
	case "Data", "EventData", "Event", "System", "RenderingInfo", "UserData":
		return true
	}
	return false
}

// attribute is the text of a tag's attribute. One that is not in quotes or
// stands there twice is a fault.
func (m *members) attribute(t *tag, name string) (from, to int, ok bool) {
	doc := m.doc[:t.to]
	blank := func(i int) int {
		for i < len(doc) && doc[i] <= ' ' {
			i++
		}
		return i
	}
	for i := blank(t.attributes); i < len(doc) && !endsName(doc[i]); i = blank(i) {
		begin := i
		for i < len(doc) && doc[i] != '=' && !endsName(doc[i]) {
			i++
		}
		found := doc[begin:i]
		if i = blank(i); i == len(doc) || doc[i] != '=' {
			m.fail(Syntax, begin, "attribute has no value")
			return from, to, ok
		}
		if i = blank(i + 1); i == len(doc) || doc[i] != '"' && doc[i] != '\'' {
			m.fail(Syntax, i, "attribute has no value in quotes")
			return from, to, ok
		}
		length := bytes.IndexByte(doc[i+1:], doc[i])
		if length < 0 {
			m.fail(Syntax, i, "attribute has no end")
			return from, to, ok
		}
		if string(found) == name {
			if ok {
				m.fail(Syntax, begin, "attribute stands there twice")
				return from, to, ok
			}
			from, to, ok = i+1, i+1+length, true
		}
		i += length + 2
	}
	return from, to, ok
}
