"""A connection holds its limits, waits for who is slow, and ends politely."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import TYPE_CHECKING

import pytest
import tornado.web
from tornado.httputil import HTTPMessageDelegate, HTTPServerConnectionDelegate

from tests.server.http1.sites import answer, connected, get, run, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.server.http1.sites import Run

__all__ = ["run"]

MEGABYTE = 1024 * 1024


class Hello(tornado.web.RequestHandler):
    def get(self) -> None:
        self.write("hello")

    def post(self) -> None:
        self.write(str(len(self.request.body)))


HELLO = tornado.web.Application([("/", Hello)])


async def send_what_fits(client: socket.socket, data: bytes) -> int:
    """Send until nothing more is taken for a while; return how much was."""
    loop = asyncio.get_running_loop()
    sent = 0
    while sent < len(data):
        try:
            sent += client.send(data[sent : sent + 65536])
        except BlockingIOError:
            writable = loop.create_future()
            loop.add_writer(client, lambda f=writable: f.done() or f.set_result(None))  # type: ignore[misc]
            try:
                await asyncio.wait_for(writable, 0.15)
            except TimeoutError:
                break
            finally:
                loop.remove_writer(client)
    return sent


@pytest.mark.slow
def test_reading_pauses_while_the_handler_deals_with_a_piece(run: Run) -> None:
    async def main() -> None:
        go, got = asyncio.Event(), []

        @tornado.web.stream_request_body
        class Upload(tornado.web.RequestHandler):
            async def data_received(self, chunk: bytes) -> None:
                got.append(len(chunk))
                await go.wait()

            def put(self) -> None:
                self.write(str(sum(got)))

        size = 40 * MEGABYTE
        body = bytes(size)
        site = tornado.web.Application([("/", Upload)])
        async with serving(site, max_body_size=size) as port:
            with socket.socket() as client:
                client.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(client, ("127.0.0.1", port))
                head = f"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
                await loop.sock_sendall(client, head.encode())
                sent = await send_what_fits(client, body)
                assert sent < 20 * MEGABYTE  # what the kernel holds
                assert len(got) == 1
                go.set()
                await loop.sock_sendall(client, memoryview(body)[sent:])
                assert (await loop.sock_recv(client, 4096)).endswith(str(size).encode())

    run(main())


@pytest.mark.slow
def test_flush_waits_for_a_client_that_does_not_read(run: Run) -> None:
    async def main() -> None:
        flushed = 0

        class Download(tornado.web.RequestHandler):
            async def get(self) -> None:
                nonlocal flushed
                for _ in range(40):
                    self.write(bytes(MEGABYTE))
                    await self.flush()
                    flushed += 1

        async with (
            serving(tornado.web.Application([("/", Download)])) as port,
            connected(port, limit=65536) as (reader, writer),
        ):
            writer.write(get())
            await reader.readuntil(b"\r\n\r\n")
            before = -1
            while before < flushed:
                before = flushed
                await asyncio.sleep(0.1)
            assert flushed < 20
            total = 0
            while not (piece := await reader.read(65536)).endswith(b"\r\n0\r\n\r\n"):
                total += len(piece)
            assert total + len(piece) > 40 * MEGABYTE

    run(main())


@pytest.mark.slow
def test_no_further_request_is_answered_until_the_last_answer_is_taken(run: Run) -> None:
    async def main() -> None:
        asked = 0

        class Large(tornado.web.RequestHandler):
            def get(self) -> None:
                nonlocal asked
                asked += 1
                self.write(bytes(8 * MEGABYTE))

        async with (
            serving(tornado.web.Application([("/", Large)])) as port,
            connected(port, limit=65536) as (reader, writer),
        ):
            for _ in range(10):
                writer.write(get())
                await writer.drain()
                await asyncio.sleep(0.01)
            assert asked < 4
            for _ in range(10):
                head = await reader.readuntil(b"\r\n\r\n")
                assert b"200 OK" in head
                await reader.readexactly(8 * MEGABYTE)
            assert asked == 10

    run(main())


def test_a_handler_learns_that_its_client_has_gone(run: Run) -> None:
    async def main() -> None:
        began, gone = asyncio.Event(), asyncio.Event()

        class Slow(tornado.web.RequestHandler):
            async def get(self) -> None:
                began.set()
                await gone.wait()

            def on_connection_close(self) -> None:
                gone.set()

        async with (
            serving(tornado.web.Application([("/", Slow)])) as port,
            connected(port) as (_, writer),
        ):
            writer.write(get())
            await began.wait()
            writer.close()
            await gone.wait()

    run(main())


def test_an_answer_given_before_the_body_was_read_arrives_whole(run: Run) -> None:
    async def main() -> None:
        @tornado.web.stream_request_body
        class Refuse(tornado.web.RequestHandler):
            def prepare(self) -> None:
                self.set_status(403)
                self.finish("no")

            def data_received(self, chunk: bytes) -> None:
                raise AssertionError

        async with (
            serving(tornado.web.Application([("/", Refuse)])) as port,
            connected(port) as (reader, writer),
        ):
            writer.write(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n")
            writer.write(bytes(5 * MEGABYTE))
            assert (await answer(reader)).endswith(b"no")
            assert await reader.read() == b""
            writer.write(bytes(MEGABYTE))  # would be answered with a reset if nobody read it
            await writer.drain()

    run(main())


def test_who_sends_without_end_after_the_answer_is_cut_off(run: Run) -> None:
    async def main() -> None:
        async with (
            serving(HELLO, max_body_size=10) as port,
            connected(port) as (reader, writer),
        ):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n")
            assert await reader.read() == b"HTTP/1.1 400 Bad Request\r\n\r\n"
            lost = False
            for _ in range(64):
                writer.write(bytes(MEGABYTE))
                try:
                    await writer.drain()
                except ConnectionError:
                    lost = True
                    break
            assert lost

    run(main())


def test_requests_that_came_before_the_end_of_input_are_answered(run: Run) -> None:
    async def main() -> None:
        async with serving(HELLO) as port, connected(port) as (reader, writer):
            writer.write(get() * 5)
            writer.write_eof()
            assert (await reader.read()).count(b"hello") == 5

    run(main())


def test_a_request_may_come_byte_by_byte(run: Run) -> None:
    async def main() -> None:
        async with serving(HELLO) as port, connected(port) as (reader, writer):
            request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            for byte in request + b"3\r\nabc\r\n0\r\n\r\n" + get():
                writer.write(bytes([byte]))
                await asyncio.sleep(0)
            assert (await answer(reader)).endswith(b"\r\n\r\n3")
            assert (await answer(reader)).endswith(b"hello")

    run(main())


def test_an_idle_connection_is_closed_after_its_time(run: Run) -> None:
    async def main() -> None:
        async with (
            serving(HELLO, idle_connection_timeout=0.1) as port,
            connected(port) as (reader, writer),
        ):
            writer.write(get())
            await answer(reader)
            writer.write(b"GET / HT")  # a head that does not end is no sign of life
            assert await reader.read() == b""

    run(main())


def test_a_body_that_does_not_end_is_given_up(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with (
            serving(HELLO, body_timeout=0.1) as port,
            connected(port) as (reader, writer),
        ):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab")
            assert await reader.read() == b""

    with caplog.at_level(logging.INFO, "tornado.general"):
        run(main())
    assert "Timeout reading body from 127.0.0.1" in caplog.text


class Failing(HTTPMessageDelegate):
    """Raises where it is told to, and remembers the end."""

    def __init__(self, where: str, ended: asyncio.Event) -> None:
        self.where, self.ended = where, ended

    def headers_received(self, start_line: object, headers: object) -> None:
        self._fail("headers")

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        self._fail("data")
        return self._later() if self.where == "later" else None

    async def _later(self) -> None:
        await asyncio.sleep(0)
        self._fail("later")

    def finish(self) -> None:
        self._fail("finish")

    def on_connection_close(self) -> None:
        self.ended.set()
        self._fail("close")

    def _fail(self, here: str) -> None:
        if here == self.where:
            raise LookupError(here)


def test_what_the_application_raises_ends_one_connection_and_is_logged(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        for where in ("headers", "data", "later", "finish", "close"):
            ended = asyncio.Event()

            class Site(HTTPServerConnectionDelegate):
                def start_request(
                    self, _: object, __: object, where: str = where, ended: asyncio.Event = ended
                ) -> Failing:
                    return Failing(where, ended)

            caplog.clear()
            async with serving(Site()) as port, connected(port) as (reader, writer):
                writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n")
                writer.write(b"x" if where == "close" else b"xy")
                if where == "close":
                    writer.close()
                else:
                    assert await reader.read() == b""
                await ended.wait()
            assert f"LookupError: {where}" in caplog.text, where

    run(main())
