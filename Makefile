# make run      install into .venv and start the daemon (ARGS="-f my.conf --port 5000")
# make test     install what the tests need and run them, in several processes (ARGS="tests/config -x")
# make test-fast   the tests that need no server and no browser, with a tenth of the kills, random cases and combinations
# make coverage    the same tests, and how much of the code they run
# make chaos    the long form of tests/e2e/chaos: kills, faults, full disks, a 10-minute soak (ARGS="-k soak"); and each
#               step and combination, and ten times the random cases, of what `make test` tries in part
# make check    ruff, mypy, eslint if npm is there, and whether docs/ is what the code says
# make docs     write the reference pages in docs/
# make dist     build the sdists and the wheels of ingestd and ingestd-django in dist/, and check them
# make bench    what an event costs, events/s, latency, memory, start (ARGS="--only cpu latency")
# make bench-store   the built-in store: CPU and bytes per event, seconds of each query (ARGS=--large: of 30 million)
.POSIX:
.DELETE_ON_ERROR:
.PHONY: run test test-fast coverage chaos check check-js eslint docs dist bench bench-store clean

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# The tests start Python hundreds of times, and an installed ingestd is compiled: compiled files are kept, whatever the
# environment says.
PYTHON_COMPILED = PYTHONDONTWRITEBYTECODE= $(BIN)/python
PYTEST = $(PYTHON_COMPILED) -m pytest
ESLINT = tools/eslint
# Besides tests/e2e/chaos.
LONG_FORMS = tests/e2e/dashboard/test_places.py tests/e2e/dashboard/test_page.py \
	tests/e2e/dashboard/test_questions.py tests/e2e/dashboard/test_explorer.py tests/e2e/dashboard/test_slow.py \
	tests/e2e/dashboard/test_words.py tests/e2e/dashboard/test_alerts.py tests/e2e/test_kafka.py \
	tests/e2e/test_real_systemd.py tests/e2e/test_lifecycle.py tests/e2e/test_outputs.py tests/e2e/test_release.py \
	tests/e2e/test_s3_output.py tests/e2e/test_stores.py tests/e2e/test_syslog.py \
	tests/stores tests/lifecycle tests/journal tests/grok tests/config/test_properties.py tests/cli/common \
	tests/cli/test_damaged_folder.py tests/compiler tests/jobs/cases tests/plugins/test_compliance.py \
	tests/plugins/filters/test_random_pipelines.py tests/plugins/outputs/test_s3_spool.py
ARGS ?=

run: $(VENV)/installed
	$(BIN)/ingestd run $(ARGS)

test: $(VENV)/installed-dev
	@$(PYTEST) -n auto $(ARGS)

test-fast: $(VENV)/installed-dev
	@$(PYTEST) -n auto --fast --ignore tests/e2e $(ARGS)

coverage: $(VENV)/installed-dev
	@$(PYTEST) -n auto --fast --ignore tests/e2e --cov --cov-report=term:skip-covered $(ARGS)

chaos: $(VENV)/installed-dev
	@INGESTD_TEST_CHAOS=long $(PYTEST) -rP tests/e2e/chaos $(LONG_FORMS) $(ARGS)

check: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy ingestd tools tests
	$(BIN)/python -m tools.docgen --check
	@$(MAKE) --no-print-directory check-js

# npm is used for nothing else: without it this check is left out, but not in CI.
check-js:
	@if command -v npm >/dev/null; then $(MAKE) --no-print-directory eslint; \
	elif [ "$$CI" = true ]; then echo "npm is needed to check the JavaScript of the dashboard" >&2; exit 1; \
	else echo "npm is not installed: the JavaScript of the dashboard is not checked"; fi

eslint: $(ESLINT)/node_modules/.package-lock.json
	$(ESLINT)/node_modules/.bin/eslint --config $(ESLINT)/eslint.config.js ingestd/web/static

$(ESLINT)/node_modules/.package-lock.json: $(ESLINT)/package-lock.json
	npm ci --prefix $(ESLINT) --silent --no-audit --no-fund
	@touch $@

docs: $(VENV)/installed-dev
	$(BIN)/python -m tools.docgen

dist: $(VENV)/installed-dev
	rm -rf dist
	$(BIN)/python -m hatchling build
	cd clients/django && $(abspath $(BIN))/python -m hatchling build -d $(abspath dist)
	$(BIN)/python -m twine check --strict dist/*

bench: $(VENV)/installed-dev
	@$(PYTHON_COMPILED) -m tests.bench $(ARGS)

bench-store: $(VENV)/installed-dev
	@$(PYTHON_COMPILED) -m tests.bench.store $(ARGS)

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The stamps say which version of these two files is installed: a second run installs nothing.
$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("ingestd needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt
	@$(MAKE) --no-print-directory $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
