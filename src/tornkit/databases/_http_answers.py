"""The answer of an HTTP service, and the errors that tell of one."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload
from urllib.parse import urljoin, urlsplit

import pydantic

from tornkit import encoding
from tornkit._text import printable
from tornkit.errors import ServiceError

if TYPE_CHECKING:
    from tornado.httputil import HTTPHeaders

__all__ = ["Answer", "Call", "refusal"]

_SHOWN_BODY: Final = 4096  # bytes of it that an error keeps
_NOT_MODIFIED: Final = 304
_LISTED: Final = 3  # problems of an answer that a message tells

# Python's own encodings, which no service means; they raise, warn or take their time.
_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"}
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked of whom; ``url`` has neither user nor query."""

    service: str
    method: str
    path: str
    url: str

    def __str__(self) -> str:
        return f"service {self.service!r}: {self.method} {printable(self.path)}"

    def error(self, what: str, *, status: int = 0, body: bytes = b"") -> ServiceError:
        """Return the error that says what is wrong with the answer."""
        return ServiceError(
            f"{self} {what}",
            status=status,
            method=self.method,
            url=self.url,
            body=body[:_SHOWN_BODY],
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a service answered.

    Attributes:
        status: the HTTP status.
        reason: the words beside it.
        headers: a mapping whose names ignore case.
        body: the bytes, unpacked.
        seconds: how long it took, tries and waits included.
    """

    status: int
    reason: str
    headers: HTTPHeaders = field(repr=False)
    body: bytes = field(repr=False)
    seconds: float
    _call: Call = field(repr=False)

    @property
    def text(self) -> str:
        """The body as text, in the encoding that its type names, else UTF-8."""
        _, _, named = self.headers.get("Content-Type", "").lower().partition("charset=")
        try:
            known = codecs.lookup(named.partition(";")[0].strip(" \"'") or "utf-8").name
            if known.replace("-", "_") not in _NO_CHARSETS:
                return self.body.decode(known, "replace")
        except (LookupError, ValueError):  # no encoding, or none of text
            pass
        return self.body.decode("utf-8", "replace")

    @overload
    def json(self) -> Any: ...
    @overload
    def json(self, kind: type[T]) -> T: ...
    def json(self, kind: Any = None) -> Any:
        """Return the value of the JSON body, checked against a type where one is given.

        Args:
            kind: a pydantic model, or another type that pydantic knows: ``list[Forecast]``.

        Raises:
            ServiceError: it is no JSON, or no such value; none of it is quoted.
        """
        try:
            if kind is None:
                return encoding.decode(self.body)
            return _adapter(kind).validate_json(self.body)
        except pydantic.ValidationError as error:
            problem = _problems(error)
        except ValueError as error:
            problem = str(error)
        kind_of_body = printable(self.headers.get("Content-Type") or "of no type")
        what = f"answered what cannot be used ({kind_of_body}): {problem}"
        # Outside the handlers: pydantic's error quotes the answer.
        raise self._call.error(what, status=self.status, body=self.body)


@lru_cache(maxsize=256)
def _adapter(kind: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(kind)


def _problems(error: pydantic.ValidationError) -> str:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    told = [
        f"{'.'.join(map(str, item['loc'])) or 'all of it'}: {item['msg']}"
        for item in found[:_LISTED]
    ]
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return printable("; ".join(told), limit=300) + more


def refusal(answer: Answer) -> ServiceError | None:
    """Return the error of an answer that says no, or points elsewhere."""
    status = answer.status
    if 200 <= status < 300 or status == _NOT_MODIFIED:
        return None
    what = f"answered {status} {printable(answer.reason)} after {answer.seconds:.2f} s"
    if 300 <= status < 400:
        what += f" and points to {_target(answer)}, which is not followed"
    return answer._call.error(what, status=status, body=answer.body)


def _target(answer: Answer) -> str:
    """Return where a redirect points, without user, query and fragment."""
    try:
        parsed = urlsplit(urljoin(answer._call.url, answer.headers.get("Location") or ""))
        host = parsed.netloc.rpartition("@")[2]
    except ValueError:
        return "what is no URL"
    return printable(f"{parsed.scheme}://{host}{parsed.path}", limit=200)
