# Everything a person does often. `make help` lists it.
PYTHON ?= python3.11
SCALE ?= small
CORES ?= 2
# Extra arguments for installing PyTorch, such as an index that has the CPU build; needed where pip's default has CUDA.
TORCH_PIP_ARGS ?=
ENV := .venv
BIN := $(CURDIR)/$(ENV)/bin
export PATH := $(BIN):$(PATH)
# One line that a person can read; Snakemake's own log is in .snakemake/log, that of each job in logs.
# `all` comes before --config, which takes every word after it.
SNAKEMAKE = snakemake all --logger blur --cores $(CORES) $(ARGS) --config scale=$(SCALE) $(if $(TASK),task=$(TASK))
# Processes that run tests. In TOGETHER tests that share more than the finished run stay in one of them.
WORKERS ?= 2
TOGETHER = -n $(WORKERS) --dist loadgroup --durations=12
# Where the tests of the graph lie: what lies elsewhere need not be imported for them.
GRAPH = tests/workflow tests/hub
REPORT = results/$(SCALE)/report$(if $(TASK),.$(TASK)).html
# Written at the end of each run that changed anything.
RECORDS = results/$(SCALE)/provenance/records.json

.DELETE_ON_ERROR:
.PHONY: help env quantization s3 demo all run report resume show verify commit push pull sync check lint format types collect unit workflow test test-all slurm fetch rehearsal bench clean

help: ## Print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-13s %s\n", $$1, $$2}'

env: $(ENV)/.ready ## Make the environment in .venv from the pinned requirements

$(ENV)/.ready: requirements.lock pyproject.toml
	@echo "Installing into $(ENV): a few minutes"
	$(PYTHON) -m venv $(ENV)
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check $(TORCH_PIP_ARGS) "$$(grep '^torch==' requirements.lock)"
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

quantization: env ## Install the libraries that some quantization attacks need (165 MB)
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check --no-deps -r requirements-quantization.lock

s3: env ## Install DVC's S3 plugin, and an S3 server for its tests (60 MB)
	$(BIN)/pip install --quiet --no-compile --disable-pip-version-check --no-deps -r requirements-s3.lock

demo: ## A first look: one benchmark, the headline methods, table and report (8 minutes)
	@$(MAKE) --no-print-directory all SCALE=demo

all: run ## Run everything at SCALE (small: some 40 minutes), then table and report
	@if $(MAKE) --question $(REPORT); then echo "Report: $(REPORT)"; \
	else $(MAKE) --no-print-directory report show; fi

run: env ## Run the graph at SCALE, all of it or one TASK (ARGS go to snakemake)
	$(SNAKEMAKE)

report: env $(REPORT) ## Build the self-contained HTML report of SCALE if results are newer

$(REPORT): $(RECORDS)
	@echo "Building the report: $@"
	@$(SNAKEMAKE) --report $@

$(RECORDS):
	@echo "No results yet: make all SCALE=$(SCALE)"; exit 1

show: env ## Print the results, and what they cost
	@blur show --scale $(SCALE)

resume: env ## Carry on at SCALE after Snakemake was killed
	blur unlock
	$(SNAKEMAKE)

verify: env ## Check all results against their manifests; drop the manifests that are wrong
	blur verify --scale $(SCALE)

commit: env ## Verify all results of SCALE, then record them with DVC
	blur commit --scale $(SCALE)

push: env ## Push recorded results of all scales to the default remote, or to REMOTE (a DVC remote's name)
	dvc push $(if $(REMOTE),--remote $(REMOTE))

pull: env ## Fetch recorded results of SCALE from REMOTE (name, URL or folder); nothing they hold is run again
	blur pull --scale $(SCALE) $(if $(REMOTE),--remote $(REMOTE))

sync: env ## Send the offline records of wandb that were not sent yet (needs `wandb login`)
	wandb sync --yes work/wandb/wandb

check: env ## Check every configuration file that SCALE uses
	blur check --scale $(SCALE)

lint: env ## Lint and check the format of everything
	ruff check .
	ruff format --check .
	lint-imports --no-cache
	snakefmt --check Snakefile workflow
	snakemake --lint --config scale=ci

format: env ## Format everything
	ruff check --fix .
	ruff format .
	snakefmt Snakefile workflow

types: env ## Check types
	mypy

collect: env ## Import all tests and count them: one process compiles what several read later
	pytest --collect-only -q

unit: env ## Run the tests that need neither snakemake nor dvc
	pytest -m "not workflow and not slurm and not long" -n $(WORKERS) --dist loadfile

workflow: env ## Run the tests of the graph on one finished run of scale ci
	pytest $(GRAPH) -m "workflow and not long" $(TOGETHER)

test: env lint types unit workflow ## Run CI's tests; CI has `make quantization` before, `make slurm` beside

test-all: env lint types unit ## Run all tests there are, long ones and SLURM's faults (root) too
	pytest -m "long and not workflow and not slurm" -n $(WORKERS) --dist loadfile
	pytest $(GRAPH) -m workflow $(TOGETHER)
	pytest tests/slurm -m slurm -s -rs

slurm: env ## Start a SLURM on this machine (root) and run a benchmark through it; ARGS go to pytest
	pytest tests/slurm -m "slurm and not long" -s $(ARGS)

fetch: env ## Fetch what SCALE needs from the internet (a cluster's login node)
	snakemake fetch --cores $(CORES) $(ARGS) --config scale=$(SCALE)

# Every job asks for a pretended GPU; the scale itself computes on the CPU. Jobs are short, so their end is soon asked for.
PRETENDED = --set-resources $(foreach rule,train derive unlearn evaluate attack,$(rule):gpu=1) \
	--slurm-init-seconds-before-status-checks 5
HUB = work/hub
REHEARSED = HF_HOME=$(CURDIR)/work/hub-cache
ENDED = python -m tests.rehearsal ended $(BEGAN)

rehearsal: BEGAN := $(shell date +%s)
rehearsal: env ## Run the paper's graph on tiny weights: a hub on loopback, a SLURM on this machine (root), the report
	@python -m tests.rehearsal
	rm -rf $(HUB) && python -m tests.hub build $(HUB)
	$(REHEARSED) python -m tests.hub during $(HUB) make fetch SCALE=rehearsal
	python tests/slurm/cluster.py start
	$(REHEARSED) HF_HUB_OFFLINE=1 snakemake --profile slurm all $(PRETENDED) $(ARGS) --config scale=rehearsal; \
	ended=$$?; python tests/slurm/cluster.py stop; [ $$ended -eq 0 ] || $(ENDED); exit $$ended
	@$(MAKE) --no-print-directory report show SCALE=rehearsal
	@$(ENDED)

bench: env ## Print what a step, an evaluation, a job's start, a plan and a run cost, as ratios (and a step on a GPU)
	python -m blur.bench.step
	python -m blur.bench.throughput
	python -m tests.measure.bench_evaluation
	python -m blur.bench.run

clean: ## Remove the environment and all caches, but no result
	rm -rf $(ENV) .mypy_cache .ruff_cache .pytest_cache build
