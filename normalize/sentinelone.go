package normalize

import "github.com/imdswatch/imdswatch/schemas/ecs"

var _ = register(Source{
	Name:    "sentinelone",
	Shapes:  []string{"flat", "nested"},
	Key:     "any",
	Needs:   "Cloud Funnel 2 with process events among what it streams, a JSON object a record, its dotted names flat or nested as some relays make them",
	Indices: []string{"logs-sentinel_one_cloud_funnel.event-default"},
	New:     func() Normalizer { return newSentinelOne() },
	Marks:   [][]string{{"meta.event.name"}, {"dataSource.name=SentinelOne"}, {"dataSource.name", "site.id"}, {"tgt.process.uid"}, {"src.process.uid"}},
})

// The members of a Cloud Funnel record. The process that was started is "tgt",
// the one that started it "src"; that one's own parent is left out.
const (
	s1Name path = iota // meta.event.name
	s1Category
	s1Type
	s1Nested
	s1Mark // present in the records of SentinelOne alone
	s1ID
	s1Time
	s1Clock
	s1OS
	s1OSName
	s1Host
	s1AgentID
	s1AgentVersion
	s1Container
	s1ProcessName
	s1Image
	s1CommandLine
	s1PID
	s1UID
	s1Started
	s1Title
	s1MD5
	s1SHA1
	s1SHA256
	s1Publisher
	s1Signed
	s1Verified
	s1User
	s1EffectiveName
	s1EffectiveID
	s1RealName
	s1RealID
	s1ParentName
	s1ParentImage
	s1ParentCommandLine
	s1ParentPID
	s1ParentUID
	s1ParentTitle
	s1ParentPublisher
	s1ParentSigned
	s1ParentVerified
	s1ParentUser
	s1ParentEffectiveName
	s1ParentEffectiveID
)

var s1Paths = []string{
	s1Name:                "meta.event.name",
	s1Category:            "event.category",
	s1Type:                "event.type",
	s1Nested:              "tgt",
	s1Mark:                "dataSource.name|i.scheme|mgmt.id|mgmt.url|site.id|account.id",
	s1ID:                  "event.id",
	s1Time:                "event.time",
	s1Clock:               "timestamp",
	s1OS:                  "endpoint.os",
	s1OSName:              "os.name",
	s1Host:                "endpoint.name",
	s1AgentID:             "agent.uuid",
	s1AgentVersion:        "agent.version",
	s1Container:           "k8sCluster.containerId",
	s1ProcessName:         "tgt.process.name",
	s1Image:               "tgt.process.image.path",
	s1CommandLine:         "tgt.process.cmdline",
	s1PID:                 "tgt.process.pid",
	s1UID:                 "tgt.process.uid",
	s1Started:             "tgt.process.startTime",
	s1Title:               "tgt.process.displayName",
	s1MD5:                 "tgt.process.image.md5",
	s1SHA1:                "tgt.process.image.sha1",
	s1SHA256:              "tgt.process.image.sha256",
	s1Publisher:           "tgt.process.publisher",
	s1Signed:              "tgt.process.signedStatus",
	s1Verified:            "tgt.process.verifiedStatus",
	s1User:                "tgt.process.user",
	s1EffectiveName:       "tgt.process.eUserName",
	s1EffectiveID:         "tgt.process.eUserUid",
	s1RealName:            "tgt.process.rUserName",
	s1RealID:              "tgt.process.rUserUid",
	s1ParentName:          "src.process.name",
	s1ParentImage:         "src.process.image.path",
	s1ParentCommandLine:   "src.process.cmdline",
	s1ParentPID:           "src.process.pid",
	s1ParentUID:           "src.process.uid",
	s1ParentTitle:         "src.process.displayName",
	s1ParentPublisher:     "src.process.publisher",
	s1ParentSigned:        "src.process.signedStatus",
	s1ParentVerified:      "src.process.verifiedStatus",
	s1ParentUser:          "src.process.user",
	s1ParentEffectiveName: "src.process.eUserName",
	s1ParentEffectiveID:   "src.process.eUserUid",
}

var s1Copied = []copied{
	{s1ID, ecs.EventID},
	{s1OS, ecs.HostOSPlatform},
	{s1OSName, ecs.HostOSName},
	{s1Host, ecs.HostName},
	{s1Host, ecs.HostHostname},
	{s1AgentID, ecs.HostID},
	{s1AgentID, ecs.AgentID},
	{s1AgentVersion, ecs.AgentVersion},
	{s1Container, ecs.ContainerID},
	{s1ProcessName, ecs.ProcessName}, // the file behind the image: dash for /bin/sh on Debian
	{s1Image, ecs.ProcessExecutable},
	{s1CommandLine, ecs.ProcessCommandLine},
	{s1UID, ecs.ProcessEntityID},
	{s1Title, ecs.ProcessTitle},
	{s1Publisher, ecs.ProcessCodeSignatureSubjectName},
	{s1EffectiveID, ecs.UserID},
	{s1EffectiveID, ecs.ProcessUserID},
	{s1RealID, ecs.ProcessRealUserID},
	{s1RealName, ecs.ProcessRealUserName},
	{s1ParentName, ecs.ProcessParentName},
	{s1ParentImage, ecs.ProcessParentExecutable},
	{s1ParentCommandLine, ecs.ProcessParentCommandLine},
	{s1ParentUID, ecs.ProcessParentEntityID},
	{s1ParentTitle, ecs.ProcessParentTitle},
	{s1ParentPublisher, ecs.ProcessParentCodeSignatureSubjectName},
	{s1ParentEffectiveID, ecs.ProcessParentUserID},
}

