"""Another service that is reached by HTTP: its answers, its errors, its limits.

Tornado's own client makes the calls, each on a connection of its own. Redirects are not
followed, for headers may hold secrets, and no proxy of the environment is used.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tornkit._text import listing, printable
from tornkit.databases._http_answers import Answer, Call, refusal
from tornkit.databases._http_calls import Calls
from tornkit.databases._http_requests import (
    HINT,
    METHODS,
    SAFE_METHODS,
    Arguments,
    BaseURL,
    Refused,
    RefusedText,
    body_of,
    check_mapping,
    check_names,
    header,
    query,
)
from tornkit.databases._http_sending import Request, Sender, line, unavailable
from tornkit.databases.bind import PING_TIMEOUT, Bind, options_of
from tornkit.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Unpack

__all__ = ["Answer", "HTTPOptions", "HTTPService"]

_HEADERS: Final = {"Accept": "application/json, */*;q=0.8", "User-Agent": "tornkit"}


@dataclass(frozen=True, slots=True)
class HTTPOptions:
    """What the settings may choose for an HTTP service; times in seconds."""

    pool_size: int = 20
    """Calls that a process has under way at most; more wait, and that counts as their time."""
    connect_timeout: float = 2.0
    """How long the service may take to accept a connection, TLS included."""
    timeout: float = 10.0
    """How long a call may take in all, tries again included."""
    headers: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Sent with every request; a pydantic ``SecretStr`` gives its value."""
    retries: int = 2
    """How often GET, HEAD and OPTIONS are tried again."""
    max_body_size: int = 10 * 1024 * 1024
    """Bytes that an answer may have, unpacked."""
    ping_path: str | None = None
    """What a ping gets; None only opens a connection."""


