#!/usr/bin/env bash
# Runs every fuzz target of the project for the time given, 30s if none is.
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}
for package in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "== $package $target for $time"
    go test -run '^$' -fuzz "^${target}\$" -fuzztime "$time" "$package"
  done
done
