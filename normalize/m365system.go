package normalize

import (
	"bytes"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

// This file tells which system a Defender record is of: the record does not say.

// mdMacOS are folders that only macOS has.
var mdMacOS = [...]string{"/System/", "/Applications/", "/Library/", "/Users/", "/Volumes/", "/private/", "/usr/libexec/xpcproxy", "/sbin/launchd"}

// system is the operating system of a device, nil if nothing tells. The table
// has no column for it. A path does tell; on POSIX systems only that of macOS
// gives accounts a SID.
func (d *defender) system(e *ecs.Event, posix bool) []byte {
	image, caller := e.First(ecs.ProcessExecutable), d.text(mdInitFolder)
	sid := !dash(d.text(mdSID)) || !dash(d.text(mdInitSID))
	where := image
	if !isWindowsPath(where) && !isPosixPath(where) {
		where = caller
	}
	switch {
	case isWindowsPath(where):
		return valWindows
	case isPosixPath(where) || posix:
		if sid || isMacOSPath(image) || isMacOSPath(caller) {
			return valMacOS
		}
		return valLinux
	case sid || len(d.text(mdInitUniqueID)) > 1:
		return valWindows
	}
	return nil
}

func isWindowsPath(v []byte) bool {
	return len(v) > 2 && v[1] == ':' && (v[2] == '\\' || v[2] == '/') || len(v) > 0 && v[0] == '\\'
}

func isPosixPath(v []byte) bool { return len(v) > 0 && v[0] == '/' }

func isMacOSPath(v []byte) bool {
	for _, folder := range mdMacOS {
		if bytes.HasPrefix(v, []byte(folder)) {
			return true
		}
	}
	return false
}
