package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name:    "crowdstrike",
	Shapes:  []string{"fdr", "nested"},
	Key:     "any",
	Needs:   "Falcon Data Replicator's primary events, a JSON object a record, as they are or under \"event\" as some relays nest them",
	Indices: []string{"logs-crowdstrike.fdr-default"},
	New:     func() Normalizer { return newCrowdStrike() },
	Marks:   [][]string{{"event_simpleName"}, {"event.event_simpleName"}, {"aid", "cid"}},
})

// The members of a Falcon Data Replicator record.
const (
	csName path = iota // event_simpleName
	csNested
	csID
	csAID
	csCID
	csCloudTime
	csPlatform
	csComputer
	csCommandLine
	csImage
	csPID
	csProcessID
	csParentProcessID
	csParentName
	csStarted
	csEnded
	csMD5
	csSHA1
	csSHA256
	csUID
	csUserSID
	csUserName
	csEmail
	csGID
	csRUID
	csRGID
	csContainer
	csOther // present in records that are no events: inventory, assessments
)

var csPaths = []string{
	csName:            fdr("event_simpleName"),
	csNested:          "event",
	csID:              fdr("id"),
	csAID:             fdr("aid"),
	csCID:             fdr("cid"),
	csCloudTime:       fdr("timestamp"),
	csPlatform:        fdr("event_platform"),
	csComputer:        fdr("ComputerName"),
	csCommandLine:     fdr("CommandLine"),
	csImage:           fdr("ImageFileName"),
	csPID:             fdr("RawProcessId"),
	csProcessID:       fdr("TargetProcessId"),
	csParentProcessID: fdr("ParentProcessId"),
	csParentName:      fdr("ParentBaseFileName"),
	csStarted:         fdr("ProcessStartTime"),
	csEnded:           fdr("ProcessEndTime"),
	csMD5:             fdr("MD5HashData"),
	csSHA1:            fdr("SHA1HashData"),
	csSHA256:          fdr("SHA256HashData"),
	csUID:             fdr("UID"),
	csUserSID:         fdr("UserSid"),
	csUserName:        fdr("UserName"),
	csEmail:           fdr("UserPrincipal"),
	csGID:             fdr("GID"),
	csRUID:            fdr("RUID"),
	csRGID:            fdr("RGID"),
	csContainer:       fdr("OciContainerId"),
	csOther:           fdr("_time") + "|" + fdr("event_type") + "|metadata",
}

// fdr is where a member of Falcon's stands: on top, or below the "event" of a
// relay.
func fdr(name string) string { return name + "|event." + name }

var csCopied = []copied{
	{csName, ecs.EventAction},
	{csAID, ecs.AgentID},
	{csAID, ecs.HostID},
	{csComputer, ecs.HostName},
	{csComputer, ecs.HostHostname},
	{csCommandLine, ecs.ProcessCommandLine},
	{csProcessID, ecs.ProcessEntityID}, // up to 19 digits: text, never a float
	{csParentProcessID, ecs.ProcessParentEntityID},
	{csParentName, ecs.ProcessParentName},
	{csUserName, ecs.UserName},
	{csEmail, ecs.UserEmail},
	{csUID, ecs.ProcessUserID},
	{csGID, ecs.ProcessGroupID},
	{csRUID, ecs.ProcessRealUserID},
	{csRGID, ecs.ProcessRealGroupID},
	{csContainer, ecs.ContainerID},
}

type crowdStrike struct{ *members }

func newCrowdStrike() *crowdStrike { return &crowdStrike{newMembers(csPaths)} }

