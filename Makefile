# Every target sets up what it needs on a machine that has only python3, pip and make: a .venv here (or the active one),
# built once, and again when pyproject.toml or constraints.txt change.

PYTHON ?= python3
VENV ?= $(or $(VIRTUAL_ENV),.venv)
BIN := $(VENV)/bin
STAMP := $(VENV)/plait.stamp
PYTEST := $(BIN)/python -m pytest
# A worker a core; the tests of a file stay together, since they share what is costly to make
WORKERS := --numprocesses auto --dist loadfile
# pytest exits with 5 where no test carries the mark
OR_NONE := || test $$? -eq 5

# With these, pip takes the CPU build of torch. Absolute, since pip builds in other folders.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup demo check test test-slow test-realdata bench format clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -e '.[test]'
	touch $@

demo: $(STAMP)
	$(BIN)/plait demo -o runs/demo

check: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(PYTEST) -q -m "not slow" tests/test_architecture.py tests/test_public_api.py tests/test_docs.py

test: $(STAMP)
	$(PYTEST) $(WORKERS) -m "not slow and not realdata"

test-slow: $(STAMP)
	$(PYTEST) $(WORKERS) -m "slow and not realdata" $(OR_NONE)

# Real data is never fetched: PLAIT_DATA names the folder; without it these tests are skipped, saying so.
test-realdata: $(STAMP)
	$(PYTEST) -m realdata $(OR_NONE)

bench: $(STAMP)
	$(BIN)/python -m benchmarks

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf build dist runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
