# You need Python 3.11+ and make: each target installs its dependencies into .venv.
# The newest one here that can make environments.
PYTHON ?= $(shell for python in python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import ensurepip, venv' 2>/dev/null && echo $$python && exit; done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
SHELL := /bin/sh
.DEFAULT_GOAL := help

unexport PYTHONDONTWRITEBYTECODE # or each run, and each of its workers, compiles the tests again

.PHONY: help demo serve test test-fast coverage soak check docs conformance exchanges bench guard fix lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "gemgate needs Python 3.11 or newer, and there is no $(PYTHON). Try: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "gemgate needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.installed-dev: requirements/dev.txt $(VENV)/.installed-run
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
	@touch $@

demo: $(VENV)/.installed-run ## the gateway on 127.0.0.1:8080 against the built-in Gemini emulator: no key, no network
	$(BIN)/gemgate serve --emulator

serve: $(VENV)/.installed-run ## the gateway on 127.0.0.1:8080 against Google; reads .env
	$(BIN)/gemgate serve

test: $(VENV)/.installed-dev ## all tests but those that take minutes
	$(BIN)/python -m pytest -n auto --dist worksteal

test-fast: $(VENV)/.installed-dev ## the tests without processes, sockets, disks, browsers and searches, in under a minute on two cores
	$(BIN)/python -m pytest -n $$($(BIN)/python -c 'import os; print(os.cpu_count())') -m "not soak and not integration and not slow" \
		$(addprefix --ignore=tests/,properties faults recorded security docs exchanges conformance sdk)

# Not of all tests: a tracer slows servers down, and is not safe where many event loops run in threads.
coverage: $(VENV)/.installed-dev ## branch coverage of the tests without processes and sockets; too little of it fails
	$(BIN)/python -m pytest -n auto -m "not soak and not integration" --cov --cov-report=term

soak: $(VENV)/.installed-dev ## slow tests: gateways killed at every point of a batch, long fuzzing, mixed load with faults, a hostile tenant (SOAK_SECONDS=60: less of it)
	$(BIN)/python -m pytest -n auto -m soak --timeout=3600 -o faulthandler_timeout=3660
	$(BIN)/python -m benchmarks.soak
	$(BIN)/python -m benchmarks.soak_tenants

check: $(VENV)/.installed-dev ## formatting, lint, types, layers, Dockerfile, documentation, workflows, advisories
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python scripts/check_layers.py
	$(BIN)/hadolint Dockerfile docker/app/Dockerfile
	$(BIN)/zensical build --strict --clean
	$(BIN)/zizmor --offline --quiet --persona=pedantic .github
	$(BIN)/python scripts/audit.py

docs: $(VENV)/.installed-dev ## the documentation's site, in site/; a broken link fails
	$(BIN)/python scripts/write_docs.py
	$(BIN)/zensical build --strict --clean

conformance: $(VENV)/.installed-dev ## popular clients, against the gateway: tables of clients and features (OPEN_RESPONSES_SUITE=folder: that suite too)
	$(BIN)/python -m tests.conformance

exchanges: $(VENV)/.installed-dev ## write what the gateway makes of the golden exchanges, into tests/exchanges and the documentation
	$(BIN)/python -m tests.exchanges
	$(BIN)/python scripts/write_docs.py

bench: $(VENV)/.installed-dev ## the cost of a request, beside other gateways, over real sockets (QUICK=1: in two minutes)
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

guard: $(VENV)/.installed-dev ## fail if a hot path became slower than its baseline (WRITE=1: write the baseline)
	$(BIN)/python -m benchmarks.guard $(if $(WRITE),--write)

fix: $(VENV)/.installed-dev ## format, and fix lint errors
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras --no-header --no-emit-index-url
EXTRAS := --extra emulator --extra otel --extra postgres --extra redis --extra vertex
CLIENTS := clients clients-instructor clients-litellm clients-llama-index clients-whisper

lock: | $(VENV)/bin/python ## resolve the dependencies again into requirements/*.txt and docker/build.txt
	$(BIN)/python -m pip install --quiet uv
	$(COMPILE) $(EXTRAS) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) $(EXTRAS) --group dev --constraint requirements/run.txt pyproject.toml --output-file requirements/dev.txt
	for group in $(CLIENTS); do $(COMPILE) --no-annotate --group $$group --output-file requirements/$$group.txt || exit 1; done
	printf 'hatchling>=1.27\ncyclonedx-bom>=7.5\n' | $(COMPILE) --no-annotate --constraint requirements/run.txt - --output-file docker/build.txt

clean: ## remove what the targets made
	rm -rf $(VENV) .conformance site .cache .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
