package main

import (
	"fmt"
	"os"
	"strings"
)

// secret is the value of a variable, or the content of the file that the
// variable with _FILE behind its name names. Neither is ever in an error.
type secret struct{ name, value, path string }

// secret takes a secret from its two variables.
func (f *faults) secret(name, value, path string) *secret {
	s := &secret{name: name, value: chomp(value), path: strings.TrimSpace(path)}
	switch {
	case s.value != "" && s.path != "":
		f.add(name+"_FILE", "given beside "+prefix+"_"+name+", want one of them")
	case s.path != "":
		if _, err := s.read(); err != nil {
			f.errs = append(f.errs, err)
		}
	}
	return s
}

// variable is the variable that gives the secret, empty if none does.
func (s *secret) variable() string {
	switch {
	case s.path != "":
		return s.name + "_FILE"
	case s.value != "":
		return s.name
	}
	return ""
}

// read is the secret as it is now.
func (s *secret) read() (string, error) {
	if s.path == "" {
		return s.value, nil
	}
	text, err := os.ReadFile(s.path)
	if err != nil {
		return "", fmt.Errorf("%s_%s_FILE: %w", prefix, s.name, err)
	}
	value := chomp(string(text))
	if value == "" {
		return "", fmt.Errorf("%s_%s_FILE: %s is empty", prefix, s.name, s.path)
	}
	return value, nil
}

// chomp is a value without the end of line that editors and echo leave.
func chomp(value string) string { return strings.TrimRight(value, "\r\n") }
