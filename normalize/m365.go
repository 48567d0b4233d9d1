package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

var _ = register(Source{
	Name:    "m365",
	Shapes:  []string{"records", "record", "lines", "array"},
	Key:     "any",
	Needs:   "Defender XDR's streaming API with the tables DeviceProcessEvents and CloudProcessEvents, as an Event Hub delivers it or a storage account exports it",
	Indices: []string{"logs-m365_defender.event-default"},
	New:     func() Normalizer { return &defender{newMembers(mdPaths), newMembers(mdInnerPaths)} },
	Marks:   [][]string{{"category=AdvancedHunting-*"}, {"records.category=AdvancedHunting-*"}, {"records"}, {"=*AdvancedHunting-*"}},
})

// The members of a record of the streaming API. A table's columns are below
// properties.
const (
	mdRecords path = iota // the batch of an Event Hub's message
	mdCategory
	mdAction
	mdTimestamp
	mdDeviceID
	mdDeviceName
	mdFile
	mdFolder
	mdCommandLine
	mdPID
	mdCreated
	mdUniqueID
	mdMD5
	mdSHA1
	mdSHA256
	mdIntegrity
	mdCompany
	mdDescription
	mdOriginalName
	mdProduct
	mdVersion
	mdUser
	mdDomain
	mdSID
	mdInitFile // the process that called for the new one, or its own image before the exec
	mdInitFolder
	mdInitCommandLine
	mdInitPID
	mdInitUniqueID
	mdInitUser
	mdInitSID
	mdInitParentFile
	mdInitParentPID
	mdComm // of CloudProcessEvents, as the kernel names it
	mdParentComm
	mdParentPID
	mdContainer
	mdMore // AdditionalFields: null, a JSON text, or an object
	mdDirectory
	mdInitDirectory
	mdPosix // only sensors for Linux and macOS send these
)

var mdPaths = []string{
	mdRecords:         "records",
	mdCategory:        "category",
	mdAction:          "properties.ActionType",
	mdTimestamp:       "properties.Timestamp",
	mdDeviceID:        "properties.DeviceId",
	mdDeviceName:      "properties.DeviceName",
	mdFile:            "properties.FileName",
	mdFolder:          "properties.FolderPath",
	mdCommandLine:     "properties.ProcessCommandLine",
	mdPID:             "properties.ProcessId",
	mdCreated:         "properties.ProcessCreationTime",
	mdUniqueID:        "properties.ProcessUniqueId",
	mdMD5:             "properties.MD5",
	mdSHA1:            "properties.SHA1",
	mdSHA256:          "properties.SHA256",
	mdIntegrity:       "properties.ProcessIntegrityLevel",
	mdCompany:         "properties.ProcessVersionInfoCompanyName",
	mdDescription:     "properties.ProcessVersionInfoFileDescription",
	mdOriginalName:    "properties.ProcessVersionInfoOriginalFileName",
	mdProduct:         "properties.ProcessVersionInfoProductName",
	mdVersion:         "properties.ProcessVersionInfoProductVersion",
	mdUser:            "properties.AccountName",
	mdDomain:          "properties.AccountDomain",
	mdSID:             "properties.AccountSid",
	mdInitFile:        "properties.InitiatingProcessFileName",
	mdInitFolder:      "properties.InitiatingProcessFolderPath",
	mdInitCommandLine: "properties.InitiatingProcessCommandLine",
	mdInitPID:         "properties.InitiatingProcessId",
	mdInitUniqueID:    "properties.InitiatingProcessUniqueId",
	mdInitUser:        "properties.InitiatingProcessAccountName",
	mdInitSID:         "properties.InitiatingProcessAccountSid",
	mdInitParentFile:  "properties.InitiatingProcessParentFileName",
	mdInitParentPID:   "properties.InitiatingProcessParentId",
	mdComm:            "properties.ProcessName",
	mdParentComm:      "properties.ParentProcessName",
	mdParentPID:       "properties.ParentProcessId",
	mdContainer:       "properties.ContainerId",
	mdMore:            "properties.AdditionalFields",
	mdDirectory:       "properties.ProcessCurrentWorkingDirectory|properties.AdditionalFields.ProcessCurrentWorkingDirectory",
	mdInitDirectory:   "properties.AdditionalFields.InitiatingProcessCurrentWorkingDirectory",
	mdPosix:           posix("properties.AdditionalFields."),
}

