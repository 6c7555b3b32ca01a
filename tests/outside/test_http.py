"""A hostile stranger asks a generated site; nothing makes it fail, and nothing lets them in."""

from __future__ import annotations

import json
import statistics
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

if TYPE_CHECKING:
    from tests.outside.wire import Answer, Wire

pytestmark = pytest.mark.slow  # real commands, raw sockets

PASSWORD = "correct horse battery"
SIGN_IN = "/account/login"
IS_SIGNED_IN = "/account/is-signed-in"
JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")


@pytest.fixture(scope="session")
def member(site: Wire) -> str:
    """Register somebody and return the address."""
    answer = site.post("/account/register", {"email": "ada@example.org", "password": PASSWORD})
    assert answer.status == 303
    return "ada@example.org"


def sign_in(site: Wire, email: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    return site.post(SIGN_IN, {"email": email, "password": PASSWORD}, headers)


def knows(site: Wire, cookie: str) -> bool:
    answer = site.ask("GET", IS_SIGNED_IN, (("Cookie", cookie),))
    assert answer.status == 200
    return json.loads(answer.body)["signed_in"] is True


def test_signing_in_gives_another_id_whatever_was_brought_along(site: Wire, member: str) -> None:
    """Session fixation: neither a made-up nor a living id survives a sign-in."""
    first = sign_in(site, member, (("Cookie", f"school_session={'A' * 43}"),)).cookie
    assert first.startswith("school_session=")
    assert "A" * 43 not in first
    second = sign_in(site, member, (("Cookie", first),)).cookie
    assert second
    assert second != first
    assert knows(site, second)
    assert not knows(site, first)


@pytest.mark.parametrize(
    "value",
    ["x" * 43, "", "y" * 10240, "\xe9\xff", "%00%0d%0a", "=====", ";;;=", '"', "../../etc", "\t"],
)
def test_a_made_up_cookie_is_nobody_and_is_never_adopted(site: Wire, value: str) -> None:
    cookie = ("Cookie", f"school_session={value}")
    assert not knows(site, cookie[1])
    assert value[:20] not in site.ask("GET", SIGN_IN, (cookie,)).header("Set-Cookie") or not value


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text + "=", str.swapcase])
def test_an_altered_id_is_nobody(site: Wire, member: str, change: object) -> None:
    name, _, value = sign_in(site, member).cookie.partition("=")
    assert knows(site, f"{name}={value}")
    assert callable(change)
    assert not knows(site, f"{name}={change(value)}")


