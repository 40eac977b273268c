# make demo, make test, and what a developer needs. All of it works in a virtual environment of its
# own, which is made on first use and brought up to date when the packaging files change.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
BENCH ?= .venv-bench
# More at a time than there are cores: many tests wait for a program that starts.
TRIAL := -m twisted.trial -j5
# For tests of which nearly all wait for nothing.
BUSY_TRIAL := -m twisted.trial -j3
# Each has a browser, which keeps a core busy.
BROWSER := -m twisted.trial -j2
# Without --quiet: it may take a while, and who waits wants to know for what.
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Each of the many programs that the tests start would compile the whole gateway again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test long browser axe coverage lint types imports news audit package bench clean

help:
	@echo "make demo      run the gateway in the foreground on a simulated network"
	@echo "make test      run the tests, but for those that take long, and those in a browser"
	@echo "make long      run those that take long: attacks, and hours of simulated time"
	@echo "make browser   run those of the console in Chromium"
	@echo "make axe       get axe-core from npm, with which the tests look who can use the console"
	@echo "make coverage  run all of them, and check how much of the gateway the quick ones run"
	@echo "make lint      check format and style, also that of the documentation"
	@echo "make types     check types"
	@echo "make imports   check which room imports which"
	@echo "make news      show what news/ will add to CHANGELOG.rst"
	@echo "make audit     check the licences of what is needed, and whether it is known to be unsafe"
	@echo "make package   build sdist and wheel, into dist/"
	@echo "make bench     measure beside other programs, and write docs/benchmarks.rst"
	@echo "make clean     remove what the others made"
	@echo "PYTHON names another interpreter: make test PYTHON=python3.12"

# exec, so that a signal to make's child reaches the gateway itself.
demo: $(VENV)/installed
	@exec $(BIN)/zbgate --serial sim:

# All but what takes as long as everything else, and is the same with every Python: what asks
# `left_out` (tests/support.py), and the console's page in a browser.
# Those that take long begin first, so that at the end no test keeps the others waiting.
LONG := tests.system tests.test_benchmarks tests.faults
TESTS := $(LONG) $(filter-out tests.browser $(LONG), \
    $(patsubst tests/%/__init__.py,tests.%,$(wildcard tests/*/__init__.py)) \
    $(patsubst tests/%.py,tests.%,$(wildcard tests/test_*.py)))

# What these run is not counted: most of them start programs, or run the same lines many thousand
# times. It would take up to four times as long, and shows little that no other test shows.
UNCOUNTED := $(LONG) tests.health.test_network_of_60 tests.radio.test_fuzz tests.fleet.test_random_run
COUNTED := $(filter-out tests.browser.% $(UNCOUNTED) $(addsuffix .%,$(UNCOUNTED)), \
    $(subst /,.,$(basename $(shell find tests -name 'test_*.py' | sort))))

test: $(VENV)/installed-test
	ZBTWIST_SHORT_TESTS=1 $(BIN)/python $(TRIAL) $(TESTS)

# With their neighbours, which is simpler.
long: $(VENV)/installed-test
	$(BIN)/python $(TRIAL) $(UNCOUNTED)

browser: $(VENV)/installed-test
	$(BIN)/python $(BROWSER) tests.browser

axe: $(VENV)/node/installed

# What a browser asks for is not counted either: all other tests together ask for it as well.
coverage: $(VENV)/installed-dev long
	$(BIN)/coverage erase
	@$(BIN)/coverage run $(BUSY_TRIAL) $(COUNTED)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report
	$(BIN)/python $(BROWSER) tests.browser

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	@for page in *.rst docs/*.rst; do \
	    $(BIN)/python -m docutils --halt=warning $$page /dev/null || exit 1; \
	done

types: $(VENV)/installed-dev
	$(BIN)/mypy

imports: $(VENV)/installed-dev
	$(BIN)/lint-imports

# With docutils, since a fragment may be no proper reStructuredText.
news: $(VENV)/installed-dev
	@draft=$$($(BIN)/towncrier build --draft) && echo "$$draft" && \
	    echo "$$draft" | $(BIN)/python -m docutils --halt=warning - /dev/null

# What is needed when the gateway runs. The second is left out, and says so, without a network.
audit: $(VENV)/installed-dev
	$(BIN)/python .ci/licences.py
	$(BIN)/python .ci/audit.py

package: $(VENV)/installed-dev
	rm -rf build dist *.egg-info
	$(BIN)/python -m build --outdir dist . >build.log 2>&1 || { cat build.log >&2; exit 1; }
	@! grep -i 'warning' build.log | grep -v 'byte-compiling is disabled' >&2
	$(BIN)/python .ci/repack.py dist

clean:
	rm -rf $(VENV) $(BENCH) build build.log dist *.egg-info _trial_temp* .hypothesis .mypy_cache .ruff_cache
	rm -f twisted/plugins/dropin.cache .coverage*
	find zbtwist twisted tests docs -name __pycache__ -type d -prune -exec rm -rf {} +

# Debian's python3 has venv but no ensurepip, and fails halfway with a longer text.
$(VENV)/made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	    echo "zbtwist needs Python 3.10 or later; name one with make PYTHON=python3.12." >&2; \
	    exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$(PYTHON) cannot make virtual environments;" \
	        "on Debian and Ubuntu, install the package python3-venv." >&2; \
	    exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	@touch $@

# Editable, so that the current sources run and only a change of these two files means a reinstall.
$(VENV)/installed: $(VENV)/made pyproject.toml setup.py
	@echo "Installing the gateway and what it needs into $(VENV), once:"
	$(PIP) install --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) install --editable '.[test]'
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed-test
	$(PIP) install --editable '.[dev]'
	@touch $@

$(VENV)/node/installed: tests/browser/package.json $(VENV)/made
	@mkdir -p $(VENV)/node
	@cp tests/browser/package.json $(VENV)/node
	@if command -v npm >/dev/null; then \
	    npm install --prefix $(VENV)/node --ignore-scripts --no-audit --no-fund --loglevel=error; \
	else \
	    echo "npm is not here, so nobody looks with axe-core who can use the console." >&2; \
	fi
	@touch $@

# What is compared has an environment of its own. Part of it runs on Node.js; where that is missing,
# so is that part. BENCHMARKS names what to run, PAGE what to write: what is not run, it does not
# have.
PAGE ?= docs/benchmarks.rst

bench: $(BENCH)/installed
	$(BENCH)/bin/python -m benchmarks --write $(PAGE) $(BENCHMARKS)

$(BENCH)/installed: benchmarks/requirements.txt benchmarks/package.json pyproject.toml setup.py
	$(PYTHON) -m venv --clear $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install \
	    --editable '.[mqtt]' --requirement benchmarks/requirements.txt
	@echo '*' >$(BENCH)/.gitignore # for ruff, too
	@mkdir $(BENCH)/node
	@cp benchmarks/package.json $(BENCH)/node
	@if command -v npm >/dev/null; then \
	    npm install --prefix $(BENCH)/node --ignore-scripts --no-audit --no-fund --loglevel=error; \
	else \
	    echo "npm is not here, so xbee-api is left out." >&2; \
	fi
	@touch $@
