"""Look at one answer of a contender before it is measured: nobody measures an error page.

Each check takes a site and returns the request that is measured.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from tests.benchmarks.contenders import common
from tests.benchmarks.harness.asking import Answer, Request
from tests.benchmarks.harness.errors import LeftOutError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.benchmarks.harness.site import Site

__all__ = [
    "check_file",
    "check_form",
    "check_full",
    "check_hello",
    "check_item",
    "check_list",
    "check_page",
    "download",
    "upload",
]

_LOG_PATIENCE = 3.0  # seconds in which a request's line has to be in the file
_FULL = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "strict-transport-security": "max-age=31536000",
}
_WITHOUT_FULL = ("tornado", "tornado-run")  # they are what the others are compared with
_FIELDS = {
    "name": "Ann Müller-Lee",
    "email": "ann@school.example",
    "age": "17",
    "born": "2009-02-03",
    "newsletter": "true",
}


def check_hello(site: Site) -> Request:
    request = Request()
    _expect_json(site.ask(request), common.HELLO)
    return request


def check_full(site: Site) -> Request:
    """See that ids differ, that all headers are there, and that the log names the request."""
    request = check_hello(site)
    if site.entry.contender in _WITHOUT_FULL:
        return request
    ids = []
    for _ in range(2):
        answer = site.ask(request)
        for name, value in _FULL.items():
            _expect(f"header {name}", answer.headers.get(name), value)
        ids.append(answer.headers.get("x-request-id", ""))
    if "" in ids or ids[0] == ids[1]:
        raise LeftOutError(f"answers with the request ids {ids}, expected two that differ")
    _wait_for_line(site.folder / "log" / "site.log", ids[0])
    return request


def _wait_for_line(log: Path, identity: str) -> None:
    line = re.compile(rf"\[{re.escape(identity)}\] GET / 200 [\d.]+ ms {common.HOST}\n")
    deadline = time.monotonic() + _LOG_PATIENCE
    while not (log.is_file() and line.search(log.read_text("utf-8"))):
        if time.monotonic() > deadline:
            raise LeftOutError(f"writes no line of request {identity} to log/site.log")
        time.sleep(0.02)


def check_page(site: Site) -> Request:
    """See that the page knows who has signed in, and nobody else."""
    cookie = site.ask(Request("/login")).headers.get("set-cookie", "").partition(";")[0]
    if not cookie:
        raise LeftOutError("sets no cookie at /login")
    request = Request().with_headers(cookie=cookie)
    page = _text(site.ask(request))
    _expect("rows of the table", page.count("<tr><td>"), len(common.TABLE))
    for part in ("<b>Ada &lt;Lovelace&gt;</b>, 3 visits", "Student &lt;10&gt; &amp; Friends"):
        if part not in page:
            raise LeftOutError(f"the page lacks {part!r}")
    name, _, value = cookie.partition("=")
    forged = f"{name}={value[:9]}{'A' if value[9] != 'A' else 'B'}{value[10:]}"
    for stranger in (Request(), Request().with_headers(cookie=forged)):
        if "<b>nobody</b>, 0 visits" not in _text(site.ask(stranger)):
            raise LeftOutError("the page takes a stranger for somebody")
    return request


def check_list(site: Site) -> Request:
    request = Request()
    rows = [row.plain() for row in common.ROWS]
    _expect_json(site.ask(request), {**common.OK, "rows": rows})
    return request


def check_form(site: Site) -> Request:
    """See that good fields come back with their types, and that bad ones are refused."""
    expected = common.Enrolment.model_validate(_FIELDS).plain()
    request = _form(_FIELDS)
    _expect_json(site.ask(request), expected)
    refused = site.ask(_form({**_FIELDS, "age": "five"})).status
    if refused not in (400, 422):
        raise LeftOutError(f"answers {refused} to a bad form, expected 422 or 400")
    return request


def download(path: str, content: bytes) -> Any:
    """Return a check that the answer at ``path`` is ``content``."""

    def check(site: Site) -> Request:
        request = Request(path)
        answer = site.ask(request)
        _expect("status", answer.status, 200)
        if answer.body != content:
            raise LeftOutError(f"sends other {len(answer.body)} bytes than the {len(content)}")
        return request

    return check


def upload(content: bytes) -> Any:
    """Return a check that ``content`` arrives as a whole."""

    def check(site: Site) -> Request:
        request = Request("/", "POST", body=content)
        request = request.with_headers(content_type="application/octet-stream")
        _expect_json(site.ask(request), {**common.OK, "size": len(content)})
        return request

    return check


def check_item(site: Site) -> Request:
    last = (site.entry.routes or common.ROUTES) - 1
    request = Request(f"/{common.part(last)}/item/7")
    _expect_json(site.ask(request), {**common.OK, "number": 7})
    return request


def check_file(site: Site) -> Request:
    request: Request = download("/static/style.css", (common.STATIC / "style.css").read_bytes())(
        site
    )
    return request


def _form(fields: dict[str, str]) -> Request:
    request = Request("/", "POST", body=urlencode(fields).encode())
    return request.with_headers(content_type="application/x-www-form-urlencoded")


def _text(answer: Answer) -> str:
    _expect("status", answer.status, 200)
    kind = answer.headers.get("content-type", "")
    _expect("type", kind.partition(";")[0], "text/html")
    return answer.body.decode("utf-8", "replace")


def _expect_json(answer: Answer, content: Any) -> None:
    _expect("status", answer.status, 200)
    _expect("JSON", answer.json(), content)


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise LeftOutError(f"answers with {what} {_short(found)}, expected {_short(expected)}")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