@pytest.mark.parametrize(
    "target",
    [
        *(
            "//evil",
            "/\\evil",
            "\\\\evil",
            "%2F%2Fevil",
            "/%2F/evil",
            "javascript:alert(1)",
            "///evil",
        ),
        *("https://evil", "http:evil", "/\t/evil", "\t//evil", " //evil", "/\n/evil", "/.//evil"),
        *("/..//evil", "/\r\nSet-Cookie: x=y", "\x01//evil", "data:,x", "/" + "a" * 5000),
    ],
)
def test_next_leads_nowhere_else(site: Wire, member: str, target: str) -> None:
    fields = {"email": member, "password": PASSWORD, "next": target}
    answer = site.post(SIGN_IN, fields)
    assert (answer.status, answer.header("Location")) == (303, "/")
    assert "x=y" not in answer.header("Set-Cookie")
    assert "evil" not in site.ask("GET", f"{SIGN_IN}?{urlencode({'next': target})}").body


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"&&&=&=;;",
            b"email=a%00b@x.y&password=x",
            b"email=a%0d%0ab@x.y&password=12345678",
        ),
        *(b"email=%ff%fe&password=%80", b"email=\xff&password=\xfe", b"email[]=a&password[]=b"),
        *(b"email=%ED%A0%80@a.b&password=12345678", b"email=a@b.c&password=" + b"b" * 300_000),
        b"&".join(b"f%d=1" % number for number in range(5000)),
    ],
)
@pytest.mark.parametrize("page", ["login", "register"])
def test_a_bad_form_is_the_senders_fault(site: Wire, page: str, body: bytes) -> None:
    assert site.ask("POST", f"/account/{page}", (FORM,), body).status in {400, 422}


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b"{",
            b"[]",
            b"null",
            b"[" * 100_000,
            b'{"a":' * 50_000,
            b"1" * 6000,
            b'{"email":NaN}',
        ),
        *(b'{"email":"\xff"}', b'{"email":"\\ud800","password":"x"}', b'{"email":{"a":1}}'),
    ],
)
def test_bad_json_is_the_senders_fault(site: Wire, body: bytes) -> None:
    assert site.ask("POST", SIGN_IN, (JSON,), body).status in {400, 422}


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=a", b"--b\r\n\r\nx\r\n--b--"),
        ("multipart/form-data; boundary=a", b"--a\r\nContent-Disposition: form-data\r\n\r\nx"),
        ("multipart/form-data; boundary=" + "z" * 5000, b"x"),
        ("text/plain", b"email=a"),
        ("a/b/c;;;=\xff", b"x"),
    ],
)
def test_a_bad_body_is_the_senders_fault(site: Wire, kind: str, body: bytes) -> None:
    assert site.ask("POST", SIGN_IN, (("Content-Type", kind),), body).status in {400, 422}


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("Content-Length: 99999999", 413),
        ("Content-Length: -5", 400),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Bad Header", 400),
        ("X: a\0b", 400),
        (" : x", 400),
    ],
)
def test_a_body_that_may_not_come_is_refused_before_it_does(
    site: Wire, head: str, status: int
) -> None:
    start = f"POST {SIGN_IN} HTTP/1.1\r\nHost: {site.host}\r\n{head}\r\n\r\n"
    assert site.send(start.encode()).status == status


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *(
            ("/%ff", 404),
            ("/%00", 404),
            ("/\xff", 404),
            ("/%0d%0aX:y", 404),
            ("/../../etc/passwd", 404),
        ),
        *(("/?%ff=%fe", 200), (f"{SIGN_IN}?next=%ff", 400), ("//teacher/", 404), ("*", 404)),
        *(("/static/../settings.toml", 403), ("/static/..%2f..%2fsettings.toml", 403)),
        *(("/static/%2e%2e/settings.py", 403), ("/static//etc/passwd", 403), ("/static/", 404)),
        *(("/static/a%00b", 404), ("/static/%ff", 404), ("/static/teacher/..%5c..%5cx", 404)),
        ("/" + "a" * 60_000, 404),
        ("/static/" + "a" * 5_000, 404),
    ],
)
def test_a_strange_path_finds_nothing(site: Wire, path: str, status: int) -> None:
    assert site.ask("GET", path).status == status


@pytest.mark.parametrize("path", ["/", SIGN_IN, "/static/style.css", IS_SIGNED_IN, "/health/live"])
def test_every_page_answers_head_options_and_refuses_the_rest(site: Wire, path: str) -> None:
    head = site.ask("HEAD", path)
    assert (head.status, head.body) == (200, "")
    options = site.ask("OPTIONS", path)
    assert options.status == 204
    for method in ("DELETE", "TRACE", "CONNECT", "FOO", "get"):
        refused = site.ask(method, path)
        assert (refused.status, refused.header("Allow")) == (405, options.header("Allow"))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH"])
def test_the_door_stands_before_every_method(site: Wire, method: str) -> None:
    answer = site.ask(method, "/teacher/", (("Accept", "application/json"),))
    assert answer.status == 401
    page = site.ask(method, "/teacher/")
    assert page.status == (302 if method in {"GET", "HEAD"} else 303)


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "", "127.0.0.1@evil", "127.0.0.1, evil", "[::1", "a b", "\xe9", "../x"),
        *("127.0.0.1:99999", "127.0.0.1:abc", "user:pw@127.0.0.1", "a" * 300),
    ],
)
def test_a_host_that_is_not_ours_gets_nothing(site: Wire, host: str) -> None:
    assert site.ask("GET", "/", (("Host", host),)).status == 400


