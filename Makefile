# What can be done here. Say `make` for a list.

.DEFAULT_GOAL := help
SHELL := bash

GO       ?= go
LINT     := $(GO) tool -modfile=tools/go.mod golangci-lint
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
FUZZTIME ?= 5s

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-18s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/tarn
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X github.com/tarn-data/tarn/internal/cli.version=$(VERSION)' -o bin/tarn ./cmd/tarn

.PHONY: run
run: install-postgres build ## serve a lakebase with a sample on 127.0.0.1:8080
	bin/tarn serve --sample

.PHONY: test
test: install-postgres ## run all tests
	$(GO) test -count=1 -timeout 20m ./... # what they build and start is unknown to the cache

.PHONY: test-matrix
test-matrix: ## run the Data API on every major version of PostgreSQL, which npm downloads once
	TARN_TEST_MATRIX=yes $(GO) test -count=1 -run '^TestPostgresVersions$$' ./test

.PHONY: lint
lint: ## run the linters
	$(LINT) run

.PHONY: fmt
fmt: ## format the code
	$(LINT) fmt

.PHONY: check
check: install-postgres ## all that must hold before a commit: format, vet, lint, architecture, tests, build
	@unformatted=$$(gofmt -s -l cmd internal test); [ -z "$$unformatted" ] || { echo "make fmt would change: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(LINT) run
	$(GO) test ./internal
	$(GO) test -count=1 -timeout 20m ./... # what they build and start is unknown to the cache
	$(MAKE) --no-print-directory build

.PHONY: bench
bench: install-postgres ## measure, also against pgbench
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## run every fuzz test for FUZZTIME (5s)
	@set -e; grep -rlE --include='*_test.go' '^func Fuzz' internal | sort | while read -r file; do \
		for name in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")" </dev/null; \
		done; \
	done

.PHONY: conformance
conformance: ## play PostgREST's test suite, and write its figures into docs/postgrest.md: MIRROR=git directory of PostgREST, KIT=folder of the conformance kit
	@[ -n "$(MIRROR)" ] && [ -n "$(KIT)" ] || { echo "make conformance MIRROR=path KIT=path [REV=v16.2] [ARGS='--failures 20']"; exit 2; }
	$(MAKE) --no-print-directory build
	test/conformance.sh '$(MIRROR)' '$(KIT)' '$(or $(REV),v16.2)' $(ARGS)

.PHONY: sdk-conformance
sdk-conformance: install-postgres ## run integration tests of the Databricks SDK for Go: RUN=TestAccTokens,… for others than test/sdk/names.txt has
	cd test/sdk && $(GO) test -c -o '$(CURDIR)/bin/sdk.test' github.com/databricks/databricks-sdk-go/internal
	TARN_TEST_SDK='$(CURDIR)/bin/sdk.test' TARN_TEST_SDK_RUN='$(RUN)' $(GO) test -v -count=1 -timeout 60m -run '^TestSDKConformance$$' ./test

.PHONY: golden
golden: install-postgres ## promise the fields that answers have by now: from then on, to take one away fails the tests
	$(GO) test -count=1 -run '^TestAnswersKeepTheirFields$$' ./internal/server -update

.PHONY: install-postgres
install-postgres: ## install PostgreSQL's server programs where there are none
	@tools/install-postgres.sh
