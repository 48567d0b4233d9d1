# The verbs of development. CI runs the same ones, see .ci/run.

.PHONY: build test race lint fuzz e2e secure

build: ## the binary, ./imdswatch
	CGO_ENABLED=0 go build -trimpath -o imdswatch ./cmd/imdswatch

test: ## what a fresh machine needs to pass
	go test ./...

race: ## the same with the race detector
	go test -race ./...

lint:
	golangci-lint run ./...

fuzz: ## every fuzz target for FUZZTIME
	hack/fuzz.sh $(or $(FUZZTIME),30s)

e2e: ## 100,000 records through real Apache Kafka, a member killed on the way
	hack/e2e.sh

secure: ## real Apache Kafka with TLS, SASL and the least rights, all of it rotated
	hack/secure.sh