// The members of AdditionalFields where it is a JSON text.
const (
	mdInnerDirectory path = iota
	mdInnerInitDirectory
	mdInnerPosix
)

var mdInnerPaths = []string{
	mdInnerDirectory:     "ProcessCurrentWorkingDirectory",
	mdInnerInitDirectory: "InitiatingProcessCurrentWorkingDirectory",
	mdInnerPosix:         posix(""),
}

func posix(prefix string) string {
	return prefix + "ProcessPosixSessionId|" + prefix + "InitiatingProcessPosixSessionId|" +
		prefix + "ProcessPosixProcessGroupId|" + prefix + "InitiatingProcessPosixProcessGroupId|" +
		prefix + "ProcessPosixEffectiveUser|" + prefix + "InitiatingProcessPosixEffectiveUser"
}

// defender reads the streaming API's records, one or many at a time.
type defender struct {
	*members
	inner *members // of AdditionalFields
}

func (d *defender) Normalize(dst []ecs.Event, r *Record) ([]ecs.Event, error) {
	d.inner.reset()
	before := len(dst)
	it := d.elements(r.Value, mdRecords)
	for it.next() {
		cloud := d.isTable("CloudProcessEvents")
		switch {
		case !cloud && !d.isTable("DeviceProcessEvents"): // DeviceEvents, DeviceNetworkEvents and all the others
			if d.text(mdCategory) == nil {
				d.fail(Shape, it.start, "object has no category, which names the table of a Defender record")
			}
			continue
		case !d.anyFold(mdAction, "ProcessCreated"):
			if d.text(mdAction) == nil {
				d.fail(Shape, it.start, "process event has no ActionType")
			}
			continue
		case len(dst)-before == maxStarts:
			d.fail(TooLarge, it.start, "record has more than %d process starts", maxStarts)
			it.finish()
			return dst, asError(d.err)
		}
		var e *ecs.Event
		dst, e = ecs.Grow(dst, ecs.Default)
		e.Offset, e.Index, e.Shape = r.Offset, it.index, it.shape
		d.start(e, cloud)
		recordTime(e, r)
	}
	return dst, asError(d.err)
}

// isTable reports whether the record is of a table: "AdvancedHunting-" and its
// name, in whatever case.
func (d *defender) isTable(name string) bool {
	from, is := len(d.buf), false
	for k := d.first(mdCategory); k != 0 && !is; k = d.next(k) {
		v := d.at(k)
		is = len(v) >= len(name) && bytes.EqualFold(v[len(v)-len(name):], []byte(name))
		d.buf = d.buf[:from]
	}
	return is
}

// anyFold reports whether any value of a member is want, in whatever case.
func (d *defender) anyFold(p path, want string) bool {
	from, is := len(d.buf), false
	for k := d.first(p); k != 0 && !is; k = d.next(k) {
		is = bytes.EqualFold(d.at(k), []byte(want))
		d.buf = d.buf[:from]
	}
	return is
}

// The folder path of a process is that of its image, with the file's name.
var mdCopied = []copied{
	{mdDeviceID, ecs.HostID},
	{mdFolder, ecs.ProcessExecutable},
	{mdCommandLine, ecs.ProcessCommandLine},
	{mdDirectory, ecs.ProcessWorkingDirectory},
	{mdIntegrity, ecs.ProcessExtTokenIntegrityLevelName},
	{mdCompany, ecs.ProcessPECompany},
	{mdDescription, ecs.ProcessPEDescription},
	{mdOriginalName, ecs.ProcessPEOriginalFileName},
	{mdProduct, ecs.ProcessPEProduct},
	{mdVersion, ecs.ProcessPEFileVersion},
	{mdUser, ecs.UserName},
	{mdDomain, ecs.UserDomain},
	{mdSID, ecs.UserID},
	{mdContainer, ecs.ContainerID},
}

