# Everything a stranger needs: each target sets up its own environment first.
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
PYTEST_ARGS ?=

.PHONY: demo test test-thorough test-distributed lint docs pictures site hostile fuzz test-vllm test-llama fuzz-service clean test-families test-web test-torchvision

demo: $(VENV)/.ready  ## introduce three concepts, recognize, ask, caption; writes ./demo-output
	$(BIN)/ego demo

test: $(VENV)/.ready  ## run the tests, one process per core
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile $(PYTEST_ARGS)

test-thorough: $(VENV)/.ready  ## run those that take long: runs that are killed, the training recipe, evaluations, documents
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile -m "thorough and not families and not distributed and not web" $(PYTEST_ARGS)

test-distributed: $(VENV)/.ready  ## run the tests that start Ray
	$(BIN)/python -m pytest -m distributed tests/bulk tests/library $(PYTEST_ARGS)

test-families: $(VENV)/.ready  ## run the contract of backbones on all families of the table
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile -m families tests/backbones $(PYTEST_ARGS)

# Without torchvision transformers lacks some processors; a pair of torch and torchvision takes several GB.
test-torchvision: $(VENV)-torchvision/.ready  ## the same and videos, beside the processors that need torchvision
	$(VENV)-torchvision/bin/python -m pytest -m "families or not families" tests/backbones $(PYTEST_ARGS)

# Gradio still asks for a Pillow before 13, so the page is tested in an environment of its own.
test-web: $(VENV)-web/.ready  ## drive the page in a real browser (needs Chromium)
	$(VENV)-web/bin/python -m pytest -m web tests/web $(PYTEST_ARGS)

lint: $(VENV)/.ready  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(VENV)/.ready  ## write docs/command-line.md anew from the command line itself
	$(BIN)/python docs/site/command_line.py docs/command-line.md

pictures: $(VENV)/.ready  ## draw the demo pictures anew (needs the font Noto Color Emoji)
	$(BIN)/python training/demo_pictures/draw.py

site: $(VENV)/.ready  ## build the documentation as a site into build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

hostile: $(VENV)/.ready  ## a table of inputs made to hurt, with peak memory and seconds (some minutes)
	$(BIN)/python benchmarks/hostile.py

fuzz: $(VENV)/.ready  ## damaged images, videos and memories, odd command lines, with a table of totals (long)
	$(BIN)/python benchmarks/fuzz.py

test-vllm: $(VENV)/.ready  ## the service in front of real vLLM servers, in an environment of their own
	$(PYTHON) tests/vllm/environment.py $(VENV)-vllm
	EGO_VLLM_ENVIRONMENT=$(abspath $(VENV)-vllm) $(BIN)/python -m pytest tests/vllm $(PYTEST_ARGS)

test-llama: $(VENV)/.ready $(VENV)-llama/.ready  ## the service with llama.cpp, which is built from its source (minutes)
	PYTHONPATH=$(abspath $(VENV)-llama) $(BIN)/python -m pytest tests/llama $(PYTEST_ARGS)

fuzz-service: $(VENV)/.ready  ## many requests made from the description of the service
	EGO_FUZZ_EXAMPLES=200 $(BIN)/python -m pytest tests/server/test_hostile.py -m thorough -k description

clean:
	rm -rf $(VENV) $(VENV)-vllm $(VENV)-llama $(VENV)-web $(VENV)-torchvision demo-output build dist

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

$(VENV)-torchvision/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-torchvision
	$(VENV)-torchvision/bin/python -m pip install --quiet torch torchvision
	grep --invert-match "^torch==" constraints.txt > $(VENV)-torchvision/constraints.txt
	$(VENV)-torchvision/bin/python -m pip install --quiet --constraint $(VENV)-torchvision/constraints.txt --editable ".[dev]"
	touch $@

$(VENV)-llama/.ready: $(VENV)/.ready
	CMAKE_ARGS=-DLLAVA_BUILD=OFF $(BIN)/python -m pip install --quiet --no-deps --upgrade --target $(VENV)-llama \
		llama-cpp-python==0.3.36 gguf==0.19.0 diskcache==5.6.3
	touch $@

$(VENV)-web/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)-web
	sed 's/^pillow==.*/pillow==12.3.0/' constraints.txt > $(VENV)-web/constraints.txt
	$(VENV)-web/bin/python -m pip install --quiet --constraint $(VENV)-web/constraints.txt --editable ".[web-test]"
	touch $@
