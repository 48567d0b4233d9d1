package detector

import "slices"

// The shapes of rules: heads, bodies, conditions that some have beside the body,
// and exclusions. A slot is {KIND MIN MAX FORM}: between MIN and MAX literals of a
// kind, see ruleSource.choose, in a form of pattern, see ruleSource.pattern.
// Without numbers it is one literal, without form the literals are exact. One
// command, the subject, satisfies the positive tests of a rule, so that rules
// are as selective as those that people write.

// ruleShapes are the shapes of rules about one system, or any. The repeated
// ones are frequent.
type ruleShapes struct {
	system     string // empty: any
	share      int    // of 100 rules
	heads      []string
	bodies     []string
	beside     []string // what many add
	seldom     []string // what some add
	exclusions []string
}

const (
	execActions = `event.action in ("exec", "exec_event", "start")`
	allActions  = `event.action in ("exec", "exec_event", "start", "ProcessRollup2", "executed", "process_started")`
	linuxStart  = `host.os.type == "linux" and event.type == "start"`
	macosStart  = `host.os.type == "macos" and event.type in ("start", "process_started")`
)

var allRuleShapes = []*ruleShapes{
	{
		system: "linux", share: 40,
		heads: []string{
			linuxStart + ` and ` + allActions,
			linuxStart + ` and ` + allActions,
			linuxStart + ` and event.action in ("exec", "exec_event", "start", "ProcessRollup2")`,
			linuxStart + ` and ` + execActions,
			linuxStart + ` and event.action == "exec"`,
			linuxStart + ` and event.action == "exec"`,
			linuxStart,
		},
		bodies: []string{
			`process.name in ({names 1 14}) and process.args in ({args 1 8})`,
			`process.name == {names} and process.args in ({args 1 6})`,
			`process.name == {names} and process.args like ({args 1 12 mixed})`,
			`process.name in ({names 2 6}) and process.args == {args} and process.args like ({args 2 9 mixed})`,
			`process.name like ({names 2 9 versions}) and process.command_line like~ ({args 1 12 contains})`,
			`process.name in ({programs 3 90})`,
			`process.name in~ ({programs 4 40})`,
			`process.parent.name in ({parents 1 9}) and process.name in ({names 2 20})`,
			`process.parent.name in ({parents 1 9}) and process.args == "-c" and process.args like ({args 2 15 contains})`,
			`process.parent.name like ({parents 1 6 versions}) and process.name in ({names 1 9}) and process.args like ({args 1 5 mixed})`,
			`process.parent.executable like ({lairs 2 20 prefix}) and process.name in ({names 1 8})`,
			`(
  (process.name in ({shells 9}) and process.args == "-c" and process.args : ({args 1 14 contains})) or
  (process.name in ({names 1 7}) and process.args in ({args 1 6}))
)`,
			`(
  (process.name == {names} and process.args in ({args 1 4})) or
  (process.name == {tools} and process.args like ({flags 1 5 mixed})) or
  (process.name in ({tools 1 4}) and process.args == {flags} and process.args == {flags})
)`,
			`(
  process.name in ({programs 1 3}) or
  (process.name in ({shells 8}) and process.args in ({programs 4 12}) and
   not process.args in ({strangers 3 12}))
)`,
			`process.name in ({shells 8}) and
process.args == "-c" and process.parent.name in ({parents 2 12}) and process.command_line like~ ({args 1 6 contains})`,
			`process.name == {names} and process.parent.args in ({parentargs 1 5}) and process.args in ({args 1 4})`,
			`process.name == {names} and process.args in ({args 1 4}) and process.parent.command_line like ({parentargs 1 3 contains})`,
			`process.executable like ({lairs 3 14 prefix}) and process.parent.name in ({shells 8})`,
			`process.executable like ({files 2 12 prefix}) and user.id == "0"`,
			`process.executable like ({lairs 1 5 prefix}) and process.parent.executable like ({lairs 1 5 prefix})`,
			`process.command_line like~ ({args 2 24 contains})`,
			`process.command_line regex """{args regex}""" and process.name in ({names 1 5})`,
			`process.args like ({flags 2 10 mixed}) and process.name != null`,
		},
		beside: []string{
			`process.parent.executable != null`, `process.args like ({args 1 5 mixed})`, `process.args in ({args 1 6})`,
			`process.args != {flags}`, `process.name in ({names 1 6})`, `process.parent.name in ({parents 1 5})`,
			`process.parent.name in ({shells 8})`, `container.id like "*"`, `user.id == "0"`, `not process.args in ({flags 1 4})`,
			`process.parent.executable like ({lairs 1 8 prefix})`, `process.args : ({args 1 5 mixed})`,
		},
		seldom: []string{
			`process.args_count >= {number}`, `process.args_count == {number}`, `process.args_count > 1`, `process.parent.name != null`,
			`?process.working_directory like ({lairs 1 5 prefix})`, `?process.working_directory like ({lairs 2 9 prefix})`,
			`process.interactive == true`, `process.entry_leader.entry_meta.type == "container"`, `process.parent.args_count <= {number}`,
			`process.user.id == "0" and process.real_user.id != "0"`, `?process.env_vars like ({flags 1 3 contains})`,
			`user.id != "0"`, `container.id != null`, `length(process.args) > 40`, `process.parent.interactive == true`,
			`startsWith(process.executable, process.command_line)`, `?process.parent.args in ({parentargs 1 4})`,
		},
		exclusions: []string{
			`process.parent.name in ({strangers 1 9})`,
			`process.parent.executable in ({apps 1 12 concrete})`,
			`?process.parent.executable like ({apps 1 9})`,
			`process.executable like ({apps 1 8})`,
			`process.args in ({flags 1 6})`,
			`?process.parent.args like ({apps 1 5})`,
			`(process.parent.name == {strangers} and process.args == {flags})`,
			`process.parent.command_line in ({apps 1 5 concrete})`,
			`process.args like ({apps 1 6})`,
			`?process.working_directory like ({apps 1 3})`,
		},
	},
	{
		system: "windows", share: 42,
		heads: append(slices.Repeat([]string{`host.os.type == "windows" and event.type == "start"`}, 12),
			`host.os.type == "windows" and event.type == "start" and event.action in ("start", "created-process")`,
			`host.os.type == "windows" and event.code : "4688"`),
		bodies: []string{
			`process.name : {names} and process.args : ({args 1 9 mixed})`,
			`process.name : ({names 1 12}) and process.args : ({args 1 9 mixed})`,
			`(process.name : {names} or ?process.pe.original_file_name == {codes}) and process.args : ({args 1 8 mixed})`,
			`(process.name : {names} or ?process.pe.original_file_name == {codes}) and process.args : {args mixed} and process.args : ({args 1 9 mixed})`,
			`(process.name : ({names 1 9}) or ?process.pe.original_file_name in ({codes})) and process.command_line : ({args 1 9 contains})`,
			`process.parent.name : {parents} and process.name : ({names 1 14})`,
			`process.parent.name : ({parents 1 14}) and process.name : ({names 1 18})`,
			`process.parent.name : ({parents 1 6}) and (process.name : ({names 1 9}) or ?process.pe.original_file_name : ({codes}))`,
			`process.name : ({programs 3 50})`,
			`(
  (process.name : {names} and process.args : ({args 1 5 mixed})) or
  (process.name : ({tools 1 3}) and process.args : ({flags 1 5 mixed})) or
  (process.name : {tools} and not process.args : {flags})
)`,
			`(
  (process.name : {names} or ?process.pe.original_file_name : {codes}) and process.args : ({args 1 4}) or
  (process.name : {tools} or ?process.pe.original_file_name : {codes}) and process.args : ({flags 1 4})
)`,
			`process.executable : ({files 2 30 drive}) and process.parent.name : ({parents 2 9})`,
			`process.executable : ({lairs 3 30 drive})`,
			`process.executable : ({lairs 1 6 drive}) and process.parent.executable : ({files 2 9 drive})`,
			`process.name : ({names 1 4}) and process.parent.executable : ({lairs 2 14 drive})`,
			`process.command_line : ({args 2 24 contains})`,
			`process.name : ({names 1 5}) and process.command_line : ({args 1 4 contains}) and process.command_line : ({args 1 4 contains})`,
			`process.name : {names} and process.executable != null and not process.executable : ({files 2 6 drive})`,
			`process.name : ({names 1 3}) and process.parent.args : ({parentargs 1 5 mixed}) and process.args : ({args 1 3 mixed})`,
			`process.command_line regex~ """{args regex}""" and process.parent.name : ({parents 1 6})`,
			`?process.pe.original_file_name in ({codes 3 30}) and not process.name : ({names 3 9})`,
		},
		beside: []string{
			`process.parent.executable != null`, `process.args : ({args 1 5 mixed})`, `process.args : {args mixed}`,
			`process.args != {flags}`, `process.name : ({names 1 6})`, `process.parent.name : ({parents 1 6})`,
			`process.parent.name : ({parents 1 5})`, `not process.args : ({flags 1 4})`, `user.id : ("S-1-5-18", "S-1-5-19")`,
			`process.parent.name : ({shells 7})`, `process.args : ({args 1 6 mixed})`, `process.command_line != null`,
		},
		seldom: []string{
			`process.args_count == {number}`, `process.args_count >= {number}`, `?user.id != "S-1-5-18"`, `process.args != null`,
			`process.code_signature.trusted == false`, `not process.code_signature.trusted == true`, `?process.parent.code_signature.exists == true`,
			`?process.Ext.token.integrity_level_name : ("high", "system")`, `?winlog.event_data.IntegrityLevel : ("High", "System")`,
			`?process.code_signature.subject_name : "Microsoft *"`, `?process.working_directory : ({lairs 1 4 drive})`,
			`process.Ext.relative_file_creation_time <= 500`, `length(process.command_line) > 120`, `endsWith~(process.executable, ".exe")`,
			`?process.parent.args : ({parentargs 1 4 mixed})`, `process.parent.command_line : ({parentargs 1 3 contains})`,
		},
		exclusions: []string{
			`process.executable : ({apps 1 20 drive})`,
			`process.executable : ({apps 1 9 drive})`,
			`process.parent.executable : ({apps 1 30 drive})`,
			`?process.parent.executable : ({apps 2 60 drive})`,
			`process.parent.name : ({strangers 1 5})`,
			`process.args : ({apps 1 7 drive})`,
			`process.args : ({flags 1 6 mixed})`,
			`?process.parent.args : ({apps 1 4 drive})`,
			`(process.code_signature.trusted == true and process.code_signature.subject_name in ("Larkspur Software GmbH", "Microsoft Windows"))`,
		},
	},
	{
		system: "macos", share: 9,
		heads: []string{
			macosStart, macosStart + ` and event.action == "exec"`,
			`host.os.type == "macos" and event.type == "start" and event.action == "exec"`,
		},
		bodies: []string{
			`process.name == {names} and process.args == {args} and process.args like~ ({args 1 6 mixed})`,
			`process.name in ({names 1 6}) and process.args like~ ({args 1 8 mixed})`,
			`process.parent.name in ({parents 1 9}) and process.name in~ ({names 2 20})`,
			`process.name in ({shells 7}) and process.command_line like~ ({args 1 9 contains})`,
			`process.name == {names} and process.command_line like~ ({args 1 6 contains})`,
			`process.executable like ({lairs 2 9 prefix}) and process.parent.name in ({shells 6})`,
			`process.name : ({names 2 9}) and process.args : ({args 1 4 mixed})`,
			`process.name == {names} and process.command_line regex """{args regex}"""`,
		},
		beside: []string{
			`process.args like~ ({args 1 6 mixed})`, `process.parent.executable != null`, `process.parent.name in ({shells 6})`,
			`process.name in ({names 1 4})`, `user.id == "0"`, `process.args != {flags}`,
		},
		seldom: []string{
			`(process.parent.code_signature.exists == false or process.parent.code_signature.trusted == false)`,
			`process.code_signature.trusted == false`, `process.args_count >= {number}`,
			`?process.Ext.effective_parent.executable like ({apps 1 6})`,
		},
		exclusions: []string{
			`process.parent.executable like ({apps 1 9})`, `?process.Ext.effective_parent.executable like ({apps 1 9})`,
			`process.args like ({apps 1 5})`, `process.parent.name in ({strangers 1 4})`,
			`process.parent.code_signature.trusted == true`,
		},
	},
	{
		share: 9,
		heads: []string{
			`event.type == "start"`, `event.type == "start" and ` + allActions, `event.type == "start" and ` + execActions,
			`event.type in ("start", "process_started", "info")`, `host.os.type in ("linux", "macos") and event.type == "start"`, allActions,
		},
		bodies: []string{
			`process.name : ({names 2 20}) and process.args : ({args 1 9 mixed})`,
			`process.parent.name in ({parents 1 9}) and process.name in ({names 2 14})`,
			`process.name like~ ({names 1 6 versions}) and process.args like~ ({args 1 6 contains})`,
			`process.command_line : ({args 2 12 contains})`,
			`process.parent.name : ({parents 2 8}) and process.name : ({names 2 12}) and process.command_line : ({args 1 6 contains})`,
			`(process.args : ({flags 1 4 mixed}) or process.command_line : ({args 2 6 contains})) and not process.name : ({strangers 1 5})`,
		},
		beside: []string{
			`process.args : ({args 1 4})`, `process.args : ({args 1 5 mixed})`, `process.parent.executable != null`,
			`not process.args : {flags}`,
		},
		seldom: []string{`process.args_count >= {number}`, `container.id != null`, `process.args_count > 1`},
		exclusions: []string{
			`process.args in ({flags 1 5})`, `process.parent.executable : ({apps 1 6})`, `process.parent.name in ({strangers 1 6})`,
			`process.command_line like ({apps 1 5 contains})`,
		},
	},
}
