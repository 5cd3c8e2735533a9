# Each target starts from a bare checkout: it builds .venv from the pins of constraints.txt first.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test chromium lint lab dashboard bench bench-all

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 16

install: $(STAMP)  ## build .venv

# uv takes half a minute; where it cannot be had, pip does the same in some minutes
$(STAMP): constraints.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@if $(BIN)/python -m pip install -q --disable-pip-version-check "$$(grep '^uv==' constraints.txt)" \
		&& $(BIN)/uv pip install -q --python $(BIN)/python --no-deps --compile-bytecode -r constraints.txt \
		&& $(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	then echo "installed with uv"; \
	else echo "uv failed; installing with pip" \
		&& grep -v '^uv==' constraints.txt | $(BIN)/python -m pip install --disable-pip-version-check --no-deps -r /dev/stdin \
		&& $(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e .; \
	fi
	touch $@

demo: $(STAMP)  ## the main job: simulate, train, score; about 10 minutes on 2 cores
	$(BIN)/imtools run notebooks/04_train.ipynb --preset quick --reuse

# two processes, a file at a time; in the order of the names, so that the browser does not come last
test: lint chromium  ## every check: lint, unit tests, doctests, notebooks at tiny, a browser
	$(BIN)/python -m pytest -q -rs -n 2 --dist loadfile --no-loadscope-reorder

chromium:  ## a browser for the tests, where root may install one
	@command -v "$${CHROMIUM:-chromium}" >/dev/null \
		|| { test "$$(id -u)" = 0 && apt-get update && apt-get install -y chromium; } \
		|| echo "NO CHROMIUM, and no root to install it: the browser tests will not run"

lint: $(STAMP)  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lab: $(STAMP)  ## open JupyterLab on the notebooks
	$(BIN)/jupyter lab --ip 127.0.0.1 --notebook-dir notebooks $(if $(filter 0,$(shell id -u)),--allow-root)

dashboard: $(STAMP)  ## serve the dashboards on this machine, behind a token
	$(BIN)/imtools dashboard

# of a minute or so each; the others take from a quarter of an hour to an hour
SHORT := painting halos statistics datasets observing

bench: $(STAMP)  ## time the short benchmarks, some minutes on a quiet machine
	for name in $(SHORT); do $(BIN)/python benchmarks/bench_$$name.py || exit 1; done

bench-all: $(STAMP)  ## time everything, hours and 40 GB of disk
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done
