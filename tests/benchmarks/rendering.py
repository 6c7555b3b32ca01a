"""What a page costs beside bare Jinja2: ``python -m tests.benchmarks.rendering``.

1. A page of a site (a layout, a table of ten rows, links, a session), rendered by
   ``render_template`` and by ``Template.render`` of a bare Jinja2 environment, with the same
   variables. Rounds alternate, in one handler; medians of CPU time, in microseconds.
2. What a look at the site costs before it is served, and then loading every template, of a site
   with 100 templates: without compiled templates on disk, with an empty folder for them, and with
   a full one. Each in a process of its own; medians of the clock, in milliseconds.

Not a test.
"""

from __future__ import annotations

import asyncio
import gc
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import jinja2

from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.server import new_event_loop, serve

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 31
PAGES = 300
STARTS = 15
TEMPLATES = 100

BASE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>{% block title %}Welcome{% endblock %} · School</title>
  <link rel="stylesheet" href="/static/style.css">
  {% block head %}{% endblock %}
</head>
<body>
  <header class="bar">
    <a class="brand" href="{{ url("home:home") }}">School</a>
    {% if name %}<a href="{{ url("home:profile") }}">{{ name }}</a>{% endif %}
  </header>
  <main>
    {% for flash in flashes() %}
    <p class="notice {{ flash.category }}">{{ flash.message }}</p>
    {% endfor %}
    {% block main %}{% endblock %}
  </main>
</body>
</html>
"""
PAGE = """{% extends "base.html" %}
{% block title %}Grades{% endblock %}
{% block main %}
<h1>Grades</h1>
<table>
  <thead><tr><th>Student</th><th>Work</th><th>Points</th></tr></thead>
  <tbody>
    {% for row in rows %}
    <tr><th>{{ row.student }}</th><td>{{ row.work }}</td><td>{{ row.points }}</td></tr>
    {% endfor %}
  </tbody>
</table>
{% endblock %}
"""
SCRIPTED = PAGE.replace("<h1>", "<script>1</script><h1>")
ROWS = [
    {"student": f"Ada <{number}>", "work": f"Essay {number}", "points": number}
    for number in range(1, 11)
]


def bare_environment(folder: Path) -> jinja2.Environment:
    """Return what a careful user of Jinja2 makes."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        cache_size=-1,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )


class Home(BaseHandler):
    """Give the page something to link to."""

    def get(self) -> None:
        self.session["name"] = "Grace"
        self.response_json()


class Measure(BaseHandler):
    """Render a page many times one way, and answer with the CPU seconds that it took."""

    bare: jinja2.Environment

    def get(self, way: str, page: str) -> None:
        template = self.bare.get_template(page)
        variables = {"name": self.session["name"], "rows": ROWS}
        # All that bare Jinja2 is given is made before.
        given = {**variables, "url": self.reverse_url, "flashes": self.session_flashes}

        def ours() -> str:
            return self.render_template(page, **variables)

        def theirs() -> str:
            return template.render(given)

        assert ours().replace(f" nonce={self.csp_nonce}", "") == theirs()
        self.response_json(seconds=_seconds(ours if way == "ours" else theirs))


def _seconds(render: Callable[[], str]) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(PAGES):
        render()
    return (time.process_time() - began) / PAGES


async def measure_pages(folder: Path) -> None:
    Measure.bare = bare_environment(folder)
    overrides = {"session.store": "memory://", "databases": {}}
    settings = Settings.load("testing", project_dir=folder, overrides=overrides)
    routes = [
        path("/", Home, name="home"),
        path("/profile", Home, name="profile"),
        path("/{way}/{page}", Measure),
    ]
    home = Module(name="home", prefix="/", access=PUBLIC, routes=routes)
    application = Application(settings, modules=[home])
    application.templates.loader = jinja2.FileSystemLoader(folder)
    async with (
        serve([(application, 0)]) as (port,),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client,
    ):
        (await client.get("/")).raise_for_status()
        for page in ("page.html", "scripted.html"):
            found: dict[str, list[float]] = {"ours": [], "bare": []}
            for number in range(ROUNDS + 1):
                for way, times in found.items():
                    answer = (await client.get(f"/{way}/{page}")).raise_for_status()
                    if number:
                        times.append(answer.json()["seconds"] * 1e6)
            more = statistics.median(
                mine - its for mine, its in zip(found["ours"], found["bare"], strict=True)
            )
            ours, bare = (statistics.median(times) for times in found.values())
            print(f"{page:16} bare Jinja2 {bare:6.1f} µs  render_template {ours:6.1f} µs", end="")
            print(f"  more {more:+5.1f} µs", flush=True)


# A site as `tornkit run` looks at it before it opens its port, and then all of its pages.
START = """
import sys, time
from pathlib import Path
from tornkit.handlers.compiled import CompiledTemplates
from tornkit.handlers.templates import check, create_environment

folder, kept = (Path(word) for word in sys.argv[1:3])
began = time.perf_counter()
compiled = CompiledTemplates(kept, lambda: ["a secret"]) if sys.argv[3] == "kept" else None
environment = create_environment(folder, {}, debug=False, compiled=compiled)
assert check(environment) == []
looked = time.perf_counter()
for name in environment.list_templates():
    environment.get_template(name)
print(looked - began, time.perf_counter() - looked)
"""


def measure_starts(folder: Path) -> None:
    site, kept = folder / "site", folder / "kept"
    site.mkdir()
    (site / "base.html").write_text(BASE)
    for number in range(TEMPLATES - 1):
        (site / f"page{number}.html").write_text(PAGE.replace("Grades", f"Grades {number}"))

    def seconds(way: str) -> list[float]:
        command = [sys.executable, "-c", START, str(site), str(kept), way]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [float(word) for word in done.stdout.split()]

    found: dict[str, list[list[float]]] = {"not kept": [], "kept, first": [], "kept, later": []}
    for _ in range(STARTS):
        found["not kept"].append(seconds("without"))
        shutil.rmtree(kept, ignore_errors=True)
        found["kept, first"].append(seconds("kept"))
        found["kept, later"].append(seconds("kept"))
    print(f"{TEMPLATES} templates, ms{'the look':>14}{'loading all':>14}")
    for way, times in found.items():
        looked, loaded = (statistics.median(column) * 1000 for column in zip(*times, strict=True))
        print(f"{way:17}{looked:14.1f}{loaded:14.1f}", flush=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for name, text in {"base": BASE, "page": PAGE, "scripted": SCRIPTED}.items():
            (folder / f"{name}.html").write_text(text)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(measure_pages(folder))
        measure_starts(folder)


if __name__ == "__main__":
    main()
