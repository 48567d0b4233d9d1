#!/usr/bin/env bash
# 100,000 raw records of three sources through two members on real Apache Kafka,
# one of them killed with -9 in the middle. Needs Java and Maven. The last line
# says what came out; the exit code is 0 only if that is what was planted.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/imdswatch" ./cmd/imdswatch
go build -o "$bin/e2e" ./hack/e2e
"$bin/e2e" -imdswatch "$bin/imdswatch" "$@"
