"""Who a request comes from: what proxies of ours say counts, what strangers say does not."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from typing import TYPE_CHECKING, Any, Literal

import pytest
import tornado.web
from hypothesis import given
from hypothesis import strategies as st

from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.cli._serve import _options
from tornkit.errors import SettingsError
from tornkit.server import Options, bind, start
from tornkit.server.proxies import Client, TrustedProxies, client_of, plain_address

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

PROXIES = TrustedProxies.parse(["10.0.0.0/8", "2001:db8:1::/48", "127.0.0.1"])
PEER = Client("10.0.0.1", "http")


def address(forwarded_for: Sequence[str], peer: str = "10.0.0.1") -> str:
    return client_of(Client(peer, "http"), forwarded_for, (), PROXIES).address


def protocol(forwarded_proto: Sequence[str], peer: str = "10.0.0.1") -> str:
    return client_of(Client(peer, "http"), (), forwarded_proto, PROXIES).protocol


# --- the rule --------------------------------------------------------------------------------


def test_without_trusted_proxies_nobody_is_believed() -> None:
    for peer in ("127.0.0.1", "10.0.0.1", "::1", ""):
        client = client_of(Client(peer, "http"), ["1.2.3.4"], ["https"])
        assert client == Client(peer, "http")


@pytest.mark.parametrize(
    "peer", ["192.0.2.1", "11.0.0.1", "::1", "2001:db8:2::1", "::ffff:11.0.0.1"]
)
def test_a_stranger_is_not_believed(peer: str) -> None:
    client = client_of(Client(peer, "http"), ["1.2.3.4"], ["https"], PROXIES)
    assert client == Client(plain_address(peer) or "", "http")


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8:1::9", "127.0.0.1"])
def test_a_trusted_proxy_is(peer: str) -> None:
    client = client_of(Client(peer, "http"), ["1.2.3.4"], ["https"], PROXIES)
    assert client == Client("1.2.3.4", "https")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], "10.0.0.1"),
        (["192.0.2.7"], "192.0.2.7"),
        (["6.6.6.6, 192.0.2.7"], "192.0.2.7"),  # the visitor sent the left one
        (["6.6.6.6", "192.0.2.7"], "192.0.2.7"),  # two headers are one
        (["192.0.2.7", "6.6.6.6"], "6.6.6.6"),
        (["6.6.6.6, 192.0.2.7, 10.0.0.3", "10.0.0.2"], "192.0.2.7"),
        (["192.0.2.7,10.0.0.3 ,\t10.0.0.2"], "192.0.2.7"),
        (["10.0.0.9, 10.0.0.8"], "10.0.0.9"),  # somebody inside asked
        (["10.0.0.9, 6.6.6.6, 10.0.0.8"], "6.6.6.6"),
        (["2001:DB8:0::7"], "2001:db8::7"),
        (["::ffff:192.0.2.7"], "192.0.2.7"),
        (["192.0.2.7:8080, ::ffff:10.0.0.4"], "192.0.2.7"),
        (["[2001:db8::7]:8080"], "2001:db8::7"),
        (["[2001:db8::7]"], "2001:db8::7"),
        (["fe80::7%eth0"], "fe80::7"),
    ],
)
def test_the_first_stranger_from_the_right_is_the_client(
    headers: list[str], expected: str
) -> None:
    assert address(headers) == expected


@pytest.mark.parametrize(
    "junk",
    [
        *("", " ", "unknown", "_hidden", "localhost", "1.2.3", "1.2.3.4.5", "256.1.1.1"),
        *("1.2.3.4 5.6.7.8", "1.2.3.4;5", "'1.2.3.4'", '"1.2.3.4"', "0x7f.1", "010.0.0.1"),
        *("[::1", "::1]", "[::1]x", "[::1]:x", "1.2.3.4:x", "1.2.3.4:5:6", "for=1.2.3.4"),
        *(
            "-",
            "\x00",
            "<script>",
            "\xff",
            "\u0661.2.3.4",
            "1.2.3.4:",
            "[::1]:",
            "10.0.0.0/8",
            "unix:",
            "1.2.3.4:²",
        ),
    ],
    ids=ascii,
)
def test_what_is_no_address_ends_the_walk(junk: str) -> None:
    assert address([junk]) == "10.0.0.1"
    assert address([f"6.6.6.6, {junk}"]) == "10.0.0.1"
    assert address([f"6.6.6.6, {junk}, 10.0.0.5"]) == "10.0.0.5"
    assert address([f"{junk}, 192.0.2.7"]) == "192.0.2.7"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], "http"),
        (["https"], "https"),
        (["HTTPS"], "https"),
        (["http, https"], "https"),
        (["https, http"], "http"),
        (["http", "https"], "https"),
        (["https", "http"], "http"),
        *[([junk], "http") for junk in ("", "ws", "https:", "javascript", "https;", "https ,")],
    ],
)
def test_the_rightmost_protocol_counts_and_only_http_and_https(
    headers: list[str], expected: str
) -> None:
    assert protocol(headers) == expected
    assert protocol(headers, "192.0.2.1") == "http"


def test_the_peers_of_a_unix_socket_are_trusted_by_their_own_entry_only() -> None:
    peer = Client("", "http")
    everybody = TrustedProxies.parse(["0.0.0.0/0", "::/0"])
    assert client_of(peer, ["1.2.3.4"], ["https"], everybody) == peer
    unix = TrustedProxies.parse(["unix"])
    assert client_of(peer, ["1.2.3.4"], ["https"], unix) == Client("1.2.3.4", "https")
    assert client_of(PEER, ["1.2.3.4"], ["https"], unix) == PEER


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("::ffff:10.0.0.0/104", "10.255.0.1", "11.0.0.1"),
        ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ("::ffff:0:0/96", "192.0.2.1", "2001:db8::1"),
        ("::/0", "2001:db8::1", "192.0.2.1"),
    ],
)
def test_ipv4_within_ipv6_is_ipv4(entry: str, inside: str, outside: str) -> None:
    trusted = TrustedProxies.parse([entry])
    assert (trusted.trusts(inside), trusted.trusts(outside)) == (True, False)


ADDRESSES = st.one_of(st.ip_addresses().map(str), st.text(max_size=20))


@given(st.lists(st.lists(ADDRESSES, max_size=4).map(",".join), max_size=3), ADDRESSES)
def test_a_visitor_cannot_change_who_the_nearest_proxy_saw(claims: list[str], more: str) -> None:
    assert address([*claims, "192.0.2.7"]) == "192.0.2.7"
    assert address([*claims, f"{more}, 192.0.2.7, 10.0.0.2"]) == "192.0.2.7"
    found = address(claims)
    assert plain_address(found) == found


@pytest.mark.parametrize("entry", ["proxy.example", "10.0.0.1/8", "*", "", "unix:/run/x", "UNIX"])
def test_a_setting_that_is_no_network_is_refused(tmp_path: Path, entry: str) -> None:
    (tmp_path / "settings.toml").write_text(f'[server]\ntrusted_proxies = ["{entry}"]\n')
    with pytest.raises(SettingsError) as refused:
        Settings.load("testing", project_dir=tmp_path)
    assert "10.0.0.0/8, or unix" in str(refused.value)


def test_run_hands_the_setting_over_and_trusts_nobody_without_it(tmp_path: Path) -> None:
    def options(**overrides: Any) -> Options:
        return _options(Settings.load("testing", project_dir=tmp_path, overrides=overrides))

    assert options().trusted_proxies == Options().trusted_proxies or not options().trusted_proxies
    given = ["127.0.0.1", "10.0.0.0/8", "::1", "unix"]
    assert list(options(**{"server.trusted_proxies": given}).trusted_proxies) == given


# --- on the wire -----------------------------------------------------------------------------


class Who(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write({"ip": self.request.remote_ip, "protocol": self.request.protocol})


SERVER: list[Literal["tornkit", "tornado"]] = ["tornado"]


@pytest.fixture(params=["tornkit", "tornado"])
def each_server(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a test run on our HTTP server and on Tornado's."""
    SERVER[0] = request.param
    yield
    SERVER[0] = "tornado"


