# The words anyone can guess. Every target sets up its own virtual environment first, once.
PYTHON ?= python3
VENV ?= .venv
ROOT ?= $(CURDIR)/demo
BIN = $(VENV)/bin
READY = $(VENV)/.ready
BENCHMARKS = reader

.PHONY: demo test check bench clean

demo: $(READY)                 ## crawl to token shards on the built-in sample, into $(ROOT)
	$(BIN)/python -m pipeline run mixtures/demo.yaml --root $(ROOT)

test: $(READY)                 ## all tests
	$(BIN)/python -m pytest

check: $(READY)                ## style, types, walls
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)                ## every benchmark, each a ratio against a named peer or limit
	for name in $(BENCHMARKS); do echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done

clean:                         ## what the other targets made
	rm -rf $(VENV) demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock -e '.[dev]'
	touch $(READY)
