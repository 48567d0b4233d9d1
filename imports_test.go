// Package imdswatch_test holds the shape of the whole module.
package imdswatch_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/imdswatch/imdswatch/"

// arrows are the imports among the module's packages that are allowed. This is
// the architecture (docs/architecture.md), not a record of what happens to be:
// a new arrow is a decision.
var arrows = map[string][]string{
	"cmd/imdswatch":     {"detector", "normalize", "pipeline", "schemas/ecs"},
	"pipeline":          {"detector", "normalize", "schemas/ecs"},
	"normalize":         {"schemas/ecs"},
	"detector":          {"schemas/ecs"},
	"schemas/ecs":       {},
	"hack/kafka":        {"hack/kafka/broker"},
	"hack/kafka/broker": {},
	"hack/chaos":        {"hack/kafka/broker", "normalize"},
	"hack/curve":        {},
	"hack/memory":       {"hack/kafka/broker", "normalize"},
	"hack/e2e":          {"hack/kafka/broker", "normalize"},
	"hack/secure":       {"hack/kafka/broker", "normalize"},
}

// owners are the packages that may import a module from outside, where that is
// not every package.
var owners = map[string][]string{
	"github.com/twmb/franz-go/pkg/kfake":             {"cmd/imdswatch"},
	"github.com/twmb/franz-go/pkg/kgo":               {"cmd/imdswatch", "pipeline", "hack/kafka", "hack/kafka/broker", "hack/e2e", "hack/memory", "hack/chaos", "hack/secure"},
	"github.com/prometheus/client_golang/prometheus": {"cmd/imdswatch", "pipeline"},
	"github.com/kelseyhightower/envconfig":           {"cmd/imdswatch"},
	"github.com/spf13/cobra":                         {"cmd/imdswatch"},
	"github.com/pelletier/go-toml/v2":                {"detector"},
	"github.com/klauspost/compress/zstd":             {"cmd/imdswatch"},
	"github.com/aws/aws-sdk-go-v2/config":            {"cmd/imdswatch"},
	"golang.org/x/oauth2":                            {"cmd/imdswatch"},
	"unsafe":                                         {},
}

func TestImportsAreThoseOfTheArchitecture(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,GoFiles", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath       string
			Imports, GoFiles []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) == 0 {
			continue // tests alone
		}
		seen++
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, known := arrows[name]
		if !known {
			t.Errorf("package %s has no place in the architecture", name)
		}
		for _, i := range p.Imports {
			if inner, ok := strings.CutPrefix(i, module); ok && !slices.Contains(allowed, inner) {
				t.Errorf("%s imports %s, an arrow that the architecture does not have", name, inner)
			}
			if who, ok := owners[i]; ok && !slices.Contains(who, name) {
				t.Errorf("%s imports %s, which belongs to %v", name, i, who)
			}
		}
	}
	if seen < 5 {
		t.Errorf("only %d packages seen", seen)
	}
}
