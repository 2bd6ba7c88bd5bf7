# Two commands do everything on a fresh machine: `make demo` and `make test`.
.PHONY: help setup demo test unit e2e lint types format bench lock
.DEFAULT_GOAL := help
BIN := .venv/bin

help: ## show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 12

setup: ## make .venv with auto-lambda in it
	@scripts/setup.sh

demo: setup ## drop four real apps on an embedded AWS and watch them go live
	@$(BIN)/auto-lambda demo

test: setup lint types unit e2e ## everything that must hold, under ten minutes on two cores

unit: setup ## the tests of each module
	$(BIN)/pytest tests/unit

e2e: setup ## whole runs on the embedded AWS
	$(BIN)/pytest tests/e2e

lint: setup ## ruff, shell syntax, cfn-lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy --strict
	$(BIN)/mypy

format: setup ## let ruff put the code in order
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: setup ## drop to live, cold and warm, for each example
	$(BIN)/python bench/drop_to_live.py

lock: setup ## resolve all pinned versions anew
	scripts/lock.sh
