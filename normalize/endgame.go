package normalize

import (
	"bytes"
	"time"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name:    "endgame",
	Shapes:  []string{"ecs", "native"},
	Key:     "any",
	Needs:   "Elastic Endgame's process events, as the ECS documents that its platform streams or as the sensor's own buffers",
	Indices: []string{"endgame-default"},
	New:     func() Normalizer { return &endgame{newECSMembers(egPaths...)} },
	Marks:   [][]string{{"event.module=endgame"}, {"agent.type=endgame"}, {"endgame"}, {"event_subtype_full"}, {"event_type_full"}, {"serial_event_id"}},
})

// The members of Endgame's records beside the fields of ECS, counted from the
// reader's extra path on. Older documents carry the sensor's buffer under
// "endgame"; a bare buffer has the same names on top.
const (
	egBuffer path = iota
	egProduct
	egObserverOS
	egOpcode
	egTypeFull
	egType
	egSubtype
	egSerial
	egTime
	egTimeUTC
	egProcessName
	egProcessPath
	egCommandLine
	egPID
	egUniquePID
	egPPID
	egUniquePPID
	egParentName
	egParentPath
	egMD5
	egSHA1
	egSHA256
	egOriginalName
	egFileVersion
	egIntegrity
	egExitCode
	egUserName
	egUserDomain
	egUserSID
	egEffectiveName
	egEffectiveID
	egEffectiveGroupID
	egRealName
	egRealID
	egRealGroupID
)

var egPaths = []string{
	egBuffer:           "endgame",
	egProduct:          "observer.product",
	egObserverOS:       "observer.os.type|observer.os.platform|observer.os.family",
	egOpcode:           buffer("opcode"),
	egTypeFull:         buffer("event_type_full"),
	egType:             buffer("event_type"),
	egSubtype:          buffer("event_subtype_full"),
	egSerial:           buffer("serial_event_id"),
	egTime:             buffer("timestamp"),
	egTimeUTC:          buffer("timestamp_utc"),
	egProcessName:      buffer("process_name"),
	egProcessPath:      buffer("process_path"),
	egCommandLine:      buffer("command_line"),
	egPID:              buffer("pid"),
	egUniquePID:        buffer("unique_pid"),
	egPPID:             buffer("ppid"),
	egUniquePPID:       buffer("unique_ppid"),
	egParentName:       buffer("parent_process_name"),
	egParentPath:       buffer("parent_process_path"),
	egMD5:              buffer("md5"),
	egSHA1:             buffer("sha1"),
	egSHA256:           buffer("sha256"),
	egOriginalName:     buffer("original_file_name"),
	egFileVersion:      buffer("file_version"),
	egIntegrity:        buffer("integrity_level"),
	egExitCode:         buffer("exit_code"),
	egUserName:         buffer("user_name"),
	egUserDomain:       buffer("user_domain"),
	egUserSID:          buffer("user_sid"),
	egEffectiveName:    buffer("effective_user_name"),
	egEffectiveID:      buffer("effective_uid"),
	egEffectiveGroupID: buffer("effective_gid"),
	egRealName:         buffer("real_user_name"),
	egRealID:           buffer("real_uid"),
	egRealGroupID:      buffer("real_gid"),
}

// buffer is where a member of the sensor's buffer stands.
func buffer(name string) string { return "endgame." + name + "|" + name }

