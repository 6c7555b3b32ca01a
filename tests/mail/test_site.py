"""A site's mailer: what the settings make of it, and how handlers come by it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.processes import SOURCE, environment
from tests.mail.smtp_server import Behaviour, serving
from tests.plugin import PLUGIN
from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.errors import MailError, SettingsError, TornkitError
from tornkit.handlers.site import Site
from tornkit.mail import Message, Transport, default_sender, default_url

if TYPE_CHECKING:
    from pathlib import Path

MAIL = Message("ann@school.example", "Hello", "Good to have you here.")


def make(folder: Path, **overrides: Any) -> Application:
    options = {"session.store": "memory://", **overrides}
    settings = Settings.load("testing", project_dir=folder, overrides=options)
    return Application(settings, modules=[])


def test_mail_leaves_the_machine_in_production_only() -> None:
    urls = [default_url(each) for each in ("development", "testing", "production")]
    assert urls == ["console://", "memory://", "smtp://localhost:25"]


@pytest.mark.parametrize(
    ("hosts", "sender"),
    [
        (["school.example", "www.school.example"], "noreply@school.example"),
        (["*", "127.0.0.1", "[::1]", ".school.example"], "noreply@school.example"),
        (["localhost", "127.0.0.1", "[::1]", ".localhost"], "noreply@localhost"),
        (["*"], "noreply@localhost"),
        ([], "noreply@localhost"),
    ],
)
def test_the_sender_without_a_setting_is_of_the_first_host(hosts: list[str], sender: str) -> None:
    assert default_sender(hosts) == sender


def test_settings_give_the_sender(tmp_path: Path) -> None:
    assert make(tmp_path).mailer.sender == "noreply@localhost"
    sender = "School <office@school.example>"
    assert make(tmp_path, **{"mail.sender": sender}).mailer.sender == sender


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("url", "smtp://user:s3cret@", "smtp://…"),
        ("url", "smtp:user:s3cret@host", "smtp://…"),
        ("url", "smtps://user:s3cret@host?ca=missing.pem", "smtps://…"),
        ("url", "sendmail", "sendmail"),
        ("sender", "nobody", "nobody"),
    ],
)
def test_a_bad_setting_is_refused_with_its_origin(
    tmp_path: Path, key: str, value: str, shown: str
) -> None:
    (tmp_path / "settings.toml").write_text(f'[mail]\n{key} = "{value}"\n')
    with pytest.raises(SettingsError) as refused:
        make(tmp_path)
    (problem,) = refused.value.problems
    assert (problem.key, problem.origin) == (f"mail.{key}", "settings.toml:2")
    assert problem.found == repr(shown)
    assert problem.expected.startswith("expected ")
    assert "s3cret" not in str(refused.value)


def test_a_relative_file_of_authorities_starts_at_the_project(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    with pytest.raises(SettingsError) as refused:
        make(tmp_path, **{"mail.url": "smtps://host?ca=ca.pem"})
    assert str(tmp_path / "ca.pem") in str(refused.value).replace("…", "")


async def test_the_application_takes_a_transport_of_the_projects_own(tmp_path: Path) -> None:
    class Pigeon(Transport):
        sent = 0

        async def deliver(self, message: Message, sender: str) -> None:
            self.sent += 1

    settings = Settings.load("testing", project_dir=tmp_path)
    application = Application(settings, modules=[], mail_transport=Pigeon())
    await application.mailer.send(MAIL)
    with pytest.raises(MailError):
        application.mailer.outbox  # noqa: B018 - the property raises


async def test_the_mailer_is_emptied_when_the_site_stops(tmp_path: Path) -> None:
    async with serving(Behaviour(hang_at="DATA")) as server:
        async with make(tmp_path, **{"mail.url": server.url()}) as application:
            application.mailer.post(MAIL)
            await server.waiting.wait()
            asyncio.get_running_loop().call_soon(server.go.set)
        assert len(server.delivered) == 1


class Welcome(BaseHandler):
    async def post(self) -> None:
        self.mailer.post(MAIL)
        self.response_json(sender=self.mailer.sender)


async def test_a_handler_has_the_mailer(tmp_path: Path) -> None:
    from tornado.httpserver import HTTPServer
    from tornado.testing import bind_unused_port

    from tornkit.testing import Client

    settings = Settings.load(
        "testing", project_dir=tmp_path, overrides={"session.store": "memory://"}
    )
    module = Module(name="home", access=PUBLIC, routes=[path("/", Welcome)])
    async with Application(settings, modules=[module]) as application:
        listening, port = bind_unused_port()
        server = HTTPServer(application)
        server.add_socket(listening)
        async with Client(application, f"http://127.0.0.1:{port}") as client:
            answer = await client.post("/")
        server.stop()
        await server.close_all_connections()
    assert answer.json()["sender"] == "noreply@localhost"
    assert application.mailer.outbox == [MAIL]


def test_outside_a_site_a_handler_says_what_it_needs() -> None:
    handler = Welcome.__new__(Welcome)
    handler.site = Site()
    with pytest.raises(TornkitError, match=r"needs a tornkit\.Application"):
        handler.mailer  # noqa: B018 - the property raises


FILES = {
    "pyproject.toml": '[tool.tornkit]\napp = "app:create_app"\n'
    '[tool.pytest.ini_options]\nasyncio_mode = "auto"\n'
    'asyncio_default_fixture_loop_scope = "function"\n',
    "settings.toml": '[mail]\nurl = "smtp://mail.invalid"\n[session]\nstore = "memory://"\n',
    "app.py": "from tornkit import Application, Settings\n"
    "def create_app():\n    return Application(Settings.load(), modules=[])\n",
    "test_mail.py": """
from tornkit.mail import Message

async def test_mail_is_kept(app):
    await app.mailer.send(Message("ann@school.example", "Hello", "..."))
    assert [mail.to for mail in app.mailer.outbox] == ["ann@school.example"]

async def test_each_test_has_an_outbox_of_its_own(app):
    assert app.mailer.outbox == []
""",
}


@pytest.mark.slow
def test_a_projects_tests_keep_mail_in_memory_whatever_the_project_sets(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGIN],
        cwd=tmp_path,
        env={**environment(), "PYTHONPATH": f"{SOURCE}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 passed" in done.stdout, done.stdout + done.stderr
