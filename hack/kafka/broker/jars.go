package broker

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// Version is the Kafka that is run.
const Version = "4.3.1"

//go:embed pom.xml
var pom []byte

// jars returns the folder that holds the jars of Kafka. The first call on a
// machine has Maven fetch them, some 45 MB, into the user's cache folder or
// into $IMDSWATCH_KAFKA_CACHE.
func jars(ctx context.Context, log io.Writer) (string, error) {
	cache := os.Getenv("IMDSWATCH_KAFKA_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no cache folder, set IMDSWATCH_KAFKA_CACHE: %w", err)
		}
		cache = filepath.Join(user, "imdswatch")
	}
	// The broker runs in a folder of its own, so its class path is absolute.
	dir, err := filepath.Abs(filepath.Join(cache, "kafka-"+Version))
	if err != nil {
		return "", err
	}
	if present(dir) {
		return dir, nil
	}
	fmt.Fprintf(log, "fetching kafka %s into %s\n", Version, dir)
	return dir, fetch(ctx, dir)
}

// fetch fills dir by a rename, so that dir is never there in part: not after
// an interrupt, and not for another test that starts meanwhile.
func fetch(ctx context.Context, dir string) error {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, "fetch-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)

	project, out := filepath.Join(tmp, "pom.xml"), filepath.Join(tmp, "jars")
	if err := os.WriteFile(project, pom, 0o644); err != nil {
		return err
	}
	mvn := exec.CommandContext(ctx, "mvn", "-q", "-B", "-f", project, "dependency:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory="+out)
	switch text, err := mvn.CombinedOutput(); {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("maven is needed once, to fetch kafka: %w", err)
	case err != nil:
		return fmt.Errorf("fetching kafka %s with maven: %w\n%s", Version, err, text)
	}
	if err := os.Rename(out, dir); err != nil && !present(dir) {
		return err
	}
	return nil
}

func present(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
