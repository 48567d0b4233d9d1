package broker

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "rewrite testdata")

func TestProperties(t *testing.T) {
	for _, brokers := range []int{1, 3} {
		t.Run(fmt.Sprintf("brokers=%d", brokers), func(t *testing.T) {
			var members []Member
			for i := range brokers {
				members = append(members, Member{ID: i + 1, Port: 9092 + i, ControllerPort: 19092 + i})
			}
			last := members[brokers-1]
			got := []byte(properties(last, members, "/d/data"))
			golden := filepath.Join("testdata", fmt.Sprintf("server-%d-of-%d.properties", last.ID, brokers))
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs, -update rewrites it\n%s", golden, diff(t, golden, got))
			}
		})
	}
}

func diff(t *testing.T, golden string, got []byte) string {
	cmd := exec.CommandContext(t.Context(), "diff", "-u", golden, "-")
	cmd.Stdin = bytes.NewReader(got)
	text, err := cmd.CombinedOutput()
	if len(text) == 0 {
		return fmt.Sprintf("no diff: %v; got:\n%s", err, got)
	}
	return string(text)
}

func TestVersionIsThatOfThePom(t *testing.T) {
	if !bytes.Contains(pom, []byte("<kafka.version>"+Version+"</kafka.version>")) {
		t.Errorf("pom.xml does not name version %s", Version)
	}
}

func TestClusterIDHasNoDashInFront(t *testing.T) {
	for range 1000 { // one random id in 64 has one before it is replaced
		if id := clusterID(); len(id) != 22 || id[0] == '-' {
			t.Fatalf("cluster id %q: want 22 characters, the first no dash", id)
		}
	}
}
