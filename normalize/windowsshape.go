package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// This file finds the event in the wrappings that Windows events come in;
// windows.go maps it.

type windows struct {
	*members
	ecs *ecsMembers // for documents that a module or a pipeline made
}

func newWindows() Normalizer { return &windows{newMembers(winPaths), newECSMembers()} }

// winStart is an event that is the start of a process. The task text is missing,
// translated or wrong on many systems (elastic/beats#1031, #12196, #49242), and
// id 1 alone is used by half a dozen other providers, so that both decide.
type winStart struct {
	provider []byte
	id       int64
	system   []byte
	sysmon   bool
	inserts  []path // the event data in the order of the manifest
	counts   []int  // how many values its versions have
}

var winStarts = []winStart{
	{[]byte("Microsoft-Windows-Sysmon"), 1, valWindows, true, sysmonInserts, []int{22, 23}}, // ParentUser since Sysmon 13.30
	{[]byte("Linux-Sysmon"), 1, valLinux, true, sysmonInserts, []int{22, 23}},
	{[]byte("Microsoft-Windows-Security-Auditing"), 4688, valWindows, false, securityInserts, []int{8, 9, 15}},
}

// start is the kind of start that the record is, nil if none: any provider and
// any id count.
func (w *windows) start() *winStart {
	for s := range winStarts {
		if w.any(winProvider, func(v []byte) bool { return bytes.EqualFold(v, winStarts[s].provider) }) &&
			w.any(winEventID, func(v []byte) bool { n, ok := parseInt(v); return ok && n == winStarts[s].id }) {
			return &winStarts[s]
		}
	}
	return nil
}

// known reports whether the record says which event it is.
func (w *windows) known() bool {
	return w.any(winProvider, func(v []byte) bool { return len(v) > 0 }) &&
		w.any(winEventID, func(v []byte) bool { _, ok := parseInt(v); return ok })
}

// named reports whether the record has the event's data by names.
func (w *windows) named() bool { return w.has(winImage) || w.has(winNewProcessName) }

func (w *windows) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	w.reset()
	if w.ecs.doc != nil {
		w.ecs.reset()
	}
	value, bom, err := text(r.Value)
	if err != nil {
		return dst, err
	}
	w.restart(value, bom)
	if trimmed := bytes.TrimLeft(value, " \t\r\n"); len(trimmed) > 0 && bytes.IndexByte([]byte(`{["`), trimmed[0]) < 0 {
		switch {
		case xmlEvent(value, 0) >= 0:
			dst = w.xmlRecord(dst, r, trimmed[0] != '<' && trimmed[0] != '-' || syslogHeader(trimmed))
			return dst, asError(w.err)
		case otherLine(trimmed):
			return dst, nil
		}
	}
	w.document()
	isXML := !w.known() && w.readXML()
	if !w.known() {
		if !isXML && w.otherProgram() {
			return dst, asError(w.err)
		}
		w.fail(Shape, 0, "object has no event provider and id where a known shape has them")
	}
	if start := w.start(); start != nil {
		if !isXML {
			w.findData(start)
		}
		dst = w.event(dst, r, start, w.shape(), 0)
	}
	return dst, asError(w.err)
}

// event appends a start.
func (w *windows) event(dst []ecs.Event, r *Record, start *winStart, shape string, index int) []ecs.Event {
	dst, e := ecs.Grow(dst, ecs.Default)
	e.Offset, e.Index, e.Shape = r.Offset, index, shape
	switch {
	case w.ingested():
		w.mapECS(e, r, start)
		return dst
	case start.sysmon:
		w.common(e, start.system)
		w.sysmon(e)
	default:
		w.common(e, start.system)
		w.security(e)
	}
	w.derive(e, r)
	return dst
}

// shape names the wrapping of a JSON record.
func (w *windows) shape() string {
	switch {
	case w.ingested() && w.version7():
		return "winlogbeat7-module"
	case w.ingested():
		return "ingested"
	case w.has(winBeat) && w.has(winAgent):
		return "elastic-agent"
	case w.has(winBeat) && w.version7():
		return "winlogbeat7"
	case w.has(winBeat):
		return "winlogbeat8"
	case w.has(winEvtx):
		return "evtx-dump"
	case w.has(winNXLog):
		return "nxlog"
	case w.has(winInserts), w.has(winFluent), w.has(winSystem):
		return "fluent-bit"
	case w.equal(winVector, "windows_event_log"):
		return "vector"
	case w.has(winAzure):
		return "azure-securityevent"
	case w.has(winData), w.has(winRaw):
		return "azure-windowsevent"
	case w.has(winLine), w.has(winText):
		return "syslog-xml"
	}
	return "get-winevent"
}

func (w *windows) version7() bool { return bytes.HasPrefix(w.text(winVersion), []byte("7.")) }

// ingested reports whether a module of Winlogbeat 7 or an ingest pipeline has
// made ECS of the event: the data it moved to process.* is gone from where it
// was.
func (w *windows) ingested() bool { return w.has(winBeat) && w.has(winExecuted) && !w.named() }

// readXML reads the event from a member that holds it as XML, if one does. The
// host is then the one that the event names and not that of its wrapping.
func (w *windows) readXML() bool {
	for _, p := range [...]path{winSystem, winRaw, winLine, winText} {
		for k := w.first(p); k != 0; k = w.next(k) {
			if !w.isText(k) {
				continue
			}
			scratch, text := len(w.buf), w.at(k)
			begin := xmlEvent(text, 0)
			if begin < 0 {
				w.buf = w.buf[:scratch]
				continue
			}
			computer := w.slots[winComputer]
			w.slots[winComputer] = slot{}
			w.within(k, text, func() {
				if second := xmlEvent(text, w.scanXML(begin)); second >= 0 {
					w.fail(Shape, second, "member has more than one event")
				}
			})
			if !w.has(winComputer) {
				w.slots[winComputer] = computer
			}
			return true
		}
	}
	return false
}

// findData looks for the data of a start where it is not by names.
func (w *windows) findData(start *winStart) {
	if w.named() || w.ingested() || w.readXML() && w.named() {
		return
	}
	for k := w.first(winData); k != 0; k = w.next(k) {
		if !w.isText(k) {
			continue
		}
		scratch := len(w.buf)
		switch text := w.at(k); {
		case bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("<")): // an Event row
			w.within(k, text, func() { w.scanData(0) })
		case len(text) > 0: // a WindowsEvent row
			w.buf = w.buf[:scratch]
			w.nested(k)
		}
	}
	if !w.named() && w.has(winInserts) {
		w.nameInserts(start)
	}
}

// xmlRecord appends the starts among the events in a record of XML, which may
// stand behind a syslog header or in an Events element.
func (w *windows) xmlRecord(dst []ecs.Event, r *Record, header bool) []ecs.Event {
	shape := "xml"
	if header {
		shape = "syslog-xml"
	}
	had := len(dst)
	value, base := w.doc, w.base
	for index, at := 0, xmlEvent(value, 0); at >= 0; index, at = index+1, xmlEvent(value, at) {
		w.restart(value, base)
		begin := at
		if at = w.scanXML(at); !w.known() {
			w.fail(Shape, begin, "event has no provider and id")
		}
		start := w.start()
		if start == nil {
			continue
		}
		if len(dst)-had == maxStarts {
			w.fail(TooLarge, begin, "record has more than %d starts", maxStarts)
			return dst
		}
		dst = w.event(dst, r, start, shape, index)
	}
	return dst
}
