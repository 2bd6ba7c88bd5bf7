# Two commands do everything on a fresh machine: `make demo` and `make test`.
.PHONY: help setup test-tools browser demo demo-ecs demo-flex test check coverage unit machine image-test ami e2e lint policy types format bench soak chaos cases corpus pictures docs wheel audit lock map e2e-aws e2e-aws-clean images
.DEFAULT_GOAL := help
BIN := .venv/bin
# A shell without job control starts background processes with SIGINT ignored; what a recipe runs must still stop on it.
SHELL := $(shell env --default-signal=INT true 2>/dev/null && echo env --default-signal=INT) /bin/sh
# Dozens of Python processes start in each run: without bytecode each compiles boto3 and all else again.
unexport PYTHONDONTWRITEBYTECODE

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 15

setup: ## create .venv with auto-lambda in it
	@scripts/setup.sh

demo: setup ## upload four real apps to an embedded AWS and watch them go live
	@$(BIN)/auto-lambda demo

demo-ecs: setup ## push an image and watch ECS services follow; an alarm raises and lowers a service
	@$(BIN)/auto-lambda ecs demo

demo-flex: setup ## watch an app move to Fargate and back, twice, under steady load; no request fails
	@$(BIN)/auto-lambda flex demo

test: setup ## all checks and tests, 22 to 30 minutes on two cores
	@$(MAKE) --no-print-directory --jobs=2 types lint machine
	@$(MAKE) --no-print-directory unit e2e

unit: setup ## the tests of each module, three at a time
	$(BIN)/pytest tests/unit -n 3 --dist loadfile

test-tools: ## install what the tests of the machine image need from the distribution
	@scripts/test-tools.sh

machine: setup test-tools ## test the machine image: the template, Packer's builder, the provisioning on a booted machine
	$(BIN)/pytest tests/machine -m "not slow"

image-test: setup ## all tests of the machine image: make machine, an installed box, a virtual machine
	@scripts/test-tools.sh --vm
	$(BIN)/pytest tests/machine

ami: setup ## build the machine image on AWS and publish it; ARGS="--architecture arm64" for its options
	$(BIN)/auto-lambda ami build $(ARGS)

browser: ## install the browser in which the console is tested
	@scripts/test-tools.sh --browser

# They wait for a good part of their time: for clocks, for queues, for load.
e2e: setup browser ## the end-to-end tests, on the embedded AWS, three at a time
	$(BIN)/pytest tests/e2e -n 3 --dist loadgroup

e2e-aws: setup ## prove on an AWS account what only an account can show, and remove it again; costs money. ARGS="--list" first
	@$(BIN)/python tests/aws $(ARGS)

e2e-aws-clean: setup ## remove from an AWS account what runs of e2e-aws have left there
	@$(BIN)/python tests/aws --clean $(ARGS)

map: ## each module with the first line of its docstring, to search in
	@grep -rm1 --include='*.py' '^r*"""' auto_lambda builder worker checker auto_lambda_cli ami entrypoint | sed -E 's/:r*"{3}/  /; s/"{3}$$//' | LC_ALL=C sort

check: lint types ## lint, types, and the unit tests that mirror what differs from main; ARGS="FILE ..." for others
	$(BIN)/pytest -q $$(scripts/touched_tests.py $(ARGS))

coverage: setup ## the coverage of the unit tests, with a minimum
	$(BIN)/pytest tests/unit -n 2 --dist loadfile --cov --cov-report=term:skip-covered

lint: setup ## ruff, import contracts, shell syntax, cfn-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	for script in scripts/*.sh; do bash -n "$$script" || exit 1; done
	$(BIN)/cfn-lint $(addprefix infra/,core.yaml network.yaml roles.yaml fleet.yaml observability.yaml notify/*.yaml) apps/ecs_updater/setup.yaml apps/flex_controller/setup.yaml

policy: setup ## check the templates in infra/ with checkov; every finding is fixed or explained. Part of make unit
	$(BIN)/pytest tests/unit/infra/test_policy.py

types: setup ## mypy --strict
	$(BIN)/mypy

format: setup ## fix and format the code with ruff
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: setup ## measure drop to live: each example, beside the physical bound, and beside chalice, zappa and aws-lambda-builders
	$(BIN)/python bench/drop_to_live.py
	$(BIN)/python bench/limit.py
	$(BIN)/python bench/peers.py

chaos: setup ## kill the flex controller at each call of AWS; make each call of the worker fail in turn, in every way; an hour. ARGS="--scenario 'zappa update'" for less
	$(BIN)/python tests/chaos/flex.py
	$(BIN)/python tests/chaos $(ARGS)

cases: setup ## drop the apps of tests/cases on a local stack; ten minutes. ARGS="'k01*'" for some
	$(BIN)/python tests/cases $(ARGS)

corpus: setup ## drop real projects of the package index on a local stack, and write down their scores. ARGS="'chalice-*'" for some
	$(BIN)/python tests/corpus $(ARGS)

soak: setup ## 1,000 drops while workers are killed, events duplicated and reordered, calls throttled (ARGS="--seed 2")
	$(BIN)/python bench/soak.py $(ARGS)

pictures: setup ## redraw docs/pictures from its sources, and take those of the console; bench/record_dashboard.py records the metrics of the dashboard
	@scripts/test-tools.sh --pictures
	for source in docs/pictures/*.dot; do dot -Tsvg "$$source" -o "$${source%.dot}.svg" || exit 1; done
	$(BIN)/python tests/support/dashboard.py
	AUTO_LAMBDA_PICTURES=docs/pictures $(BIN)/pytest -q tests/e2e/test_console.py

docs: setup ## build the documentation site into site/, with every link and anchor checked. Part of make unit
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "python3 -m http.server --directory site shows it"

wheel: setup ## build dist/auto_lambda-VERSION-py3-none-any.whl; the same commit gives the same bytes
	$(BIN)/python -m ami.wheel dist

audit: setup ## check every locked package against the advisory database; fails, with code 3, if that cannot be reached
	$(BIN)/python scripts/audit.py

images: setup ## ask the registry for the digests of AWS's images, which tasks on Fargate run
	$(BIN)/python scripts/task_images.py $(ARGS)

lock: setup ## resolve all pinned versions again
	scripts/lock.sh
