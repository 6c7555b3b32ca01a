.PHONY: test slow lint types format docs bench soak ci

test: .venv ; .venv/bin/pytest
slow: .venv ; .venv/bin/pytest -m "slow or not slow"
lint: .venv ; .venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/codespell
types: .venv ; .venv/bin/mypy
format: .venv ; .venv/bin/ruff check --fix && .venv/bin/ruff format
docs: .venv ; .venv/bin/python -m tornkit.cli.reference > docs/reference/commands.md
bench: .venv ; .venv/bin/python -m tests.benchmarks $(if $(CASE),--case $(CASE))
soak: .venv ; .venv/bin/python -m tests.contracts.task_soak --tasks 10000
ci: ; .ci/run

.venv: ; python3 -m venv .venv && .venv/bin/pip install -e ".[dev]"
