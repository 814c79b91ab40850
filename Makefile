# Everything from a fresh clone: `make test` needs only Python (3.10 to 3.13, with venv) and make.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install test lint docs clean

install: $(STAMP)

$(STAMP): setup.py pyproject.toml $(wildcard requirements/*.txt)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -e '.[lite,tests,docs]'
	@# OpenCV's ordinary wheel needs a display's libraries, which a server may lack.
	$(BIN)/python -c 'import cv2' || { $(BIN)/python -m pip uninstall -y opencv-python && \
		$(BIN)/python -m pip install opencv-python-headless; }
	$(BIN)/zsclip doctor
	touch $@

test: $(STAMP)
	$(BIN)/python -m pytest

lint: $(STAMP)
	$(BIN)/ruff check .

docs: $(STAMP)
	$(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) build dist site *.egg-info
