# FERScope: `make` lists the targets. Everything that is installed goes into .venv; delete it to start afresh.

PORT   ?= 8501
BIN    := .venv/bin
UV     := $(shell command -v uv)
# An index beside the usual one, from which torch and torchvision come, both in the same build.
EXTRA   = $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
SIZE    = $(if $(TORCH_INDEX),less than 6.6 GB,6.6 GB) and some minutes at first; only once

ifdef UV
PYTHON ?= >=3.11
# As pip does: the newest version of all indexes, not the one of the first index that has any.
INSTALL = $(UV) pip install --quiet --python $(BIN)/python --compile-bytecode \
	$(EXTRA) $(if $(TORCH_INDEX),--index-strategy unsafe-best-match) -e $(1)
else
PYTHON ?= python3
PIP    := $(BIN)/python -m pip --disable-pip-version-check
# Compiled on all cores, which pip itself does on one.
INSTALL = $(PIP) install --no-compile $(EXTRA) -e $(1) && { $(BIN)/python -m compileall -qq -j 0 .venv/lib || true; }
endif

.DEFAULT_GOAL := help
.PHONY: help setup app test lint docs web web-check chromium

help:
	@echo "make app [PORT=8501]   install what is missing and start the workbench at http://127.0.0.1:8501"
	@echo "make test              install what the tests need and run them"
	@echo "make lint              check style, layers and types of the code"
	@echo "make docs              build the documentation site into site/"
	@echo "make web               build the page of the web demo into workbench/web/"
	@echo "make setup             install only"
	@echo "PYTHON=python3.12 chooses the Python (3.11 or newer)."
	@echo "TORCH_INDEX=https://download.pytorch.org/whl/cpu saves 4.1 of 6.6 GB on a computer without an NVIDIA GPU."

setup: .venv/.app

app: .venv/.app
	@$(BIN)/ferscope app --port $(PORT)

test: .venv/.test chromium
	@$(BIN)/python -m pytest -n auto --dist loadgroup

lint: .venv/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/ty check --quiet

# The variable silences material's note on its successor.
docs: .venv/.docs
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "The documentation is in site/: open site/index.html; its search needs a server: $(BIN)/python -m http.server -d site"

# The page of the web demo, built by Node: the one on this computer, or one of the package index where it is missing or too
# old. It is in the repository, so that users need no Node; `make web-check` compares that copy with a new build.
NODE := PATH="$(CURDIR)/$(BIN):$$PATH"

web: web/node_modules/.package-lock.json
	@cd web && $(NODE) npm run --silent build

web-check: web/node_modules/.package-lock.json
	@built=$$(mktemp -d) && trap 'rm -rf "$$built"' EXIT && cd web && WEB_OUT="$$built" $(NODE) npm run --silent build && \
	diff -r "$$built" ../workbench/web || { echo "workbench/web is not what web/ builds: run make web and commit it"; exit 1; }

web/node_modules/.package-lock.json: web/package-lock.json | $(BIN)/python
	@node -e 'process.exit(+(process.versions.node.split(".")[0] < 20))' 2>/dev/null && command -v npm >/dev/null || \
		{ echo "Installing Node into .venv (60 MB)."; $(call INSTALL,".[web]"); }
	@cd web && $(NODE) npm ci --silent --no-audit --no-fund --fetch-retries 1
	@touch $@

# The stamps say that the environment agrees with pyproject.toml; the next call then starts at once.
.venv/.app: pyproject.toml | $(BIN)/python
	@echo "Installing FERScope into .venv ($(SIZE))."
	@$(call INSTALL,.)
	@touch $@

.venv/.test: pyproject.toml | $(BIN)/python
	@echo "Installing FERScope and what its tests need into .venv ($(SIZE))."
	@$(call INSTALL,".[test]")
	@touch $@ .venv/.app

.venv/.docs: pyproject.toml | $(BIN)/python
	@echo "Installing FERScope and what its documentation needs into .venv ($(SIZE))."
	@$(call INSTALL,".[docs]")
	@touch $@ .venv/.app

$(BIN)/python:
ifdef UV
	@$(UV) venv --quiet --seed --python "$(PYTHON)" .venv
else
	@command -v $(PYTHON) >/dev/null || \
		{ echo "There is no $(PYTHON) here: install Python 3.11 or newer, or say where it is with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$$($(PYTHON) --version) is too old: install 3.11 or newer and name it, such as PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "Python's venv module is missing: install it (Debian, Ubuntu: apt install python3-venv)"; exit 1; }
	@$(PYTHON) -m venv .venv
endif

# The browser tests drive an installed Chromium; without one they are skipped, and say so.
BROWSERS := chromium chromium-browser google-chrome
APT := DEBIAN_FRONTEND=noninteractive apt-get
ADVICE := No Chromium found: install one (Debian: apt install chromium), or the browser tests are skipped.

chromium:
	@for name in $(BROWSERS); do command -v $$name >/dev/null && exit 0; done; \
	if ! command -v apt-get >/dev/null; then echo "$(ADVICE)"; exit 0; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo="sudo -n"; else echo "$(ADVICE)"; exit 0; fi; \
	echo "Installing Chromium for the browser tests."; \
	get="$$sudo env $(APT) install -y -qq --no-install-recommends chromium"; \
	$$get >/dev/null 2>&1 || { $$sudo env $(APT) update -qq && $$get; } >/dev/null 2>&1 || echo "$(ADVICE)"
