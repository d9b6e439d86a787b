# Everything a person types. `make` alone lists it.

PYTHON ?= python3
export PORT ?= 8000
export DATA_DIR ?= data
export OCTOPRINT ?= 2
# Suites that run side by side; they mostly wait for printers.
WORKERS ?= 2

BIN := .venv/bin
CLIENT := fablab/web/client
CLIENT_SOURCES := $(shell find $(CLIENT) -type f -not -path '*/node_modules/*' 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help run test check bench screenshots clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | awk 'BEGIN {FS = ":.*## "} {printf "  make %-12s %s\n", $$1, $$2}'

run: .stamps/env .stamps/pages ## Start everything with the sample network (PORT, DATA_DIR, OCTOPRINT=0..N)
	@$(BIN)/fablab run

test: .stamps/env .stamps/pages .stamps/octoprint .stamps/debian ## Run every suite (installs Debian's mosquitto, postgresql, chromium where it may)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
	$(BIN)/python -m tests.system_postgres

check: .stamps/env .stamps/pages ## Linters, types, import contracts, front-end types, migrations = models
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npm --prefix $(CLIENT) run --silent check
	$(BIN)/python -m pytest -q tests/house/test_migrations.py

bench: .stamps/env .stamps/pages .stamps/octoprint .stamps/debian ## Measure, as ratios to a reference in the same run; writes tests/bench/results.md
	$(BIN)/python -m tests.bench

screenshots: .stamps/env .stamps/pages ## Pictures of every page, phone and desktop, into build/screenshots
	$(BIN)/python -m tests.look

clean: ## Remove what the targets made, except DATA_DIR
	rm -rf .stamps .venv .venv-octoprint build $(CLIENT)/node_modules fablab/web/static/dist

# ---- what the targets stand on --------------------------------------------------------------------------------

.stamps/env: config/requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fablab needs Python 3.11 or newer: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Setting up the Python environment in .venv (a minute or two the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r config/requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@mkdir -p .stamps && touch $@

.stamps/pages: .stamps/env $(CLIENT_SOURCES)
	@echo "Building the pages"
	@cd $(CLIENT) && PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --silent --no-audit --no-fund && PATH="$(CURDIR)/$(BIN):$$PATH" npm run --silent build
	@touch $@

.stamps/octoprint: .stamps/env config/requirements/octoprint.txt
	@if $(BIN)/python -m fablab.embedded.octoprint_install .venv-octoprint; then touch $@; else echo "Going on without OctoPrint"; fi

.stamps/debian: .stamps/env tests/debian_packages.sh
	@sh tests/debian_packages.sh
	@touch $@
