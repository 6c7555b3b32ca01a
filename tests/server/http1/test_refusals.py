"""What is not taken is refused with an answer that says why, and costs little."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
import tornado.web

from tests.server.http1.sites import answer, connected, get, run, serving
from tornkit import _requests
from tornkit.server.http1 import heads

if TYPE_CHECKING:
    from tests.server.http1.sites import Run

__all__ = ["run"]

REFUSED = b"HTTP/1.1 400 Bad Request\r\n\r\n"
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n\r\n"


class Hello(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write("hello")

    def post(self) -> None:
        self.write(str(len(self.request.body)))


HELLO = tornado.web.Application([("/", Hello)])


def post(*headers: str, body: str = "") -> bytes:
    return "\r\n".join(["POST / HTTP/1.1", "Host: a", *headers, "", body]).encode()


CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (post("Transfer-Encoding: identity, chunked", body="0\r\n\r\n"), REFUSED),
        (post("Transfer-Encoding: chunked, identity", body="0\r\n\r\n"), REFUSED),
        (post(CHUNKED, "Content-Length: 5", body="0\r\n\r\n"), REFUSED),
        (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", REFUSED),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", REFUSED),
        (post(CHUNKED, body="1\r\nx\r\n0\r\nX: y\r\n\r\n"), REFUSED),
        (post(CHUNKED, body="0\r\nContent-Length: 40\r\n\r\n"), REFUSED),
        (post(CHUNKED, body="1;" + "a" * 70 + "\r\nx\r\n0\r\n\r\n"), REFUSED),
        (get("/", "X: " + "x" * 2000), TOO_LARGE),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 3000, TOO_LARGE),
        (get("/", "x" * 257 + ": a"), REFUSED),
        (post("Expect: 100-continue", "Content-Length: 101"), REFUSED),
    ],
    ids=[
        *["identity, chunked", "chunked, identity", "chunks and length", "HTTP/2.0", "preface"],
        *["trailer", "forged trailer", "long chunk size", "long head", "head without end"],
        *["long name", "long body expected"],
    ],
)
def test_it_is_refused_in_one_line(run: Run, data: bytes, expected: bytes) -> None:
    async def main() -> None:
        limits = {"max_header_size": 1024, "max_body_size": 100}
        async with serving(HELLO, **limits) as port, connected(port) as (reader, writer):
            writer.write(data)
            assert await reader.read() == expected

    run(main())


def test_an_upgrade_that_nobody_offers_is_an_ordinary_request(run: Run) -> None:
    async def main() -> None:
        async with serving(HELLO) as port, connected(port) as (reader, writer):
            for _ in range(2):
                writer.write(get("/", "Connection: Upgrade", "Upgrade: h2c"))
                assert (await answer(reader)).endswith(b"hello")
                writer.write(
                    post("Connection: upgrade", "Upgrade: x", "Content-Length: 3", body="abc")
                )
                assert (await answer(reader)).endswith(b"\r\n\r\n3")

    run(main())


def test_a_head_may_have_all_the_bytes_of_its_limit(run: Run) -> None:
    async def main() -> None:
        async with (
            serving(HELLO, max_header_size=1024) as port,
            connected(port) as (reader, writer),
        ):
            head = get("/", "X: " + "x" * (1024 - len(get("/", "X: "))))
            assert len(head) == 1024
            writer.write(head)
            assert (await answer(reader)).endswith(b"hello")

    run(main())


def test_many_equal_headers_are_read_in_linear_time() -> None:
    data = b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 16_000 + b"\r\n"
    begin = time.process_time()
    found = heads.HeadReader().read(data, 65536)
    assert time.process_time() - begin < 0.1
    assert found is not None
    assert found[2].get_list("A") == [""] * 16_000


def test_what_a_stranger_makes_us_remember_is_small() -> None:
    reader = heads.HeadReader()
    line = b"GET / HTTP/1.1\r\n"
    assert reader.read(line + b"".join(b"%x: 1\r\n" % n for n in range(200)) + b"\r\n", 65536)
    assert (reader._lines, reader._fields) == (b"", {})  # while the connection is idle
    assert reader.read(line + b"X: " + b"x" * 5000 + b"\r\n\r\n", 65536)
    assert (reader._lines, reader._fields) == (b"", {})


def test_long_hosts_are_not_remembered(run: Run) -> None:
    async def main() -> None:
        async with serving(HELLO) as port, connected(port) as (reader, writer):
            writer.write(get())
            await answer(reader)
            before = _requests._name_of.cache_info().currsize
            for number in range(3):
                writer.write(f"GET / HTTP/1.1\r\nHost: {number}{'a' * 9000}\r\n\r\n".encode())
                assert (await answer(reader)).endswith(b"hello")
            assert _requests._name_of.cache_info().currsize == before

    run(main())


def test_many_requests_in_one_packet_keep_nobody_waiting(run: Run) -> None:
    async def main() -> None:
        async with (
            serving(HELLO) as port,
            connected(port) as (reader, writer),
            connected(port) as (other_reader, other_writer),
        ):
            writer.write(get() * 500)
            other_writer.write(get())
            task = asyncio.create_task(answer(other_reader))
            first = 0
            while not task.done():
                await asyncio.sleep(0)
                first += 1
            assert first < 100
            for _ in range(500):
                await answer(reader)

    run(main())
