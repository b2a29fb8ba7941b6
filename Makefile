# make demo: the whole study on this machine's CPU. make test: the tests. Each does its own set-up.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
STUDY := demo

.PHONY: demo test check docs pictures clean

demo: $(VENV)/installed
	$(RUN) train.py -m experiment=ratio_ablation length=demo study=$(STUDY)
	$(RUN) generate.py study=$(STUDY) per_genre=1 sampling.max_new_tokens=512 \
		sampling.temperature=0.9 sampling.top_p=0.95 sampling.top_k=50
	$(RUN) judge.py study=$(STUDY) judge=local probes=10
	$(RUN) evaluate.py study=$(STUDY)
	@printf '%s\n' 'Look at the report above in a browser. Then read answers side by side, or compare them blind:' \
		'    $(RUN) -m coig.generation.show study=$(STUDY) query_id=zh-001' "    $(RUN) annotate.py study=$(STUDY) 'raters=[me]'"

test: $(VENV)/installed-dev
	$(RUN) -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

check: $(VENV)/installed-dev
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy

# the site of docs/ in site/, with every link checked; read it by $(RUN) -m http.server --directory site
docs: $(VENV)/installed-docs
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

# docs/pictures/, of the paper's win rates, the pages of curate.py and annotate.py, and the demo's report; needs Debian's chromium and fonts-noto-cjk
pictures: demo $(VENV)/installed-dev
	$(RUN) -m recipes.paper_ratio
	$(RUN) -m recipes.curation_pictures
	$(RUN) -m recipes.annotation_pictures
	$(RUN) -m recipes.pictures

clean:
	rm -rf $(VENV) site .mypy_cache .pytest_cache .ruff_cache

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: pyproject.toml | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --editable '.[dev]'
	touch $@ $(VENV)/installed

$(VENV)/installed-docs: pyproject.toml | $(VENV)/bin/python
	$(RUN) -m pip install --quiet --editable '.[docs]'
	touch $@ $(VENV)/installed
