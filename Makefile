# The commands of this project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PROMPT ?=
PLATFORMS ?= linux aarch64 windows
MODEL ?= models/demo
SUITE ?= scripts/bench/main.json
RUNS ?= 5
FUZZ_SECONDS ?= 600
SANITIZERS ?= asan tsan
SOAK_SECONDS ?= 3600
PYTEST_OPTIONS := $(if $(V),-v)
BIN := build/release/bin/mlc_llm
# Of the serving half, what `make test` runs under AddressSanitizer and UBSan.
SANITIZED_TESTS := $(addprefix test_,base artifact text runtime engine protocol serve)

.PHONY: sbom scan release-notes test-coverage wheel test-wheel
.PHONY: dev-setup dev-check pre-commit-install docker-up docker-down docker-logs docker-rebuild \
  build-dev build-prod build-multi test-images test-platforms
.PHONY: help deps build build-python run test test-fast test-unit test-integration test-perf test-gpu ci lint format bench bench-growth test-grammar test-sanitize fuzz soak docs clean

# A line "##@ Name" begins a group.
help: ## Show this list
	@awk -F ':.*## ' '/^##@ /{printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## /{printf "  %-20s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Build and run

deps: ## Install what the build needs (Debian packages; root or sudo)
	@scripts/install_deps.sh build

build: deps ## Build the mlc_llm program
	@scripts/build.sh release mlc_llm

build-python: deps ## Build what the Python package loads: the program and libmlc_llm.so
	@scripts/build.sh release mlc_llm mlc_llm_shared

wheel: ## Build the Python wheel with everything in it into dist
	@scripts/install_deps.sh wheel
	@scripts/wheel.sh dist

run: build ## Chat with the demo model; PROMPT="…" answers once; MODEL=DIR chats with another
	@if [ -n "$(PROMPT)" ]; then $(BIN) chat $(MODEL) --prompt "$(PROMPT)"; else $(BIN) chat $(MODEL); fi

##@ Test

test: ## Run every test
	@scripts/install_deps.sh test
	@scripts/build.sh release all
	@scripts/build.sh serve-asan $(SANITIZED_TESTS)
	@python3 scripts/run_tests.py all

test-fast: ## The inner loop: unit tests of C++ and Python, nothing slow, no server, no clients
	@scripts/install_deps.sh test
	@scripts/build.sh release all
	@python3 scripts/run_tests.py quick

test-unit: ## Python's unit tests, under a minute; V=1 names each
	@scripts/install_deps.sh test
	@scripts/build.sh release mlc_llm mlc_llm_shared
	@tests/run.sh tests/unit -n auto $(PYTEST_OPTIONS)

test-integration: ## Whole ways and API contracts, in Python; V=1 names each
	@scripts/install_deps.sh test
	@scripts/build.sh release mlc_llm mlc_llm_shared
	@tests/run.sh tests/integration -n auto $(PYTEST_OPTIONS)

test-perf: ## Speed, memory and concurrency through Python; for a quiet machine
	@scripts/build.sh release mlc_llm mlc_llm_shared
	@tests/run.sh tests/performance -s $(PYTEST_OPTIONS)

test-gpu: ## Kernels on this machine's GPU; says so and fails where there is none
	@scripts/test_gpu.sh

test-wheel: ## Check dist's wheel, use it in an empty environment of every Python here (slow)
	@scripts/test_wheel.sh

test-coverage: ## Executed lines of C++ and Python, with a report; fails under 80% (slow: a build of its own)
	@scripts/install_deps.sh test
	@scripts/coverage.sh

##@ Code quality

lint: ## Layers, shellcheck, rustfmt, clippy, black, isort, bandit, mypy, pylint, clang-format; clang-tidy on changes
	@scripts/install_deps.sh test
	@scripts/lint.sh

format: ## Format C++, Python and Rust
	@scripts/format.sh

sbom: ## The bill of materials, build/sbom.cdx.json (CycloneDX)
	@python3 scripts/sbom.py -o build/sbom.cdx.json

scan: ## Vulnerabilities, secrets and wrong settings in this tree (needs Trivy)
	@scripts/scan.sh

