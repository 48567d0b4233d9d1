#!/usr/bin/env bash
# Runs every fuzz target of the project for the time given, 30s if none is; 1000x
# is so many inputs each. Minimizing is kept short: by default Go spends up to a
# minute on one input that merely covers something new.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}
for package in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "== $package $target for $time"
    go test -run '^$' -fuzz "^${target}\$" -fuzztime "$time" -fuzzminimizetime 10x "$package"
  done
done
