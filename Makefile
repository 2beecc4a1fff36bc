# One command for each intent; `make` lists them. Needs make and Python 3.11 or newer with its venv module, nothing else.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
WORKERS ?= 2
ARGS ?=
SEEDS ?= 200

# The first interpreter that is new enough. `make PYTHON=/path/to/python3 ...` chooses another one.
ifeq ($(origin PYTHON),undefined)
PYTHON := $(shell for name in python3.11 python3 python3.12 python3.13 python3.14; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$name; break; }; done)
endif

# A virtual environment belongs to one interpreter and one folder: the name of its stamp says which.
IDENTITY := $(if $(PYTHON),$(shell $(PYTHON) -c 'import hashlib, os, sys; \
	print(hashlib.sha256("\n".join((os.path.realpath(sys.executable), sys.version, os.getcwd())).encode()).hexdigest()[:16])' \
	2>/dev/null),none)
MADE := $(VENV)/.made-by-$(IDENTITY)
RUNTIME := $(VENV)/.runtime
TOOLS := $(VENV)/.tools
PROJECT := $(VENV)/.project

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test check setup lint format types contracts tests story bench sim mutants clean

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: $(PROJECT) ## play the demonstration: a sandbox of providers, two servers and rekon between them
	$(BIN)/rekon demo $(ARGS)

test: setup lint types contracts tests ## everything a change must pass

check: setup format test ## put the code in order, then everything a change must pass

setup: $(TOOLS) $(PROJECT) ## install the locked tools and the project into .venv

lint: $(TOOLS) ## style and format, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(TOOLS) ## put the code into its format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

types: $(TOOLS) $(PROJECT) ## types, strictly
	$(BIN)/mypy

contracts: $(TOOLS) $(PROJECT) ## who may import whom
	$(BIN)/lint-imports

tests: $(TOOLS) $(PROJECT) ## every test; PostgreSQL comes from REKON_TEST_PG_DSN, the machine or the locked tools
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

story: $(TOOLS) $(PROJECT) ## the whole demonstration as a test, judged from outside (some minutes)
	$(BIN)/python -m pytest -o addopts=--import-mode=importlib tests/heavy $(ARGS)

bench: $(TOOLS) $(PROJECT) ## measure against baselines of the same run (some minutes); ARGS="--json", "--full", "--only checks"
	$(BIN)/python -m benchmarks $(ARGS)

sim: $(TOOLS) $(PROJECT) ## rehearse SEEDS days in virtual time, with faults drawn from each seed
	$(BIN)/python -m rekon.simulation --seeds $(SEEDS) $(ARGS)

mutants: $(TOOLS) $(PROJECT) ## plant known defects and see that the simulator finds each
	$(BIN)/python -m tests.simulation.mutants $(ARGS)

clean: ## remove the virtual environment and what tools left behind
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(MADE):
	@test -n "$(PYTHON)" || { echo "rekon needs Python 3.11 or newer. On Debian or Ubuntu: sudo apt install python3.11 python3.11-venv"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		version=$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
		echo "This Python $$version has no venv module. On Debian or Ubuntu: sudo apt install python$$version-venv"; exit 1; }
	@echo "Making a virtual environment in $(VENV) ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(RUNTIME): requirements-demo.lock $(MADE)
	@echo "Installing what rekon runs on ..."
	@$(PIP) install --require-hashes --requirement requirements-demo.lock
	@touch $@

$(TOOLS): requirements.lock $(RUNTIME)
	@echo "Installing what the tests need ..."
	@$(PIP) install --require-hashes --requirement requirements.lock
	@touch $@

$(PROJECT): pyproject.toml $(RUNTIME)
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@
