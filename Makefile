# Everything from nothing: needs Python 3.11-3.13, Node 20+ and make. `make demo` and `make test`
# set themselves up; nothing is installed outside this folder.
PYTHON ?= python3
BIN := .venv/bin
NODE := devnet/node_modules/.ready
# Compiled modules halve the start of every process.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo up test check format bench campaign mutations lock clean

help:
	@echo "make demo      set up, run every payment method end to end on local chains, print a table"
	@echo "make up        the same system, kept running with test keys (Ctrl-C stops all)"
	@echo "make test      all tests          make check     lint, types, walls, house rules"
	@echo "make bench     figures            make campaign  the long forms of the tests"
	@echo "make format    layout, imports    make mutations take each guard away in a copy: its tests must fail"
	@echo "make setup     only set up        make clean     remove what was set up, and var"

setup: .venv/.ready $(NODE)

.venv/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if (3, 11) <= v[:2] < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed, %s is %d.%d (make PYTHON=...)" % (sys.executable, v[0], v[1]))'
	@echo "setting up .venv"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(NODE): devnet/package.json devnet/package-lock.json
	@echo "setting up the local chains"
	@npm ci --prefix devnet --no-fund --no-audit --loglevel=error
	@touch $@

demo: setup
	@$(BIN)/python -m devnet.demo

up: setup
	@$(BIN)/python -m devnet.demo --stay

# A wait that a busy machine made overdue is tried once more, and the closing line counts it;
# any other failure stands.
test: setup
	@$(BIN)/pytest -n 2 --durations 60 --durations-min 2 --dist loadfile --reruns 1 --only-rerun Overdue --only-rerun TimeoutError

check: .venv/.ready
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/pytest -q tests/house

format: .venv/.ready
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup
	@$(BIN)/python -m benchmarks

campaign: setup
	@$(BIN)/pytest -n 2 --dist worksteal --campaign --reruns 1 --only-rerun Overdue --only-rerun TimeoutError

mutations: setup
	@$(BIN)/python -m tests.mutations

lock:
	@$(BIN)/uv pip compile --quiet --group dev pyproject.toml --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --universal --python-version 3.11 --output-file requirements.lock

clean:
	rm -rf .venv devnet/node_modules var .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