func (c *crowdStrike) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	c.read(r.Value)
	switch {
	case c.equal(csName, "ProcessRollup2"):
	case !c.has(csName) && !c.has(csAID) && !c.has(csCID) && !c.has(csOther):
		c.fail(Shape, 0, "object has neither event_simpleName nor any other member of a Falcon record")
		return dst, asError(c.err)
	default: // SyntheticProcessRollup2, ProcessRollup2Stats, CreateProcessArgs and all the others
		return dst, asError(c.err)
	}
	dst, e := ecs.Grow(dst, ecs.Default)
	e.Offset, e.Shape = r.Offset, "fdr"
	if c.has(csNested) {
		e.Shape = "nested"
	}
	asStart(e)
	e.Add(ecs.EventOutcome, valSuccess)
	c.copyAll(e, csCopied, csNone)
	c.setDate(e, ecs.Timestamp, csCloudTime, parseMillis)
	c.setDate(e, ecs.ProcessStart, csStarted, parseSeconds)
	c.setDate(e, ecs.ProcessEnd, csEnded, parseSeconds)
	c.setInt(e, ecs.ProcessPID, csPID, csNone)
	c.setEventID(e)
	c.setSystem(e)
	c.setExecutable(e)
	c.setArgs(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessCommandLine)
	c.setHash(e, ecs.ProcessHashMD5, c.text(csMD5))
	c.setHash(e, ecs.ProcessHashSHA1, c.text(csSHA1))
	c.setHash(e, ecs.ProcessHashSHA256, c.text(csSHA256))
	for _, p := range [...]path{csUID, csUserSID} {
		if id := c.text(p); id != nil && !csNone(id) {
			e.Add(ecs.UserID, id)
			break
		}
	}
	relate(e)
	recordTime(e, r)
	return dst, asError(c.err)
}

// csNone reports Falcon's words for "there is none".
func csNone(v []byte) bool { return dash(v) || string(v) == "none" }

// setEventID joins id, aid and cid: id alone repeats between sensors
// (elastic/integrations, crowdstrike 1.56.0).
func (c *crowdStrike) setEventID(e *ecs.Event) {
	id := c.text(csID)
	if id == nil || csNone(id) {
		return
	}
	aid, cid := c.text(csAID), c.text(csCID)
	from := len(c.buf)
	c.buf = append(append(append(append(append(c.buf, id...), '|'), aid...), '|'), cid...)
	e.Add(ecs.EventID, c.buf[from:len(c.buf):len(c.buf)])
}

func (c *crowdStrike) setSystem(e *ecs.Event) {
	for k := c.first(csPlatform); k != 0; k = c.next(k) {
		switch string(c.at(k)) {
		case "Win":
			e.Add(ecs.HostOSType, valWindows)
		case "Lin":
			e.Add(ecs.HostOSType, valLinux)
		case "Mac":
			e.Add(ecs.HostOSType, valMacOS)
		}
	}
}

// setExecutable sets the executable and the name. A Windows path begins with
// the NT device, which no rule about paths expects, so it becomes drive C:. An
// image that runc started is "/" (elastic/integrations#15466); its name is that
// of the first argument then.
func (c *crowdStrike) setExecutable(e *ecs.Event) {
	for k := c.first(csImage); k != 0; k = c.next(k) {
		v := c.at(k)
		if v == nil || csNone(v) {
			continue
		}
		if rest, ok := cutDevice(v); ok {
			from := len(c.buf)
			c.buf = append(append(c.buf, `C:\`...), rest...)
			v = c.buf[from:len(c.buf):len(c.buf)]
		}
		e.Add(ecs.ProcessExecutable, v)
	}
	nameFromExecutable(e, ecs.ProcessName, ecs.ProcessExecutable)
	if line := e.First(ecs.ProcessCommandLine); !e.Has(ecs.ProcessName) && line != nil {
		c.args, c.buf = splitCommandLine(c.args[:0], c.buf, line)
		if len(c.args) > 0 && len(base(c.args[0])) > 0 {
			e.Add(ecs.ProcessName, base(c.args[0]))
		}
	}
}

// cutDevice cuts \Device\HarddiskVolumeN\ off a path.
func cutDevice(v []byte) (rest []byte, ok bool) {
	const device = `\Device\HarddiskVolume`
	if len(v) < len(device) || !bytes.EqualFold(v[:len(device)], []byte(device)) {
		return v, false
	}
	rest = bytes.TrimLeft(v[len(device):], "0123456789")
	return bytes.CutPrefix(rest, []byte(`\`))
}
