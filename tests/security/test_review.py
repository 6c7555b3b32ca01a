"""A reviewer's visit: a generated site is used and abused, then searched for every secret.

The site is `examples/school`, in a folder of the test's own, with one module more whose pages
fail. Everything is logged, from every library, at DEBUG.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import itertools
import json
import logging
import re
import secrets
import shutil
import sqlite3
import sys
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import httpx
import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from tests.accounts.support import FAST
from tests.examples.generated import SCHOOL, is_trace
from tests.sessions.redis_server import RedisServer
from tornkit import logs
from tornkit.accounts import Passwords
from tornkit.accounts.limiting import SIGN_IN_ACCOUNT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tornkit import Application

pytestmark = pytest.mark.slow  # whole sites, driven from end to end

EMAIL = "ada@example.org"
JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html"}
VISITORS_OWN = ("httpx", "httpcore")

FAILING = '''
"""Pages that fail, as a project's own may."""

import logging

from sqlalchemy import text
from tornkit import PUBLIC, AppError, BaseHandler, ErrorCode, Module, path


class Bug(BaseHandler):
    """Fail with all that the visitor sent in reach."""

    async def get(self) -> None:
        sent = [self.request.headers.get("Cookie"), self.get_argument("token", None)]
        raise RuntimeError(f"{len(sent)} things were sent")


class Statement(BaseHandler):
    """Send what was typed to a database that has no such table."""

    async def post(self) -> None:
        typed = {"typed": self.get_argument("password"), "cookie": self.request.headers["Cookie"]}
        async with self.db() as session:
            await session.execute(text("INSERT INTO nowhere VALUES (:typed, :cookie)"), typed)


class Refusal(BaseHandler):
    """Refuse in the way of an application, not of a bug."""

    async def get(self) -> None:
        raise AppError(409, "not now")


class Leak(BaseHandler):
    """Do all that nobody should."""

    async def get(self) -> None:
        cookie = self.request.headers["Cookie"]
        logging.getLogger("leak").debug("sent: %s", cookie)
        self.session["kept"] = cookie
        self.set_header("X-Sent", cookie)
        self.response(cookie, "text/plain")


class Echo(BaseHandler):
    """Keep and show what was sent."""

    async def get(self) -> None:
        self.session["sent"] = self.get_argument("sent")
        self.session.flash(self.get_argument("sent"))
        self.redirect(self.next_url("/nowhere-else"))