// egCopied fills what the document's own fields leave open, the first source of
// a field before the next.
var egCopied = []copied{
	{egSerial, ecs.EventID},
	{egSerial, ecs.EventSequence},
	{egProcessName, ecs.ProcessName},
	{egProcessPath, ecs.ProcessExecutable},
	{egCommandLine, ecs.ProcessCommandLine},
	{egPID, ecs.ProcessPID},
	{egUniquePID, ecs.ProcessEntityID}, // unique on its sensor
	{egParentName, ecs.ProcessParentName},
	{egParentPath, ecs.ProcessParentExecutable},
	{egPPID, ecs.ProcessParentPID},
	{egUniquePPID, ecs.ProcessParentEntityID},
	{egOriginalName, ecs.ProcessPEOriginalFileName},
	{egFileVersion, ecs.ProcessPEFileVersion},
	{egIntegrity, ecs.ProcessExtTokenIntegrityLevelName},
	{egExitCode, ecs.ProcessExitCode},
	{egUserName, ecs.UserName},
	{egEffectiveName, ecs.UserName},
	{egUserDomain, ecs.UserDomain},
	{egUserSID, ecs.UserID},
	{egEffectiveID, ecs.UserID},
	{egEffectiveID, ecs.ProcessUserID},
	{egEffectiveName, ecs.ProcessUserName},
	{egEffectiveGroupID, ecs.ProcessGroupID},
	{egRealID, ecs.ProcessRealUserID},
	{egRealName, ecs.ProcessRealUserName},
	{egRealGroupID, ecs.ProcessRealGroupID},
}

type endgame struct{ *ecsMembers }

func (g *endgame) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	g.read(r.Value)
	if !g.ours() {
		g.fail(Shape, 0, "object is neither a document of Endgame nor a buffer of its sensor")
		return dst, asError(g.err)
	}
	created, executed := g.started()
	if !created && !executed {
		return dst, asError(g.err)
	}
	dst, e := ecs.Grow(dst, ecs.Default)
	e.Offset, e.Shape = r.Offset, "ecs"
	if !g.given(ecs.EventAction) && !g.has(g.extra+egBuffer) {
		e.Shape = "native"
	}
	g.asStart(e)
	if created {
		e.Add(ecs.EventAction, valStart) // no rule asks for creation_event
	}
	g.copyFields(e, dash)
	if !g.given(ecs.EventAction) {
		g.addExtra(e, copied{egSubtype, ecs.EventAction})
	}
	if ppid := e.Values(ecs.ProcessPPID); len(ppid) > 0 && !e.Has(ecs.ProcessParentPID) {
		e.AddInt(ecs.ProcessParentPID, ppid[0].Int())
	}
	for _, c := range egCopied {
		if !e.Has(c.to) {
			g.addExtra(e, c)
		}
	}
	if !e.Has(ecs.HostName) && e.Has(ecs.HostHostname) {
		e.Add(ecs.HostName, e.First(ecs.HostHostname))
	}
	if !e.Has(ecs.ProcessName) {
		nameFromExecutable(e, ecs.ProcessName, ecs.ProcessExecutable)
	}
	if !e.Has(ecs.ProcessParentName) {
		nameFromExecutable(e, ecs.ProcessParentName, ecs.ProcessParentExecutable)
	}
	if !e.Has(ecs.ProcessName) && !e.Has(ecs.ProcessCommandLine) && !e.Has(ecs.ProcessArgs) {
		g.fail(Shape, 0, "process creation has no name, path, command line or arguments")
	}
	g.fillArgs(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessCommandLine)
	g.fillArgs(e, ecs.ProcessParentArgs, ecs.ProcessParentArgsCount, ecs.ProcessParentCommandLine)
	g.setHash(e, ecs.ProcessHashMD5, g.text(g.extra+egMD5))
	g.setHash(e, ecs.ProcessHashSHA1, g.text(g.extra+egSHA1))
	g.setHash(e, ecs.ProcessHashSHA256, g.text(g.extra+egSHA256))
	g.setDate(e, ecs.Timestamp, g.extra+egTimeUTC, parseEndgameUTC)
	g.setDate(e, ecs.Timestamp, g.extra+egTime, parseTicks)
	g.setSystem(e, created)
	relate(e)
	recordTime(e, r)
	return dst, asError(g.err)
}

