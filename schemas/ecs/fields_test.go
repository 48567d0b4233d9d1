package ecs

import (
	"strings"
	"testing"
)

// surveyed are the seventy fields that Elastic's 491 process rules read
// (elastic/detection-rules, August 2026), by the kinds that the
// elastic/endpoint-package mappings, or else ECS, give them.
var surveyed = []struct {
	kind  Kind
	names string
}{
	{Keyword, `
		auditd.data.a0
		auditd.data.a1
		auditd.data.syscall
		container.id
		data_stream.dataset
		event.action
		event.code
		event.provider
		event.type
		group.Ext.real.id
		host.os.type
		process.Ext.device.product_id
		process.Ext.effective_parent.executable
		process.Ext.effective_parent.name
		process.Ext.load_module.taint_flags
		process.Ext.token.integrity_level_name
		process.args
		process.code_signature.status
		process.code_signature.subject_name
		process.entry_leader.args
		process.entry_leader.entry_meta.type
		process.entry_leader.executable
		process.env_vars
		process.executable
		process.group.id
		process.group_leader.name
		process.hash.sha256
		process.name
		process.parent.args
		process.parent.code_signature.subject_name
		process.parent.executable
		process.parent.group.id
		process.parent.name
		process.parent.user.id
		process.parent.working_directory
		process.pe.original_file_name
		process.previous.executable
		process.real_group.id
		process.real_user.id
		process.session_leader.name
		process.user.id
		process.working_directory
		user.Ext.real.id
		user.domain
		user.id
		user.name
		winlog.event_data.CallTrace
		winlog.event_data.GrantedAccess
		winlog.event_data.IntegrityLevel
		winlog.event_data.SubjectUserName
		winlog.event_data.TargetImage
	`},
	{Wildcard, `
		process.command_line
		process.parent.command_line
	`},
	{Long, `
		blocklist_label
		problemchild.prediction
		process.args_count
		process.parent.Ext.real.pid
		process.parent.args_count
		process.parent.pid
	`},
	{Boolean, `
		container.security_context.privileged
		process.code_signature.exists
		process.code_signature.trusted
		process.entry_leader.same_as_process
		process.interactive
		process.parent.code_signature.exists
		process.parent.code_signature.trusted
		process.parent.interactive
	`},
	{Double, `
		problemchild.prediction_probability
		process.Ext.relative_file_creation_time
		process.Ext.relative_file_name_modify_time
	`},
}

func TestDefaultHasEverySurveyedFieldInItsKind(t *testing.T) {
	count := 0
	for _, s := range surveyed {
		for name := range strings.FieldsSeq(s.names) {
			count++
			f, ok := Default.Lookup(name)
			if !ok {
				t.Errorf("%s: no such field", name)
			} else if Default.Kind(f) != s.kind {
				t.Errorf("%s is of kind %s, want %s", name, Default.Kind(f), s.kind)
			}
		}
	}
	if count != 70 {
		t.Errorf("%d fields listed, want 70", count)
	}
}

func TestDefaultNamesItsConstants(t *testing.T) {
	if Default.Len() != int(ProblemchildPredictionProbability)+1 {
		t.Errorf("%d fields, the last constant is %d", Default.Len(), ProblemchildPredictionProbability)
	}
	squeeze := strings.NewReplacer(".", "", "_", "", "@", "")
	for _, c := range []struct {
		field Field
		name  string
	}{
		{Timestamp, "@timestamp"},
		{EventAction, "event.action"},
		{EventType, "event.type"},
		{HostOSType, "host.os.type"},
		{UserEffectiveID, "user.effective.id"},
		{RelatedUser, "related.user"},
		{ProcessArgs, "process.args"},
		{ProcessCommandLine, "process.command_line"},
		{ProcessPID, "process.pid"},
		{ProcessHashSHA256, "process.hash.sha256"},
		{ProcessParentArgs, "process.parent.args"},
		{ProcessParentEntityID, "process.parent.entity_id"},
		{ProcessExtTokenIntegrityLevelName, "process.Ext.token.integrity_level_name"},
		{WinlogLogonID, "winlog.logon.id"},
		{ProblemchildPredictionProbability, "problemchild.prediction_probability"},
	} {
		if got := Default.Name(c.field); got != c.name {
			t.Errorf("field %d is %s, want %s", c.field, got, c.name)
		}
	}
	seen := map[string]string{}
	for f := range Field(Default.Len()) {
		name := Default.Name(f)
		if twin := seen[strings.ToLower(squeeze.Replace(name))]; twin != "" {
			t.Errorf("%s and %s differ in case and punctuation alone", name, twin)
		}
		seen[strings.ToLower(squeeze.Replace(name))] = name
	}
}

func TestDefaultWritesListsWhereECSNormalizesToArrays(t *testing.T) {
	var got []string
	for f := range Field(Default.Len()) {
		if Default.Def(f).List {
			got = append(got, Default.Name(f))
		}
	}
	want := "event.category event.type host.ip related.hash related.hosts related.user process.args " +
		"process.env_vars process.parent.args process.entry_leader.args"
	if strings.Join(got, " ") != want {
		t.Errorf("lists are %s, want %s", strings.Join(got, " "), want)
	}
}
