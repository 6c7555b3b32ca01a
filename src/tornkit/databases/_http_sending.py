"""Sending a request to an HTTP service: in time, and again where that may help."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tornado.httpclient import HTTPRequest
from tornado.iostream import StreamClosedError

from tornkit.databases._http_answers import Answer
from tornkit.databases._http_calls import Exchange
from tornkit.databases._http_retries import is_transient, pause
from tornkit.databases.bind import first_line
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from tornkit.databases._http_answers import Call
    from tornkit.databases._http_calls import Calls

__all__ = ["Request", "Sender", "line", "unavailable"]


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent; ``query`` begins with a question mark, or is ""."""

    call: Call
    query: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    retries: int = 0


class Sender:
    """Make the requests of one service.

    Args:
        calls: the calls under way.
        connect_timeout: seconds that a connection may take.
        max_body_size: bytes of an answer.
        tls: how a service is known by its certificate, or None for http.
    """

    def __init__(
        self,
        calls: Calls,
        *,
        connect_timeout: float,
        max_body_size: int,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._calls = calls
        self._connect_timeout = connect_timeout
        self._max_body_size = max_body_size
        self._tls = tls

    async def send(self, request: Request, seconds: float) -> Answer:
        """Return the answer, of whatever status, within ``seconds``.

        Raises:
            ServiceError: it is too large.
            DatabaseError: there is none.
        """
        attempts = _Attempts(request)
        try:
            async with asyncio.timeout(seconds) as limit:
                await self._try_on(attempts, limit.when() or 0.0)
        except TimeoutError:
            before = f" (before that it {attempts.told})" if attempts.told else ""
            what = f"{request.call} {attempts.stage} within {seconds:g} s{before}"
            raise unavailable(what) from None
        if isinstance(attempts.outcome, Answer):
            return attempts.outcome
        raise attempts.outcome

    async def _try_on(self, attempts: _Attempts, deadline: float) -> None:
        """Try until an outcome is final, or the next try would come too late."""
        for tried in itertools.count(1):
            attempts.outcome = await self._try(attempts)
            wait = attempts.wait(tried)
            if wait is None or asyncio.get_running_loop().time() + wait >= deadline:
                return
            await asyncio.sleep(wait)

    async def _try(self, attempts: _Attempts) -> Answer | DatabaseError:
        request = attempts.request
        exchange = Exchange(self._max_body_size, has_body=request.call.method != "HEAD")
        sent = self._tornados(request)  # before there is a place that an error could keep
        attempts.stage = "found no free connection"
        await self._calls.wait()
        attempts.stage = "got no whole answer"
        try:
            response = await self._calls.run(sent, exchange)
        except Exception as error:  # noqa: BLE001 - what a service sends makes it raise anything
            return self._failure(attempts, exchange, error)
        if exchange.too_large:  # and all of it was here before it could be cut
            return self._too_large(request)
        return Answer(
            response.code,
            response.reason,
            response.headers,
            bytes(exchange.body),
            attempts.seconds,
            request.call,
        )

    def _failure(self, attempts: _Attempts, exchange: Exchange, error: Exception) -> DatabaseError:
        if exchange.too_large:
            return self._too_large(attempts.request)
        what = "broke off" if exchange.connected else "did not connect"
        when = f"after {attempts.seconds:.2f} s"
        failure = unavailable(f"{attempts.request.call} {what} {when} ({line(error)})")
        failure.__cause__ = error
        return failure

    def _too_large(self, request: Request) -> DatabaseError:
        return request.call.error(f"answered with more than {self._max_body_size} bytes")

    def _tornados(self, request: Request) -> HTTPRequest:
        return HTTPRequest(
            request.call.url + request.query,
            method=request.call.method,
            headers=dict(request.headers),
            body=request.body,
            connect_timeout=self._connect_timeout,
            request_timeout=0,  # the sender's own ends it
            follow_redirects=False,
            allow_nonstandard_methods=True,  # a GET or a DELETE may have a body
            ssl_options=self._tls,
        )


class _Attempts:
    """What has come of a request so far."""

    outcome: Answer | DatabaseError

    def __init__(self, request: Request) -> None:
        self.request = request
        self.stage = ""
        self.told = ""
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def wait(self, tried: int) -> float | None:
        """Return the seconds before the next try, or None where the outcome is final."""
        outcome = self.outcome
        if tried > self.request.retries:
            return None
        if isinstance(outcome, Answer):
            self.told = f"answered {outcome.status}"
            return pause(tried, outcome) if is_transient(outcome) else None
        self.told = "could not be reached"
        return pause(tried, None) if outcome.check_id == "databases.unavailable" else None


def unavailable(what: str) -> DatabaseError:
    """Return the error of a service that does not answer."""
    hint = "check that the service runs, and is not too slow"
    return DatabaseError(what, hint=hint, check_id="databases.unavailable")


def line(error: BaseException) -> str:
    """Return an error in one line; of a closed stream, what closed it."""
    if isinstance(error, StreamClosedError):
        error = error.real_error or error
    return first_line(str(error)) or type(error).__name__
