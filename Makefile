# flashd. `make` alone lists what there is to make.
#
# make run and make test install the Debian packages and the npm package that
# they miss. To do without Espressif's flasher stub, and so without Node, say
# STUBS= on the command line: the build then writes through the ROM loader.
# TAGS= does without libdeflate: the build then compresses 3 % less.
# RACE=-race tests with the race detector, in three times the time.

SLOTS    ?= 8
CAMPAIGN ?= 12
CYCLES   ?= 96
TAGS     ?= libdeflate
RACE     ?=
VERSION  := $(shell git describe --always --dirty 2>/dev/null || echo dev)

STUB_DIR := flasher/stub
STUBS    := $(addprefix $(STUB_DIR)/,$(shell cut -d' ' -f3 $(STUB_DIR)/SHA256SUMS) node_modules/.package-lock.json)
# A module file of its own keeps the linter's dependencies out of go.mod.
LINTER   := go tool -modfile=.ci/lint.mod golangci-lint

# Debian's kernel for the virtual machine, unpacked: 80 MB.
USBVM_CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/flashd/usbvm

export GOFLAGS := $(strip $(GOFLAGS) $(if $(TAGS),-tags=$(TAGS)))

.DEFAULT_GOAL := help
.PHONY: help run test test-usb build deb test-deb lint bench setup clean

help: ## list these targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

run: build ## run a station of simulated units on http://127.0.0.1:9470/ (SLOTS=8; FAULTS=0.1 of them faulty)
	@[ -e firmware-images/demo ] || bin/flashd image demo
	@echo "The status board is on http://127.0.0.1:9470/. Ctrl-C stops the station."
	@exec bin/flashd serve --simulate $(SLOTS) $(if $(FAULTS),--simulate-faults $(FAULTS)) --state-dir state

test: setup $(STUBS) ## run all tests
	@.ci/setup prometheus
	@.ci/setup chromium
	go vet ./...
	go test $(RACE) ./...

test-usb: build ## run the tests on real USB ports, in a virtual machine (CAMPAIGN=64 CYCLES=1000: all of it)
	@.ci/setup qemu
	go vet -tags usbvm ./internal/usbvm
	USBVM_ROOT=$$(internal/usbvm/fetch.sh $(USBVM_CACHE)) && export USBVM_ROOT && \
	PATH=$(CURDIR)/bin:$$PATH go test -tags usbvm -count=1 -timeout 90m -parallel 8 -v ./internal/usbvm -campaign=$(CAMPAIGN) -cycles=$(CYCLES)

build: setup $(STUBS) ## build bin/flashd
	go build -ldflags '-X main.version=$(VERSION)' -o bin/flashd ./cmd/flashd

deb: build ## build the Debian package bin/flashd_*.deb
	@.ci/setup deb
	@.ci/deb $(VERSION)

test-deb: deb ## install and run the package on a clean Debian 12, in a container (as root)
	@.ci/setup nspawn
	@.ci/test-deb $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/flashd/debian

lint: setup ## check style, mistakes, and which package may import which
	$(LINTER) run

bench: setup $(STUBS) ## run the benchmarks, and flash beside other flashers (10 minutes)
	go test -run '^$$' -bench . -skip '^BenchmarkMillion$$' -benchmem ./flasher/... ./jobs ./nvsgen
	cd nvsgen/compare && go test -run '^$$' -bench . -benchmem .
	cd internal/bench && go run .

setup: ## install the Debian packages that are missing
	@.ci/setup $(if $(STUBS),node)

clean: ## remove what was built and fetched; records and releases stay
	rm -rf bin $(STUBS) $(STUB_DIR)/node_modules

# One run of the script makes them all.
$(STUBS) &: $(addprefix $(STUB_DIR)/,fetch.sh package-lock.json SHA256SUMS) | setup
	@echo "Fetching Espressif's flasher stub (npm package esptool-js) into $(STUB_DIR)"
	@$(STUB_DIR)/fetch.sh
