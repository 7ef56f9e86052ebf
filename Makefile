# Hearth. `make help` lists what there is to do.

GO        ?= go
GOLANGCI  := v2.15.0
FUZZTIME  ?= 30s
TESTFLAGS ?=

BIN   := bin
CACHE := .cache
LINT  := $(CACHE)/bin/golangci-lint-$(GOLANGCI)

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  := $(shell git rev-parse --short HEAD 2>/dev/null || echo unknown)

# One file that runs on any Linux of this architecture: linked statically where
# the C library can be (glibc's libc.a is part of Debian's libc6-dev). cgo itself
# is needed by libcontainer, which enters namespaces before Go's runtime starts.
STATIC  := $(shell echo 'int main(void){return 0;}' | $(or $(CC),cc) -static -x c -o /dev/null - 2>/dev/null && echo yes)
TAGS    := netgo osusergo
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
ifeq ($(STATIC),yes)
LDFLAGS += -linkmode external -extldflags -static
endif

# Sandboxes need root; whoever is not root is asked for a password once.
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo)

export CGO_ENABLED = 1

.DEFAULT_GOAL := build
.PHONY: help build demo test check fmt vet lint bench bench-deploy bench-sizing bench-vpa fuzz generate tools clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/hearth
	$(GO) build -trimpath -tags "$(TAGS)" -ldflags "$(LDFLAGS)" -o $(BIN)/hearth ./cmd/hearth

demo: build ## start a node, deploy an example, invoke it 1,000 times, clean up
	$(AS_ROOT) $(BIN)/hearth demo

test: tools ## install what the tests need, then run them all with the race detector
	HEARTH_TEST_TOOLS=required $(GO) test -race -timeout 20m $(TESTFLAGS) ./...

check: fmt vet lint test ## everything a change must pass: format, vet, lint, race tests

fmt: ## fail when a file is not gofmt'ed
	@files=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	if [ -n "$$files" ]; then echo "not formatted, run gofmt -w on:" $$files; exit 1; fi

vet: ## go vet
	$(GO) vet ./...
	cd bench/vpa && $(GO) vet -mod=mod ./...

lint: $(LINT) ## golangci-lint, with the rules and reasons of .golangci.yml
	$(LINT) run ./...

$(LINT):
	GOBIN=$(abspath $(CACHE)/bin) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI)
	mv $(CACHE)/bin/golangci-lint $@

bench: build ## print the table of speed comparisons, with the commands to repeat it
	$(AS_ROOT) $(GO) run ./bench

bench-deploy: build ## print what callers notice of deployments under load
	$(AS_ROOT) $(GO) run ./bench/deploy

bench-sizing: build ## print, and plot, what automatic sizing saves of a mixed workload
	$(AS_ROOT) $(GO) run ./bench/sizing

# A module of its own: Kubernetes's libraries are no dependencies of Hearth's.
bench-vpa: ## compare sizing with the Kubernetes Vertical Pod Autoscaler's recommender
	cd bench/vpa && $(GO) run -mod=mod .

fuzz: ## run every fuzz target for FUZZTIME (30s) each
	@for package in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
	    echo "$$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package || exit 1; \
	  done; \
	done

generate: ## remake generated files: API types, docs/compatibility.md
	$(GO) generate ./...

tools: ## install what the tests use and this machine lacks
	@test/tools/install

clean: ## remove what was built, cached tools included
	rm -rf $(BIN) $(CACHE)
