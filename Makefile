# make demo     train a small detector with the fused loss and with plain PyTorch, side by side (build/digits_demo.png)
# make rotated  train a detector of rotated digits with three losses (build/rotated_digits.png)
# make track    track boxes over a synthetic video with fastiou.numpy (build/tracking.png)
# make pixels   draw what PIoU adds up, and what its softness does (build/piou_pixels.png, build/piou_aliasing.png)
# make test     run the tests            make bench  benchmark this machine's CPU (and GPU)
# make test-nvcc   compile all CUDA kernels, check what the compiler says of them, and execute their machine code
# make lint     check the style
# make gpu      check the CUDA kernels on a GPU in stages, in eight minutes at most (docs/gpu.md)
# make gpu-prebuild   build on a machine without a GPU what make gpu needs
#
# All but gpu and gpu-prebuild set up .venv by themselves; TORCH= names the torch to put there, and what else.
# gpu and gpu-prebuild use the interpreter named by PYTHON= and its torch as they are, and need no network. OUT= names
# the folder of the results, STAGES= the stages that are to run, ARCH= the architectures to build for.

PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find csrc -type f) setup.py pyproject.toml
OUT ?= benchmarks/results/gpu
STAGES ?=
ARCH ?= 9.0
# A test process per core. Each has threads of its own, so more than eight bring no more.
PARALLEL ?= -n auto --maxprocesses 8 --dist loadgroup

.PHONY: demo rotated track pixels test test-nvcc bench lint gpu gpu-prebuild clean
.DELETE_ON_ERROR:

$(VENV)/torch.done: Makefile
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install $(TORCH) numpy "setuptools>=64" wheel "pybind11>=2.13" ninja
	touch $@

$(VENV)/built.done: $(VENV)/torch.done $(SOURCES)
	$(BIN)/python -m pip install --no-build-isolation --editable .
	touch $@

$(VENV)/%.done: $(VENV)/built.done $(wildcard */requirements.txt)
	$(BIN)/python -m pip install -r $(REQUIREMENTS)
	touch $@

$(VENV)/demo.done: REQUIREMENTS := examples/requirements.txt
$(VENV)/test.done: REQUIREMENTS := tests/requirements.txt
$(VENV)/bench.done: REQUIREMENTS := benchmarks/requirements.txt

demo: $(VENV)/demo.done
	$(BIN)/fastiou info
	$(BIN)/python examples/digits/demo.py $(ARGS)

rotated: $(VENV)/demo.done
	$(BIN)/python examples/rotated_digits/demo.py $(ARGS)

track: $(VENV)/demo.done
	$(BIN)/python examples/tracking/track.py --out build/tracking.png $(ARGS)

pixels: $(VENV)/demo.done
	$(BIN)/python examples/pixels/soft_pixels.py --out build/piou_pixels.png
	$(BIN)/python examples/pixels/aliasing.py --out build/piou_aliasing.png --csv build/piou_aliasing.csv

test: $(VENV)/test.done
	$(BIN)/fastiou info
	$(BIN)/python -m pytest -m "not nvcc" $(PARALLEL) --cov --cov-report=term-missing:skip-covered $(ARGS)
	@echo "Left out: what compiles the CUDA kernels with nvcc, for minutes. make test-nvcc runs it."

test-nvcc: $(VENV)/test.done
	$(BIN)/python -m pytest -m nvcc $(ARGS)

bench: $(VENV)/bench.done
	$(BIN)/fastiou info
	$(BIN)/fastiou bench --report --page docs/benchmarks.md --page README.md $(ARGS)

lint:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet ruff==0.17.5
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

gpu:
	"$(PYTHON)" -m benchmarks.gpu.run --out "$(OUT)" $(STAGES)

gpu-prebuild:
	"$(PYTHON)" -m benchmarks.gpu.prebuild "$(ARCH)"

clean:
	rm -rf build $(VENV) *.egg-info fastiou/*.so
