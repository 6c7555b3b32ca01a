"""Read the head of a request: its request line and its headers.

What is accepted, and what it means, is Tornado's. A head in the usual form is read here,
by rules that are stricter than Tornado's; any other head is left to Tornado's own parser,
whose verdict and whose message stand.
"""

from __future__ import annotations

import re
from functools import lru_cache

from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    RequestStartLine,
    parse_request_start_line,
)
from tornado.iostream import UnsatisfiableReadError

from tornkit._headers import SharedHeaders

__all__ = ["HeadReader"]

_END = re.compile(rb"\r?\n\r?\n")
_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105  a token as in RFC 9110, section 5.6.2
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([\x21-\x7e\x80-\xff]+) (HTTP/1\.[01])".encode("latin1"))
_HEADER_LINE = re.compile(rf"({_TOKEN}):([\t\x20-\x7e\x80-\xff]*)")

# Lines that one browser sends with every request, and that hold nothing secret.
_SHARED = frozenset(
    f"{prefix}{name}"
    for prefix, names in {
        "": ["Host", "User-Agent", "Connection", "Content-Type", "Dnt", "Origin", "Pragma"],
        "Accept": ["", "-Charset", "-Encoding", "-Language"],
        "Sec-": ["Ch-Ua", "Ch-Ua-Mobile", "Ch-Ua-Platform", "Gpc", "Websocket-Version"],
        "Sec-Fetch-": ["Dest", "Mode", "Site", "User"],
        "X-": ["Forwarded-Proto", "Requested-With", "Scheme"],
        "Cache-": ["Control"],
        "Upgrade": ["", "-Insecure-Requests"],
        "Priorit": ["y"],
    }.items()
    for name in names
)
_LONGEST_KNOWN = 256  # characters
_MOST_KNOWN = 1024  # lines
_LONGEST_REMEMBERED = 4096  # bytes of the headers of a connection's last request
_MOST_REMEMBERED = 64  # headers of it
_LONGEST_NAME = 256  # characters; names are remembered, by us and by Tornado
_LONG_NAME = re.compile(rf"^[^:\r\n]{{{_LONGEST_NAME + 1}}}", re.MULTILINE)
_known: dict[str, tuple[str, str]] = {}


class HeadReader:
    """Read the heads that arrive on one connection.

    A browser sends the same headers with most of its requests; what the last ones meant is
    remembered.
    """

    __slots__ = ("_fields", "_lines")

    def __init__(self) -> None:
        """Know nothing yet."""
        self._lines = b""
        self._fields: dict[str, tuple[str, ...]] = {}

    def read(
        self, data: bytes | bytearray, limit: int, scanned: int = 0
    ) -> tuple[int, RequestStartLine, HTTPHeaders] | None:
        """Return where the head ends, and what it says; None where its end is still to come.

        Args:
            data: what has arrived.
            limit: how many bytes a head may have.
            scanned: how many of the bytes were here at the last look.

        Raises:
            HTTPInputError: the head is malformed.
            UnsatisfiableReadError: it is longer than ``limit``.
        """
        begin = max(0, scanned - 3)
        end = data.find(b"\r\n\r\n", begin)
        if 0 <= end <= limit - 4:
            first = data.find(b"\r\n", 0, end)
            if first > 0:
                line = _REQUEST_LINE.fullmatch(data, 0, first)
                fields = self._read(data[first:end]) if line is not None else None
                if line is not None and fields is not None:
                    method, target, version = line.groups()
                    start_line = RequestStartLine(
                        str(method, "latin1"), str(target, "latin1"), str(version, "latin1")
                    )
                    return end + 4, start_line, SharedHeaders(fields)
        found = _END.search(data, begin)
        if (found.end() if found else len(data)) > limit:
            raise UnsatisfiableReadError(f"the head of a request is longer than {limit} bytes")
        return (found.end(), *_read_any(str(data[: found.end()], "latin1"))) if found else None

    def _read(self, lines: bytes | bytearray) -> dict[str, tuple[str, ...]] | None:
        """Read the headers, unless they are those of the last request."""
        if lines == self._lines:
            return self._fields
        fields = _read_usual(str(lines, "latin1"))
        if fields is not None:
            # What is remembered stays while the connection is idle, so it has to be small.
            small = len(lines) <= _LONGEST_REMEMBERED and len(fields) <= _MOST_REMEMBERED
            self._lines = bytes(lines) if small else b""
            self._fields = fields if small else {}
        return fields


def _read_usual(text: str) -> dict[str, tuple[str, ...]] | None:
    """Return the fields of headers, each on a line of its own, or None where one is unusual."""
    lines = iter(text.split("\r\n"))
    next(lines)
    fields: dict[str, tuple[str, ...]] = {}
    repeated: dict[str, list[str]] = {}
    known = _known
    for line in lines:
        try:
            name, value = known[line]
        except KeyError:
            field = _read_line(line)
            if field is None:
                return None
            name, value = field
        if name not in fields:
            fields[name] = (value,)
        elif name in repeated:
            repeated[name].append(value)
        else:
            repeated[name] = [*fields[name], value]
    for name, values in repeated.items():
        fields[name] = tuple(values)
    return fields


def _read_line(line: str) -> tuple[str, str] | None:
    match = _HEADER_LINE.fullmatch(line)
    if match is None:
        return None
    name, value = match.groups()
    if len(name) > _LONGEST_NAME:
        return None
    field = _usual_name(name), value.strip(" \t")
    if field[0] in _SHARED and len(line) <= _LONGEST_KNOWN:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        _known[line] = field
    return field


@lru_cache(1000)
def _usual_name(name: str) -> str:
    return "-".join([part.capitalize() for part in name.split("-")])


def _read_any(text: str) -> tuple[RequestStartLine, HTTPHeaders]:
    """Read a head as Tornado's connection does."""
    text = text.lstrip("\r\n")  # some clients send a line end after a body
    end = text.find("\n")
    if _LONG_NAME.search(text, max(0, end)):
        raise HTTPInputError(f"Header name longer than {_LONGEST_NAME} characters")
    headers = HTTPHeaders.parse(text[end:])
    start_line = parse_request_start_line(text[:end].rstrip("\r"))
    if not isinstance(start_line, RequestStartLine):
        raise HTTPInputError("Malformed HTTP request line")
    return start_line, headers
