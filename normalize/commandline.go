package normalize

// splitCommandLine appends the arguments of a Windows-style command line to
// args and returns them with buf, which takes the text of arguments that are no
// views of line. It does what Elastic's pipelines do for Sysmon, CrowdStrike,
// SentinelOne and Defender, a port of the splitter that Go's package os had
// until 1.10 (golang/go commit 39c8d2b7):
//
//   - space and tab separate, runs of them count once;
//   - a double quote is dropped and begins or ends a quoted part, also in
//     mid-argument; "" gives an empty argument, and an open quote takes the rest;
//   - n backslashes in front of a quote give n/2 backslashes, and an odd one
//     makes the quote literal; elsewhere backslashes are literal;
//   - "" within a quoted part gives one quote and ends the part, the rule of
//     the C runtime before 2008.
//
// The program name has no rule of its own. Arguments beyond maxValues are left
// out.
func splitCommandLine(args [][]byte, buf, line []byte) ([][]byte, []byte) {
	for i := 0; ; {
		for i < len(line) && separates(line[i]) {
			i++
		}
		if i == len(line) || len(args) == maxValues {
			return args, buf
		}
		end := i
		for end < len(line) && !separates(line[end]) && line[end] != '"' {
			end++
		}
		if end == len(line) || separates(line[end]) { // no quote: the argument is a view
			args = append(args, line[i:end:end])
			i = end
			continue
		}
		from := len(buf)
		buf, i = unquote(buf, line, i)
		args = append(args, buf[from:len(buf):len(buf)])
	}
}

func separates(c byte) bool { return c == ' ' || c == '\t' }

// unquote appends the argument that begins at i and returns the place behind it.
func unquote(buf, line []byte, i int) ([]byte, int) {
	quoted, slashes := false, 0
	for ; i < len(line); i++ {
		c := line[i]
		if c == '\\' {
			slashes++
			continue
		}
		if c == '"' {
			for range slashes / 2 {
				buf = append(buf, '\\')
			}
			odd := slashes%2 == 1
			slashes = 0
			if odd {
				buf = append(buf, '"')
				continue
			}
			if quoted && i+1 < len(line) && line[i+1] == '"' {
				buf = append(buf, '"')
				i++
			}
			quoted = !quoted
			continue
		}
		for ; slashes > 0; slashes-- {
			buf = append(buf, '\\')
		}
		if separates(c) && !quoted {
			return buf, i
		}
		buf = append(buf, c)
	}
	for ; slashes > 0; slashes-- {
		buf = append(buf, '\\')
	}
	return buf, i
}
