# PYTHON chooses the interpreter of the environment: 3.10, 3.11 or 3.12.
PYTHON ?= python3
VENV_PYTHON := .venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help install install-tests demo test test-slow sanitize neon clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

install: ## make .venv with everything the project needs
	@$(PYTHON) tools/install.py

install-tests:
	@$(PYTHON) tools/install.py --tests

demo: install ## run the whole pipeline on a tiny made data set
	$(VENV_PYTHON) tools/run_pipeline.py configs/pipelines/demo.py --work-dir work_dirs/demo

test: install-tests ## run the fast tests
	$(VENV_PYTHON) -m pytest -m "not slow" tests

test-slow: install-tests ## run all tests, the slow ones too
	$(VENV_PYTHON) -m pytest tests

sanitize: ## run the kernels under AddressSanitizer and UBSan on random chains (needs a C++ compiler only)
	@$(PYTHON) tests/csrc/check_kernels.py

neon: ## the same for the NEON kernels, emulated (needs aarch64-linux-gnu-g++ and qemu-aarch64-static)
	@$(PYTHON) tests/csrc/check_kernels.py --neon

clean: ## remove build outputs and caches, not .venv or work_dirs
	rm -rf build dist *.egg-info .pytest_cache .hypothesis
	find . -path ./.venv -prune -o -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## clean, and remove .venv and all results in work_dirs
	rm -rf .venv work_dirs
