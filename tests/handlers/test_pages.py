"""Templates and static files of a project: found by module, overridden by the project."""

from __future__ import annotations

import contextlib
import itertools
import textwrap
from typing import TYPE_CHECKING

import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from tornkit import Application, Settings
from tornkit.handlers.static_files import StaticFiles
from tornkit.testing import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path
    from typing import TypeAlias

    Serve: TypeAlias = Callable[[Application], Awaitable[Client]]

_numbers = itertools.count()

MODULE = """
from tornkit import PUBLIC, BaseHandler, Module, path

class Page(BaseHandler):
    async def get(self):
        self.response_html({template!r}, name="<b>Ada</b>")

    async def post(self):
        self.session.flash("Saved", "success")
        self.redirect("/{name}/")

module = Module(access=PUBLIC, routes=[path("/", Page, name="page")])
"""


class Project:
    """A package on disk, written by the test."""

    def __init__(self, folder: Path, package: str) -> None:
        self.folder, self.package = folder, package
        self.write("__init__.py", "")
        self.write("modules/__init__.py", "")

    def write(self, name: str, text: str) -> Path:
        file = self.folder / self.package / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
        return file

    def module(self, name: str, template: str) -> None:
        self.write(f"modules/{name}/__init__.py", MODULE.format(name=name, template=template))

    def application(self, **overrides: object) -> Application:
        settings = Settings.load("testing", project_dir=self.folder, overrides=overrides)
        return Application(settings, modules=f"{self.package}.modules")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.syspath_prepend(tmp_path)
    return Project(tmp_path, f"site{next(_numbers)}")


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with contextlib.AsyncExitStack() as stack:

        async def start(application: Application) -> Client:
            await stack.enter_async_context(application)
            for database in application.databases.sql.values():
                await database.migrations.upgrade()
            listening, port = bind_unused_port()
            server = HTTPServer(application)
            server.add_socket(listening)
            stack.push_async_callback(server.close_all_connections)
            stack.callback(server.stop)
            client = Client(application, f"http://127.0.0.1:{port}")
            return await stack.enter_async_context(client)

        yield start


async def test_two_modules_with_one_template_name_show_their_own_pages(
    project: Project, serve: Serve
) -> None:
    for name in ("teacher", "student"):
        project.module(name, f"{name}/index.html")
        project.write(f"modules/{name}/templates/index.html", f"{name} {{{{ name }}}}")
    client = await serve(project.application())
    assert (await client.get("/teacher/")).text == "teacher &lt;b&gt;Ada&lt;/b&gt;"
    assert (await client.get("/student/")).text == "student &lt;b&gt;Ada&lt;/b&gt;"


async def test_the_text_of_a_mail_is_not_escaped(project: Project) -> None:
    project.module("teacher", "teacher/index.html")
    project.write("modules/teacher/templates/mail.txt", "Dear {{ name }}")
    project.write("modules/teacher/templates/mail.html", "Dear {{ name }}")
    templates = project.application().templates
    assert templates.get_template("teacher/mail.txt").render(name="O'Hara") == "Dear O'Hara"
    assert templates.get_template("teacher/mail.html").render(name="O'Hara") == "Dear O&#39;Hara"


async def test_the_projects_folder_overrides_a_modules_template(
    project: Project, serve: Serve
) -> None:
    project.module("teacher", "teacher/index.html")
    project.write("modules/teacher/templates/index.html", "the module's")
    project.write("templates/teacher/index.html", "the project's")
    client = await serve(project.application())
    assert (await client.get("/teacher/")).text == "the project's"


async def test_templates_have_urls_flashes_and_the_user(project: Project, serve: Serve) -> None:
    project.module("teacher", "teacher/index.html")
    project.write(
        "modules/teacher/templates/index.html",
        "{{ url('teacher:page') }} {{ code }} {{ current_user is none }}"
        "{% for flash in flashes() %} {{ flash.category }}:{{ flash.message }}{% endfor %}",
    )
    client = await serve(project.application())
    await client.post("/teacher/")
    assert (await client.get("/teacher/")).text == "/teacher/ 0 True success:Saved"
    assert (await client.get("/teacher/")).text == "/teacher/ 0 True"


async def test_a_head_request_leaves_the_flashes_for_the_page(
    project: Project, serve: Serve
) -> None:
    project.module("teacher", "teacher/index.html")
    project.write(
        "modules/teacher/templates/index.html",
        "{% for flash in flashes() %}{{ flash.category }}:{{ flash.message }}{% endfor %}",
    )
    client = await serve(project.application())
    await client.post("/teacher/")
    assert (await client.head("/teacher/")).headers["Content-Length"] == "13"
    assert (await client.get("/teacher/")).text == "success:Saved"
    assert (await client.get("/teacher/")).text == ""


async def test_a_page_that_asks_for_nobody_stays_cacheable(project: Project, serve: Serve) -> None:
    project.module("plain", "plain/index.html")
    project.write("modules/plain/templates/index.html", "the same for all")
    project.module("asks", "asks/index.html")
    project.write("modules/asks/templates/index.html", "{% if current_user %}you{% endif %}")
    client = await serve(project.application())
    plain = (await client.get("/plain/")).headers
    assert "Cache-Control" not in plain
    assert "Etag" in plain
    answer = await client.get("/asks/")
    assert (answer.headers["Vary"], answer.headers["Cache-Control"]) == ("Cookie", "no-store")
    assert "Etag" not in answer.headers  # nobody keeps what it would be compared with


