# `make` alone lists what there is to make.

PYTHON ?= python3
UV ?= $(shell command -v uv || echo $(BIN)/uv)

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet

TOO_OLD := sys.version_info < (3, 11)
ANOTHER := barsync needs Python 3.11 or later: make install PYTHON=python3.12

# One script a benchmark; a leading underscore marks what they share.
BENCHMARKS := $(sort $(wildcard benchmarks/[a-z]*.py))

# The locks hold for every Python this project supports, and name no index.
LOCK := pip compile --quiet --no-config --universal --python-version 3.11 \
	--fork-strategy fewest --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install browser demo test simulate determinism fuzz mutants lint format bench lock clean

help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } /^[a-z]+:.*## / { printf "make %-12s%s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## make .venv with the locked versions; PYTHON=python3.12 picks a new one's interpreter
	@:

# An environment that works and is new enough is kept; any other is made anew.
# Only the tree is written: a missing or unwritable home costs no more than pip's cache.
$(STAMP): pyproject.toml requirements/dev.txt
	@$(BIN)/python -c 'import pip, sys; sys.exit($(TOO_OLD))' 2>/dev/null || { \
		command -v "$(PYTHON)" >/dev/null || { \
			echo "make: no '$(PYTHON)' here. $(ANOTHER)" >&2; exit 1; }; \
		"$(PYTHON)" -c 'import sys; sys.exit($(TOO_OLD))' || { \
			echo "make: '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1). $(ANOTHER)" >&2; exit 1; }; \
		echo "making $(VENV)"; \
		"$(PYTHON)" -m venv --clear $(VENV); }
	@echo "installing the locked versions into $(VENV)"
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

demo: install ## a simulated venue and the daemon together, until Ctrl-C or DURATION=seconds
	@$(BIN)/barsync demo $(if $(DURATION),--duration $(DURATION))

# Where apt-get may not, the tests that need a browser are skipped, or with CI set fail.
browser: ## install chromium by apt-get for the tests, unless a browser is there
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
		echo "installing chromium for the tests of the report" && \
		apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive \
		apt-get install -qq -y --no-install-recommends chromium >/dev/null; } || true

# Much of the time the tests with sockets wait for the real clock: two at once take half as long.
test: install browser ## run every test; ARGS="-k name" goes to pytest
	@$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile $(ARGS)

simulate: install ## let SEEDS=1000 random worlds happen, FROM=0 on, in JOBS=processes; a failure names its seed
	@$(BIN)/python -m tests.worlds.simulate $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(FROM),--from $(FROM)) $(if $(JOBS),--jobs $(JOBS))

determinism: install ## trade SEEDS=200 markets inline, in threads and in processes, FROM=0 on, in JOBS=processes; the bytes must be the same
	@$(BIN)/python -m tests.determinism.run $(if $(SEEDS),--seeds $(SEEDS)) \
		$(if $(FROM),--from $(FROM)) $(if $(JOBS),--jobs $(JOBS))

fuzz: install ## give mutated messages to every codec for SECONDS=60; SEED=1, CODEC=name; a failure is kept in var/fuzz
	@$(BIN)/python -m tests.fuzz.run $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(CODEC),--codec $(CODEC))

mutants: install ## run the tests against small mistakes in the core and in bars of trades; ARGS="word" picks some
	@$(BIN)/python tests/mutation/run.py $(ARGS)

lint: install ## check style, format, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install ## rewrite the code in its one format
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: install ## run each script in benchmarks/
	@for script in $(BENCHMARKS); do echo "== $$script"; $(BIN)/python "$$script" || exit; done

lock: ## remake requirements/*.txt with uv; UPGRADE=1 takes the newest versions
	@command -v "$(UV)" >/dev/null || { \
		echo "make: locking needs uv, and there is no '$(UV)' here; install it or give UV=path" >&2; \
		exit 1; }
	@"$(UV)" $(LOCK) --output-file requirements/runtime.txt pyproject.toml >/dev/null
	@"$(UV)" $(LOCK) --group dev --constraint requirements/runtime.txt \
		--output-file requirements/dev.txt pyproject.toml >/dev/null
	@echo hatchling | "$(UV)" $(LOCK) --constraint requirements/dev.txt \
		--output-file requirements/build.txt - >/dev/null

clean: ## remove caches and build products; .venv and var/ stay
	@rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage
	@find src tests benchmarks -type d -name __pycache__ -prune -exec rm -rf {} +
