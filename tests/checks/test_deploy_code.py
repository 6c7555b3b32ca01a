"""Every check of what is written in code, or lies on the disk: seen failing and passing."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
import tornado.websocket
from argon2 import PasswordHasher, Type

from tests.checks.conftest import PREFIX, SECRET
from tornkit import (
    PUBLIC,
    SIGNED_IN,
    Application,
    BaseHandler,
    Cors,
    Module,
    Settings,
    WebSocketHandler,
    path,
    roles,
)
from tornkit.checks import look_at_deployment
from tornkit.sessions import MemoryStore
from tornkit.tasks import Tasks, task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.checks.conftest import Deployed
    from tornkit.checks import Message

STRONG = "Zq3-9bXw_Lk82mNvPa5-TtYc_RrHd7sE"


class Form(BaseHandler):
    async def post(self) -> None:
        self.response_json()


class Trusting(Form):
    def check_trusted_origin(self, origin: str) -> bool:
        return True


class TrustingByMistake(Form):
    async def check_trusted_origin(self, origin: str) -> bool:  # type: ignore[override]
        return origin == "https://partner.example"


class Choosing(Form):
    def check_trusted_origin(self, origin: str) -> bool:
        return origin.endswith(".school.example") or super().check_trusted_origin(origin)


class Asking(Form):
    def check_trusted_origin(self, origin: str) -> bool:
        return self.request.headers.get("X-Signature") is not None


class TrustingReader(BaseHandler):
    async def get(self) -> None:
        self.response_json()

    def check_trusted_origin(self, origin: str) -> bool:
        return True


class PlainTrusting(tornado.web.RequestHandler):
    def post(self) -> None:
        pass

    def check_trusted_origin(self, origin: str) -> bool:
        return True


class Live(WebSocketHandler):
    pass


class LiveForAll(Live):
    def check_origin(self, origin: str) -> bool:
        return True


class PlainLiveForAll(tornado.websocket.WebSocketHandler):
    def check_origin(self, origin: str) -> bool:
        return True


class LiveForSome(Live):
    def check_origin(self, origin: str) -> bool:
        return origin == "https://partner.example"


class ByToken(Form):
    def get_current_user(self) -> Any:
        return self.request.headers.get("Authorization")


class Inline(Form):
    content_security_policy = {"script-src": "'unsafe-inline'"}


class InheritedInline(Inline):
    pass


class InlineNoMore(Inline):
    content_security_policy = {"script-src": "'self'"}


class Maps(Form):
    content_security_policy = {"script-src": "https://maps.example", "img-src": "*"}


class OwnCors(Form):
    cors = Cors(origins=["http://app.example"], credentials=True)


class NoCors(Form):
    cors = None


def look(
    deployed: Deployed,
    *modules: Module,
    application: type[Application] = Application,
    **options: Any,
) -> list[Message]:
    """Return what is found in a site of these modules."""
    return look_at_deployment(
        application(
            deployed.settings(), modules=modules, user_model=deployed.user_model, **options
        )
    )


def one(found: list[Message]) -> Message:
    (message,) = found
    assert message.hint
    return message


def module(handler: Any, access: Any = SIGNED_IN, **options: Any) -> Module:
    return Module(name="school", access=access, routes=[path("/x", handler)], **options)


# --- Tornado's settings ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "check_id", "level"),
    [
        ({"debug": True}, "deploy.tornado-debug", "warning"),
        ({"serve_traceback": True}, "deploy.tornado-debug", "warning"),
        ({"cookie_secret": "short"}, "deploy.cookie-secret", "error"),
        ({"cookie_secret": {1: STRONG, 2: b"changeme" * 8}}, "deploy.cookie-secret", "error"),
        ({"cross_origin_protection": False}, "deploy.cross-origin-protection", "error"),
    ],
    ids=["debug", "serve_traceback", "short secret", "example secret", "cross-origin"],
)
def test_what_tornado_is_told_in_code(
    deployed: Deployed, options: dict[str, Any], check_id: str, level: str
) -> None:
    message = one(look(deployed, **options))
    assert (message.id, message.level, message.object) == (check_id, level, next(iter(options)))
    assert "changeme" not in str(message)


async def test_tornados_own_reloading(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tornado.autoreload.start", lambda: None)
    assert one(look(deployed, autoreload=True)).id == "deploy.autoreload"


@pytest.mark.parametrize(
    "options",
    [
        {"cookie_secret": STRONG},
        {"cookie_secret": SECRET.encode()},
        {"cross_origin_protection": False, "xsrf_cookies": True},
        {"debug": False, "autoreload": False},
    ],
    ids=["own secret", "the setting", "tokens", "off"],
)
def test_what_tornado_may_be_told(deployed: Deployed, options: dict[str, Any]) -> None:
    assert look(deployed, **options) == []


# --- other sites -----------------------------------------------------------------------------


@pytest.mark.parametrize("handler", [Trusting, TrustingByMistake, PlainTrusting])
@pytest.mark.parametrize("access", [SIGNED_IN, roles("student")], ids=str)
def test_a_handler_behind_a_door_that_trusts_every_origin(
    deployed: Deployed, handler: Any, access: Any
) -> None:
    message = one(look(deployed, module(handler, access)))
    assert (message.id, message.level) == ("deploy.any-origin", "warning")
    assert f"{handler.__name__}.check_trusted_origin()" in message.message
    assert message.file == __file__


@pytest.mark.parametrize(
    ("handler", "access", "options"),
    [
        (Form, SIGNED_IN, {}),
        (Choosing, SIGNED_IN, {}),
        (Asking, SIGNED_IN, {}),
        (TrustingReader, SIGNED_IN, {}),
        (Trusting, PUBLIC, {}),
        (Trusting, SIGNED_IN, {"xsrf_cookies": True}),
    ],
    ids=["default", "a list", "a signature", "only reads", "a webhook", "tokens"],
)
def test_a_handler_that_trusts_with_reason(
    deployed: Deployed, handler: Any, access: Any, options: dict[str, Any]
) -> None:
    assert look(deployed, module(handler, access), **options) == []


@pytest.mark.parametrize("handler", [LiveForAll, PlainLiveForAll])
def test_a_websocket_behind_a_door_that_every_site_may_open(
    deployed: Deployed, handler: Any
) -> None:
    message = one(look(deployed, module(handler)))
    assert (message.id, message.level) == ("deploy.websocket-origin", "warning")


@pytest.mark.parametrize(
    ("handler", "access"),
    [(Live, SIGNED_IN), (LiveForSome, SIGNED_IN), (LiveForAll, PUBLIC)],
    ids=["default", "a list", "public"],
)
def test_a_websocket_that_is_opened_with_reason(
    deployed: Deployed, handler: Any, access: Any
) -> None:
    assert look(deployed, module(handler, access)) == []


@pytest.mark.parametrize(
    ("made", "level"),
    [
        (lambda: module(Form, cors=Cors(origins=["http://app.example"])), "warning"),
        (
            lambda: module(Form, cors=Cors(origins=["http://localhost:5173"], credentials=True)),
            "error",
        ),
        (lambda: module(OwnCors, cors=Cors(origins=["https://app.example"])), "error"),
    ],
    ids=["module", "credentials", "handler"],
)
def test_answers_for_pages_that_come_without_encryption(
    deployed: Deployed, made: Any, level: str
) -> None:
    message = one(look(deployed, made()))
    assert (message.id, message.level) == ("deploy.cors-insecure", level)


def test_one_cors_is_told_once(deployed: Deployed) -> None:
    cors = Cors(origins=["http://app.example"])
    routes = [path("/a", Form), path("/b", Form)]
    whole = Module(name="school", access=SIGNED_IN, routes=routes, cors=cors)
    assert one(look(deployed, whole)).id == "deploy.cors-insecure"


def test_everybody_at_a_closed_door(deployed: Deployed) -> None:
    cors = Cors(origins=["*"])
    message = one(look(deployed, module(Form, cors=cors)))
    assert (message.id, message.level) == ("deploy.cors-everybody", "warning")
    assert look(deployed, module(Form, PUBLIC, cors=cors)) == []
    assert look(deployed, module(ByToken, cors=cors)) == []
    assert look(deployed, module(NoCors, cors=cors)) == []
    assert look(deployed, module(Form, cors=Cors(origins=["https://app.example"]))) == []


# --- a handler's policy, hashing, stores -----------------------------------------------------


def test_a_policy_of_a_handler(deployed: Deployed) -> None:
    message = one(look(deployed, module(Inline)))
    assert (message.id, message.object) == ("deploy.csp-unsafe", "Inline")
    assert look(deployed, module(Maps)) == []


def test_a_policy_that_handlers_inherit_is_told_once_of_the_class_that_has_it(
    deployed: Deployed,
) -> None:
    routes = [path("/a", InheritedInline), path("/b", Inline), path("/c", InlineNoMore)]
    message = one(look(deployed, Module(name="school", access=SIGNED_IN, routes=routes)))
    assert (message.id, message.object) == ("deploy.csp-unsafe", "Inline")
    assert one(look(deployed, module(InheritedInline))).object == "Inline"
    assert look(deployed, module(InlineNoMore)) == []


def test_passwords_that_are_hashed_too_cheaply(deployed: Deployed) -> None:
    def hashed_by(hasher: PasswordHasher) -> list[Message]:
        app = Application(deployed.settings(), modules=[], user_model=deployed.user_model)
        assert app.accounts is not None
        kind = type("OurAccounts", (type(app.accounts),), {"hasher": hasher})
        app.accounts = kind(deployed.user_model, app.accounts._open_session, app.known_roles)
        return look_at_deployment(app)

    for weak in (
        PasswordHasher(time_cost=1, memory_cost=47_103),
        PasswordHasher(time_cost=4, memory_cost=9_215),
        PasswordHasher(type=Type.I),
    ):
        message = one(hashed_by(weak))
        assert (message.id, message.level) == ("deploy.weak-hashing", "error")
        assert message.message.startswith("OurAccounts")
    for strong in (
        PasswordHasher(),
        PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1),
        PasswordHasher(time_cost=5, memory_cost=7_168, parallelism=1),
    ):
        assert hashed_by(strong) == []


def test_a_store_given_in_code_stands_for_the_setting(deployed: Deployed) -> None:
    settings = deployed.settings('session.store = "redis://redis.example:6379/0"')
    given = Application(settings, modules=[], session_store=MemoryStore())
    assert one(look_at_deployment(given)).id == "deploy.session-memory"


def test_a_missing_driver_of_redis(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    text = 'limits.store = "redis://redis:6379/0"'
    assert deployed.look(text) == []
    monkeypatch.setitem(sys.modules, "redis", None)
    message = one(deployed.look(text))
    assert (message.id, message.level) == ("deploy.missing-driver", "error")


def test_without_accounts_a_site_may_send_no_mail(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}ALLOWED_HOSTS", "192.0.2.1")
    assert one(look(deployed)).id == "deploy.mail-sender"
    settings = deployed.settings('session.store = "database://default"')
    assert look_at_deployment(Application(settings, modules=[])) == []


def test_a_database_below_a_static_path_of_tornado(deployed: Deployed) -> None:
    found = look(deployed, static_path=str(deployed.folder))
    assert {(message.id, message.object) for message in found} == {
        ("deploy.private-files", "paths.data"),
        ("deploy.private-files", "paths.log"),
        ("deploy.private-files", "databases.default"),
        ("deploy.public-uploads", "paths.upload"),
    }


# --- what other users of the machine may do --------------------------------------------------


@pytest.fixture
def shared() -> Iterator[Path]:
    """Give a folder that every user of this machine can reach; those of pytest are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder).resolve()