async def test_a_changed_template_is_seen_in_debug_without_a_restart(
    project: Project, serve: Serve
) -> None:
    project.module("teacher", "teacher/index.html")
    file = project.write("modules/teacher/templates/index.html", "before")
    client = await serve(project.application(debug=True))
    assert (await client.get("/teacher/")).text == "before"
    file.write_text("after, and longer")
    assert (await client.get("/teacher/")).text == "after, and longer"


async def test_an_undefined_name_is_an_error_in_debug(project: Project, serve: Serve) -> None:
    project.module("teacher", "teacher/index.html")
    project.write("modules/teacher/templates/index.html", "{{ nmae }}")
    client = await serve(project.application(debug=True))
    answer = await client.get("/teacher/")
    assert answer.status_code == 500
    assert "nmae" in answer.text


async def test_the_sites_own_error_page_is_used_and_survives_its_own_failure(
    project: Project, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    page = project.write("templates/errors/error.html", "ours: {{ status_code }} {{ request_id }}")
    client = await serve(project.application(debug=True))
    answer = await client.get("/missing")
    assert answer.text == f"ours: 404 {answer.headers['X-Request-ID']}"
    page.write_text("{{ 1 / 0 }} and more")
    answer = await client.get("/missing")
    assert answer.status_code == 404
    assert "Not Found" in answer.text
    assert "errors/error.html cannot be rendered" in caplog.text


def test_broken_templates_are_found_before_the_start(project: Project) -> None:
    project.module("teacher", "teacher/index.html")
    project.write("modules/teacher/templates/index.html", "{% extends 'basse.html' %}")
    broken = project.write("modules/teacher/templates/broken.html", "fine\n{% if x %}")
    problems = project.application().check_templates()
    assert [(problem.file, problem.line) for problem in problems] == [
        (str(broken), 2),
        (str(broken.with_name("index.html")), 1),
    ]
    assert "'basse.html', which does not exist" in str(problems[1])
    assert {problem.check_id for problem in problems} == {"templates.broken"}


async def test_static_files_are_served_per_module_with_hashed_addresses(
    project: Project, serve: Serve
) -> None:
    project.module("teacher", "x")
    css = project.write("modules/teacher/static/teacher.css", "a { color: red }")
    project.write("static/style.css", "b {}")
    client = await serve(project.application())
    static = client.application.site.static
    assert static is not None
    address = static.url("teacher/teacher.css")
    assert address.startswith("/static/teacher/teacher.css?v=")
    answer = await client.get(address)
    assert (answer.status_code, answer.text) == (200, "a { color: red }")
    assert answer.headers["Content-Type"] == "text/css"
    assert "max-age=" in answer.headers["Cache-Control"]
    assert (await client.get("/static/style.css")).text == "b {}"
    css.write_text("a { color: blue; }")
    assert static.url("teacher/teacher.css") != address
    project.write("static/teacher/teacher.css", "overridden")
    assert (await client.get("/static/teacher/teacher.css")).text == "overridden"


async def test_static_files_stay_within_their_folders(project: Project, serve: Serve) -> None:
    project.module("teacher", "x")
    project.write("modules/teacher/static/a.css", "a")
    project.write("secret.txt", "secret")
    outside = project.write("outside.css", "outside")
    (project.folder / project.package / "modules/teacher/static/link.css").symlink_to(outside)
    client = await serve(project.application())
    for attempt in (
        "/static/../secret.txt",
        "/static/%2e%2e/secret.txt",
        "/static/teacher/../../../secret.txt",
        "/static/teacher/%2e%2e/handlers.py",
        "/static/teacher/%2e%2e%2f__init__.py",
        "/static//etc/passwd",
        "/static/teacher//etc/passwd",
        "/static/%00",
        "/static/teacher/link.css",
        "/static/teacher/",
        "/static/teacher/missing.css",
        "/static/",
    ):
        answer = await client.get(attempt)
        assert answer.status_code in (403, 404), attempt
        assert "secret" not in answer.text
        assert "outside" not in answer.text
    assert (await client.head("/static/teacher/a.css")).headers["Content-Length"] == "1"
    assert client.application.site.static is not None
    assert client.application.site.static.url("../secret.txt") == "/static/../secret.txt"


async def test_a_prefix_without_its_slash_is_redirected_for_good(
    project: Project, serve: Serve
) -> None:
    project.module("teacher", "x")
    client = await serve(project.application())
    for method in ("GET", "POST"):
        answer = await client.request(method, "/teacher?a=1")
        assert (answer.status_code, answer.headers["Location"]) == (308, "/teacher/?a=1")


async def test_health_answers_and_readiness_ends_with_draining(
    project: Project, serve: Serve
) -> None:
    client = await serve(project.application())
    for address in ("/health/live", "/health/ready"):
        answer = await client.get(address)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
        assert "Set-Cookie" not in answer.headers
    client.application.begin_draining()
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "unavailable"})
    assert (await client.get("/health/live")).status_code == 200


def test_in_production_the_address_of_a_file_is_found_once(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a")
    changing = StaticFiles(tmp_path, {}, prefix="/static/", changing=True)
    fixed = StaticFiles(tmp_path, {}, prefix="/static/")
    before = changing.url("a.css")
    assert fixed.url("a.css") == before
    assert fixed.url("b.css") == "/static/b.css"
    (tmp_path / "a.css").write_text("other")
    (tmp_path / "b.css").write_text("b")
    assert changing.url("a.css") != before
    assert fixed.url("a.css") == before
    assert "?v=" in fixed.url("b.css")
