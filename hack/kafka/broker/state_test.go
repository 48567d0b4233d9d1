package broker

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestStateRoundTrip(t *testing.T) {
	saved := &State{dir: t.TempDir(), Members: []Member{
		{ID: 1, Port: 9092, ControllerPort: 19092, PID: 71},
		{ID: 2, Port: 9093, ControllerPort: 19093, PID: 72},
	}}
	if err := saved.save(); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(saved.dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(loaded.Members, saved.Members) {
		t.Errorf("loaded %v, saved %v", loaded.Members, saved.Members)
	}
	if got, want := loaded.Addrs(), []string{"127.0.0.1:9092", "127.0.0.1:9093"}; !slices.Equal(got, want) {
		t.Errorf("addresses %q, want %q", got, want)
	}
}

func TestLoadWithoutState(t *testing.T) {
	if _, err := Load(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Load of an empty folder: %v, want %v", err, fs.ErrNotExist)
	}
}

// A state file that survived a reboot names pids that others have by now: here
// this test's own, which must come out alive.
func TestStopSparesStrangers(t *testing.T) {
	s := &State{dir: t.TempDir(), Members: []Member{{ID: 1, PID: os.Getpid()}}}
	lock := filepath.Join(s.home(s.Members[0]), "data", ".lock")
	if err := os.MkdirAll(filepath.Dir(lock), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(lock, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if s.AnyAlive() {
		t.Fatal("a broker whose lock nobody holds counts as alive")
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", s.dir, err)
	}
}

func TestRemoveKeepsWhatIsNotOurs(t *testing.T) {
	s := &State{dir: t.TempDir(), Members: []Member{{ID: 1}}}
	mine := filepath.Join(s.dir, "notes.txt")
	if err := os.WriteFile(mine, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(mine); err != nil {
		t.Error(err)
	}
}
