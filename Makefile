# Two commands for newcomers: `make demo` and `make test`. Each sets up all it needs.
SHELL := /bin/bash
VENV ?= .venv
LOWEST := .venv-lowest
BIN := $(VENV)/bin
DATA ?= ../shared/data
# A virtual display where Linux has none of its own.
DISPLAYED := $(shell [ "$$(uname)" = Darwin ] || [ -n "$$DISPLAY" ] || [ -n "$$WAYLAND_DISPLAY" ] && echo yes)
VIRTUAL := $(shell [ "$$(uname)" = Linux ] && echo 'xvfb-run -a -s "-screen 0 1920x1200x24"')

# One process for each core, each with one thread: together they use the machine, and no more.
PARALLEL := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(VIRTUAL)
TESTS := -m pytest -n auto --maxprocesses 8 --dist worksteal --durations 15

.PHONY: demo docs test test-all test-lowest lint models results experiments bench tour trust trust-full audit sbom clean

demo:
	@scripts/setup.sh $(if $(DISPLAYED),gui,run)
	@$(BIN)/copnet demo --out demo-output

test:
	@scripts/setup.sh dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check -q . && $(BIN)/mypy
	@$(PARALLEL) $(BIN)/python $(TESTS) -m "not slow"

test-all:
	@scripts/setup.sh dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check -q . && $(BIN)/mypy
	@HYPOTHESIS_PROFILE=search $(PARALLEL) $(BIN)/python $(TESTS)

# With the lowest version of each dependency, on the lowest Python.
test-lowest:
	@PYTHON=$${PYTHON:-python3.11} VENV=$(LOWEST) CONSTRAINTS=constraints-lowest.txt scripts/setup.sh dev
	@$(PARALLEL) $(LOWEST)/bin/python $(TESTS) -m "not slow" --ignore tests/gui

lint:
	@scripts/setup.sh dev
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format . && $(BIN)/mypy

models:
	@scripts/setup.sh run
	@$(BIN)/python -m research.default_models --data $(DATA) --out work-models
	@for kind in contours closing; do rm -rf src/napari_copnet/networks/shipped/$$kind && \
		cp -r work-models/$$kind src/napari_copnet/networks/shipped/; done
	@$(BIN)/python -m research.travel --data $(DATA) --models work-models --out docs \
		--first 4 --cards src/napari_copnet/networks/shipped
	@$(BIN)/python -m research.fit_gap_classifier --data $(DATA)
	@$(BIN)/python -m research.fit_queue --data $(DATA)

results:
	@scripts/setup.sh run
	@$(BIN)/python -m research.results --data $(DATA) --out docs --work work-results

experiments:
	@scripts/setup.sh run
	@$(BIN)/python -m research.experiments --data $(DATA) --models work-models \
		--out docs --work work-experiments

# make -s bench NAME=closing [ARGS="--quick"]: closing, degrade, dock, finetune, labels, proofread,
# scale, session, teach, teach_loop or window.
bench:
	@scripts/setup.sh $(if $(filter scale,$(NAME)),dev,$(if $(filter dock proofread session window,$(NAME)),gui,run))
	@$(if $(filter dock proofread session window,$(NAME)),$(VIRTUAL)) $(BIN)/python -m benchmarks $(NAME) --json $(ARGS)

# The documentation site, in site/. A warning is an error; nothing is fetched.
docs:
	@scripts/setup.sh docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

tour:
	@scripts/setup.sh gui
	@PYTHONPATH=. $(VIRTUAL) $(BIN)/python scripts/tour.py --data $(DATA) --out docs/images

trust:
	@scripts/setup.sh dev
	@$(VIRTUAL) $(BIN)/python scripts/trust.py

trust-full:
	@scripts/setup.sh dev
	@$(VIRTUAL) $(BIN)/python scripts/trust.py --full

# Known weaknesses of what is installed. Without a way to the database it says so, and fails.
audit:
	@scripts/setup.sh gui
	@scripts/audit.sh

# All that is installed with the package, as CycloneDX, in dist/.
sbom:
	@scripts/setup.sh gui
	@$(BIN)/python scripts/sbom.py dist/sbom.cdx.json

clean:
	rm -rf .venv-audit $(VENV) $(LOWEST) demo-output build dist site .pytest_cache .mypy_cache .ruff_cache
