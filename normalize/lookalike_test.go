package normalize_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/imdswatch/imdswatch/normalize"
)

// TestLookAlikes judges every record below testdata by the built-in rule: one
// named NAME-imds is an attack and alerts, any other does not. Each shape of a
// source has three or more that do not, SHAPE-NAME; a source of one shape names
// them as it likes.
func TestLookAlikes(t *testing.T) {
	set := builtinSet(t)
	silent := map[string]int{}
	files, err := filepath.Glob(filepath.Join("testdata", "*", "*.raw"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source := normalize.Lookup(filepath.Base(filepath.Dir(file)))
		n, alerts := source.New(), 0
		events, _ := n.Normalize(nil, &normalize.Record{Value: bytes.TrimSuffix(raw, []byte("\n"))}) // the golden holds the error
		for i := range events {
			alerts += len(set.Match(nil, &events[i]))
		}
		if joiner, ok := n.(normalize.Joiner); ok {
			for _, e := range joiner.Expire(nil, normalize.EndOfInput) {
				alerts += len(set.Match(nil, &e))
			}
		}
		name := strings.TrimSuffix(filepath.Base(file), ".raw")
		switch attack := strings.HasSuffix(name, "-imds"); {
		case attack && alerts == 0:
			t.Errorf("%s: an attack without an alert", file)
		case !attack && alerts > 0:
			t.Errorf("%s: %d alerts for a look-alike", file, alerts)
		case !attack:
			silent[source.Name+"/"+shapeOf(source, name)]++
		}
	}
	for _, s := range normalize.Told() {
		for _, shape := range s.Shapes {
			if n := silent[s.Name+"/"+shape]; n < 3 {
				t.Errorf("%s/%s: %d look-alikes, want 3 or more", s.Name, shape, n)
			}
		}
	}
}

// shapeOf is the shape that the name of a record begins with.
func shapeOf(s *normalize.Source, name string) (longest string) {
	if len(s.Shapes) == 1 {
		return s.Shapes[0]
	}
	for _, shape := range s.Shapes {
		if strings.HasPrefix(name, shape+"-") && len(shape) > len(longest) {
			longest = shape
		}
	}
	return longest
}
