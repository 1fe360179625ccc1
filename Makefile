# Everything here works on a fresh machine with Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
JOBS   ?= 2

.PHONY: help setup demo test deep conformance lint serve golden docs dist clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:[^#]*## /\t/'

setup: $(STAMP)  ## a virtual environment with everything, from the package index only

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	touch $(STAMP)

demo: setup  ## the main job on the embedded models, end to end
	$(BIN)/pointsman demo

test: setup lint  ## everything that must be green
	$(BIN)/python -m pytest -m "not deep" -n $(JOBS) --dist loadfile

deep: setup  ## slow exams: kill -9, long interleavings, training, a soak of POINTSMAN_SOAK_S=1800 s
	$(BIN)/python -m pytest -m deep --timeout 3600

conformance: setup  ## examine a gateway: URL=http://host:port/v1 [KEY=] [UPSTREAM=127.0.0.1:9099]; none: this one
	@$(BIN)/python -m tests.conformance $(if $(URL),--url $(URL)) $(if $(KEY),--key $(KEY)) \
		$(if $(UPSTREAM),--upstream $(UPSTREAM)) $(OPTIONS)

lint: setup  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

serve: setup  ## the embedded portfolio, kept serving
	$(BIN)/pointsman serve -c pointsman-demo/pointsman.yaml

golden: setup  ## rewrite golden files; review the diff like code
	GOLDEN=write $(BIN)/python -m pytest -m "not deep" -k golden

docs: setup  ## rewrite the generated reference
	$(BIN)/python docs/generate.py

dist: setup  ## wheel and source archive
	$(BIN)/python -m build --outdir dist .

clean:  ## remove what was built
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