def built_in(folder: Path) -> Application:
    (folder / ".env").touch()
    return Application(Settings.load("production", project_dir=folder), modules=[])


def test_a_secret_that_every_user_of_the_machine_can_read(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORNKIT_ALLOWED_HOSTS", "www.school.example")
    file = shared / ".env"
    file.write_text(f"TORNKIT_SECRET={SECRET}\n")
    file.chmod(0o644)
    message = one(look_at_deployment(built_in(shared)))
    assert (message.id, message.level) == ("deploy.readable-secrets", "warning")
    assert str(file) in message.hint
    file.chmod(0o600)
    assert look_at_deployment(built_in(shared)) == []
    file.chmod(0o644)
    shared.chmod(0o750)
    assert look_at_deployment(built_in(shared)) == []


def test_a_readable_file_without_a_secret_is_none(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORNKIT_ALLOWED_HOSTS", "www.school.example")
    monkeypatch.setenv("TORNKIT_SECRET", SECRET)
    (shared / ".env").write_text("TORNKIT_PORT=8000\n")
    assert look_at_deployment(built_in(shared)) == []


def test_a_database_that_every_user_of_the_machine_can_change(
    shared: Path, deployed: Deployed
) -> None:
    file = shared / "data" / "site.db"
    text = f'databases.default = "sqlite:///{file.as_posix()}"'
    file.parent.mkdir()
    file.touch()
    assert deployed.look(text) == []
    file.chmod(0o666)
    message = one(deployed.look(text))
    assert (message.id, message.level) == ("deploy.writable-database", "error")
    file.chmod(0o644)
    file.parent.chmod(0o777)  # they could put another file in its place
    assert one(deployed.look(text)).id == "deploy.writable-database"

    @task
    async def note() -> None:
        """Do nothing."""

    queue = Application(deployed.settings(), modules=[])
    queue.tasks = Tasks(f"sqlite:///{file.as_posix()}", [note])
    found = [each for each in look_at_deployment(queue) if each.id == "deploy.writable-database"]
    assert [each.object for each in found] == ["tasks.queue"]
    file.parent.chmod(0o1777)
    assert deployed.look(text) == []
