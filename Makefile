# `make run` and `make test` are all that a new user needs; both make .venv first.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
export HF_HUB_OFFLINE := 1
export OMP_NUM_THREADS := 1

.PHONY: run test lint types unit integration e2e bless bench faithful demo clean

run: $(VENV)/.exporters
	$(BIN)/export-matrix run

test: lint types unit integration e2e

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.test
	$(BIN)/mypy

unit: $(VENV)/.test
	$(BIN)/python -m pytest tests/$@

# Files, not tests, are shared out: their fixtures start databases and Ray. Not so e2e: xdist would
# import what gave a warning, and torch and ExecuTorch warn while they are imported.
integration: $(VENV)/.test
	$(BIN)/python -m pytest tests/$@ -n 2 --dist loadfile

e2e: $(VENV)/.test
	$(BIN)/python -m pytest tests/$@

# Accept what golden files would become; read the diff before committing it.
bless: $(VENV)/.test
	$(BIN)/python -m pytest tests/unit tests/integration --bless

bench: $(VENV)/.test
	$(BIN)/python -m tests.bench
	$(BIN)/python -m tests.bench_ingest
	$(BIN)/python -m tests.bench_pages
	$(BIN)/python -m tests.bench_reuse
	$(BIN)/python -m tests.grouping

# CHECKOUT=path/to/transformers@commit
faithful: $(VENV)/.testers
	$(BIN)/python -m tests.faithful $(CHECKOUT)

demo: $(VENV)/.base
	$(BIN)/export-matrix demo

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

$(VENV)/.exporters: $(VENV)/.base
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[exporters]'
	touch $@

$(VENV)/.test: $(VENV)/.base
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test]'
	touch $@ $(VENV)/.exporters

# What the model testers of a Transformers checkout import.
$(VENV)/.testers: $(VENV)/.test
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[test,testers]'
	touch $@
