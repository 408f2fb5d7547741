# Two commands for newcomers: `make demo` and `make test`. Each sets itself up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SEEDS ?= 0
# Processes that run tests, each with one thread; 0 for none beside pytest's own.
TEST_WORKERS ?= auto
MUTATIONS ?= 100000
SECONDS_OF_STORM ?= 60
KILLS ?= 200
# Short spins at OpenMP barriers: as fast on an idle machine, and many times faster on one that others use too.
export GOMP_SPINCOUNT ?= 20000

.PHONY: help setup demo docs starter test test-fuzz test-faults test-packages lint types check clean

help:
	@echo "make demo    pretrain a small zoo on real image sets, transfer to two held-out ones, write a report"
	@echo "make docs    the documentation as pages, in build/docs"
	@echo "make starter pretrain the starter zoo anew, which the package ships (half an hour)"
	@echo "make test    run the tests"
	@echo "make test-fuzz    100,000 altered zoo entries: each is refused, or says the same (minutes)"
	@echo "make test-faults  a zoo under 8 writers and 8 readers, writers killed, disks full (minutes)"
	@echo "make test-packages  build the package, use it with the lowest and the newest versions allowed (15 GB; minutes)"
	@echo "make check   tests, lint and types"
	@echo "make setup   only make the environment in $(VENV)"

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("supernet-tl needs Python 3.11 or newer; found " + sys.version.split()[0] + ". Give one with make PYTHON=python3.12 ...")'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python cannot make virtual environments; install its venv package (Debian: apt install python3-venv)."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@echo "Installing the packages (PyTorch is about 5 GB with its CUDA libraries; a minute or two)..."
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[demo,dev]' \
		|| $(BIN)/python -m pip install --quiet -c constraints.txt -e '.[demo,dev]'
	@touch $(READY)

demo: $(READY)
	$(BIN)/python -m supernet_tl.demo --output demo --seeds $(SEEDS)

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "build/docs/index.html"

starter: $(READY)
	$(BIN)/python -m supernet_tl.starter.build --output build/starter
	rm -rf supernet_tl/starter/zoo supernet_tl/starter/README.md
	cp -R build/starter/zoo build/starter/README.md supernet_tl/starter/
	rm -f supernet_tl/starter/zoo/.lock

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_WORKERS) --maxprocesses 4 --dist loadfile

test-fuzz: $(READY)
	$(BIN)/python -m tests.zoo_store.fuzz --mutations $(MUTATIONS)

test-faults: $(READY)
	$(BIN)/python -m tests.zoo_store.faults --seconds $(SECONDS_OF_STORM) --kills $(KILLS)

test-packages: $(READY)
	$(BIN)/python -m tests.packages

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

check: lint types test

clean:
	rm -rf $(VENV) demo build dist *.egg-info .pytest_cache .ruff_cache .mypy_cache
