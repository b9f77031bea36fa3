# make run | test | fuzz | slurm-test | fault-test | lint | format | bench | ui | schema | lock | clean
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

PYTHON ?= python3
# Where torch's CPU wheels are, unless pip's own find-links already hold one.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
STUDY_LINTS := $(addprefix lint-,config.yaml $(wildcard resources/studies/*.yaml))
LOCKS := requirements.lock requirements-torch.lock
.PHONY: help run test fuzz slurm-test fault-test lint lint-types lint-style $(STUDY_LINTS) format bench ui schema lock clean
# The stamp names what was installed and where: a changed lock or a moved folder starts afresh.
INSTALLED := .venv/installed-$(shell (cat $(LOCKS); pwd) | sha256sum | cut -c1-16)

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0
export MLFLOW_DISABLE_TELEMETRY := true

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 10

# An install that was interrupted leaves no stamp, and is made again from nothing; the lock keeps two apart.
$(INSTALLED):
	@exec 9> .venv.lock
	flock 9
	if [ -e $@ ]; then exit 0; fi
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v[:2] < (3, 15) and
	"nestmat needs Python 3.11 to 3.14, this is %d.%d: name another, make PYTHON=python3.12" % v[:2])'
	rm -rf .venv
	hash -r  # else the shell still looks for python3 in the folder that was deleted
	if $(PYTHON) -c 'import ensurepip' 2> /dev/null; then
	    $(PYTHON) -m venv .venv
	else
	    $(PYTHON) -m venv --without-pip .venv
	    python tools/bootstrap_pip.py
	fi
	# Python compiles a module when it is first imported: most of them never are.
	install="python -m pip install --quiet --progress-bar off --no-compile --no-deps --require-hashes"
	echo "Installing torch and the other pinned packages ..."
	# setuptools comes first: the two packages without a wheel are built with it, not with one unpinned.
	grep -A 2 '^setuptools==' requirements.lock | $$install -r /dev/stdin
	# Three installations at a time: torch, and every other package in one of two shares.
	{ $$install --no-index -r requirements-torch.lock 2> /dev/null \
	    || $$install --index-url $(TORCH_INDEX) -r requirements-torch.lock; } &
	installations=($$!)
	for share in 0 1; do
	    awk -v share=$$share '/^[[:alnum:]]/ { packages++ } packages % 2 == share' requirements.lock \
	        | $$install --no-build-isolation -r /dev/stdin &
	    installations+=($$!)
	done
	for installation in "$${installations[@]}"; do wait "$$installation"; done
	python -m pip install --quiet --no-deps --no-build-isolation --no-index --editable .
	python -m pip check
	touch $@

.venv: $(INSTALLED)

run: $(INSTALLED) ## run the default study, or STUDY=file.yaml, and print the path of its report
	snakemake --cores all --workflow-profile workflow/profiles/workstation \
	    $(if $(STUDY),--configfile $(STUDY)) $(ARGS)
	echo "Report: $(CURDIR)/results/$$(sed -n 's/^study: *//p' $(or $(STUDY),config.yaml))/report.html"

test: $(INSTALLED) ## run the test suite, a worker a core, eight at most (1 GB each)
	python -m pytest --numprocesses logical --maxprocesses 8 --dist loadfile --no-loadscope-reorder $(ARGS)

slurm-test: $(INSTALLED) ## test studies and their failures on a SLURM of one node (needs Debian's SLURM and munge)
	python -m pytest tests/cluster --capture=no $(ARGS)

fault-test: $(INSTALLED) ## kill runs at some fifty moments, damage every kind of file, change the surroundings
	NESTMAT_ALL_FAULTS=1 python -m pytest --capture=no tests/faults $(ARGS)

fuzz: $(INSTALLED) ## draw formulas, files and studies at random, 20,000 a test; SEED=, COUNT=
	export NESTMAT_FUZZ_SEED=$${SEED:-$$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')} NESTMAT_FUZZ_COUNT=$${COUNT:-20000}
	echo "make fuzz SEED=$$NESTMAT_FUZZ_SEED COUNT=$$NESTMAT_FUZZ_COUNT draws the same inputs again."
	python -m pytest tests/fuzz --numprocesses logical --hypothesis-show-statistics $(ARGS)

lint: $(INSTALLED) ## check style, types and workflow, two checks at a time
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint-types lint-style $(STUDY_LINTS)

lint-types: $(INSTALLED)
	mypy

lint-style: $(INSTALLED)
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules

$(STUDY_LINTS): lint-%: $(INSTALLED)
	snakemake --lint --configfile $*

format: $(INSTALLED) ## format Python and Snakemake files
	ruff check --fix .
	ruff format .
	snakefmt Snakefile rules

bench: $(INSTALLED) ## measure what the documentation claims to be fast
	python -m bench

ui: $(INSTALLED) ## open the MLflow interface on 127.0.0.1:5000
	python -m nestmat.tracking.store

schema: $(INSTALLED) ## write the JSON schema, the configuration reference and the rule graph
	nestmat schema

lock: ## pin the dependencies again (needs uv); make lock ARGS=--upgrade takes newer ones
	tools/lock_requirements.sh $(ARGS)

clean: ## delete the environment and caches; results, downloads and runs stay
	rm -rf .venv .venv.lock .pytest_cache .ruff_cache .mypy_cache .hypothesis workflow/*.egg-info
	find . -name __pycache__ -not -path './.snakemake/*' -prune -exec rm -rf {} +