class HTTPService(Bind):
    """An HTTP service under its bind's name.

    Args:
        name: the bind, such as ``weather``.
        url: ``https://[user:password@]host[:port][/base]``; paths are below it. A user and
            a password are sent as basic authentication.
        options: see `HTTPOptions`.

    Attributes:
        outgoing_headers: gives the headers that each request passes on, such as the id of
            the request that is handled.

    Raises:
        DatabaseError: the URL is none of these, or an option is none; neither is quoted.
    """

    kind = "HTTP"
    reach = "self.http"

    def __init__(self, name: str, url: str, options: Mapping[str, Any] = {}) -> None:
        self.name = name
        self.options = options_of(HTTPOptions, name, "HTTP", options)
        self._base = _read(name, url)
        self.url = self._base.shown
        self.outgoing_headers: Callable[[], Mapping[str, str]] = dict
        self._headers = self._own_headers()
        self._pinged = self._ping_call()
        self._calls: Calls | None = None
        self._tls: ssl.SSLContext | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was opened in this process."""
        return self._calls is not None

    async def open(self) -> None:
        """Make a client; the first call connects. Twice is once."""
        if self._calls is None:
            self._tls = ssl.create_default_context() if self._base.scheme == "https" else None
            self._calls = Calls(self.options.pool_size)

    async def close(self) -> None:
        """Cut every call; what is closed can be opened again. Twice is once."""
        calls, self._calls = self._calls, None
        if calls is not None:
            await calls.close()

    async def ping(self, timeout: float = PING_TIMEOUT) -> None:  # noqa: ASYNC109 - seconds, as in health
        """Connect within ``timeout`` seconds, or get ``ping_path`` where one is set.

        Raises:
            DatabaseError: it does not answer, or not well.
        """
        if self._pinged is None:
            await self._touch(timeout)
            return
        request = Request(self._pinged, headers=self._headers)
        answer = await self._sender().send(request, timeout)
        if (error := refusal(answer)) is not None:
            raise unavailable(error.message) from error

    async def _touch(self, seconds: float) -> None:
        calls, base = self._opened(), self._base
        try:
            async with asyncio.timeout(seconds):
                await calls.touch(base.host.strip("[]"), base.port, self._tls)
        except TimeoutError:
            raise self._no_answer(seconds) from None
        except (OSError, UnicodeError) as error:
            what = f"service {self.name!r} cannot be reached ({line(error)})"
            raise unavailable(what) from error

    def explain(self, error: BaseException) -> DatabaseError | None:
        """Return None: what is raised here says already what it means."""
        return None

    # --- calls ---------------------------------------------------------------------------

    async def get(self, path: str, **given: Unpack[Arguments]) -> Answer:
        """Get ``path``: ``await service.get("/forecast", params={"city": "Oslo"})``."""
        return await self.request("GET", path, **given)

    async def post(self, path: str, **given: Unpack[Arguments]) -> Answer:
        """Post to ``path``: ``await service.post("/orders", json={"book": 5})``."""
        return await self.request("POST", path, **given)

    async def put(self, path: str, **given: Unpack[Arguments]) -> Answer:
        """Put to ``path``; see `request`."""
        return await self.request("PUT", path, **given)

    async def patch(self, path: str, **given: Unpack[Arguments]) -> Answer:
        """Patch ``path``; see `request`."""
        return await self.request("PATCH", path, **given)

    async def delete(self, path: str, **given: Unpack[Arguments]) -> Answer:
        """Delete ``path``; see `request`."""
        return await self.request("DELETE", path, **given)

    async def request(self, method: str, path: str, **given: Unpack[Arguments]) -> Answer:
        """Make a request below the base URL and return the answer.

        Args:
            method: GET, HEAD, OPTIONS, POST, PUT, PATCH or DELETE; the first three are tried
                again on failed connections, 429, 502, 503 and 504, as time permits.
            path: neither ``..`` nor a query; what varies goes through
                ``urllib.parse.quote(…, safe="")``.
            given: ``params``, ``headers``, ``json``, ``form``, ``body``, ``timeout``,
                ``raise_error``; see `Arguments`.

        Raises:
            ServiceError: the service says no, points elsewhere, or answers too much.
            DatabaseError: it cannot be reached, gives no answer in time, or the request is
                one that cannot be sent; its path or a header may be a visitor's fault.
            TypeError: there is no such argument.
        """
        check_names(given)
        sender = self._sender()
        request = self._request(self._call(method, path), given)
        answer = await sender.send(request, given.get("timeout", self.options.timeout))
        error = refusal(answer) if given.get("raise_error", True) else None
        if error is not None:
            raise error
        return answer

    def _call(self, method: str, path: str) -> Call:
        if method not in METHODS:
            raise DatabaseError(
                f"service {self.name!r}: {printable(method)!r} is no method",
                hint=f"use one of {listing(METHODS)}",
            )
        try:
            return Call(self.name, method, path, self._base.join(path))
        except Refused as refused:
            raise _not_sent(f"service {self.name!r}: a {method}", refused) from None

    def _request(self, call: Call, given: Arguments) -> Request:
        try:
            body, kind = body_of(given)
            if body is None and call.method in {"POST", "PUT", "PATCH"}:
                body = b""  # says that there is none
            headers, passed = {"Content-Type": kind} if kind else {}, self.outgoing_headers()
            return Request(
                call,
                query=query(given.get("params")),
                headers=_merged(headers, self._headers, passed, given.get("headers")),
                body=body,
                retries=self.options.retries if call.method in SAFE_METHODS else 0,
            )
        except Refused as refused:
            raise _not_sent(str(call), refused) from None

    def _sender(self) -> Sender:
        return Sender(
            self._opened(),
            connect_timeout=self.options.connect_timeout,
            max_body_size=self.options.max_body_size,
            tls=self._tls,
        )

    def _opened(self) -> Calls:
        if self._calls is None:
            raise self._not_open()
        return self._calls

    def _ping_call(self) -> Call | None:
        """Return what a ping asks, or None where it only connects.

        Raises:
            DatabaseError: the option is no path below the base URL.
        """
        path = self.options.ping_path
        if path is None:
            return None
        try:
            if not isinstance(path, str):
                raise Refused("the path is no text")
            return Call(self.name, "GET", path, self._base.join(path))
        except Refused as refused:
            raise DatabaseError(
                f"database_options.{self.name}.ping_path: {refused}", check_id="databases.option"
            ) from None

    def _own_headers(self) -> dict[str, str]:
        """Return what every request carries.

        Raises:
            DatabaseError: one of the option's cannot be sent; its value is not quoted.
        """
        sign_in = self._base.authorization
        try:
            own = _merged(_HEADERS, {"Authorization": sign_in} if sign_in else {})
            return _merged(own, self.options.headers)
        except Refused as refused:
            raise DatabaseError(
                f"database_options.{self.name}.{refused}", check_id="databases.option"
            ) from None


def _not_sent(what: str, refused: Refused) -> DatabaseError:
    by_visitor = isinstance(refused, RefusedText)
    return DatabaseError(
        f"{what} is not sent: {refused}", check_id="databases.request" if by_visitor else None
    )


def _merged(*given: Mapping[str, Any] | None) -> dict[str, str]:
    """Return headers checked, a later one in the place of an earlier of its name."""
    merged: dict[str, tuple[str, str]] = {}
    for headers in (each for each in given if each):
        check_mapping(headers, "headers")
        for name, value in headers.items():
            merged[name.lower()] = header(name, value)
    return dict(merged.values())


def _read(name: str, url: str) -> BaseURL:
    try:
        return BaseURL.read(url)
    except Refused as refused:
        problem = str(refused)
    # Outside the handler: a parser's error may quote the URL.
    raise DatabaseError(
        f"database {name!r}: its URL cannot be used: {problem}",
        hint=HINT,
        check_id="databases.url",
    )
