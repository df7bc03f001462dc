# Each target makes its own .venv with all it needs. Needed on the machine: Python >= 3.11 and a C compiler.
PYTHON ?= python3
BIN := .venv/bin
WORKERS := $(shell $(PYTHON) -c 'import os; print(1 + (os.cpu_count() or 1))') # some tests wait for processes
SOURCES := setup.py pyproject.toml $(shell find src -name '*.py' -o -name '*.pyx' -o -name '*.pxd' -o -name '*.h' -o -name '*.pyi' -o -name '*.v' -o -path '*/templates/*')

.PHONY: reproduce test test-fast bench docs clean

reproduce: .venv/reported
	$(BIN)/clexact reproduce --budget quick --out reproduction

test: .venv/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest --numprocesses=$(WORKERS)

test-fast: .venv/tested
	$(BIN)/python -m pytest -m "not slow" tests

bench: .venv/installed
	$(BIN)/python bench/run.py

docs: .venv/documented
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/site/html
	@echo 'The site: build/site/html/index.html'

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "clexact needs Python 3.11 or newer")'
	$(PYTHON) -m venv .venv

.venv/installed: .venv/bin/python $(SOURCES)
	$(BIN)/python -m pip install --quiet .
	touch $@

.venv/reported: .venv/bin/python $(SOURCES)
	$(BIN)/python -m pip install --quiet '.[report,plot]'
	touch .venv/installed $@

.venv/tested: .venv/bin/python $(SOURCES)
	$(BIN)/python -m pip install --quiet '.[test]'
	touch .venv/installed .venv/reported $@

.venv/documented: .venv/bin/python $(SOURCES)
	$(BIN)/python -m pip install --quiet '.[docs]'
	touch .venv/installed .venv/reported $@

clean:
	rm -rf .venv build docs/notebooks src/*.egg-info src/clexact/_kernels/*.c src/clexact/_kernels/*.so
