# The words anyone can guess. Every target sets up its own virtual environment first, once.
PYTHON ?= python3
VENV ?= .venv
ROOT ?= $(CURDIR)/demo
BIN = $(VENV)/bin
DOCS ?= .venv-docs
READY = $(VENV)/.ready
DEV = $(VENV)/.dev
KERNELS = $(VENV)/.kernels
SOURCES = $(shell find stages -name "*.py" -o -name "*.json" -o -name signatures.txt)
PIP = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements.lock
# uv installs in a third of pip's time; where it finds no index, pip does, which reads its own configuration
UV = $(BIN)/uv pip install --quiet --python $(BIN)/python -c requirements.lock
# one process more than cores: the tests that start a Ray wait most of their time
SPREAD = -n $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() or 1) + 1)') --dist loadgroup --no-loadscope-reorder
DATA ?= ../shared/data
REFERENCE ?= ../shared/reference
WORK ?= /tmp/gristmill-bench
QUICK = $(addprefix tests/,test_walls.py test_docs.py documents engine kept kernels mixture planner reader rules tokenizers)

# where it is set, every process compiles five hundred source files again: twice the time to start
export PYTHONDONTWRITEBYTECODE :=

.PHONY: setup demo test thorough quick check bench docs clean

setup: $(DEV) $(KERNELS)             ## the environment alone; with `make -j3` kernels are compiled while packages are installed

demo: $(KERNELS)               ## crawl to token shards on the built-in sample, into $(ROOT)
	$(BIN)/python -m pipeline run mixtures/demo.yaml --root $(ROOT)

test: $(DEV) $(KERNELS)              ## all tests
	$(BIN)/python -m pytest $(SPREAD)

thorough: $(DEV) $(KERNELS)          ## all tests, with every moment and place that `make test` tries a part of: before a release
	GRISTMILL_THOROUGH=1 $(BIN)/python -m pytest $(SPREAD)

quick: $(DEV) $(KERNELS)             ## the tests of single rooms: no Ray, no whole runs; for the time between two edits
	$(BIN)/python -m pytest $(SPREAD) -m "not ray and not slow" $(QUICK)

check: $(DEV)                  ## style, types, walls
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(DEV) $(KERNELS)               ## every benchmark, each against a named peer or limit, on the real data in $(DATA) or on made pages
	$(BIN)/python -m benchmarks.suite --data $(DATA) --reference $(REFERENCE) --work $(WORK)

docs:                          ## the documentation as a site, in build/site; a dead link is an error
	test -x $(DOCS)/bin/mkdocs || ($(PYTHON) -m venv $(DOCS) && $(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check -r tools/docs-requirements.txt)
	$(DOCS)/bin/python tools/docs_site.py build/docs
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

clean:                         ## what the other targets made
	rm -rf $(VENV) $(DOCS) stages/kernels/compiled demo build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): pyproject.toml requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) uv && $(UV) --compile-bytecode -e . || $(PIP) -e .
	touch $(READY)

$(KERNELS): $(READY) $(SOURCES)
	$(BIN)/python -m stages.kernels.compile
	touch $(KERNELS)

$(DEV): $(READY)
	$(UV) -e '.[dev]' || $(PIP) --no-compile -e '.[dev]'
	touch $(DEV)
