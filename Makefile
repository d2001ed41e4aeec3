# Everything runs in the active Python environment. `make` alone lists the targets.
PYTEST_ARGS ?=
OUT ?= out/demo

.DEFAULT_GOAL := help
.PHONY: help setup demo check check-full check-triton test format bench-compile bench-placements fuzz clean

help:  ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## install hetc here, editable, with what emulation and the tests need
	.ci/setup

demo:  ## run a sparse attention step, compile it for two devices, explain it, run that emulated; search real text with BM25
	hetc run examples/dsa/dsa.mp --check
	hetc compile examples/dsa/dsa.mp --dims examples/dsa/small.toml --policy intensity -o $(OUT)
	hetc explain examples/dsa/dsa.mp --dims examples/dsa/paper.toml
	hetc run $(OUT) --check
	python examples/bm25/search.py "open a file without blocking"

check:  ## format, lint, types, import contract, quick tests
	.ci/check $(PYTEST_ARGS)

check-full:  ## the same with the long tests; with OTHER_PYTHON=PATH those of check-triton there too
	OTHER_PYTHON="$(OTHER_PYTHON)" .ci/check --full $(PYTEST_ARGS)

check-triton:  ## what runs or compiles GPU kernels, under another Triton: OTHER_PYTHON=PATH of its Python
	.ci/check-triton "$(OTHER_PYTHON)" $(PYTEST_ARGS)

test:  ## the quick tests alone
	python -m pytest -q -n auto --dist worksteal -m 'not full' $(PYTEST_ARGS)

format:  ## format the code and fix what ruff can
	ruff format .
	ruff check --fix .

fuzz:  ## mutated programs to the front end, SECONDS=60; needs `pip install atheris`
	cd tests && python -m fuzz.fuzz_front_end --seconds $(or $(SECONDS),60)
	cd tests && python -m fuzz.fuzz_front_end --seconds $(or $(SECONDS),60) --language py

bench-compile:  ## time and memory of compiling
	python benchmarks/compile_time.py

bench-placements:  ## the default placement of every example against every mix (estimates)
	python benchmarks/placements.py

clean:  ## remove what was generated here
	rm -rf out build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