var mdParentCopied = []copied{
	{mdInitFile, ecs.ProcessParentName},
	{mdInitFolder, ecs.ProcessParentExecutable},
	{mdInitCommandLine, ecs.ProcessParentCommandLine},
	{mdInitDirectory, ecs.ProcessParentWorkingDirectory},
	{mdInitUser, ecs.ProcessParentUserName},
	{mdInitSID, ecs.ProcessParentUserID},
}

// start maps a process start.
func (d *defender) start(e *ecs.Event, cloud bool) {
	asStart(e)
	e.Add(ecs.EventAction, valStart)
	d.copyAll(e, mdCopied, dash)
	d.setHostName(e)
	d.setDate(e, ecs.Timestamp, mdTimestamp, parseRFC3339)
	d.setDate(e, ecs.ProcessStart, mdCreated, parseRFC3339)
	d.setInt(e, ecs.ProcessPID, mdPID, dash)
	posix := d.readMore(e)
	if cloud {
		d.setContainerized(e)
	} else {
		d.setOnDevice(e, posix)
	}
	if !e.Has(ecs.ProcessName) {
		nameFromExecutable(e, ecs.ProcessName, ecs.ProcessExecutable)
	}
	d.setArgs(e, ecs.ProcessArgs, ecs.ProcessArgsCount, ecs.ProcessCommandLine)
	d.setArgs(e, ecs.ProcessParentArgs, ecs.ProcessParentArgsCount, ecs.ProcessParentCommandLine)
	d.setHash(e, ecs.ProcessHashMD5, d.text(mdMD5))
	d.setHash(e, ecs.ProcessHashSHA1, d.text(mdSHA1))
	d.setHash(e, ecs.ProcessHashSHA256, d.text(mdSHA256))
	relate(e)
}

// setHostName sets the host's name in lower case: the sensor sends it in the
// case it was typed in.
func (d *defender) setHostName(e *ecs.Event) {
	for k := d.first(mdDeviceName); k != 0; k = d.next(k) {
		v := d.at(k)
		if v == nil || dash(v) {
			continue
		}
		if bytes.ContainsFunc(v, func(r rune) bool { return r >= 'A' && r <= 'Z' }) {
			from := len(d.buf)
			d.buf = append(d.buf, v...)
			v = d.buf[from:len(d.buf):len(d.buf)]
			for i, c := range v {
				if c >= 'A' && c <= 'Z' {
					v[i] = c | 0x20
				}
			}
		}
		e.Add(ecs.HostName, v)
	}
}

// readMore takes what AdditionalFields has, as an object or as a JSON text, and
// reports whether a POSIX system sent it. A text that is broken or something
// else is no fault of the record: the column is free.
func (d *defender) readMore(e *ecs.Event) (posix bool) {
	posix = d.has(mdPosix)
	for k := d.first(mdMore); k != 0; k = d.next(k) {
		if !d.isText(k) {
			continue
		}
		doc := d.at(k)
		if len(doc) == 0 || doc[0] != '{' {
			continue
		}
		d.inner.readText(doc)
		posix = posix || d.inner.has(mdInnerPosix)
		for _, c := range [...]copied{{mdInnerDirectory, ecs.ProcessWorkingDirectory}, {mdInnerInitDirectory, ecs.ProcessParentWorkingDirectory}} {
			if v := d.inner.text(c.from); v != nil && !dash(v) && !e.Has(c.to) {
				e.Add(c.to, v)
			}
		}
	}
	return posix
}

// readText reads a JSON text that is a value of the record. What it lends lives
// as long as the text and the record.
func (m *members) readText(doc []byte) {
	clear(m.slots)
	m.found, m.doc, m.err = m.found[:1], doc, nil
	m.document()
}

