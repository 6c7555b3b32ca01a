"""What the README promises: its example answers, its commands are one line, its links lead."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


async def test_the_example_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    assert len(example.splitlines()) <= 21
    names: dict[str, object] = {"__name__": "hello"}
    exec(compile(example, "hello.py", "exec"), names)
    create_app = names["create_app"]
    assert callable(create_app)
    async with create_app() as app:
        socket, port = bind_unused_port()
        server = HTTPServer(app)
        server.add_socket(socket)
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                assert (await client.get("/")).json()["hello"] == "world"
                assert (await client.get("/ann")).json()["hello"] == "ann"
        finally:
            server.stop()
            await server.close_all_connections()


def test_a_fresh_machine_needs_two_commands_of_one_line() -> None:
    first, second = blocks("sh")[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert first.startswith("python3 -m venv .venv && .venv/bin/pip install . && ")
    assert first.endswith(" --run\n")
    assert second.endswith(" && .venv/bin/pytest\n"), "the CI script looks for this line"
    # `make test` sets up as the README does.
    assert second.removesuffix(" && .venv/bin/pytest\n") in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)\)", (ROOT / page).read_text("utf-8"))
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_every_dependency_says_in_the_changelog_what_it_saves() -> None:
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    listed = project[project.index("dependencies = [") : project.index("[project.scripts]")]
    names = set(re.findall(r'"([a-z0-9-]+(?:\[asyncio\])?)(?:\[binary\])?[><=]', listed))
    assert {"tornado", "sqlalchemy[asyncio]", "psycopg", "ruff"} <= names
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    told = {name for line in re.findall(r"^- ([^:]+):", changelog, re.M) for name in _names(line)}
    assert names - told == set()


def _names(entry: str) -> list[str]:
    return [name.strip() for name in re.sub(r"\(.*?\)", "", entry).split(",")]
