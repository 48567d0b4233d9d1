package main

import (
	"bytes"
	"cmp"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/imdswatch/imdswatch/schemas/ecs"
)

const scanUsage = `Judge the raw records in files, or on stdin, and print the alerts. No Kafka is needed.

Usage:
  imdswatch scan [FILE...]

  --source NAME     the kind of raw record, see imdswatch sources; auto, the default, tells
                    each record's by its own members
  --events          print the normalized events in place of alerts
  --rules PATH      a rule file or folder, repeatable; else those of IMDSWATCH_RULES, else
                    builtin:imds
  --whole           each file is one record; else each line is
  --output FORMAT   table (default on a terminal) or json (default in a pipe)

Files ending in .gz and .zst are unpacked. A record that cannot be read is a line on
stderr, FILE:LINE: SOURCE: message (byte N), and makes the exit code 1. The last line on
stderr sums up. IMDSWATCH_RULES, IMDSWATCH_FOLD, IMDSWATCH_BUILDING_BLOCKS and
IMDSWATCH_SCOPE are those of "imdswatch run --help".

Example:
  echo '{"event":{"module":"endpoint","kind":"event","category":["process"],
  "type":["start"],"action":"exec"},"host":{"os":{"type":"linux"}},"process":{"name":"curl","args":["curl",
  "http://169.254.169.254/latest/meta-data/iam/security-credentials/web"]}}' |
    tr -d '\n' | imdswatch scan
`

type scan struct {
	reading
	events bool
	buf    []byte
}

func scanCommand() *cobra.Command {
	s := &scan{}
	c := &cobra.Command{Use: "scan [FILE...]", Long: scanUsage, Args: cobra.ArbitraryArgs}
	s.addFlags(c)
	c.Flags().BoolVar(&s.events, "events", false, "")
	c.RunE = func(c *cobra.Command, files []string) error {
		if err := s.prepare(c, files); err != nil {
			return err
		}
		return s.run(s.print)
	}
	return c
}

// print prints the alerts that a judgement raised, or the events it was about.
func (s *scan) print(j *judgement) error {
	if s.events {
		events := j.judge.Events()
		for i := range events {
			s.buf = appendEvent(s.buf[:0], &events[i], cmp.Or(events[i].Source, s.source.Name), topic(j.file))
			if err := s.out.event(s.buf); err != nil {
				return err
			}
		}
		return nil
	}
	for _, a := range j.Alerts {
		s.buf = a.AppendJSON(s.buf[:0])
		if err := s.out.alert(s.buf); err != nil {
			return err
		}
	}
	return nil
}

// appendEvent appends an event with where it comes from.
func appendEvent(dst []byte, e *ecs.Event, source, topic string) []byte {
	dst = bytes.TrimSuffix(e.AppendJSON(dst), []byte("}"))
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, `"imdswatch":{"source":`...)
	dst = ecs.AppendString(dst, []byte(source))
	dst = append(dst, `,"shape":`...)
	dst = ecs.AppendString(dst, []byte(e.Shape))
	dst = append(dst, `,"topic":`...)
	dst = ecs.AppendString(dst, []byte(topic))
	dst = append(dst, `,"partition":0,"offset":`...)
	dst = strconv.AppendInt(dst, e.Offset, 10)
	dst = append(dst, `,"index":`...)
	dst = strconv.AppendInt(dst, int64(e.Index), 10)
	return append(dst, "}}"...)
}
