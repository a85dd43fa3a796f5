# The commands of this project; `make help` lists them. They work from any folder: make -C <here> test
.DEFAULT_GOAL := help
.PHONY: coverage redteam battery faults bench-conversation bench-input-guard help dev test lint audit lint-database isolation prove-isolation prove prove-audit demo bench bench-guard bench-database bench-privacy bench-admission prove-admission package template lock clean venv

PYTHONS = $(PYTHON) python3.13 python3.12 python3.11 python3 python
COMPILE = .venv/bin/python -m piptools compile -q --generate-hashes --strip-extras --allow-unsafe --no-emit-index-url \
	--no-emit-find-links --no-emit-trusted-host --no-emit-options --no-header

help: ## list these commands
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

dev: venv ## run the offline world: no account, no Docker; the network only to install packages once
	@exec .venv/bin/python -m local.dev

# Three workers keep two cores busy, since many tests wait for a server. Bytecode: a world imports its functions anew.
test: venv ## run every test
	@PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -n 3 --dist worksteal -q

coverage: venv ## run every test and list the lines of shared and functions that none of them runs
	@COVERAGE_CORE=sysmon .venv/bin/python -m pytest -n 2 --dist worksteal --cov=shared --cov=functions -q

lint: venv ## check style, types and the direction of imports
	@.venv/bin/python -m ruff check .
	@.venv/bin/python -m ruff format --check .
	@.venv/bin/python -m mypy
	@.venv/bin/lint-imports

audit: venv ## prove that every function declares its guard
	@.venv/bin/python scripts/audit_guards.py

lint-database: venv ## ask Supabase's linter about the migrations (needs Node); PGRLS=<program> asks pgrls too
	@.venv/bin/python scripts/lint_database.py $(if $(PGRLS),--pgrls "$(PGRLS)")

isolation: venv ## attack every table and function as another tenant, and print what was tried
	@.venv/bin/python -m tests.isolation

prove-isolation: venv ## weaken every policy, key, grant and guard of the database in turn; the prober must see it
	@.venv/bin/python -m tests.isolation.prove

prove: venv ## weaken every guard in a scratch copy and demand that the tests see it (some minutes)
	@.venv/bin/python scripts/prove_guards.py

prove-audit: venv ## plant every known evasion in a scratch copy and demand that the audit sees it
	@.venv/bin/python scripts/prove_audit.py

demo: venv ## a conversation and some attacks, explained as they happen
	@.venv/bin/python -m local.demo

bench: venv ## time the offline world: its start, a turn, its memory
	@.venv/bin/python bench/bench_world.py

bench-guard: venv ## measure a webhook beside two usual stacks: import, cold start, round trips, abuse
	@.venv/bin/python bench/bench_cold_start.py
	@.venv/bin/python bench/bench_guard.py

bench-database: venv ## measure row level security, intake and knowledge search in a database of a realistic size (some minutes)
	@.venv/bin/python bench/bench_database.py

bench-privacy: venv ## measure masking on lines it was not tuned on, beside Presidio, detect-secrets and Sentry's scrubber
	@.venv/bin/python bench/bench_privacy.py

bench-admission: venv ## race 512 workers at one budget, by our script and by others; time the script
	@.venv/bin/python bench/bench_admission.py

bench-input-guard: venv ## what the guards of texts find and cost; FILES="a.jsonl b.jsonl" measures on lines of others
	@.venv/bin/python bench/bench_input_guard.py $(FILES)

redteam: venv ## the same with a real model: REDTEAM_BASE_URL, REDTEAM_API_KEY, REDTEAM_MODEL; writes docs/redteam.md
	@.venv/bin/python -m tests.adversarial --real

bench-conversation: venv ## intake, a turn without the model, what it asks of database and Redis
	@.venv/bin/python bench/bench_conversation.py

faults: venv ## kill workers at every step, lose answers, send everything twice; nothing may be lost or doubled (some minutes)
	@.venv/bin/python -m tests.faults

battery: venv ## send 5,472 attacks the whole way, against models that obey and that leak; writes docs/battery.md
	@.venv/bin/python -m tests.adversarial

prove-admission: venv ## 2,000 random histories of the admission script beside a model of it (some minutes)
	@PORTERO_EXAMPLES=2000 .venv/bin/python -m pytest -q tests/shared/abuse

package: venv ## build the zip of every function
	@.venv/bin/python scripts/package.py

template: venv ## package with osls and check the generated template and every zip
	@.venv/bin/python scripts/check_template.py

lock: venv ## pin the requirements with their hashes, from pyproject.toml
	@$(COMPILE) -o requirements.txt pyproject.toml
	@$(COMPILE) --extra dev -c requirements.txt -o requirements-dev.txt pyproject.toml

clean: ## remove the data of the offline world and the caches; .venv stays
	@rm -rf .local .package .osls .serverless node_modules .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov
	@find . -name __pycache__ -not -path '*/.venv/*' -prune -exec rm -rf {} +

venv:
	@for python in $(PYTHONS); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec "$$python" local/install.py; \
		fi; \
	done; \
	echo "Portero needs Python 3.11 or newer and found none. Install one (apt install python3 python3-venv," \
		"brew install python, python.org), or name it: make PYTHON=/path/to/python dev" >&2; \
	exit 1
