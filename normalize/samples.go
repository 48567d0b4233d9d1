package normalize

import (
	"bytes"
	"embed"
	"io/fs"
)

//go:embed testdata/*/attacks.ndjson testdata/*/near-misses.ndjson
var samples embed.FS

// Samples are made-up raw records of the source, one a line: attacks, which the
// built-in rule matches, and near misses, which it does not.
func (s *Source) Samples() (attacks, nearMisses [][]byte) {
	return s.sample("attacks.ndjson"), s.sample("near-misses.ndjson")
}

func (s *Source) sample(file string) (records [][]byte) {
	all, err := fs.ReadFile(samples, "testdata/"+s.Name+"/"+file)
	if err != nil {
		panic("normalize: source " + s.Name + " has no samples: " + err.Error())
	}
	for line := range bytes.Lines(all) {
		if line = bytes.TrimSuffix(line, []byte("\n")); !Blank(line) {
			records = append(records, line)
		}
	}
	return records
}
