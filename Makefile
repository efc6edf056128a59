.DEFAULT_GOAL := help
.PHONY: help setup up down demo test test-long check lint deploy-tools deploy-check compose-check simulate faults faults-nightly faults-peers fix lock contracts bench bench-growth bench-year bench-cards

BIN := .venv/bin
MEMBERS = $(wildcard libs/*/pyproject.toml services/*/pyproject.toml)
SOURCES = $(wildcard libs/*/src services/*/src) faultlab
# The first Python that is new enough; without one, setup says what is missing.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; done; echo python3)

# What was given on the command line; the shell itself has variables like SECONDS.
given = $(if $(filter command line,$(origin $(1))),$($(1)),$(2))

COMPILE = $(BIN)/uv pip compile --quiet $(if $(UPGRADE),--upgrade) --universal --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11 \
	--custom-compile-command "make lock"
OURS = --no-emit-package tillstream-events --no-emit-package tillstream-platform

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## Install everything into .venv, each package by version and hash (done by the others when needed)
	@$(PYTHON) tools/setup.py

up: setup ## Start everything on this machine and go on until `make down`
	@$(BIN)/till up -d

down: setup ## Stop everything, keep the data
	@$(BIN)/till down

demo: setup ## Run weeks of a real chain through the five services and report (WEEKS=4 or all; KEEP=1 leaves it running)
	@$(BIN)/till demo --weeks $(or $(WEEKS),4) $(if $(KEEP),--keep)

test: setup ## Run the tests, those on real Kafka, PostgreSQL and Valkey included
	@$(BIN)/pytest -m "not long" --seeds 10000

test-long: setup ## Run what takes minutes each: access, operating, observability, upgrades, topics made good
	@$(BIN)/pytest -m long

check: lint ## Check all that can be checked in a minute or two: style, types, imports, contracts, tests without Kafka and PostgreSQL
	@$(BIN)/pytest -q -m "not integration" -x

lint: setup ## Check style, types, imports and contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy $(SOURCES)
	@$(BIN)/lint-imports
	@$(BIN)/till contracts check

deploy-tools: setup ## Install what looks at deploy/ (kubectl, kubernetes-validate, hadolint, yamllint, checkov) into .venv-deploy
	@$(PYTHON) deploy/setup_checks.py

deploy-check: deploy-tools ## Check what is in deploy/ with these
	@$(BIN)/pytest -q deploy/tests

compose-check: setup ## Really run the compose file (root on Debian; elsewhere skipped): 1,000 receipts, kills, restarts
	@$(BIN)/python deploy/compose/check/run.py

simulate: setup ## Run our own code under seeds of faults, on models of Kafka and PostgreSQL (SEED=n prints one timeline; SEEDS=n; CONTROL=C2)
	@$(BIN)/python -m faultlab.simulation $(if $(SEED),--seed $(SEED)) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(CONTROL),--control $(CONTROL))

faults: setup ## Break real parts and two instances of each service, and judge (SEED=n SECONDS=60 FAULTS=F1,F5 CONTROL=C5 JSON=1)
	@$(BIN)/python -m faultlab.lab $(if $(SEED),--seed $(SEED)) --seconds $(call given,SECONDS,60) $(if $(FAULTS),--faults $(FAULTS)) $(if $(CONTROL),--control $(CONTROL)) $(if $(JSON),--json)

faults-nightly: setup ## Seed after seed of it until a million commands are acknowledged (UNTIL=n); goes on where it was (MINUTES=n RESULTS=file)
	@$(BIN)/python -m faultlab.lab --nightly $(or $(RESULTS),faultlab/results/nightly.jsonl) --seconds $(call given,SECONDS,60) $(if $(UNTIL),--until $(UNTIL)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(FAULTS),--faults $(FAULTS))

fix: setup ## Mend what ruff can mend
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

contracts: setup ## Write contracts/ anew from the events and the APIs
	@$(BIN)/till contracts build

bench: setup ## Compare with peers, in turns: ONLY=B1,B4 ROUNDS=7 JSON=1; the peers get an environment of their own
	@$(BIN)/python bench/run.py $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(JSON),--json)

bench-growth: setup ## Measure how cost grows from one year of data to three and ten: ONLY=B1,B4,B6,look-ups ROUNDS=7 JSON=1
	@$(BIN)/python bench/growth.py $(if $(ONLY),--only $(ONLY)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(JSON),--json)

bench-year: setup ## Measure the whole year: seconds per stage, CPU and memory per process
	@$(BIN)/python bench/year.py

bench-cards: setup ## Measure how fast a till is told about a card, idle and while history is imported
	@$(BIN)/python bench/cards.py

faults-peers: setup ## The same faults against us and our peers: what is lost, what is done twice (ONLY=F1,F5 WHO=Quix SEED=1)
	@$(BIN)/python bench/faulted.py $(if $(ONLY),--only $(ONLY)) $(if $(WHO),--who $(WHO)) $(if $(SEED),--seed $(SEED))

lock: setup ## Write the locks (versions and hashes, no addresses); UPGRADE=1 chooses newer versions
	@$(COMPILE) pyproject.toml $(MEMBERS) --group dev $(OURS) --no-emit-package tillstream -o requirements.lock
	@$(COMPILE) --constraint requirements.lock $(filter-out libs/cli/%,$(MEMBERS)) $(OURS) -o deploy/compose/requirements.lock
	@$(COMPILE) --constraint requirements.lock deploy/compose/build.in -o deploy/compose/build.lock
	@$(COMPILE) deploy/checks.in -o deploy/checks.lock
