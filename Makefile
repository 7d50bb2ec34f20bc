# Two commands: `make run` installs and opens the dashboard, `make test` installs and passes every test.
VENV := .venv
# the first Python that runs, is new enough and can make virtual environments
NEW_ENOUGH := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python; do \
	if $$name -c '$(NEW_ENOUGH)' >/dev/null 2>&1; then echo $$name; break; fi; done)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
# TORCH=cpu takes PyTorch's own builds without CUDA, which need 3 GB less on Linux
CPU_BUILDS := https://download.pytorch.org/whl/cpu

SIDE_BY_SIDE := -n auto --maxprocesses=4 --dist=loadscope --no-loadscope-reorder

.PHONY: run test lint quick clean

run: $(VENV)/run.stamp
	$(BIN)/python -m streamlit run app.py

test: $(VENV)/test.stamp lint
	$(BIN)/python -m pytest $(SIDE_BY_SIDE)
	$(BIN)/python -m tests.instruction_sets $(SIDE_BY_SIDE)

quick: $(VENV)/test.stamp
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m "not slow and not browser"

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy zspag_core

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "expected Python 3.11 or newer with venv (Debian: apt install python3-venv), found none"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/torch.stamp: | $(BIN)/python
ifeq ($(TORCH),cpu)
	$(PIP) --index-url $(CPU_BUILDS) $$(grep '^torch' requirements.txt)
endif
	@touch $@

$(VENV)/run.stamp: requirements.txt | $(VENV)/torch.stamp
	$(PIP) -r requirements.txt
	@touch $@

$(VENV)/test.stamp: requirements.txt requirements-dev.txt | $(VENV)/torch.stamp
	$(PIP) -r requirements.txt -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
