"""Answers, errors, methods, typed arguments."""

from __future__ import annotations

import datetime
import json
import logging
import secrets
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, Field
from tornado.web import HTTPError

from tornkit import PUBLIC, AppError, BaseHandler, ErrorCode, FormError, Module, path
from tornkit.logs import RequestIdFilter

if TYPE_CHECKING:
    from tests.handlers.conftest import StartSite

COURSE_FULL = ErrorCode(71001, "This course is full.", status_code=409)
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JSON = {"Accept": "application/json"}
PRODUCTION: dict[str, object] = {
    "secret": secrets.token_urlsafe(32),
    "allowed_hosts": ["127.0.0.1"],
}


def home(*routes: Any) -> Module:
    return Module(name="home", access=PUBLIC, routes=list(routes))


def handler(work: Any) -> type[BaseHandler]:
    class Handler(BaseHandler):
        async def get(self, **arguments: Any) -> None:
            await work(self, **arguments)

    return Handler


async def test_response_json_wraps_data_in_code_and_message(start: StartSite) -> None:
    async def work(self: BaseHandler) -> None:
        await self.response_json(status_code=201, day=datetime.date(2026, 1, 2), big=2**80)

    answer = await (await start(home(path("/", handler(work))))).get("/")
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in answer.headers
    assert answer.json() == {"code": 0, "message": "", "day": "2026-01-02", "big": 2**80}


async def test_response_json_with_an_error_has_its_code_message_and_status(
    start: StartSite,
) -> None:
    async def work(self: BaseHandler) -> None:
        self.response_json(COURSE_FULL, free=0)

    answer = await (await start(home(path("/", handler(work))))).get("/")
    assert (answer.status_code, answer.json()) == (
        409,
        {"code": 71001, "message": "This course is full.", "free": 0},
    )


@pytest.mark.parametrize("name", ["code", "message"])
async def test_code_and_message_belong_to_the_answer(start: StartSite, name: str) -> None:
    async def work(self: BaseHandler) -> None:
        with pytest.raises(TypeError, match=name):
            self.response_json(None, None, **{name: 1})
        self.response("ok", "text/plain")

    answer = await (await start(home(path("/", handler(work))))).get("/")
    assert (answer.text, answer.headers["Content-Type"]) == ("ok", "text/plain")


async def test_arguments_arrive_converted(start: StartSite) -> None:
    async def work(self: BaseHandler, **arguments: Any) -> None:
        self.response_json(types={name: type(value).__name__ for name, value in arguments.items()})

    pattern = "/{a:int}/{b:uuid}/{c:date}/{d}/{e:path}"
    client = await start(home(path(pattern, handler(work))))
    answer = await client.get(f"/7/{uuid.uuid4()}/2026-01-02/x%20y/p/q")
    assert answer.json()["types"] == {"a": "int", "b": "UUID", "c": "date", "d": "str", "e": "str"}
    assert (await client.get(f"/7/{uuid.uuid4()}/2026-13-02/x/p")).status_code == 404


async def test_head_follows_get_options_lists_and_405_says_what_is_allowed(
    start: StartSite,
) -> None:
    class Two(BaseHandler):
        async def get(self) -> None:
            self.response_json(x=1)

        async def put(self) -> None:
            self.response_json()

    class PostOnly(BaseHandler):
        async def post(self) -> None:
            self.response_json()

    client = await start(home(path("/two", Two), path("/post", PostOnly)))
    head = await client.head("/two")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == (await client.get("/two")).headers["Content-Length"]
    options = await client.options("/two")
    assert (options.status_code, options.headers["Allow"]) == (204, "GET, HEAD, PUT, OPTIONS")
    for method in ("GET", "HEAD", "DELETE"):
        refused = await client.request(method, "/post")
        assert (refused.status_code, refused.headers["Allow"]) == (405, "POST, OPTIONS")


