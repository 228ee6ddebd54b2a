# Everything that a contributor runs. 'make test' is what CI runs.
ROOM ?= ...
SHARE ?= 1
# SQLite in Go is C that was translated, and works on memory that the race detector does not watch: instrumented it finds nothing more and
# costs four times the time of every test with a record.
SQLITE := -gcflags=modernc.org/sqlite/lib=-race=false
# It spares the engine a tenth of its processor time, and costs two minutes at the first build: not for tests.
PROFILE := cmd/signalbox/load.pgo
GOLANGCI_VERSION := v2.15.0

.PHONY: build profile test lint bench demo faults national-day fhir-corpus fhir-peers lineage misspellings

build: ## the one binary, in bin/, optimised by the profile of a load
	go build -trimpath -pgo $(PROFILE) -o bin/signalbox ./cmd/signalbox

profile: ## takes that profile anew: one load of the whole register
	SIGNALBOX_TEST_PROFILE=$(CURDIR)/$(PROFILE) go test -trimpath ./conformance -run xxx -bench 'Load$$' -benchtime 1x

test: ## everything, with the race detector; installs redis-server, postgresql, curl, openssl (and a C compiler for the detector) where they are missing and it may
	./scripts/need gcc build-essential
	./scripts/need redis-server redis-server
	./scripts/need postgres postgresql
	./scripts/need curl curl
	./scripts/need openssl openssl
	go vet ./...
	test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'not gofmt-ed'; exit 1; }
	go test -race $(SQLITE) -timeout 15m ./...

lint: ## gofmt, vet and golangci-lint
	go vet ./...
	go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION) run

bench: ## figures, each with its ratio to a reference measured in the same run; ROOM=mesh for one room
	./scripts/need redis-server redis-server
	./scripts/need postgres postgresql
	go run ./conformance/figures $(ROOM)

faults: ## the fault runs at their full figures (a day and more), report in conformance/reports; SHARE=0.1 for a tenth
	./scripts/need redis-server redis-server
	./scripts/need postgres postgresql
	./scripts/faults $(SHARE)

national-day: ## England's whole day against an independent model, report in conformance/reports; SHARE=0.1 for a tenth
	./scripts/national-day $(SHARE)

demo: ## the whole job on this machine
	go run ./cmd/signalbox demo

fhir-corpus: ## both FHIR readers on the R4 definitions that npm carries
	./scripts/fhir-corpus

lineage: ## where every field of 100,000 events came from, and every event derived again from its stored bytes
	go test ./engine/workbench -count=1 -run LineageOfEveryEvent -events 100000 -v

misspellings: ## every name of every supplier's mapping misspelt in every way, each found with its line and column
	SIGNALBOX_ALL_MISSPELLINGS=1 go test ./mappings -count=1 -run EveryMisspelling -v

fhir-peers: ## other FHIR validators, from npm, on what we answer with; report in conformance/reports
	./scripts/fhir-peers
