# Everything runs from .venv, which `make setup` makes. All paths are relative: the checkout's own may hold spaces.
.DEFAULT_GOAL := help
.PHONY: help setup run stop clean lint test test-all bench lock

SCALE ?= 1
SEED ?= 42
export SCALE SEED
BIN := .venv/bin
INSTALLED := .venv/installed

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18

setup: ## install everything into .venv, by the hashes of requirements.lock (PYTHON=python3.12 takes that one)
	@for python in $(if $(PYTHON),'$(PYTHON)',python3.11 python3.12 python3.13 python3); do \
		if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then \
			exec "$$python" deployments/install.py; \
		fi; \
	done; \
	echo 'setup: $(or $(PYTHON),what is on the PATH) is no Python 3.11, 3.12 or 3.13;' \
		'install one, or name it: make setup PYTHON=/path/to/python3.11' >&2; exit 1

run: setup ## the school's ERP becomes a warehouse, under Prefect: make run SCALE=0.1 SEED=2
	@$(BIN)/reprise run --scale "$$SCALE" --seed "$$SEED"

stop: ## end all that was started
	@if [ -e $(INSTALLED) ]; then $(BIN)/reprise down; \
		else echo 'stop: skipped, since .venv is not there or not whole; `make setup` makes it' >&2; fi

clean: stop ## remove all that was made
	@if [ -e $(INSTALLED) ]; then $(BIN)/python -m erp remove; \
		elif [ -e .reprise/erp ]; then echo 'clean: the ERP is removed without asking its server to end' >&2; fi
	@rm -rf .reprise .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache build *.egg-info
	@find . -name __pycache__ -prune -exec rm -rf {} +

lint: setup ## the linters and the type checker
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

test: setup ## the everyday suite
	@$(BIN)/pytest -n 4 --dist loadfile -m 'not campaign'

test-all: setup ## the campaigns, which `make test` leaves out
	@$(BIN)/pytest -n 2 -m campaign

bench: setup ## the measurements of benchmarks/
	@$(BIN)/python -m benchmarks

lock: setup ## write requirements.lock anew from pyproject.toml
	@$(BIN)/python -m deployments.lock
