#!/usr/bin/env bash
# Members and brokers are killed, stopped and moved while records flow, on three
# real Kafka brokers that keep each record three times.
#
#   hack/chaos.sh --delivery at-least-once|exactly-once --records N --faults N [--seconds S]
#
# Needs Java and Maven. The last line says what came of it; the exit code is 0
# if no alert is lost and, exactly once, none is there twice for readers of
# committed records, while readers of all records see that some were aborted.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/imdswatch" ./cmd/imdswatch
go build -o "$bin/chaos" ./hack/chaos
"$bin/chaos" -imdswatch "$bin/imdswatch" "$@"