type sentinelOne struct{ *members }

func newSentinelOne() *sentinelOne {
	s := &sentinelOne{newMembers(s1Paths)}
	s.dotted = true
	return s
}

func (s *sentinelOne) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	s.read(r.Value)
	if !s.started() {
		named := s.text(s1Name) != nil
		if !named && !s.has(s1Mark) {
			s.fail(Shape, 0, "object has neither meta.event.name nor any other member of a Cloud Funnel record")
		} else if !named && s.text(s1Type) == nil && s.equal(s1Category, "process") {
			s.fail(Shape, 0, "process record says neither in meta.event.name nor in event.type what happened")
		}
		return dst, asError(s.err)
	}
	dst, e := ecs.Grow(dst, ecs.Default)
	e.Offset, e.Shape = r.Offset, "flat"
	if s.has(s1Nested) {
		e.Shape = "nested"
	}
	if !s.has(s1CommandLine) && !s.has(s1Image) && !s.has(s1ProcessName) {
		s.fail(Shape, 0, "process creation has no name, image path or command line")
	}
	asStart(e)
	e.Add(ecs.EventAction, valStart)
	s.copyAll(e, s1Copied, dash)
	s.setDate(e, ecs.Timestamp, s1Time, parseMillis)
	s.setDate(e, ecs.Timestamp, s1Clock, parseMillis) // some records have the time of day alone here
	s.setDate(e, ecs.ProcessStart, s1Started, parseMillis)
	s.setInt(e, ecs.ProcessPID, s1PID, dash)
	s.setInt(e, ecs.ProcessParentPID, s1ParentPID, dash)
	if system := osType(s.text(s1OS)); system != nil {
		e.Add(ecs.HostOSType, system)
	}
	if !e.Has(ecs.ProcessName) {
		nameFromExecutable(e, ecs.ProcessName, ecs.ProcessExecutable)
	}
	if !e.Has(ecs.ProcessParentName) {
		nameFromExecutable(e, ecs.ProcessParentName, ecs.ProcessParentExecutable)
	}
	s.setArgs(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessCommandLine)
	s.setArgs(e, ecs.ProcessParentArgs, ecs.ProcessParentArgsCount, ecs.ProcessParentCommandLine)
	s.setHash(e, ecs.ProcessHashMD5, s.text(s1MD5))
	s.setHash(e, ecs.ProcessHashSHA1, s.text(s1SHA1))
	s.setHash(e, ecs.ProcessHashSHA256, s.text(s1SHA256))
	s.setSignature(e, ecs.ProcessCodeSignatureExists, ecs.ProcessCodeSignatureTrusted, s1Signed, s1Verified)
	s.setSignature(e, ecs.ProcessParentCodeSignatureExists, ecs.ProcessParentCodeSignatureTrusted, s1ParentSigned, s1ParentVerified)
	s.setUsers(e)
	relate(e)
	recordTime(e, r)
	return dst, asError(s.err)
}

// started reports whether the record is a process creation. Scripts
// (command_script) and handles to other processes (cross_process) carry command
// lines too, and records of category process can be exits. What event.type says
// is spelled with and without a blank; it counts only where the sender left
// meta.event.name out of what it streams.
func (s *sentinelOne) started() bool {
	if s.has(s1Category) && !s.equal(s1Category, "process") {
		return false
	}
	if s.equal(s1Name, "PROCESSCREATION") {
		return true
	}
	return s.text(s1Name) == nil && s.has(s1Mark) && (s.equal(s1Type, "Process Creation") || s.equal(s1Type, "ProcessCreation"))
}

// setSignature sets whether the image is signed and, if so, whether the
// signature was verified.
func (s *sentinelOne) setSignature(e *ecs.Event, exists, trusted ecs.Field, signed, verified path) {
	switch string(s.text(signed)) {
	case "signed":
		e.AddBool(exists, true)
		if v := s.text(verified); len(v) > 0 {
			e.AddBool(trusted, string(v) == "verified")
		}
	case "unsigned":
		e.AddBool(exists, false)
	}
}

// setUsers sets whom the process and its parent run as: DOMAIN\name on Windows;
// on Linux there is the effective user's name alone.
func (s *sentinelOne) setUsers(e *ecs.Event) {
	domain, name := account(s.text(s1User))
	if name == nil {
		_, name = account(s.text(s1EffectiveName))
	}
	if domain != nil {
		e.Add(ecs.UserDomain, domain)
	}
	if name != nil {
		e.Add(ecs.UserName, name)
		e.Add(ecs.ProcessUserName, name)
	}
	_, parent := account(s.text(s1ParentUser))
	if parent == nil {
		_, parent = account(s.text(s1ParentEffectiveName))
	}
	if parent != nil {
		e.Add(ecs.ProcessParentUserName, parent)
	}
}
