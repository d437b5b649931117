# Lineside: two commands, `make up` and `make test`. Needs Python 3.11+ with venv, and make.
# `make up ARGS="--detach"`, `make test ARGS="-k scrap"`, `make bench ARGS="ingest"`.
PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
FILES_APART := --dist loadscope --no-loadscope-reorder
SOURCES := edge mes planner erp_bridge dashboards tests

# Package registries are believed as this machine believes them, behind a company's own authority too.
AUTHORITIES := $(firstword $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/cert.pem))
export UV_SYSTEM_CERTS ?= $(if $(AUTHORITIES),true,false)
export NODE_EXTRA_CA_CERTS ?= $(AUTHORITIES)

.DEFAULT_GOAL := help
.PHONY: help up down test check fix bench faults hunt soak docs install dev lock needed

help:  ## Show what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

up:  ## Run a whole simulated plant (ARGS="--fresh", "--detach")
	@$(PYTHON) mes/bootstrap.py up $(ARGS)

down:  ## Stop a plant that runs in the background
	@$(BIN)/python -m mes down

install:
	@$(PYTHON) mes/bootstrap.py install

dev:
	@$(PYTHON) mes/bootstrap.py install --dev

needed:
	@$(PYTHON) mes/bootstrap.py needs-of-tests

# Tests start hundreds of processes: what one of them has compiled, the next ones load.
test faults hunt soak docs: export PYTHONDONTWRITEBYTECODE :=

test: needed dev  ## Run the tests, in a real browser too
	@$(BIN)/python -m dashboards.build
	@$(BIN)/python -m dashboards.build run test
	@$(BIN)/python -m pytest -n 3 $(FILES_APART) $(ARGS)

faults: dev  ## Run the fault tests (as root): kill -9, partition, power cut, clock step
	@$(BIN)/python -m dashboards.build
	@$(BIN)/python -m pytest tests/faults -n 2 $(FILES_APART) $(ARGS)

hunt: dev  ## Try the properties on new examples until one fails (ROUNDS=20, ARGS="<folder>")
	@for round in $$(seq $(or $(ROUNDS),20)); do \
	  $(BIN)/python -m pytest $(or $(ARGS),tests/properties) -n 2 -x --hypothesis-profile=new || exit 1; done

soak: dev  ## Run the fault tests with their full counts; takes hours
	@$(BIN)/python -m pytest tests/faults --override-ini=timeout=0 --soak $(ARGS)

check: dev  ## Lint, types, import contracts
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m dashboards.build run typecheck

fix: dev  ## Mend what can be mended by itself
	@$(BIN)/ruff check --fix $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

bench: dev  ## Run the benchmarks (ARGS="<area>" for one)
	@$(BIN)/python -m tests.benchmarks $(ARGS)

docs: dev  ## Check the documentation's examples
	@$(BIN)/python -m pytest tests/architecture -k docs $(ARGS)

COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url
lock:  ## Take the newest versions into the lock files
	@$(UV) $(COMPILE) --upgrade --custom-compile-command "make lock" --group build pyproject.toml -o requirements.lock
	@$(UV) $(COMPILE) --upgrade --custom-compile-command "make lock" -c requirements.lock --group build --group dev pyproject.toml -o requirements-dev.lock
	@awk '/^[a-z]/ { keep = /^uv==/ } keep' requirements.lock > requirements-uv.lock
