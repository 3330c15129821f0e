# Everything from a fresh checkout, with nothing but Python 3.11 or later and make on the machine.
#
#   make setup    environment and page; leaves .venv/bin/mailbox and .venv/bin/smtp-proxy
#   make serve    the service, on loopback, with its data in ./data
#   make test     every test: Python's, the page's, in a real browser, against real programs
#   make check    ruff, mypy --strict, svelte-check
#   make crash    a thousand kills under load instead of the hundred of make test
#   make bench    figures against Postfix, smtp-sink and a bare Starlette (benchmarks/README.md)
#   make docs     what is generated in docs/
#   make pictures docs/pictures, taken from the running service
#   make lighthouse  the page as Lighthouse's phone profile sees it; on a machine that does nothing else
#   make lock     new versions into requirements/
#   make clean    removes what these commands made, never data
#
# ARGS reaches the command behind a target: make test ARGS="-k submission", make serve ARGS="--help".

SHELL := /bin/sh
.DELETE_ON_ERROR:
.PHONY: setup serve test check crash bench docs pictures lighthouse lock clean

export UV_PYTHON_DOWNLOADS := never
# Tests start the service some hundred times: what was compiled once is kept.
unexport PYTHONDONTWRITEBYTECODE
ifdef PYTHON
export PYTHON
endif

TOOLS := .venv-uv/bin/python
UV := .venv-uv/bin/uv
PY := .venv/bin/python
NPM := $(TOOLS) scripts/npm.py
PAGE := mailbox_service/page/index.html
# Folders are listed too: a deleted file changes nothing else.
PAGE_SOURCES := $(shell find frontend/src frontend/public 2>/dev/null) \
	$(wildcard frontend/*.html frontend/*.json frontend/*.ts frontend/*.js)

setup: .venv/.service $(PAGE)

serve: setup
	.venv/bin/mailbox serve $(ARGS)

test:
	$(MAKE) --no-print-directory --jobs 2 $(BESIDE)
	$(PY) -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS) || { [ $$? -eq 1 ] && $(AGAIN); }

# What has to be there or right before, two at a time.
BESIDE := page-types page-tests tests-collected tests/node/node_modules/.installed programs
.PHONY: $(filter-out %/.installed,$(BESIDE))

programs: .venv/.dev
	$(PY) -m tests.programs

page-types: $(PAGE)
	$(NPM) frontend run check

page-tests: $(PAGE)
	$(NPM) frontend run test

# Once, instead of once for each of the workers, who begin all at the same moment. What is wrong
# with a test is told when it runs.
tests-collected: .venv/.dev
	$(PY) -m pytest --collect-only -qq $(ARGS) > /dev/null 2>&1 || true

# Browsers, kills and real clocks share the machine with everything else that runs. What failed
# beside others is tried once more, alone: a fault shows again and fails the run, and what does
# not is named above, for somebody to make it steady.
AGAIN = $(PY) -m pytest --last-failed --last-failed-no-failures none $(ARGS)

check: .venv/.dev frontend/node_modules/.installed
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	$(NPM) frontend run check

crash: .venv/.dev
	MAILBOX_TEST_KILLS=1000 $(PY) -m pytest -q --timeout 3600 tests/crash/test_killing.py tests/crash/test_killing_again.py $(ARGS)

bench: .venv/.dev $(PAGE)
	$(PY) -m benchmarks $(ARGS)

docs: .venv/.dev
	$(PY) -m scripts.docs

pictures: .venv/.dev $(PAGE)
	$(PY) -m scripts.pictures $(ARGS)

lighthouse: .venv/.dev $(PAGE) tests/node/node_modules/.installed
	$(PY) -m tests.lighthouse $(ARGS)

# The environment. The development one holds all that the service needs, so it counts as both.
$(UV): requirements/tools.txt scripts/uv.sh
	scripts/uv.sh
	touch $@

.venv/bin/python: | $(UV)
	$(UV) venv --quiet --allow-existing --python $(TOOLS) .venv

.venv/.service: pyproject.toml requirements/service.txt requirements/build.txt $(UV) | .venv/bin/python
	$(call install,requirements/service.txt)
	touch $@

.venv/.dev: pyproject.toml requirements/dev.txt requirements/build.txt $(UV) | .venv/bin/python
	$(call install,requirements/dev.txt)
	touch .venv/.service $@

define install
	$(UV) pip sync --quiet --python $(PY) --require-hashes $(1)
	SKIP_PAGE_BUILD=1 $(UV) pip install --quiet --python $(PY) --no-deps \
		--build-constraints requirements/build.txt --editable .
endef

# The page.
%/node_modules/.installed: %/package.json %/package-lock.json $(UV)
	$(NPM) $* ci --no-audit --no-fund
	touch $@

$(PAGE): frontend/node_modules/.installed $(PAGE_SOURCES)
	$(NPM) frontend run build
	touch $@

# --upgrade asks the index for newer versions; LOCK= only adds what is missing.
LOCK ?= --upgrade
COMPILE = $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(LOCK)
lock: $(UV)
	$(COMPILE) pyproject.toml --extra postgres -o requirements/service.txt
	$(COMPILE) pyproject.toml --extra postgres --extra sms --group dev -c requirements/service.txt \
		-o requirements/dev.txt
	$(COMPILE) requirements/tools.in -o requirements/tools.txt
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) requirements/node.in -o requirements/node.txt

clean:
	rm -rf .venv .venv-uv frontend/node_modules tests/node/node_modules mailbox_service/page dist build