release-notes: ## The notes of TAG=v…, from CHANGELOG.md
	@python3 scripts/release_notes.py "$(TAG)"

ci: ## What CI runs: all tests, then lint
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory lint
	@tail -n 1 build/test-summary.txt

##@ Measure

bench: build ## Measure speeds beside this machine's limits; SUITE=scripts/bench/large.json: the 8B shape (6 GB)
	@mkdir -p build/bench
	@$(BIN) bench --suite $(SUITE) --runs $(RUNS) --json build/bench/report.json --html build/bench/report.html \
	  --history build/bench/history.jsonl
	@echo "build/bench/report.html"

bench-growth: build ## How time grows with prompt, context and batch, as plots beside the bound
	@mkdir -p build/bench
	@$(BIN) bench --suite scripts/bench/growth.json --runs $(RUNS) --json build/bench/growth.json \
	  --html build/bench/growth.html
	@echo "build/bench/growth.html"

test-grammar: ## Structured output: whole JSON schema suites against a 128 K vocabulary, with counts and times
	@scripts/build.sh release test_text
	@rm -f build/grammar.txt
	@MLC_GRAMMAR_SUITES=all MLC_GRAMMAR_REPORT=build/grammar.txt build/release/test_text --gtest_filter='GrammarSuites.*'

test-sanitize: ## Unit and serving tests under AddressSanitizer with UBSan, then ThreadSanitizer (slow)
	@scripts/install_deps.sh test
	@for s in $(SANITIZERS); do scripts/build.sh $$s all && python3 scripts/run_tests.py sanitize --preset $$s || exit 1; done

soak: build ## An hour of mixed random load on one server; its memory must stay flat (slow; SOAK_SECONDS=)
	@python3 scripts/soak.py --seconds $(SOAK_SECONDS)

fuzz: ## Fuzz what reads strangers' bytes; FUZZ_SECONDS per target (slow)
	@scripts/fuzz.sh $(FUZZ_SECONDS)

test-platforms: ## The program without LLVM here, for 64-bit ARM and Windows: unit tests and chats, under qemu and Wine (slow)
	@scripts/test_platforms.sh $(PLATFORMS)

test-images: ## Build the images with buildah, every stage from source, and run them (root; slow)
	@scripts/install_deps.sh test
	@scripts/build.sh release mlc_llm mlc_llm_shared
	@MLC_IMAGES=full tests/images/run.sh -ra --durations=10

##@ Development environment

dev-setup: ## Prepare this checkout: packages, Git LFS, Python tools, the image mlc-llm:dev where Docker is
	@scripts/dev_setup.sh

dev-check: ## Show what this machine has of what development needs
	@scripts/dev_check.sh

pre-commit-install: ## Run the linters on every commit
	@scripts/pre_commit.sh install

docker-up docker-down docker-logs docker-rebuild: ; @scripts/docker.sh $@
docker-up: ## Start the development container: Jupyter :8888, TensorBoard :6006, API :8000
docker-down: ## Stop it
docker-logs: ## Its output, with Jupyter's address
docker-rebuild: ## Build it anew with fresh bases and start it

##@ Images

build-dev build-prod build-multi: ; @scripts/docker.sh $@
build-dev: ## Image mlc-llm:dev
build-prod: ## Image mlc-llm:prod, also latest; VARIANT=cuda|rocm|vulkan: mlc-llm:prod-VARIANT
build-multi: ## Image mlc-llm:multi for amd64 and arm64, into build/mlc-llm-multi.tar

##@ Deployment

.PHONY: k8s-render dashboards
k8s-render: ## Write what kustomize makes of deploy/k8s into build/k8s (kubectl 1.30 or newer)
	@mkdir -p build/k8s
	@for o in dev prod multi-node; do kubectl kustomize deploy/k8s/overlays/$$o >build/k8s/$$o.yaml || exit 1; done
	@ls build/k8s/*.yaml

dashboards: ## Write Grafana's dashboards, and the rules for Kubernetes, after a change in monitoring/
	@python3 monitoring/generate.py

##@ Tidy

clean: ## Remove build outputs
	@rm -rf build