@contextlib.asynccontextmanager
async def serving(*trusted: str, unix: Path | None = None) -> AsyncIterator[Any]:
    """Yield where a server listens, whose handler tells who asked."""
    application = tornado.web.Application([("/", Who)])
    if unix is None:
        sockets = bind("127.0.0.1", 0)
    else:
        sockets = [socket.socket(socket.AF_UNIX)]
        sockets[0].bind(str(unix))
        sockets[0].listen()
        sockets[0].setblocking(False)
    server = start(application, sockets, Options(trusted_proxies=trusted, engine=SERVER[0]))
    try:
        yield sockets[0].getsockname()
    finally:
        await server.drain(1)


async def connect(where: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(where, str):
        return await asyncio.open_unix_connection(where)
    return await asyncio.open_connection(*where)


async def ask(
    streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], *headers: str
) -> dict[str, str]:
    reader, writer = streams
    lines = ["GET / HTTP/1.1", "Host: localhost", *headers, "", ""]
    writer.write("\r\n".join(lines).encode("latin-1"))
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = int(head.lower().partition("content-length:")[2].partition("\r\n")[0])
    answer: dict[str, str] = json.loads(await reader.readexactly(length))
    return answer


@contextlib.asynccontextmanager
async def asking(where: Any) -> AsyncIterator[Any]:
    streams = await connect(where)
    try:
        yield lambda *headers: ask(streams, *headers)
    finally:
        streams[1].close()
        await streams[1].wait_closed()


