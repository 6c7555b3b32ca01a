"""One request at a time, as a browser would send it."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tests.benchmarks.contenders.common import HOST
from tests.benchmarks.harness.errors import LeftOutError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BROWSER", "Answer", "Request", "ask"]

BROWSER: Mapping[str, str] = {
    "Connection": "keep-alive",
    "sec-ch-ua": '"Chromium";v="142", "Not_A Brand";v="24", "Google Chrome";v="142"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "User-Agent": (
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/142.0.0.0 Safari/537.36"
    ),
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Referer": f"http://{HOST}/start?from=menu",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9,de;q=0.7",
}
"""The 12 headers that every request has, beside Host."""

_PATIENCE = 10.0  # seconds for one answer


@dataclass(frozen=True)
class Request:
    """What is asked, once to look at the answer and then over and over."""

    path: str = "/"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=lambda: BROWSER)
    body: bytes = field(default=b"", repr=False)

    def with_headers(self, **headers: str) -> Request:
        """Return the same with more headers; ``content_type`` stands for Content-Type."""
        more = {name.replace("_", "-").title(): value for name, value in headers.items()}
        return replace(self, headers={**self.headers, **more})


@dataclass(frozen=True)
class Answer:
    """What came back; the names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body, which has to be JSON.

        Raises:
            LeftOutError: it is not.
        """
        kind = self.headers.get("content-type", "")
        if not kind.startswith("application/json"):
            raise LeftOutError(f"answers {self.status} with {kind or 'no type'}, expected JSON")
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise LeftOutError(f"answers {self.status} with broken JSON: {error}") from None


def ask(port: int, request: Request) -> Answer:
    """Send a request over a connection of its own.

    Raises:
        LeftOutError: there is no answer.
    """
    connection = http.client.HTTPConnection(HOST, port, timeout=_PATIENCE)
    try:
        connection.request(
            request.method, request.path, request.body or None, dict(request.headers)
        )
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, headers, answer.read())
    except (OSError, http.client.HTTPException) as error:
        text = f"{type(error).__name__}: {error}"
        raise LeftOutError(f"{request.method} {request.path} gives no answer: {text}") from None
    finally:
        connection.close()
