package ecs

// The fields of Default, in the order of its table.
const (
	Timestamp Field = iota
	EventAction
	EventCategory
	EventCode
	EventCreated
	EventDataset
	EventID
	EventKind
	EventModule
	EventOutcome
	EventProvider
	EventRiskScore
	EventSequence
	EventSeverity
	EventType
	ErrorMessage
	HostHostname
	HostID
	HostName
	HostIP
	HostOSFamily
	HostOSFull
	HostOSKernel
	HostOSName
	HostOSPlatform
	HostOSType
	HostOSVersion
	AgentID
	AgentName
	AgentType
	AgentVersion
	ContainerID
	ContainerSecurityContextPrivileged
	DataStreamDataset
	UserDomain
	UserEmail
	UserID
	UserName
	UserEffectiveID
	UserEffectiveName
	UserEffectiveDomain
	UserExtRealID
	GroupExtRealID
	RelatedHash
	RelatedHosts
	RelatedUser
	ProcessArgs
	ProcessArgsCount
	ProcessCommandLine
	ProcessEnd
	ProcessEntityID
	ProcessEnvVars
	ProcessExecutable
	ProcessExitCode
	ProcessName
	ProcessPID
	ProcessPPID
	ProcessStart
	ProcessTitle
	ProcessWorkingDirectory
	ProcessInteractive
	ProcessUserID
	ProcessUserName
	ProcessGroupID
	ProcessRealUserID
	ProcessRealUserName
	ProcessRealGroupID
	ProcessHashMD5
	ProcessHashSHA1
	ProcessHashSHA256
	ProcessPECompany
	ProcessPEDescription
	ProcessPEFileVersion
	ProcessPEImphash
	ProcessPEOriginalFileName
	ProcessPEProduct
	ProcessCodeSignatureExists
	ProcessCodeSignatureStatus
	ProcessCodeSignatureSubjectName
	ProcessCodeSignatureTrusted
	ProcessParentArgs
	ProcessParentArgsCount
	ProcessParentCommandLine
	ProcessParentEntityID
	ProcessParentExecutable
	ProcessParentName
	ProcessParentPID
	ProcessParentTitle
	ProcessParentWorkingDirectory
	ProcessParentInteractive
	ProcessParentUserID
	ProcessParentUserName
	ProcessParentGroupID
	ProcessParentCodeSignatureExists
	ProcessParentCodeSignatureSubjectName
	ProcessParentCodeSignatureTrusted
	ProcessParentExtRealPID
	ProcessPreviousExecutable
	ProcessEntryLeaderArgs
	ProcessEntryLeaderEntryMetaType
	ProcessEntryLeaderExecutable
	ProcessEntryLeaderName
	ProcessEntryLeaderSameAsProcess
	ProcessGroupLeaderName
	ProcessSessionLeaderName
	ProcessExtDeviceProductID
	ProcessExtEffectiveParentExecutable
	ProcessExtEffectiveParentName
	ProcessExtLoadModuleTaintFlags
	ProcessExtRelativeFileCreationTime
	ProcessExtRelativeFileNameModifyTime
	ProcessExtTokenIntegrityLevelName
	WinlogEventDataCallTrace
	WinlogEventDataGrantedAccess
	WinlogEventDataIntegrityLevel
	WinlogEventDataSubjectUserName
	WinlogEventDataTargetImage
	WinlogLogonID
	AuditdDataA0
	AuditdDataA1
	AuditdDataSyscall
	BlocklistLabel
	ProblemchildPrediction
	ProblemchildPredictionProbability
)

// Default is the schema of the events that normalizers write: the seventy
// fields that Elastic's 491 process rules read (elastic/detection-rules,
// August 2026), what an alert needs, and what the sources give beside that.
// Kinds are those of ECS 8.17 and of the elastic/endpoint-package mappings;
// Tier says which sources carry the field.
var Default = func() *Schema {
	s, err := NewSchema(defaultFields)
	if err != nil {
		panic("ecs: " + err.Error()) // the table below is wrong
	}
	return s
}()

