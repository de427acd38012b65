# Everything here works on a fresh machine with Python 3.11 or later: config/bootstrap.sh installs what is missing.
.DEFAULT_GOAL := help
.PHONY: help venv demo test smoke bench check lint types imports templates catalogue supply structure \
	format lock clean

BOOTSTRAP := config/bootstrap.sh
PYTHON := .venv/bin/python
SOURCES := app admin cards config migrations tests wsgi.py
TEMPLATES := $(wildcard app/templates admin/templates)
# Where time goes in the tests is waiting for servers and browser as much as computing.
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)
TESTS ?= tests

help:
	@echo 'make demo    a sample province on this machine, both portals, ready to file'
	@echo 'make test    all tests (TESTS=path for some, WORKERS=n)'
	@echo 'make smoke   the shortest walk through a running service'
	@echo 'make bench   measurements (ONLY=name for one)'
	@echo 'make check   style, types, layers, templates, translations, locks and licences'
	@echo 'make format  write the sources as `make check` wants them'
	@echo 'make lock    lock files anew from pyproject.toml'

venv:
	$(BOOTSTRAP) checks

demo:
	$(BOOTSTRAP)
	$(PYTHON) -m admin demo

test:
	$(BOOTSTRAP) tests
	$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

smoke:
	$(BOOTSTRAP)
	$(PYTHON) -m admin smoke

bench:
	$(BOOTSTRAP) checks
	$(PYTHON) -m tests.bench $(ONLY)

check: venv
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target \
		lint types imports templates catalogue supply

lint:
	.venv/bin/ruff check --quiet .
	.venv/bin/ruff format --quiet --check .

types:
	.venv/bin/mypy $(SOURCES)

imports:
	@.venv/bin/lint-imports > var/imports.log 2>&1 || { cat var/imports.log; exit 1; }

templates:
	.venv/bin/djlint --quiet --check $(TEMPLATES)
	.venv/bin/djlint --quiet --lint $(TEMPLATES)

catalogue:
	$(PYTHON) -m config.catalogue

supply:
	$(PYTHON) -m config.supply

format:
	$(BOOTSTRAP) checks
	.venv/bin/ruff check --quiet --fix . || true
	.venv/bin/ruff format --quiet .
	.venv/bin/djlint --quiet --reformat $(TEMPLATES) || true

# uv resolves for every platform and Python at once; nothing of this machine gets into the files.
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --quiet --upgrade \
	--no-config --no-header --no-emit-index-url --no-emit-find-links
lock:
	@command -v uv >/dev/null || { echo 'make lock needs uv: python3 -m pip install uv'; exit 1; }
	env --unset=UV_INDEX --unset=UV_FIND_LINKS $(LOCK) -o requirements.lock
	env --unset=UV_INDEX --unset=UV_FIND_LINKS $(LOCK) --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf .venv var .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