LIES = (
    "X-Forwarded-For: 1.2.3.4",
    "X-Forwarded-Proto: https",
    "X-Real-Ip: 1.2.3.4",
    "X-Scheme: https",
    "Forwarded: for=1.2.3.4;proto=https",
    "X-Forwarded-Host: evil.example",
)


async def test_a_site_trusts_nobody_by_default() -> None:
    async with serving() as where, asking(where) as get:
        assert await get(*LIES) == {"ip": "127.0.0.1", "protocol": "http"}


@pytest.mark.usefixtures("each_server")
async def test_from_a_proxy_only_two_headers_count() -> None:
    async with serving("127.0.0.1") as where, asking(where) as get:
        assert await get(*LIES[2:]) == {"ip": "127.0.0.1", "protocol": "http"}
        assert await get(*LIES) == {"ip": "1.2.3.4", "protocol": "https"}


@pytest.mark.usefixtures("each_server")
async def test_duplicated_headers_are_read_as_one_list() -> None:
    async with serving("127.0.0.1", "10.0.0.0/8") as where, asking(where) as get:
        answer = await get(
            "x-forwarded-for: 6.6.6.6",
            "X-Forwarded-Proto: http",
            "X-FORWARDED-FOR: 192.0.2.7, 10.0.0.9",
            "X-Forwarded-Proto: https",
        )
    assert answer == {"ip": "192.0.2.7", "protocol": "https"}


@pytest.mark.usefixtures("each_server")
async def test_one_visitor_of_a_kept_connection_is_not_taken_for_the_next() -> None:
    async with serving("127.0.0.1") as where, asking(where) as get:
        assert (await get("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https"))["ip"]
        assert await get() == {"ip": "127.0.0.1", "protocol": "http"}
        assert (await get("X-Forwarded-For: 192.0.2.8"))["ip"] == "192.0.2.8"


@pytest.mark.parametrize(("trusted", "expected"), [("unix", "192.0.2.7"), ("::/0", "0.0.0.0")])
async def test_a_proxy_behind_a_unix_socket(tmp_path: Path, trusted: str, expected: str) -> None:
    async with serving(trusted, unix=tmp_path / "s") as where, asking(where) as get:
        assert (await get("X-Forwarded-For: 192.0.2.7"))["ip"] == expected
        assert (await get())["ip"] == "0.0.0.0"


class Visit(BaseHandler):
    async def get(self) -> None:
        self.session["seen"] = True
        self.response_json(ip=self.request.remote_ip, protocol=self.request.protocol)


async def test_handlers_and_the_access_log_of_a_site_see_the_client(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = Settings.load(
        "testing",
        project_dir=tmp_path,
        overrides={"session.store": "memory://", "server.trusted_proxies": ["127.0.0.1"]},
    )
    module = Module(name="home", access=PUBLIC, routes=[path("/", Visit)])
    caplog.set_level(logging.INFO, "tornkit.access")
    async with Application(settings, modules=[module]) as application:
        sockets = bind("127.0.0.1", 0)
        server = start(application, sockets, _options(settings))
        async with asking(sockets[0].getsockname()) as get:
            answer = await get("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https")
        await server.drain(1)
    assert (answer["ip"], answer["protocol"]) == ("192.0.2.7", "https")
    assert caplog.messages[-1].endswith(" 192.0.2.7")