module = Module(
    access=PUBLIC,
    routes=[
        path("/bug", Bug),
        path("/statement", Statement),
        path("/refusal", Refusal),
        path("/leak", Leak),
        path("/echo", Echo),
    ],
)
'''


class Lines(logging.Handler):
    """Keep every record as text, its traceback included."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@dataclass
class Visit:
    """A browser of the site that remembers every secret it was given or has typed."""

    application: Application
    client: httpx.AsyncClient
    logged: Lines
    folder: Path
    redis: RedisServer | None
    replays: bool = False
    cookie: str = ""
    cookies: list[str] = field(default_factory=list)
    passwords: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    answers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def accounts(self) -> Any:
        return self.application.accounts

    async def ask(
        self, method: str, page: str, *, cookie: str | None = None, **sent: Any
    ) -> httpx.Response:
        """Send a request with the cookie held now; keep the answer, and the cookie in it."""
        held = self.cookie if cookie is None else cookie
        self.client.cookies.clear()  # what a request carries is for the test to say
        headers = {**HTML, **sent.pop("headers", {}), **({"Cookie": held} if held else {})}
        answer = await self.client.request(method, page, headers=headers, **sent)
        where = f"{method} {page.partition('?')[0]} {answer.status_code}"
        shown = [(name, value) for name, value in answer.headers.multi_items()]
        kept = [f"{name}: {value}" for name, value in shown if name.lower() != "set-cookie"]
        self.answers.append((where, "\n".join([*kept, "", answer.text])))
        given = [value for name, value in shown if name.lower() == "set-cookie"]
        assert len(given) <= 1
        if given and cookie is None:
            pair, value = given[0].partition(";")[0], SimpleCookie(given[0])
            self.cookie = pair if next(iter(value.values())).value else ""
            self.cookies += [self.cookie] if self.cookie else []
            if self.replays and held not in {"", self.cookie}:
                assert not await self.is_known(held), f"after {where}"
        return answer

    async def post(self, page: str, **fields: str) -> httpx.Response:
        return await self.ask("POST", page, data=fields)

    def password(self) -> str:
        """Return a password that nobody has typed yet, with characters that forms encode."""
        self.passwords.append(f"the {secrets.token_hex(12)} & more")
        return self.passwords[-1]

    async def mailed_token(self) -> str:
        """Return the token of the last mail that carries one."""
        await self.application.mailer.drain()
        mails = [each.text for each in self.application.mailer.outbox]
        found = re.findall(r"token=([\w-]+)", "\n".join(mails))
        assert len(set(found)) == len(self.tokens) + 1
        self.tokens.append(found[-1])
        return self.tokens[-1]

    async def is_known(self, cookie: str) -> bool:
        answer = await self.ask("GET", "/account/is-signed-in", cookie=cookie, headers=JSON)
        known: bool = answer.json()["signed_in"]
        return known

    # --- what is searched, and for what --------------------------------------------------

    def secrets(self) -> list[str]:
        """Return all that nobody but the visitor may hold, as written and as encoded."""
        ids = [each.partition("=")[2] for each in self.cookies]
        found = {*ids, *(each.partition(".")[0] for each in ids), *self.passwords, *self.tokens}
        return sorted({form for each in found for form in (each, quote(each), quote_plus(each))})

    def kept(self) -> Iterator[tuple[str, bytes]]:
        """Yield every place where the site keeps something, with all that is in it."""
        for number, line in enumerate(self.logged.lines):
            yield f"log line {number}: {line.partition(' ')[0]}", line.encode()
        for where, text in self.answers:
            yield where, text.encode()
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        assert {"site.db", "site.db-wal"} <= {path.name for path in files}
        for path in files:
            yield f"file {path.name}", path.read_bytes()
        with contextlib.closing(sqlite3.connect(self.folder / "data/site.db")) as database:
            yield "tables", "\n".join(database.iterdump()).encode()
        if self.redis is not None:
            # It holds every command that changed something, also what is deleted by now.
            written = list(self.redis.folder.rglob("*.aof"))
            assert any(b"HSET" in path.read_bytes().upper() for path in written)
            for path in written:
                yield "redis", path.read_bytes()

    def leaks(self) -> list[str]:
        """Return the places that hold a secret; the form of a link may hold its token."""
        wanted = [each.encode() for each in self.secrets()]
        form = {each.encode() for each in self.tokens}
        return [
            where
            for where, held in self.kept()
            if any(each in held and not (each in form and where in RESET_FORMS) for each in wanted)
        ]


RESET_FORMS = {"GET /account/reset 200", "POST /account/reset 422"}


@contextlib.contextmanager
def logging_everything() -> Iterator[Lines]:
    """Log as a site with ``log_level = "DEBUG"`` does, into a list."""
    lines, root, before = Lines(), logging.getLogger(), {}
    for name in (None, "aiosqlite", *VISITORS_OWN):
        before[name] = logging.getLogger(name).level
    handlers = root.handlers[:]
    logs.configure({}, debug=True, level="DEBUG")
    root.handlers = [lines]
    for name in VISITORS_OWN:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        yield lines
    finally:
        root.handlers = handlers
        for each, level in before.items():
            logging.getLogger(each).setLevel(level)


@pytest.fixture
def school(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a copy of the example, with a module whose pages fail, that can be imported."""
    folder = tmp_path / "site"
    shutil.copytree(SCHOOL, folder, ignore=_traces)
    (folder / "school/modules/failing.py").write_text(FAILING, "utf-8")
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield folder
    for name in [each for each in sys.modules if each.partition(".")[0] == "school"]:
        del sys.modules[name]


def _traces(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if is_trace(Path(name))]


@contextlib.asynccontextmanager
async def visiting(
    folder: Path, environment: str = "development", redis: RedisServer | None = None
) -> AsyncIterator[Visit]:
    """Serve the site; give a visit of it."""
    overrides: dict[str, Any] = {
        "secret": secrets.token_urlsafe(48),
        "allowed_hosts": ["127.0.0.1"],
        "mail.url": "memory://",
        "mail.sender": "school@example.org",
    }
    if redis is not None:
        overrides["session.store"] = redis.url
    load = importlib.import_module("school.settings").Settings.load
    settings = load(environment, project_dir=folder, overrides=overrides)
    application = importlib.import_module("school.app").create_app(settings)
    application.accounts.passwords = Passwords(FAST)
    listening, port = bind_unused_port()
    with logging_everything() as logged:
        async with application:
            for database in application.databases.sql.values():
                await database.migrations.upgrade()
            server = HTTPServer(application)
            server.add_socket(listening)
            try:
                async with httpx.AsyncClient(
                    base_url=f"http://127.0.0.1:{port}", trust_env=False
                ) as client:
                    yield Visit(application, client, logged, folder, redis)
            finally:
                server.stop()
                await server.close_all_connections()


# --- what a visitor does ---------------------------------------------------------------------


async def use_everything(visit: Visit) -> None:
    """Do all that an account's owner does, and all that goes wrong on the way."""
    await register(visit)
    await sign_in_and_confirm(visit)
    await forget_and_reset(visit)
    await change_password(visit)
    await end_sessions(visit)
    await make_mistakes(visit)
    await be_throttled(visit)


async def register(visit: Visit) -> None:
    weak = "q7Zx-!"
    visit.passwords.append(weak)
    assert (await visit.post("/account/register", email=EMAIL, password=weak)).status_code == 422
    form = {"email": EMAIL, "password": visit.password()}
    assert (await visit.post("/account/register", **form)).status_code == 303
    assert (await visit.ask("GET", "/account/profile")).status_code == 200
    assert (await visit.post("/account/register", **form)).status_code == 422
    assert (await visit.post("/account/logout")).status_code == 303


async def sign_in(visit: Visit, password: str, **fields: str) -> None:
    answer = await visit.post("/account/login", email=EMAIL, password=password, **fields)
    assert answer.status_code == 303


async def sign_in_and_confirm(visit: Visit) -> None:
    right = visit.passwords[-1]
    wrong = {"email": EMAIL, "password": visit.password()}
    assert (await visit.post("/account/login", **wrong)).status_code == 422
    assert (await visit.ask("POST", "/account/login", json=wrong)).status_code == 422
    swapped = {"email": visit.password(), "password": EMAIL}  # as people do
    visit.passwords.remove(swapped["email"])  # what stands in that field is told back
    assert (await visit.post("/account/login", **swapped)).status_code == 422
    await sign_in(visit, right, remember="true")
    assert (await visit.post("/account/confirm", password=visit.password())).status_code == 422
    assert (await visit.post("/account/confirm", password=right)).status_code == 303


async def forget_and_reset(visit: Visit) -> None:
    assert (await visit.post("/account/forgot", email=EMAIL)).status_code == 200
    token = await visit.mailed_token()
    page = f"/account/reset?token={token}"
    assert (await visit.ask("GET", page)).status_code == 200
    await fail_with(visit, token)
    assert (await visit.post("/account/reset", token=token, password="short")).status_code == 422
    form = {"token": token, "password": visit.password()}
    assert (await visit.post("/account/reset", **form)).status_code == 303
    assert (await visit.post("/account/reset", **form)).status_code == 410
    assert (await visit.ask("GET", page)).status_code == 410
    await sign_in(visit, form["password"])


async def fail_with(visit: Visit, token: str) -> None:
    """Follow a link that carries a living token to pages that fail."""
    for page, status in (
        ("/failing/bug", 500),
        ("/failing/refusal", 409),
        ("/nowhere", 404),
        ("/account/logout", 405),
        ("/account/login?next=%ff&x=1", 400),
    ):
        joint = "&" if "?" in page else "?"
        for headers in (HTML, JSON):
            address = f"{page}{joint}token={token}"
            answer = await visit.ask("GET", address, headers=headers)
            assert answer.status_code == status, page


async def change_password(visit: Visit) -> None:
    now, wrong = visit.passwords[-1], visit.password()
    new = visit.password()
    for fields, status in (
        ({"password": wrong, "new_password": new}, 422),
        ({"password": now, "new_password": EMAIL}, 422),
        ({"password": now, "new_password": new}, 303),
    ):
        assert (await visit.post("/account/password", **fields)).status_code == status


async def end_sessions(visit: Visit) -> None:
    visit.cookie = ""  # the other device keeps its own
    await sign_in(visit, visit.passwords[-1])
    page = await visit.ask("GET", "/account/sessions")
    handles = re.findall(r'name="handle" value="(\w+)"', page.text)
    assert len(handles) == 1
    assert (await visit.post("/account/sessions", handle=handles[0])).status_code == 303
    assert (await visit.post("/account/sessions", everywhere="true")).status_code == 303
    await sign_in(visit, visit.passwords[-1])


async def make_mistakes(visit: Visit) -> None:
    typed = {"password": visit.passwords[-1]}
    for headers in (HTML, JSON):
        for method, page, sent, status in (
            ("GET", "/failing/bug", {}, 500),
            ("POST", "/failing/statement", {"data": typed}, 500),
            ("POST", "/failing/statement", {"json": typed}, 400),
            ("GET", f"/nowhere?password={quote(typed['password'])}", {}, 404),
            ("DELETE", "/account/profile", {"params": typed}, 405),
            ("POST", "/account/password", {"json": {"password": [typed]}}, 422),
            ("POST", "/account/password", {"content": json.dumps(typed)[:-2].encode()}, 422),
            ("GET", "/teacher/", {"params": typed}, 403),
        ):
            answer = await visit.ask(method, page, headers=headers, **sent)
            assert answer.status_code == status, (method, page, answer.text)


async def be_throttled(visit: Visit) -> None:
    form = {"email": EMAIL, "password": visit.password()}
    statuses = [(await visit.post("/account/login", **form)).status_code for _ in range(11)]
    assert statuses == [422] * 10 + [429]


class TestSecrets:
    @pytest.mark.parametrize(
        ("environment", "store"),
        [
            ("development", "database"),
            ("production", "redis"),
            pytest.param("development", "redis", marks=pytest.mark.slow),
            pytest.param("production", "database", marks=pytest.mark.slow),
        ],
    )
    async def test_are_kept_logged_and_shown_nowhere(
        self, school: Path, environment: str, store: str
    ) -> None:
        with contextlib.ExitStack() as stack:
            redis = stack.enter_context(RedisServer()) if store == "redis" else None
            async with visiting(school, environment, redis) as visit:
                await use_everything(visit)
                assert len(visit.cookies) > 6
                assert len(visit.tokens) == 1
                assert visit.leaks() == []
                text = "\n".join(visit.logged.lines)
                for line in (
                    "signed in: user 1",
                    "wrong password: user 1",
                    "throttled",
                    "token=***",
                ):
                    assert line in text

    @pytest.mark.parametrize("store", ["database", "redis"])
    async def test_are_noticed_where_a_project_gives_them_away(
        self, school: Path, store: str
    ) -> None:
        """Show that the search would find what it looks for."""
        with contextlib.ExitStack() as stack:
            redis = stack.enter_context(RedisServer()) if store == "redis" else None
            async with visiting(school, redis=redis) as visit:
                await register(visit)
                await sign_in(visit, visit.passwords[-1])
                assert visit.leaks() == []
                await visit.ask("GET", "/failing/leak")
                found = visit.leaks()
        assert "GET /failing/leak 200" in found
        assert any(each.endswith(": leak") for each in found)
        assert {"redis"} <= {*found} if redis else {"tables", "file site.db-wal"} <= {*found}


class TestReplays:
    @pytest.mark.parametrize("store", ["database", "redis"])
    async def test_of_all_cookies_ever_given_only_the_last_one_opens(
        self, school: Path, store: str
    ) -> None:
        """Sign-out, sign-in, confirmed, changed and reset passwords, other roles, all ended."""
        with contextlib.ExitStack() as stack:
            redis = stack.enter_context(RedisServer()) if store == "redis" else None
            async with visiting(school, redis=redis) as visit:
                visit.replays = True  # each old cookie is tried at once, and all in the end
                await use_everything(visit)
                before = visit.cookie
                await visit.accounts.change_roles(EMAIL, add=["teacher"])
                assert (await visit.ask("GET", "/teacher/")).status_code == 200
                assert visit.cookie != before
                *dead, living = dict.fromkeys(visit.cookies)
                assert len(dead) > 7
                known = [each for each in dead if await visit.is_known(each)]
                assert known == []
                assert await visit.is_known(living)

    async def test_a_planted_session_is_neither_signed_in_nor_told_anything(
        self, school: Path
    ) -> None:
        async with visiting(school) as visit:
            await visit.ask("GET", "/failing/echo?sent=planted")
            planted = visit.cookie
            assert planted
            await register(visit)
            await sign_in(visit, visit.passwords[-1])
            assert not await visit.is_known(planted)
            assert "Set-Cookie" not in (await visit.ask("GET", "/", cookie=planted)).headers
            visit.cookie = planted
            await sign_in(visit, visit.passwords[-1])
            assert visit.cookie != planted
            assert not await visit.is_known(planted)

    async def test_an_id_counts_in_the_cookie_only(self, school: Path) -> None:
        async with visiting(school) as visit:
            await register(visit)
            await sign_in(visit, visit.passwords[-1])
            name, _, value = visit.cookie.partition("=")
            page, elsewhere = "/account/profile", f"school_session_={value}"
            for sent in (
                {"params": {name: value}},
                {"headers": {name: value, "Authorization": f"Bearer {value}"}},
                {"headers": {"Cookie2": visit.cookie, "X-Cookie": visit.cookie}},
            ):
                answer = await visit.ask("GET", page, cookie=elsewhere, **sent)
                assert answer.status_code == 302
            answer = await visit.ask(
                "POST", "/account/sessions", cookie=elsewhere, data={name: value}
            )
            assert answer.headers["Location"] == "/account/login"
            assert await visit.is_known(visit.cookie)


NASTY = [
    "\0a\0b@example.org",
    "/account/profile\0\r\nSet-Cookie: planted=1\r\nX-Planted: 1\r\n\r\n<p>\u2028\u0085\x1b[31m",
]
FORMS = {
    "register": ("email", "password", "next"),
    "login": ("email", "password", "remember", "next"),
    "forgot": ("email", "next"),
    "reset": ("token", "password", "email"),
    "confirm": ("password", "next"),
    "password": ("password", "new_password"),
    "sessions": ("handle", "others"),
}


class TestHostileValues:
    async def test_in_a_form_are_refused_or_harmless(self, school: Path) -> None:
        async with visiting(school) as visit:
            await register(visit)
            right = {"email": EMAIL, "password": visit.passwords[-1]}
            await sign_in(visit, right["password"])
            fields = [(form, name) for form, names in FORMS.items() for name in names]
            for (form, name), nasty in itertools.product(fields, NASTY):
                for how in ("data", "json", "params"):
                    sent: dict[str, Any] = {how: {**right, name: nasty}}
                    held, method = visit.cookie, "GET" if how == "params" else "POST"
                    answer = await visit.ask(method, f"/account/{form}", **sent)
                    assert answer.status_code < 500, (form, name, nasty)
                    assert_nothing_planted(answer)
                    if visit.cookie != held:  # what it did is undone for the next one
                        await visit.accounts.set_password(EMAIL, right["password"])
                        await sign_in(visit, right["password"])
                    await visit.application.limiter.forget(SIGN_IN_ACCOUNT, EMAIL)

    async def test_are_kept_and_shown_as_they_are(self, school: Path) -> None:
        async with visiting(school) as visit:
            for nasty in NASTY:
                params = {"sent": nasty, "next": nasty}
                answer = await visit.ask("GET", "/failing/echo", params=params)
                assert answer.status_code == 302
                assert answer.headers["Location"] == "/nowhere-else"
                assert_nothing_planted(answer)
                assert (await visit.ask("GET", "/account/login")).status_code == 200

    @pytest.mark.parametrize(
        "name", ["Cookie", "User-Agent", "Accept", "Origin", "Referer", "X-Request-ID"]
    )
    async def test_in_a_header_end_in_a_400_or_are_harmless(self, school: Path, name: str) -> None:
        async with visiting(school) as visit:
            await visit.ask("GET", "/failing/echo?sent=1")
            port = visit.client.base_url.port
            for nasty in (
                b"\0",
                b"a\0b",
                b"a\r\rb",
                b"\x0b\x0c",
                b"\xff\xfe",
                b"\x1b[31m",
                b"\x85",
            ):
                start = f"GET /failing/echo?sent=1 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                cookie = f"Cookie: {visit.cookie}; " if name == "Cookie" else f"{name}: "
                head = start.encode() + cookie.encode() + nasty
                answer = await exchange(port, head + b"\r\nConnection: close\r\n\r\n")
                assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 302")), (nasty, answer)
                assert b"anted" not in answer

    async def test_are_shown_as_text(self, school: Path) -> None:
        script = "<script>alert(1)</script>"
        attribute = '"><img src=x onerror=alert(1)>'
        async with visiting(school) as visit:
            headers = {"User-Agent": script}
            for sent in (script, attribute):
                await visit.ask("GET", "/failing/echo", params={"sent": sent}, headers=headers)
                for answer in (
                    await visit.ask("GET", "/account/login", params={"next": f"/{sent}"}),
                    await visit.post("/account/login", email=sent, password="x"),
                    await visit.post("/account/forgot", email=f"{sent}@example.org"),
                    await visit.ask("GET", f"/nowhere/{quote(sent)}"),
                    await visit.ask("GET", "/failing/bug", params={"token": sent}),
                    await visit.ask("GET", "/account/login", params={"next": b"\xff"}),
                ):
                    assert sent not in answer.text
                    assert "<img" not in answer.text
                    assert "<script" not in answer.text
            await visit.post(
                "/account/register", email="a&b@example.org", password=visit.password()
            )
            for page in ("profile", "sessions"):
                answer = await visit.ask("GET", f"/account/{page}")
                assert answer.status_code == 200
                assert "a&b@" not in answer.text


def assert_nothing_planted(answer: httpx.Response) -> None:
    assert not [name for name in answer.headers if "planted" in name.lower()]
    assert "planted" not in answer.headers.get("Set-Cookie", "")


async def exchange(port: int | None, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


class TestPages:
    async def test_everybody_who_is_signed_in_can_sign_out_on_every_page(
        self, school: Path
    ) -> None:
        async with visiting(school) as visit:
            await register(visit)
            await sign_in(visit, visit.passwords[-1])
            await visit.accounts.change_roles(EMAIL, add=["teacher", "student", "principal"])
            pages = ["/", "/teacher/", "/student/", "/principal/", "/nowhere", "/account/logout"]
            pages += [f"/account/{name}" for name in ("profile", "password", "sessions")]
            for page in pages:
                shown = (await visit.ask("GET", page)).text
                assert 'action="/account/logout"' in shown, page

    async def test_hold_no_script_and_load_nothing_from_elsewhere(self, school: Path) -> None:
        async with visiting(school, "production") as visit:
            for page in ("/", "/account/login", "/account/register", "/nowhere"):
                shown = (await visit.ask("GET", page)).text
                assert "<script" not in shown
                assert not re.findall(r'(?:src|href|action)="(?!/|#)', shown)

    async def test_of_a_user_are_kept_by_no_cache(self, school: Path) -> None:
        async with visiting(school, "production") as visit:
            await register(visit)
            await sign_in(visit, visit.passwords[-1])
            for page in ("/", "/account/profile", "/account/sessions", "/nowhere", "/failing/bug"):
                headers = (await visit.ask("GET", page)).headers
                assert headers["Cache-Control"] == "no-store", page
                assert "Cookie" in headers["Vary"], page

    async def test_passwords_are_hidden_and_left_to_managers(self, school: Path) -> None:
        async with visiting(school) as visit:
            await register(visit)
            await sign_in(visit, visit.passwords[-1])
            for page in ("login", "register", "password", "confirm"):
                shown = (await visit.ask("GET", f"/account/{page}")).text
                fields = re.findall(r'<input[^>]* name="(?:new_)?password"[^>]*>', shown)
                assert fields, page
                for each in fields:
                    assert 'type="password"' in each
                    assert re.search(r'autocomplete="(?:current|new)-password"', each)
                    assert "maxlength" not in each

    async def test_a_new_site_has_no_account(self, school: Path) -> None:
        async with visiting(school, "production") as visit:
            assert await visit.accounts.list() == []
            for name in ("admin", "root", "test"):
                form = {"email": f"{name}@example.org", "password": name}
                assert (await visit.post("/account/login", **form)).status_code == 422

    async def test_the_cookie_stays_small_whatever_is_kept(self, school: Path) -> None:
        async with visiting(school, "production") as visit:
            await visit.ask("GET", "/failing/echo", params={"sent": "x" * 20_000})
            assert 60 < len(visit.cookie) < 200

    async def test_json_is_never_wrapped_into_a_script(self, school: Path) -> None:
        async with visiting(school) as visit:
            answer = await visit.ask("GET", "/account/is-signed-in?callback=f&jsonp=f")
            assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.text.startswith("{")


class TestEvents:
    async def test_what_is_refused_leaves_a_line(self, school: Path) -> None:
        async with visiting(school, "production") as visit:
            await register(visit)
            await sign_in(visit, visit.passwords[-1])
            origin, host = {"Origin": "https://evil.example"}, {"Host": "evil.example"}
            for sent, status, logged in (
                (("GET", "/teacher/", {}), 403, "GET /teacher/ 403"),
                (("POST", "/account/logout", origin), 403, "'https://evil.example' not allowed"),
                (("GET", "/", host), 400, "'evil.example' is not in allowed_hosts"),
                (("GET", f"/account/reset?token={'x' * 43}", {}), 410, "reset refused"),
                (("GET", "/account/profile?page=%00", {}), 200, "GET /account/profile?page=%00"),
            ):
                method, page, headers = sent
                visit.logged.lines.clear()
                answer = await visit.ask(method, page, headers=headers)
                assert answer.status_code == status
                found = [line for line in visit.logged.lines if logged in line]
                assert found, (page, visit.logged.lines)
                assert any(line.startswith("tornkit.access") for line in visit.logged.lines)
