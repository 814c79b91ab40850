# Everything from a fresh clone: `make report` and `make test` need only Python (3.10 to 3.13, with venv)
# and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# The tested set of versions, so that tomorrow's release of a dependency changes nothing here;
# `make install CONSTRAINTS=` lifts it. The build of this package itself follows it too.
CONSTRAINTS ?= requirements/constraints.txt
PROCESSES ?= 2
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.installed-demo

.PHONY: install report demo test test-web matrix lint docs clean

install: $(STAMP)

$(STAMP): EXTRAS := lite,tests,docs,onnx,geo,heic
$(DEMO_STAMP): EXTRAS := lite,demo

$(STAMP) $(DEMO_STAMP): setup.py pyproject.toml $(wildcard requirements/*.txt)
	$(PYTHON) -m venv $(VENV)
	$(if $(CONSTRAINTS),PIP_BUILD_CONSTRAINT=$(CONSTRAINTS)) $(BIN)/python -m pip install \
		$(addprefix -c ,$(CONSTRAINTS)) -e '.[$(EXTRAS)]'
	@# OpenCV's ordinary wheel needs a display's libraries, which a server may lack.
	$(BIN)/python -c 'import cv2' || { $(BIN)/python -m pip uninstall -y opencv-python && \
		$(BIN)/python -m pip install opencv-python-headless; }
	$(BIN)/zsclip doctor
	touch $@

# What the tests installed has all that it needs. ARGS='--out DIR' and so on reach the program.
report: $(if $(wildcard $(STAMP)),$(STAMP),$(DEMO_STAMP))
	$(BIN)/zsclip report $(ARGS)

# Its first name. The web page, `zsclip demo`, is another thing.
demo: report

test: $(STAMP)
	@# A file at a time for each process, each with one thread: the two cores are then both busy.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile

# The page in Chromium, in an environment of its own, since Gradio moves pillow.
test-web:
	$(PYTHON) -m venv .venv-web
	.venv-web/bin/python -m pip install -e '.[lite,tests,web]' playwright
	.venv-web/bin/python -m pytest tests/web tests/cli/test_demo.py -rs

# The suite on every row of versions, each in an environment of its own. ARGS='--row oldest'
matrix:
	$(PYTHON) tools/version_matrix.py $(ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

docs: $(STAMP)
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) build dist site *.egg-info