// setOnDevice maps what DeviceProcessEvents has for itself.
func (d *defender) setOnDevice(e *ecs.Event, posix bool) {
	system := d.system(e, posix)
	if system != nil {
		e.Add(ecs.HostOSType, system)
	}
	for k := d.first(mdFile); k != 0; k = d.next(k) {
		if v := baseOfPosix(d.at(k)); !dash(v) {
			e.Add(ecs.ProcessName, v)
		}
	}
	d.setUniqueID(e, ecs.ProcessEntityID, mdUniqueID)
	own, calling := d.text(mdPID), d.text(mdInitPID)
	if isWindows(system) || own == nil || !bytes.Equal(own, calling) {
		d.copyAll(e, mdParentCopied, dash)
		d.setInt(e, ecs.ProcessParentPID, mdInitPID, dash)
		d.setUniqueID(e, ecs.ProcessParentEntityID, mdInitUniqueID)
		return
	}
	// An exec in the same process: what called is the image it had before, and
	// its parent is the parent. Sensors for macOS give the process itself for
	// that, those for Linux may have nothing.
	e.Clear(ecs.ProcessParentWorkingDirectory)
	if v := d.text(mdInitFolder); v != nil && !dash(v) {
		e.Add(ecs.ProcessPreviousExecutable, v)
	}
	if v := d.text(mdInitParentFile); v != nil && !dash(v) {
		e.Add(ecs.ProcessParentName, baseOfPosix(v))
	}
	if pid, ok := parseInt(d.text(mdInitParentPID)); ok && pid > 0 && !bytes.Equal(own, d.text(mdInitParentPID)) {
		e.AddInt(ecs.ProcessParentPID, pid)
	}
}

func isWindows(system []byte) bool { return bytes.Equal(system, valWindows) }

// setUniqueID sets an entity id; 0 stands for none.
func (d *defender) setUniqueID(e *ecs.Event, f ecs.Field, p path) {
	if v := d.text(p); v != nil && !dash(v) && string(v) != "0" {
		e.Add(f, v)
	}
}

// baseOfPosix is the last part of a path with slashes. Names of files are none,
// but some sensors send them so.
func baseOfPosix(v []byte) []byte { return v[bytes.LastIndexByte(v, '/')+1:] }

// setContainerized maps what CloudProcessEvents has for itself: the processes of
// containers, and of the nodes under them, which are Linux. There is no host.
// Ids are process ids, as Elastic's pipeline has them.
func (d *defender) setContainerized(e *ecs.Event) {
	e.Add(ecs.HostOSType, valLinux)
	d.setUniqueID(e, ecs.ProcessEntityID, mdPID)
	file := d.text(mdFile)
	name := baseOfPosix(file)
	for k := d.first(mdComm); k != 0; k = d.next(k) {
		// The kernel cuts names at fifteen bytes.
		if v := d.at(k); !dash(v) && !(len(v) == 15 && bytes.HasPrefix(name, v)) {
			e.Add(ecs.ProcessName, v)
		}
	}
	if !dash(name) && !bytes.Equal(name, e.First(ecs.ProcessName)) {
		e.Add(ecs.ProcessName, name)
	}
	folder := e.First(ecs.ProcessExecutable)
	switch {
	case folder == nil && isPosixPath(file):
		e.Add(ecs.ProcessExecutable, file)
	case isPosixPath(folder) && !dash(name) && len(name) == len(file) && !bytes.Equal(name, baseOfPosix(folder)):
		// Some send the folder alone; which of the two is meant the value does not tell.
		from := len(d.buf)
		d.buf = append(d.buf, folder...)
		if folder[len(folder)-1] != '/' {
			d.buf = append(d.buf, '/')
		}
		d.buf = append(d.buf, name...)
		e.Add(ecs.ProcessExecutable, d.buf[from:len(d.buf):len(d.buf)])
	}
	if v := d.text(mdParentComm); v != nil && !dash(v) {
		e.Add(ecs.ProcessParentName, baseOfPosix(v))
	}
	parent := mdParentPID
	if d.text(parent) == nil {
		parent = mdInitPID
	}
	d.setInt(e, ecs.ProcessParentPID, parent, dash)
	d.setUniqueID(e, ecs.ProcessParentEntityID, parent)
}
