# PYTHON: the interpreter of the environment, 3.10, 3.11 or 3.12.
# FAMILY: which packages provide mmengine, mmcv, mmdet and mmpretrain. openmmlab: OpenMMLab's own; onedl: their successor's;
# compiled: the same with mmcv's operators compiled here, which takes about 20 minutes.
PYTHON ?= python3
FAMILY ?= openmmlab
FAMILIES := openmmlab onedl compiled

VENV := .venv$(if $(filter-out openmmlab,$(FAMILY)),-$(FAMILY))
VENV_PYTHON := $(VENV)/bin/python
# uv from the path if it is new enough for pyproject.toml, else one of our own.
UV = $(shell uv pip list --quiet --offline --python $(PYTHON) >/dev/null 2>&1 && echo uv || echo .uv/bin/uv)
COMPILERS := $(if $(filter default,$(origin CXX)),c++ g++ clang++,$(firstword $(CXX)))
# Kept even where the environment says not to: without bytecode, every process compiles torch and MMDetection, 15 s.
export PYTHONDONTWRITEBYTECODE :=
PYTEST := OMP_NUM_THREADS=1 $(VENV_PYTHON) -m pytest -n 2 --dist loadfile

EXTRA_openmmlab := openmmlab
EXTRA_onedl := onedl
EXTRA_compiled := onedl
GROUPS_openmmlab := --group ops
GROUPS_onedl := --group ops
GROUPS_compiled := --group build

.DEFAULT_GOAL := help
.PHONY: help install demo test test-slow docs lint types sanitize neon mcu soak clean distclean FORCE

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/installed ## make .venv with everything the project needs (FAMILY=onedl: .venv-onedl)

$(VENV)/installed: pyproject.toml setup.py $(wildcard mmcv-torchvision-ops/*.* mmcv-torchvision-ops/*/*.py) $(VENV).made-of
	@$(if $(filter $(FAMILIES),$(FAMILY)),,$(error FAMILY=$(FAMILY) is unknown; allowed are $(FAMILIES)))
	@$(foreach name,$(COMPILERS),command -v $(name) >/dev/null ||) { \
		echo 'install: none of these C++ compilers is there: $(COMPILERS); install one, or name one by CXX=...' >&2; exit 1; }
	@case $(UV) in .uv/*) test -x .uv/bin/uv || { $(PYTHON) -m venv .uv && .uv/bin/pip install --quiet 'uv>=0.13'; } ;; esac
	$(UV) venv --quiet --clear --python $(PYTHON) $(VENV)
	$(UV) pip install --quiet --python $(VENV) -e '.[$(EXTRA_$(FAMILY)),tests]' --group pinned --group opencv --group lint \
		$(GROUPS_$(FAMILY))
ifeq ($(FAMILY),compiled)
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" MMCV_WITH_OPS=1 $(UV) pip install --python $(VENV) --no-cache --no-build-isolation \
		--no-deps --reinstall-package onedl-mmcv $$($(UV) pip freeze --python $(VENV) | grep '^onedl-mmcv==')
	@$(VENV_PYTHON) -c 'from mmcv import _ext; assert _ext.__file__.endswith(".so")'
endif
	@touch $@

# Of which Python, and in which folder: with another the environment is made anew.
$(VENV).made-of: FORCE
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null || { \
		echo "install: $(PYTHON) is no Python 3.10, 3.11 or 3.12; name one by PYTHON=..." >&2; exit 1; }
	@test "$$(cat $@ 2>/dev/null)" = '$(PYTHON) $(CURDIR)' || echo '$(PYTHON) $(CURDIR)' > $@

demo: install ## run the whole pipeline on a tiny made data set
	$(VENV_PYTHON) tools/run_pipeline.py configs/pipelines/demo.py --work-dir work_dirs/demo

test: install ## run the fast tests
	$(PYTEST) -m "not slow" tests

test-slow: install ## run all tests, the slow ones too
	$(PYTEST) tests

docs: install ## run the commands of README and docs on small made data
	OMP_NUM_THREADS=1 $(VENV_PYTHON) -m pytest -rA tests/test_doc_commands.py tests/test_doc_runs.py

lint: install ## look for mistakes by ruff
	$(VENV)/bin/ruff check .

types: install ## check the types by mypy
	$(VENV)/bin/mypy

sanitize: ## run the kernels under AddressSanitizer and UBSan on random chains (needs a C++ compiler only)
	@$(PYTHON) tests/csrc/check_kernels.py

neon: ## the same for the NEON kernels, emulated (needs aarch64-linux-gnu-g++ and qemu-aarch64-static)
	@$(PYTHON) tests/csrc/check_kernels.py --neon

mcu: install ## run exported C code for Cortex-M7 and M4, emulated (needs arm-none-eabi-gcc, newlib and qemu-system-arm)
	@OMP_NUM_THREADS=1 $(VENV_PYTHON) tests/test_deploy/check_mcu.py

soak: install ## kill a small pipeline 20 times and compare its end with an uninterrupted run, in build/soak
	rm -rf build/soak
	OMP_NUM_THREADS=1 $(VENV_PYTHON) tests/soak_pipeline.py build/soak --kills 20

clean: ## remove build outputs and caches, not .venv or work_dirs
	rm -rf build dist *.egg-info .pytest_cache .hypothesis .ruff_cache .mypy_cache
	find . -path './.venv*' -prune -o -name __pycache__ -prune -exec rm -rf {} +

distclean: clean ## clean, and remove all environments and all results in work_dirs
	rm -rf .venv* .uv work_dirs