// ours reports whether the record says that it is Endgame's: by its module,
// agent or platform, or by the words of the sensor's buffer.
func (g *endgame) ours() bool {
	return g.has(g.extra+egTypeFull) || g.has(g.extra+egSubtype) || g.has(g.extra+egBuffer) ||
		g.has(g.extra+egType) && g.has(g.extra+egOpcode) ||
		g.equal(path(ecs.EventModule), "endgame") || g.equal(path(ecs.EventDataset), "esensor") ||
		g.equal(path(ecs.AgentType), "endgame") || g.equal(path(ecs.AgentType), "Endgame") ||
		g.equal(g.extra+egProduct, "SMP")
}

// started reports whether the record is the creation of a process, as Windows
// has it, or the execution of an image, as Linux and macOS have it. A fork_event
// has its parent's image still; already_running was there before the sensor, and
// alerts about a creation differ in kind alone. Opcode 1 means a creation among
// process events; it counts where nothing else says what happened.
func (g *endgame) started() (created, executed bool) {
	process := g.equal(path(ecs.EventCategory), "process")
	if !g.given(ecs.EventCategory) {
		process = g.equal(g.extra+egTypeFull, "process_event") || g.equal(g.extra+egType, "process")
	}
	if !process || g.given(ecs.EventKind) && !g.equal(path(ecs.EventKind), "event") {
		return false, false
	}
	action := path(ecs.EventAction)
	if !g.given(ecs.EventAction) {
		action = g.extra + egSubtype
	}
	if g.text(action) == nil {
		return g.equal(g.extra+egOpcode, "1"), false
	}
	return g.equal(action, "creation_event"), g.equal(action, "exec_event")
}

// setSystem sets host.os.type where the document has none of its values:
// whether it does depends on the version that streams
// (elastic/detection-rules#2775). Without any word for it a creation was on
// Windows, and the path of an executed image tells macOS by its own folders.
func (g *endgame) setSystem(e *ecs.Event, created bool) {
	for _, p := range [...]path{path(ecs.HostOSType), g.extra + egObserverOS, path(ecs.HostOSPlatform), path(ecs.HostOSFamily)} {
		for k := g.first(p); k != 0; k = g.next(k) {
			if word := g.at(k); osType(word) != nil {
				if p != path(ecs.HostOSType) || !bytes.Equal(word, osType(word)) {
					e.Add(ecs.HostOSType, osType(word))
				}
				return
			}
		}
	}
	executable := e.First(ecs.ProcessExecutable)
	switch {
	case created && !bytes.HasPrefix(executable, []byte("/")):
		e.Add(ecs.HostOSType, valWindows)
	case underMacOS(executable):
		e.Add(ecs.HostOSType, valMacOS)
	default:
		e.Add(ecs.HostOSType, valLinux)
	}
}

// underMacOS reports a path in a folder that macOS alone has.
func underMacOS(executable []byte) bool {
	for _, folder := range [...]string{"/System/", "/Applications/", "/Library/", "/Users/", "/private/", "/Volumes/"} {
		if bytes.HasPrefix(executable, []byte(folder)) {
			return true
		}
	}
	return false
}

// parseEndgameUTC reads "2026-02-03 09:15:42Z", also without the letter.
func parseEndgameUTC(s []byte) (int64, bool) {
	if ns, ok := parseUTC(s); ok {
		return ns, true
	}
	return parseUTC(bytes.TrimSuffix(s, []byte("Z")))
}

// parseTicks reads the clock of the sensor's buffer, in units of 100 ns since
// 1601 (FILETIME), and the milliseconds since 1970 that documents have in its
// place: the one has 18 digits in our days, the other 13.
func parseTicks(s []byte) (int64, bool) {
	const from1601to1970, second = 11644473600, 10_000_000
	n, ok := parseInt(s)
	if !ok || n < 1e16 {
		return parseMillis(s)
	}
	return unixNano(time.Unix(n/second-from1601to1970, n%second*100))
}
