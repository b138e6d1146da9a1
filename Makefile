# `make up` and `make test` set themselves up; stamp files in .venv make a second time instant.
# Another interpreter: make up PYTHON=/path/to/python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# The locks list every package with its hashes, so there is nothing to resolve: --no-deps.
INSTALL := $(PIP) install --require-hashes --no-deps
EDITABLE := $(PIP) install --quiet --no-deps --no-build-isolation --editable .
# Beside a running product two test workers are as many as two cores carry; by file, as files share what they start.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help up test test-all test-security lint bench bench-quick soak lock

help: ## list these targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

up: $(VENV)/.ready ## install what is needed, then run everything until Ctrl-C
	@exec $(BIN)/datahub up

test: $(VENV)/.ready-dev lint ## everything that has to hold for a change, without network; minutes
	$(PYTEST) -m "not slow"

test-all: $(VENV)/.ready-dev lint ## the same with the long proofs
	$(PYTEST)

test-security: $(VENV)/.ready-dev ## what docs/security.md promises, alone; minutes
	$(PYTEST) tests/security

lint: $(VENV)/.ready-dev ## style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy .
	$(BIN)/lint-imports

bench: $(VENV)/.ready-dev ## measure against peers; more than an hour
	$(BIN)/python -m benchmarks full

bench-quick: $(VENV)/.ready-dev ## a quick subset; under 3 minutes
	$(BIN)/python -m benchmarks quick

soak: $(VENV)/.ready-dev ## an hour of the whole stack: memory and latency
	$(BIN)/python -m benchmarks soak

lock: $(VENV)/.made ## resolve the dependencies anew and write both lock files
	$(PYTHON) -m venv $(VENV)/lock
	$(VENV)/lock/bin/python -m pip install --quiet uv
	$(VENV)/lock/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --extra build pyproject.toml --output-file requirements.lock
	$(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --no-emit-index-url --extra build --extra dev --constraint requirements.lock \
	  pyproject.toml --output-file requirements-dev.lock
	rm -rf $(VENV)/lock

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Install it, or name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "'$(PYTHON)' lacks venv and pip: on Debian and Ubuntu, apt install python3-venv." >&2; \
	  echo "Or name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.ready: requirements.lock pyproject.toml $(VENV)/.made
	@echo "Installing packages into $(VENV); the first time takes a few minutes."
	$(INSTALL) --requirement requirements.lock
	$(EDITABLE)
	@touch $@

# The second lock holds the first, with the same versions.
$(VENV)/.ready-dev: requirements-dev.lock requirements.lock pyproject.toml $(VENV)/.made
	@echo "Installing packages and tools into $(VENV); the first time takes a few minutes."
	$(INSTALL) --requirement requirements-dev.lock
	$(EDITABLE)
	@touch $(VENV)/.ready $@