async def test_json_or_html_is_what_the_client_prefers(start: StartSite) -> None:
    client = await start(home())
    cases = {
        "": "text/html",
        "*/*": "text/html",
        "application/json": "application/json",
        "text/html, application/json;q=0.9": "text/html",
        "text/html;q=0.5, application/*": "application/json",
        "application/json;q=broken": "text/html",
    }
    for accept, expected in cases.items():
        answer = await client.get("/missing", headers={"Accept": accept})
        assert "Accept" in answer.headers["Vary"].split(", ")
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith(expected), accept
    answer = await client.post("/missing", json={})
    assert answer.json() == {"code": 404, "message": "Not Found"}


async def test_an_app_error_shows_its_own_message_only_in_debug(start: StartSite) -> None:
    async def work(self: BaseHandler) -> None:
        raise AppError(COURSE_FULL, "course 7 has 30 of 30")

    module = home(path("/", handler(work)))
    quiet = await start(module)
    assert (await quiet.get("/", headers=JSON)).json() == {
        "code": 71001,
        "message": "This course is full.",
    }
    loud = await start(module, overrides={"debug": True})
    answer = await loud.get("/", headers=JSON)
    assert (answer.status_code, answer.json()["message"]) == (409, "course 7 has 30 of 30")


async def test_a_bug_shows_its_traceback_in_development_and_nothing_in_production(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(self: BaseHandler) -> None:
        hidden = "<script>sesame</script>"
        raise LookupError(hidden)

    module = home(path("/", handler(work)))
    loud = await start(module, overrides={"debug": True})
    page = await loud.get("/", headers=HTML)
    assert page.status_code == 500
    assert "LookupError" in page.text
    assert "raise LookupError(hidden)" in page.text
    assert "<script>" not in page.text
    quiet = await start(module, environment="production", overrides=PRODUCTION)
    caplog.clear()
    page = await quiet.get("/", headers=HTML)
    assert page.status_code == 500
    assert page.headers["X-Request-ID"] in page.text
    for hidden in ("sesame", "LookupError", "Traceback", "test_base"):
        assert hidden not in page.text
    assert (await quiet.get("/", headers=JSON)).json() == {
        "code": 500,
        "message": "Internal Server Error",
    }
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert len(tracebacks) == 2, "one for each of the two requests"


async def test_every_log_line_of_a_request_has_its_id(
    start: StartSite, caplog: pytest.LogCaptureFixture
) -> None:
    async def work(self: BaseHandler) -> None:
        logging.getLogger("somebody.else").warning("hello")
        self.response_json()

    client = await start(home(path("/", handler(work))))
    caplog.handler.addFilter(RequestIdFilter())
    with caplog.at_level(logging.INFO):
        answer = await client.get("/")
    ids = {
        getattr(record, "request_id", None)
        for record in caplog.records
        if record.name in ("somebody.else", "tornkit.access")
    }
    assert ids == {answer.headers["X-Request-ID"]}
    assert len([record for record in caplog.records if record.name == "tornkit.access"]) == 1


# --- input -------------------------------------------------------------------------------


class Form(BaseModel):
    name: str = Field(min_length=2)
    age: int
    note: str | None = None
    tags: list[str] = []


class Takes(BaseHandler):
    async def post(self) -> None:
        self.response_json(form=self.parse_form(Form))

    async def put(self) -> None:
        self.response_json(form=self.parse_json(Form))

    async def get(self) -> None:
        self.response_json(form=self.parse_query(Form))


async def test_a_form_becomes_a_model(start: StartSite) -> None:
    client = await start(home(path("/", Takes)))
    data = {"name": "Ada", "age": "36", "note": "", "tags": ["a", "b"]}
    expected = {"name": "Ada", "age": 36, "note": None, "tags": ["a", "b"]}
    assert (await client.post("/", data=data)).json()["form"] == expected
    assert (await client.get("/", params={"name": "Ada", "age": 36})).json()["form"]["age"] == 36
    assert (await client.put("/", json=expected)).json()["form"] == expected
    assert (await client.post("/", json=expected)).json()["form"] == expected


async def test_bad_input_is_a_422_with_every_fields_error(start: StartSite) -> None:
    client = await start(home(path("/", Takes)), environment="production", overrides=PRODUCTION)
    answer = await client.post("/", data={"name": "", "age": "x"}, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["code"] == 422
    assert [(error["field"], error["type"]) for error in answer.json()["errors"]] == [
        ("name", "missing"),
        ("age", "int_parsing"),
    ]
    assert set(answer.json()["errors"][0]) == {"field", "message", "type"}


async def test_a_body_that_is_not_json_is_a_400_and_another_type_a_415(start: StartSite) -> None:
    client = await start(home(path("/", Takes)))
    headers = {"Content-Type": "application/json"}
    for body in (b"{", b"\xff", b"[" * 100_000, b""):
        answer = await client.put("/", content=body, headers=headers)
        assert answer.status_code == 400, body[:10]
        assert answer.json()["code"] == 400
    assert (await client.put("/", content=b"[]", headers=headers)).status_code == 422
    assert (await client.put("/", data={"name": "x"})).status_code == 415
    assert (await client.put("/", content=b'{"name": "x"}')).status_code == 415
    bad = b"name=%ff&age=1"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await client.post("/", content=bad, headers=form)).status_code == 400


@pytest.mark.parametrize("name", ["a\0b", "\0", "\\u0000 is not one"])
async def test_a_nul_is_refused_before_a_database_does_it(start: StartSite, name: str) -> None:
    client = await start(home(path("/", Takes)))
    expected = 422 if "\0" in name else 200
    assert (await client.put("/", json={"name": name, "age": 3})).status_code == expected
    headers = {"Accept": "application/json"}
    form = await client.post("/", data={"name": name, "age": "3"}, headers=headers)
    assert form.status_code == expected
    if expected == 422:
        assert [each["field"] for each in form.json()["errors"]] == ["name"]


async def test_a_form_error_keeps_what_was_sent_but_no_password(start: StartSite) -> None:
    class Login(BaseModel):
        email: str
        password: str
        code: int

    class Handler(BaseHandler):
        async def post(self) -> None:
            try:
                self.parse_form(Login)
            except FormError as error:
                self.response_json(error, values=error.values)

    client = await start(home(path("/", Handler)))
    data = {"email": "a@b", "password": "hunter2", "code": "x"}
    answer = await client.post("/", data=data)
    assert answer.json()["values"] == {"email": "a@b", "code": "x"}
    assert "hunter2" not in answer.text


async def test_an_http_errors_reason_is_shown_and_its_log_message_only_in_debug(
    start: StartSite,
) -> None:
    async def work(self: BaseHandler) -> None:
        raise HTTPError(418, "secret detail", reason="Teapot")

    module = home(path("/", handler(work)))
    answer = await (await start(module)).get("/", headers=JSON)
    assert answer.json() == {"code": 418, "message": "Teapot"}
    answer = await (await start(module, overrides={"debug": True})).get("/", headers=JSON)
    assert answer.json()["message"] == "secret detail"


def test_the_debug_json_is_indented_and_unescaped() -> None:
    from tornkit import encoding

    assert json.loads(encoding.encode({"ä": 1}, pretty=True)) == {"ä": 1}
    assert "ä".encode() in encoding.encode({"ä": 1}, pretty=True)


@pytest.mark.parametrize(("environment", "scheme"), [("testing", "http"), ("production", "https")])
async def test_an_absolute_url_is_for_the_host_that_was_asked(
    start: StartSite, environment: str, scheme: str
) -> None:
    async def work(self: BaseHandler) -> None:
        self.response_json(url=self.absolute_url("/account/reset?token=abc"))

    module = home(path("/", handler(work)))
    client = await start(module, environment=environment, overrides=PRODUCTION)
    answer = await client.get("/")
    # In production without a port: whoever asks could name one where they listen themselves.
    host = client.base_url.netloc.decode() if scheme == "http" else client.base_url.host
    assert answer.json()["url"] == f"{scheme}://{host}/account/reset?token=abc"
    poisoned = await client.get("/", headers={"Host": "evil.example"})
    assert poisoned.status_code == 400
