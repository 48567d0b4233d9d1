package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ruleFiles are the rule files at a path: itself, or all below a folder.
func ruleFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	files, err := filesBelow(path)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no .toml or .eql file in %s", path)
	}
	return files, err
}

// filesBelow follows links and passes over names that begin with two dots: in a
// mounted ConfigMap all files are links into such a folder.
func filesBelow(folder string) (files []string, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "..") {
			continue
		}
		path := filepath.Join(folder, e.Name())
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			below, err := filesBelow(path)
			if err != nil {
				return nil, err
			}
			files = append(files, below...)
		} else if ext := filepath.Ext(path); ext == ".toml" || ext == ".eql" {
			files = append(files, path)
		}
	}
	return files, nil
}
