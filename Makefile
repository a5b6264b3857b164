PYTHON ?= python3
PORT ?= 8000
export TITLE
BIN = .venv/bin
.DEFAULT_GOAL = help
.PHONY: help serve publish import article test bench lock screenshot clean browser java

help: ## show these targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

serve: .venv/site ## build the site, serve it with a working form, rebuild and reload on a change (PORT=8000)
	@$(BIN)/python -m press serve --port $(PORT)

publish: .venv/site ## write the site for the address in SITE_URL into output/
	@$(BIN)/python -m press publish

import: .venv/site ## how to bring a WordPress, Disqus or Isso site in: python -m moving
	@$(BIN)/python -m moving --help

article: .venv/site ## begin an article: make article TITLE="Shoes and what they do"
	@$(BIN)/python -m press article "$$TITLE"

test: .venv/tests browser java node_modules ## check and test everything, the real browser included
	@$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

bench: .venv/tests browser ## measure the pages, the intake and small builds beside their peers
	@$(BIN)/python bench/page.py --ours && $(BIN)/python bench/intake.py && $(BIN)/python bench/press.py --quick

screenshot: .venv/tests browser ## take the picture at the head of the README
	@PYTHONPATH=. $(BIN)/python -P bench/screenshot.py

lock: .venv/tests ## pin the dependencies again, with their hashes
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.txt
	@$(BIN)/uv pip compile -q pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements-dev.txt

clean: ## delete what was made, but not what readers sent
	rm -rf .venv node_modules output var/site var/press

.venv/site: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Python 3.11 or later is needed: install it, or name it with PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/tests: .venv/site requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

# Debian's own browser where we may install it, else Playwright's; and a font as wide as those of phones.
browser: .venv/tests
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		dpkg -s chromium fonts-liberation >/dev/null 2>&1 || { echo "installing chromium and fonts-liberation (apt-get)"; apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium fonts-liberation >/dev/null; }; \
	else command -v chromium >/dev/null || $(BIN)/playwright install chromium; fi

# What the checker of the pages runs on; 17 is the oldest it takes.
java:
	@command -v java >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then echo "installing default-jre-headless (apt-get)"; apt-get -qq update && apt-get -qq install -y --no-install-recommends default-jre-headless >/dev/null; else echo "Java 17 or later is needed to check the pages: install it" >&2; exit 1; fi

node_modules: package.json package-lock.json .npmrc
	@command -v npm >/dev/null || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then echo "installing nodejs and npm (apt-get)"; apt-get -qq update && apt-get -qq install -y --no-install-recommends nodejs npm >/dev/null; else echo "Node.js 18 or later with npm is needed to check the pages: install it" >&2; exit 1; fi
	@npm ci --silent
	@touch $@
