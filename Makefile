PYTHON ?= python3
BIN := .venv/bin
SEEDS ?= 20000
FIRST ?= 0
# The stamp names the interpreter, so that another PYTHON makes another environment.
INSTALLED := .venv/.installed-$(notdir $(PYTHON))
EXAMPLE := examples/url_shortener
# One more than there are cores, since tests also wait for servers.
WORKERS ?= $(shell expr 1 + $$(getconf _NPROCESSORS_ONLN))
PYTEST := $(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 4 --dist worksteal --durations 15
SLOW := tests/faults tests/simulation
TEST_EXAMPLE := $(PYTEST) -m "browser or pypi" $(EXAMPLE)

.DEFAULT_GOAL := help
.PHONY: help run demo test test-example test-servers test-shelves simulate reliability install format lint types layers unit documents bench bench-quick bench-full performance blocking changelog clean

help:  ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s  %s\n", $$1, $$2}' Makefile

run:  ## Serve the worked example, a URL shortener, on http://127.0.0.1:8000
	$(MAKE) -C $(EXAMPLE) run

demo: install  ## Show what the library does, on an embedded database
	$(BIN)/python examples/installed_packages.py

test: lint types layers unit documents  ## Run everything CI runs; README, docs and examples are tests, too
	$(PYTEST) $(SLOW) -k "not (crash_at_each_step and moto)"  # test-servers has these on Ceph
	@if command -v chromium >/dev/null; then $(TEST_EXAMPLE); \
		else echo 'The example was not tried in a browser, since there is no chromium: make test-example'; fi

test-example: install  ## Try the example in a browser and as Heroku installs it: installs Chromium (root on Debian)
	tools/chromium.sh
	$(TEST_EXAMPLE)

test-servers: install  ## Run the tests that need real servers: installs Ceph, s3rver, DynamoDB Local, dynalite (root on Debian)
	tests/servers/install.sh
	$(PYTEST) -m "ceph or servers"

test-shelves: install  ## Run all tests of shelves on Ceph 16, DynamoDB Local and dynalite, too (root on Debian)
	tests/servers/install.sh
	$(PYTEST) -m shelves

simulate: install  ## Run SEEDS=… schedules of faults and crashes; JSON=… keeps what was counted
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --first $(FIRST) $(if $(JSON),--json $(JSON))

# The page tells what went wrong, too; then the last command fails.
reliability: install  ## Prove it all and write docs/reliability.rst: SEEDS=… schedules, tests on all servers (root on Debian)
	tests/servers/install.sh
	mkdir -p build && rm -f build/simulation.json build/tests.xml
	-$(BIN)/python -m tests.simulation --seeds $(SEEDS) --json build/simulation.json
	-$(PYTEST) -m "" --junitxml build/tests.xml --ignore tests/simulation/test_simulation.py tests
	$(BIN)/python -m tests.reliability build/simulation.json build/tests.xml

install: $(INSTALLED)  ## Make .venv, with the library and its tools

$(INSTALLED): pyproject.toml $(EXAMPLE)/requirements.txt
	@tools/venv.sh $(PYTHON) $@
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]' --requirement $(EXAMPLE)/requirements.txt
	@touch $@

format: install  ## Format the code, and mend what can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix-only

lint: install  ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: install  ## Check types
	$(BIN)/mypy

layers: install  ## Check who imports whom
	$(BIN)/lint-imports

unit: install  ## Run the tests of the library and of the examples, but for those of faults, with coverage
	$(PYTEST) tests examples $(addprefix --ignore ,$(SLOW)) --cov

documents: install  ## Run README, docs and docstrings as tests; an example goes on where the one before it ended
	$(BIN)/python -m pytest README.rst docs ssshelf

bench: install  ## Measure, against what else there is and the least there could be: a quarter of an hour (root on Debian)
	$(BIN)/python -m benchmarks

bench-quick: install  ## Try all benchmarks, with two rounds of little
	$(BIN)/python -m benchmarks --quick

bench-full: install  ## Measure with up to 1,000,000 items: hours
	$(BIN)/python -m benchmarks --full

performance: install  ## Write docs/performance.rst and its charts from what was measured
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[performance]'
	$(BIN)/python -m benchmarks.page

blocking: install  ## Write the methods of ssshelf.blocking, after those of the async classes changed
	$(BIN)/python tools/blocking_methods.py

changelog: install  ## Collect the fragments of changelog.d in CHANGELOG.rst
	$(BIN)/towncrier build --yes

clean:  ## Remove the environment and everything generated
	rm -rf .venv build dist .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