var defaultFields = []Def{
	Timestamp:                             {"@timestamp", Date, Min, false},
	EventAction:                           {"event.action", Keyword, Min, false},
	EventCategory:                         {"event.category", Keyword, Min, true},
	EventCode:                             {"event.code", Keyword, Min, false},
	EventCreated:                          {"event.created", Date, Min, false},
	EventDataset:                          {"event.dataset", Keyword, Min, false},
	EventID:                               {"event.id", Keyword, Min, false},
	EventKind:                             {"event.kind", Keyword, Min, false},
	EventModule:                           {"event.module", Keyword, Min, false},
	EventOutcome:                          {"event.outcome", Keyword, Min, false},
	EventProvider:                         {"event.provider", Keyword, Min, false},
	EventRiskScore:                        {"event.risk_score", Double, Min, false},
	EventSequence:                         {"event.sequence", Long, Min, false},
	EventSeverity:                         {"event.severity", Long, Min, false},
	EventType:                             {"event.type", Keyword, Min, true},
	ErrorMessage:                          {"error.message", Keyword, Min, false},
	HostHostname:                          {"host.hostname", Keyword, Min, false},
	HostID:                                {"host.id", Keyword, Min, false},
	HostName:                              {"host.name", Keyword, Min, false},
	HostIP:                                {"host.ip", IP, Min, true},
	HostOSFamily:                          {"host.os.family", Keyword, Min, false},
	HostOSFull:                            {"host.os.full", Keyword, Min, false},
	HostOSKernel:                          {"host.os.kernel", Keyword, Min, false},
	HostOSName:                            {"host.os.name", Keyword, Min, false},
	HostOSPlatform:                        {"host.os.platform", Keyword, Min, false},
	HostOSType:                            {"host.os.type", Keyword, Min, false},
	HostOSVersion:                         {"host.os.version", Keyword, Min, false},
	AgentID:                               {"agent.id", Keyword, Min, false},
	AgentName:                             {"agent.name", Keyword, Min, false},
	AgentType:                             {"agent.type", Keyword, Min, false},
	AgentVersion:                          {"agent.version", Keyword, Min, false},
	ContainerID:                           {"container.id", Keyword, Min, false},
	ContainerSecurityContextPrivileged:    {"container.security_context.privileged", Boolean, Other, false},
	DataStreamDataset:                     {"data_stream.dataset", Keyword, Min, false},
	UserDomain:                            {"user.domain", Keyword, Min, false},
	UserEmail:                             {"user.email", Keyword, Min, false},
	UserID:                                {"user.id", Keyword, Min, false},
	UserName:                              {"user.name", Keyword, Min, false},
	UserEffectiveID:                       {"user.effective.id", Keyword, Min, false},
	UserEffectiveName:                     {"user.effective.name", Keyword, Min, false},
	UserEffectiveDomain:                   {"user.effective.domain", Keyword, Min, false},
	UserExtRealID:                         {"user.Ext.real.id", Keyword, Endpoint, false},
	GroupExtRealID:                        {"group.Ext.real.id", Keyword, Endpoint, false},
	RelatedHash:                           {"related.hash", Keyword, Min, true},
	RelatedHosts:                          {"related.hosts", Keyword, Min, true},
	RelatedUser:                           {"related.user", Keyword, Min, true},
	ProcessArgs:                           {"process.args", Keyword, Min, true},
	ProcessArgsCount:                      {"process.args_count", Long, Min, false},
	ProcessCommandLine:                    {"process.command_line", Wildcard, Min, false},
	ProcessEnd:                            {"process.end", Date, Min, false},
	ProcessEntityID:                       {"process.entity_id", Keyword, Min, false},
	ProcessEnvVars:                        {"process.env_vars", Keyword, Endpoint, true},
	ProcessExecutable:                     {"process.executable", Keyword, Min, false},
	ProcessExitCode:                       {"process.exit_code", Long, Endpoint, false},
	ProcessName:                           {"process.name", Keyword, Min, false},
	ProcessPID:                            {"process.pid", Long, Min, false},
	ProcessPPID:                           {"process.ppid", Long, Min, false},
	ProcessStart:                          {"process.start", Date, Min, false},
	ProcessTitle:                          {"process.title", Keyword, Min, false},
	ProcessWorkingDirectory:               {"process.working_directory", Keyword, Min, false},
	ProcessInteractive:                    {"process.interactive", Boolean, Endpoint, false},
	ProcessUserID:                         {"process.user.id", Keyword, Min, false},
	ProcessUserName:                       {"process.user.name", Keyword, Min, false},
	ProcessGroupID:                        {"process.group.id", Keyword, Min, false},
	ProcessRealUserID:                     {"process.real_user.id", Keyword, Endpoint, false},
	ProcessRealUserName:                   {"process.real_user.name", Keyword, Endpoint, false},
	ProcessRealGroupID:                    {"process.real_group.id", Keyword, Endpoint, false},
	ProcessHashMD5:                        {"process.hash.md5", Keyword, Sysmon, false},
	ProcessHashSHA1:                       {"process.hash.sha1", Keyword, Sysmon, false},
	ProcessHashSHA256:                     {"process.hash.sha256", Keyword, Sysmon, false},
	ProcessPECompany:                      {"process.pe.company", Keyword, Sysmon, false},
	ProcessPEDescription:                  {"process.pe.description", Keyword, Sysmon, false},
	ProcessPEFileVersion:                  {"process.pe.file_version", Keyword, Sysmon, false},
	ProcessPEImphash:                      {"process.pe.imphash", Keyword, Sysmon, false},
	ProcessPEOriginalFileName:             {"process.pe.original_file_name", Keyword, Sysmon, false},
	ProcessPEProduct:                      {"process.pe.product", Keyword, Sysmon, false},
	ProcessCodeSignatureExists:            {"process.code_signature.exists", Boolean, Endpoint, false},
	ProcessCodeSignatureStatus:            {"process.code_signature.status", Keyword, Endpoint, false},
	ProcessCodeSignatureSubjectName:       {"process.code_signature.subject_name", Keyword, Endpoint, false},
	ProcessCodeSignatureTrusted:           {"process.code_signature.trusted", Boolean, Endpoint, false},
	ProcessParentArgs:                     {"process.parent.args", Keyword, Min, true},
	ProcessParentArgsCount:                {"process.parent.args_count", Long, Min, false},
	ProcessParentCommandLine:              {"process.parent.command_line", Wildcard, Min, false},
	ProcessParentEntityID:                 {"process.parent.entity_id", Keyword, Min, false},
	ProcessParentExecutable:               {"process.parent.executable", Keyword, Min, false},
	ProcessParentName:                     {"process.parent.name", Keyword, Min, false},
	ProcessParentPID:                      {"process.parent.pid", Long, Min, false},
	ProcessParentTitle:                    {"process.parent.title", Keyword, Min, false},
	ProcessParentWorkingDirectory:         {"process.parent.working_directory", Keyword, Min, false},
	ProcessParentInteractive:              {"process.parent.interactive", Boolean, Endpoint, false},
	ProcessParentUserID:                   {"process.parent.user.id", Keyword, Endpoint, false},
	ProcessParentUserName:                 {"process.parent.user.name", Keyword, Endpoint, false},
	ProcessParentGroupID:                  {"process.parent.group.id", Keyword, Endpoint, false},
	ProcessParentCodeSignatureExists:      {"process.parent.code_signature.exists", Boolean, Endpoint, false},
	ProcessParentCodeSignatureSubjectName: {"process.parent.code_signature.subject_name", Keyword, Endpoint, false},
	ProcessParentCodeSignatureTrusted:     {"process.parent.code_signature.trusted", Boolean, Endpoint, false},
	ProcessParentExtRealPID:               {"process.parent.Ext.real.pid", Long, Endpoint, false},
	ProcessPreviousExecutable:             {"process.previous.executable", Keyword, Endpoint, false},
	ProcessEntryLeaderArgs:                {"process.entry_leader.args", Keyword, Endpoint, true},
	ProcessEntryLeaderEntryMetaType:       {"process.entry_leader.entry_meta.type", Keyword, Endpoint, false},
	ProcessEntryLeaderExecutable:          {"process.entry_leader.executable", Keyword, Endpoint, false},
	ProcessEntryLeaderName:                {"process.entry_leader.name", Keyword, Endpoint, false},
	ProcessEntryLeaderSameAsProcess:       {"process.entry_leader.same_as_process", Boolean, Endpoint, false},
	ProcessGroupLeaderName:                {"process.group_leader.name", Keyword, Endpoint, false},
	ProcessSessionLeaderName:              {"process.session_leader.name", Keyword, Endpoint, false},
	ProcessExtDeviceProductID:             {"process.Ext.device.product_id", Keyword, Endpoint, false},
	ProcessExtEffectiveParentExecutable:   {"process.Ext.effective_parent.executable", Keyword, Endpoint, false},
	ProcessExtEffectiveParentName:         {"process.Ext.effective_parent.name", Keyword, Endpoint, false},
	ProcessExtLoadModuleTaintFlags:        {"process.Ext.load_module.taint_flags", Keyword, Endpoint, false},
	ProcessExtRelativeFileCreationTime:    {"process.Ext.relative_file_creation_time", Double, Endpoint, false},
	ProcessExtRelativeFileNameModifyTime:  {"process.Ext.relative_file_name_modify_time", Double, Endpoint, false},
	ProcessExtTokenIntegrityLevelName:     {"process.Ext.token.integrity_level_name", Keyword, Sysmon, false},
	WinlogEventDataCallTrace:              {"winlog.event_data.CallTrace", Keyword, Other, false},
	WinlogEventDataGrantedAccess:          {"winlog.event_data.GrantedAccess", Keyword, Other, false},
	WinlogEventDataIntegrityLevel:         {"winlog.event_data.IntegrityLevel", Keyword, Sysmon, false},
	WinlogEventDataSubjectUserName:        {"winlog.event_data.SubjectUserName", Keyword, Other, false},
	WinlogEventDataTargetImage:            {"winlog.event_data.TargetImage", Keyword, Other, false},
	WinlogLogonID:                         {"winlog.logon.id", Keyword, Sysmon, false},
	AuditdDataA0:                          {"auditd.data.a0", Keyword, Other, false},
	AuditdDataA1:                          {"auditd.data.a1", Keyword, Other, false},
	AuditdDataSyscall:                     {"auditd.data.syscall", Keyword, Other, false},
	BlocklistLabel:                        {"blocklist_label", Long, Other, false},
	ProblemchildPrediction:                {"problemchild.prediction", Long, Other, false},
	ProblemchildPredictionProbability:     {"problemchild.prediction_probability", Double, Other, false},
}
