#!/usr/bin/env bash
# imdswatch run against real Apache Kafka by mutual TLS, SCRAM and OAUTHBEARER,
# with the least rights, while certificates, password and token are rotated.
# Needs Java and Maven. A line of JSON a case; the exit code is 0 only if all
# are ok.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/imdswatch" ./cmd/imdswatch
go build -o "$bin/secure" ./hack/secure
"$bin/secure" -imdswatch "$bin/imdswatch" "$@"
