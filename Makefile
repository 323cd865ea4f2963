# Two commands on a fresh machine: `make demo` and `make test`. Both make .venv where there is none.
#
#   make demo TORCH_INDEX=URL   takes PyTorch from another package index (a CUDA build, a CPU build)
#   make test TESTS=tests/core  runs a part of the suite

PYTHON ?= python3
TORCH ?= torch==2.13.0
TORCH_INDEX ?=
TESTS ?= tests
WORKERS ?= 2

VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip install --disable-pip-version-check --no-input --quiet
PINNED := $(VENV)/torch.txt
DEMO := out/demo.mp4
SENTENCE := a tower of red blocks is struck by a ball on grass

.PHONY: demo test check tree clean

demo: $(VENV)/package.done
	@mkdir -p out
	$(VENV)/bin/worldloom generate "$(SENTENCE)" --seconds 2 --seed 1 --force -o $(DEMO)

test: $(VENV)/test.done check
	@.ci/system-packages
	$(RUN) -m pytest -n $(WORKERS) $(TESTS)

check: $(VENV)/test.done
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# The file tree in README.md, which tests/test_tree.py holds against the real one.
tree:
	$(RUN) -m tests.test_tree

clean:
	rm -rf $(VENV) out build

# PyTorch comes first and by its exact version, so that a CPU build is taken where the index offers one. What was
# installed is then a constraint: nothing that comes later may replace it.
$(PINNED):
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) "$(TORCH)"
	@$(RUN) -m pip list --disable-pip-version-check --format freeze | grep '^torch==' > $@.part
	@mv $@.part $@

$(VENV)/package.done: $(PINNED) pyproject.toml
	$(PIP) --constraint $(PINNED) --editable .
	@touch $@

$(VENV)/test.done: $(PINNED) pyproject.toml
	$(PIP) --constraint $(PINNED) --editable ".[test]"
	@touch $@ $(VENV)/package.done
