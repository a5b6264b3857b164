PYTHON ?= python3
PORT ?= 8000
export TITLE
BIN = .venv/bin
.DEFAULT_GOAL = help
.PHONY: help serve publish import article check lint test bench lock screenshot clean tools

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

check: lint ## lint, types, who may import whom, and the quick tests: no browser, Node.js or Java
	@$(BIN)/python -m pytest tests/unit -m "not browser and not slow and not root" --numprocesses auto --maxprocesses 4

test: lint tools node_modules ## check and test everything, the real browser included
	@npm run --silent check
	@$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

bench: .venv/tests tools ## measure the pages, the intake and small builds beside their peers
	@$(BIN)/python bench/page.py --ours && $(BIN)/python bench/intake.py && $(BIN)/python bench/press.py --quick

screenshot: .venv/tests tools ## take the picture at the head of the README
	@PYTHONPATH=. $(BIN)/python -P bench/screenshot.py

lock: .venv/tests ## pin the dependencies again, with their hashes
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements.txt
	@$(BIN)/uv pip compile -q pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -o requirements-dev.txt

clean: ## delete what was made, but not what readers sent
	rm -rf .venv node_modules output var/site var/press

.venv/site: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Python 3.11 or later is needed: install it, or name it with PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Installing what the site is built with, once, into .venv (some 20 seconds) …"
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/tests: .venv/site requirements-dev.txt
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

lint: .venv/tests
	@$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy && $(BIN)/lint-imports

# What the tests of the pages run on. Root on Debian has it installed, with a font as wide as those of phones and what
# only root's tests start: web servers, an authority for certificates and a machine that boots. Root is told what before it
# is; others are told what is missing, but for Playwright's browser, which lies in their own folder.
TOOLS = chromium java npm psql caddy nginx certbot pebble rsync curl systemd-nspawn
PACKAGES = fonts-liberation libnginx-mod-http-brotli-static postgresql python3-venv
bench screenshot: TOOLS = chromium
bench screenshot: PACKAGES = fonts-liberation
tools: .venv/tests
	@$(foreach tool,$(TOOLS),command -v $(tool) >/dev/null || set -- "$$@" $(tool);) \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		for package in $(PACKAGES); do dpkg -s $$package >/dev/null 2>&1 || set -- "$$@" $$package; done; \
		packages="$$(echo "$$*" | sed 's/java/default-jre-headless/; s/npm/nodejs npm/; s/psql/postgresql/; s/systemd-nspawn/systemd-container/')"; \
		[ -z "$$packages" ] || { echo "apt-get installs: $$packages"; apt-get -qq update && apt-get -qq install -y --no-install-recommends $$packages >/dev/null; }; \
	else \
		case "$$*" in *chromium*) $(BIN)/playwright install chromium ;; esac; \
		case "$$*" in *java* | *npm* | *psql*) echo "Java 17, Node.js 18 with npm and PostgreSQL 14 are needed to check the pages; install what is missing of them: $$*" >&2; exit 1 ;; esac; \
	fi

node_modules: package.json package-lock.json .npmrc | tools
	@npm ci --silent
	@touch $@
