"""What applications see as `request.connection` keeps its promises, and its secrets apart."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web
from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError

from tests.server.http1.sites import answer, connected, get, run, serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.server.http1.sites import Run

__all__ = ["run"]

OK = ResponseStartLine("", 200, "OK")


class Early(HTTPMessageDelegate):
    """Answers before the body is read, and says that it has been read."""

    def __init__(self, connection: Any, seen: list[str]) -> None:
        self.connection, self.seen = connection, seen

    def headers_received(self, start_line: Any, headers: HTTPHeaders) -> Awaitable[None]:
        self.seen.append(start_line.path)
        return self.refuse()

    async def refuse(self) -> None:
        self.connection._read_finished = True
        self.connection._disconnect_on_finish = False
        self.connection.write_headers(OK, HTTPHeaders({"Content-Length": "2"}), b"no")
        self.connection.finish()
        await self.connection._finish_future
        await asyncio.sleep(0)


def test_an_unread_body_is_never_taken_for_a_request(run: Run) -> None:
    async def main() -> None:
        seen: list[str] = []

        class Site(HTTPServerConnectionDelegate):
            def start_request(self, _: object, connection: object) -> Early:
                return Early(connection, seen)

        async with serving(Site()) as port, connected(port) as (reader, writer):
            body = get("/smuggled")
            head = f"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            assert (await reader.read()).endswith(b"no")
            assert seen == ["/a"]

    run(main())


def handling(get: Callable[[Any], object]) -> tornado.web.Application:
    class Handler(tornado.web.RequestHandler):
        async def get(self) -> None:
            given: Any = get(self)
            if asyncio.iscoroutine(given):
                await given

    return tornado.web.Application([("/", Handler)])


def test_it_is_tornados_connection_but_reads_by_itself(run: Run) -> None:
    def look(handler: Any) -> None:
        connection = handler.request.connection
        assert HTTP1Connection in type(connection).mro()  # isinstance() would narrow its type
        assert (connection.is_client, connection.no_keep_alive) == (False, False)
        assert connection.context.remote_ip == "127.0.0.1"
        assert str(connection.context) == "127.0.0.1"
        with pytest.raises(RuntimeError, match="read by the server"):
            connection.read_response(HTTPMessageDelegate())
        handler.write("fine")

    async def main() -> None:
        async with serving(handling(look)) as port, connected(port) as (reader, writer):
            writer.write(get())
            assert (await answer(reader)).endswith(b"fine")

    run(main())


def test_who_writes_to_a_closed_connection_is_told(run: Run) -> None:
    async def main() -> None:
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def close(handler: Any) -> None:
            connection = handler.request.connection
            connection.close()
            for writing in (
                connection.write_headers(OK, HTTPHeaders(), b"x"),
                connection.write(b"x"),
            ):
                with pytest.raises(StreamClosedError):
                    await writing
            connection.finish()
            told.set_result(None)

        async with serving(handling(close)) as port, connected(port) as (reader, writer):
            writer.write(get())
            assert await reader.read() == b""
            await told

    run(main())


def test_a_connection_that_serves_the_next_request_cannot_be_detached(run: Run) -> None:
    async def main() -> None:
        connections: list[Any] = []

        def look(handler: Any) -> None:
            connections.append(handler.request.connection)
            if len(connections) > 1:
                with pytest.raises(RuntimeError, match="another request"):
                    connections[0].detach()
            handler.write("fine")

        async with serving(handling(look)) as port, connected(port) as (reader, writer):
            for _ in range(2):
                writer.write(get())
                assert (await answer(reader)).endswith(b"fine")

    run(main())


def test_bytes_in_headers_are_written_as_tornado_does(run: Run) -> None:
    def write(handler: Any) -> None:
        headers = HTTPHeaders({"Content-Length": "0"})
        headers["X-Bytes"] = b"\xc3\xa9"  # type: ignore[assignment]
        handler.request.connection.write_headers(OK, headers)
        handler._headers_written = True
        handler.request.connection.finish()
        handler._finished = True

    async def main() -> None:
        async with serving(handling(write)) as port, connected(port) as (reader, writer):
            writer.write(get())
            assert b"X-Bytes: \xe9\r\n" in await answer(reader)

    run(main())


def test_a_204_has_no_body_that_the_next_answer_could_begin_with(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def flush(handler: Any) -> None:
        handler.set_status(204)
        handler.write("HTTP/1.1 200 OK\r\n\r\n")
        await handler.flush()

    async def main() -> None:
        async with serving(handling(flush)) as port, connected(port) as (reader, writer):
            writer.write(get())
            assert await reader.read() == b""

    run(main())
    assert "HTTPOutputError" in caplog.text


@pytest.mark.parametrize("asks", ["keep-alive", "close"])
def test_an_answer_without_length_ends_with_its_connection_in_http_1_0(
    run: Run, asks: str
) -> None:
    async def flush(handler: Any) -> None:
        handler.write("one")
        await handler.flush()
        handler.write("two")

    async def main() -> None:
        async with serving(handling(flush)) as port, connected(port) as (reader, writer):
            writer.write(f"GET / HTTP/1.0\r\nConnection: {asks}\r\n\r\n".encode())
            head, body = (await reader.read()).split(b"\r\n\r\n")
            assert body == b"onetwo"
            assert b"Keep-Alive" not in head

    run(main())


def test_an_answer_with_length_keeps_its_connection_in_http_1_0(run: Run) -> None:
    async def main() -> None:
        site = handling(lambda handler: handler.write("fine"))
        async with serving(site) as port, connected(port) as (reader, writer):
            for _ in range(2):
                writer.write(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
                found = await answer(reader)
                assert found.endswith(b"fine")
                assert b"\r\nConnection: Keep-Alive\r\n" in found

    run(main())


def test_two_lengths_are_never_announced(run: Run) -> None:
    async def main() -> None:
        raised: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def write(handler: Any) -> None:
            connection = handler.request.connection
            headers = HTTPHeaders({"Content-Length": "2"})
            headers.add("Content-Length", "3")
            with pytest.raises(ValueError, match="integer"):
                connection.write_headers(OK, headers, b"ok")
            connection.close()
            raised.set_result(None)

        async with serving(handling(write)) as port, connected(port) as (reader, writer):
            writer.write(get())
            assert await reader.read() == b""
            await raised

    run(main())