@pytest.mark.parametrize(
    "header",
    [
        *(
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
            ("Sec-Fetch-Site", "?"),
        ),
        *(("Origin", "http://evil"), ("Origin", "null"), ("Origin", "junk")),
    ],
)
def test_another_site_cannot_post(site: Wire, member: str, header: tuple[str, str]) -> None:
    answer = sign_in(site, member, (header,))
    assert (answer.status, answer.cookie) == (403, "")
    cookie = sign_in(site, member).cookie
    assert site.post("/account/logout", b"", (header, ("Cookie", cookie))).status == 403
    assert knows(site, cookie)


@pytest.mark.parametrize("given", ["a\tb<script>", "z" * 500, "\xff"])
def test_a_request_id_that_a_stranger_brings_is_not_ours(site: Wire, given: str) -> None:
    answer = site.ask("GET", "/", (("X-Request-ID", given),))
    assert given not in answer.header("X-Request-ID")
    assert answer.header("X-Request-ID").isalnum()


def test_a_stranger_is_one_line_and_no_log_holds_a_password(site: Wire, member: str) -> None:
    sign_in(site, member)
    site.post(SIGN_IN, {"email": member, "password": "not the right word"})
    site.ask("GET", "/teacher/?at=the-door")
    site.ask("GET", "/?the=end")
    site.running.wait_for(r"/\?the=end 200")
    text = site.running.text
    door = [line for line in text.splitlines() if "at=the-door" in line]
    assert len(door) == 1
    assert " INFO " in door[0]
    assert "Traceback" not in text
    assert "'password': '***'" in text
    assert not any(
        word in text for word in (PASSWORD, "correct+horse", "not the right word", "argon2id$")
    )


def test_in_production_a_failure_shows_its_id_and_nothing_else(production: Wire) -> None:
    page = production.ask("GET", "/boom/")
    data = production.ask("GET", "/boom/", (("Accept", "application/json"),))
    for answer in (page, data):
        assert answer.status == 500
        assert answer.header("X-Request-ID")
        assert not any(word in answer.body for word in ("RuntimeError", "only the log", "File "))
    assert page.header("X-Request-ID") in page.body
    assert json.loads(data.body) == {"code": 500, "message": "Internal Server Error"}
    number = data.header("X-Request-ID")
    production.running.wait_for(rf"{number}\] GET /boom/ 500")
    lines = production.running.text.splitlines()
    assert sum("RuntimeError: what only the log may know" in line for line in lines) == 2


def test_in_production_the_cookie_is_bound_to_the_host(production: Wire) -> None:
    fields = {"email": "prod@example.org", "password": PASSWORD}
    given = production.post("/account/register", fields).header("Set-Cookie")
    assert given.startswith("__Host-school_session=")
    for word in ("HttpOnly", "Path=/", "SameSite=Lax", "Secure"):
        assert word in given
    assert "Domain" not in given


@pytest.mark.slow
def test_an_unknown_address_takes_the_time_of_a_wrong_password(site: Wire, member: str) -> None:
    taken: dict[str, list[float]] = {"unknown": [], "wrong": []}
    for number in range(9):  # a tenth try for one account would be put off
        for kind, email in (("unknown", f"nobody{number}@example.org"), ("wrong", member)):
            start = time.perf_counter()
            answer = site.post(SIGN_IN, {"email": email, "password": f"another word {number}"})
            taken[kind].append(time.perf_counter() - start)
            assert answer.status == 422
    unknown, wrong = (statistics.median(taken[kind]) for kind in ("unknown", "wrong"))
    assert abs(unknown - wrong) < 0.25 * wrong
