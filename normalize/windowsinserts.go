package normalize

import (
	"bytes"
	"slices"
)

// The event data of Sysmon 1 and Security 4688 in the order of their manifests,
// for shippers that leave the names out.
var (
	sysmonInserts = []path{
		winUnnamed, winUtcTime, winProcessGUID, winProcessID, winImage, winFileVersion, winDescription, winProduct, winCompany,
		winOriginalName, winCommandLine, winDirectory, winUser, winUnnamed, winLogonID, winUnnamed, winIntegrity, winHashes,
		winParentProcessGUID, winParentProcessID, winParentImage, winParentCommandLine, winParentUser,
	}
	securityInserts = []path{
		winSubjectSID, winSubjectName, winSubjectDomain, winSubjectLogonID, winNewProcessID, winNewProcessName, winUnnamed,
		winProcessID, winCommandLine, winTargetSID, winTargetName, winTargetDomain, winUnnamed, winParentProcessName, winUnnamed,
	}
)

// nameInserts gives the values of StringInserts their names by their order.
// Empty ones vanish from forwarded events, so that the others shift
// (fluent/fluent-bit#11360): where the values are not what their places say, the
// record is at fault.
func (w *windows) nameInserts(start *winStart) {
	n := 0
	for k := w.first(winInserts); k != 0; k = w.next(k) {
		n++
	}
	if !slices.Contains(start.counts, n) || !w.insertsFit(start.inserts) {
		w.fail(Shape, int(w.found[w.first(winInserts)].start), "string inserts are not those of the event: %d values", n)
		return
	}
	for i, k := 0, w.first(winInserts); k != 0; i, k = i+1, w.next(k) {
		v := w.found[k]
		w.found = append(w.found, member{kind: v.kind, text: v.text, start: v.start})
		w.slots[start.inserts[i]] = slot{int32(len(w.found) - 1), int32(len(w.found) - 1)}
	}
}

// insertsFit looks at the values whose form is fixed.
func (w *windows) insertsFit(names []path) bool {
	scratch := len(w.buf)
	for i, k := 0, w.first(winInserts); k != 0; i, k = i+1, w.next(k) {
		v := w.at(k)
		ok := true
		switch names[i] {
		case winUtcTime:
			_, ok = parseUTC(v)
		case winProcessGUID, winParentProcessGUID:
			ok = len(v) == 38 && v[0] == '{'
		case winProcessID, winNewProcessID, winParentProcessID, winSubjectLogonID:
			_, ok = parseInt(v)
		case winSubjectSID, winTargetSID:
			ok = bytes.HasPrefix(v, []byte("S-1-"))
		}
		if w.buf = w.buf[:scratch]; !ok {
			return false
		}
	}
	return true
}
