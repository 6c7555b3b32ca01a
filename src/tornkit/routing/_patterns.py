"""The pattern language of `path()`: parse once, then match and build URLs."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from tornkit._text import did_you_mean, printable
from tornkit.routing.converters import CONVERTERS, Converter

if TYPE_CHECKING:
    from collections.abc import Sequence

_PIECE = re.compile(r"\{([^{}/]*)\}")
_LITERAL_SAFE = "/:@!$&'()*+,;=-._~%"

# Two parameters of free length in one segment backtrack quadratically.
_LONGEST_SHARED = 512


class PatternError(Exception):
    """What is wrong with a pattern, and what to do; the caller knows where it stands."""

    def __init__(self, problem: str, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Parameter:
    """One ``{name:converter}``."""

    name: str
    converter: Converter


@dataclass(frozen=True)
class Pattern:
    """A parsed pattern: literal text, percent-encoded as in URLs, and parameters in turn."""

    source: str
    pieces: tuple[str | Parameter, ...]
    parameters: tuple[Parameter, ...]
    shares: bool

    @cached_property
    def shape(self) -> str:
        """The pattern without the names of its parameters: two of one shape collide."""
        return "".join(
            piece if isinstance(piece, str) else f"{{:{piece.converter.name}}}"
            for piece in self.pieces
        )

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """The pattern as a regular expression over the raw path; compiled when first asked."""
        return re.compile(
            "".join(
                re.escape(piece) if isinstance(piece, str) else f"({piece.converter.regex})"
                for piece in self.pieces
            )
        )

    def find(self, path: str) -> tuple[str, ...] | None:
        """Return the raw texts of the parameters, or None where the path is another."""
        if not self.parameters:
            return () if path == self.shape else None
        if self.shares and len(path) > _LONGEST_SHARED:
            return None
        found = self.regex.fullmatch(path)
        return found.groups() if found else None

    def build(self, values: Sequence[object]) -> str:
        """Return the path for the parameters' values, in order.

        Raises:
            PatternError: a value is not one that its parameter takes.
        """
        rest = iter(values)
        return "".join(
            piece if isinstance(piece, str) else _dump(piece, next(rest)) for piece in self.pieces
        )


def convert(raw: str, converter: Converter) -> object:
    """Return the value of a parameter's raw text.

    Raises:
        ValueError: it does not convert; that covers bytes that are not UTF-8.
    """
    text = unquote_to_bytes(raw).decode("utf-8") if "%" in raw else raw
    return converter.load(text)


def parse(source: object) -> Pattern:
    """Parse a pattern such as ``/courses/{course_id:int}``.

    Raises:
        PatternError: it is not one.
    """
    if not isinstance(source, str):
        raise PatternError(f"the pattern is {printable(repr(source))}", "write it as text")
    if source and not source.startswith("/"):
        raise PatternError("it does not start with /", f"write {'/' + source!r}")
    if "//" in source:
        raise PatternError("it holds an empty segment (//)", "write one slash")
    split = _PIECE.split(source)
    pieces: list[str | Parameter] = []
    for index, text in enumerate(split):
        if index % 2:
            pieces.append(_parameter(text))
        elif text:
            pieces.append(_literal(text))
    parameters = tuple(piece for piece in pieces if isinstance(piece, Parameter))
    return Pattern(source, tuple(pieces), parameters, _check_segments(pieces, parameters))


def _literal(text: str) -> str:
    for char in text:
        if char in "{}":
            raise PatternError(
                f"a {char} stands alone", "a parameter is written {name} or {name:int}"
            )
        if char in "?#\\" or ord(char) < 32:
            raise PatternError(
                f"it holds {printable(char)!r}, which is never part of a path", "leave it out"
            )
    return quote(text, safe=_LITERAL_SAFE)


def _parameter(text: str) -> Parameter:
    name, colon, kind = text.partition(":")
    if not name.isidentifier() or keyword.iskeyword(name):
        raise PatternError(
            f"{printable(name)!r} is not a parameter's name",
            "use a Python name, for it becomes an argument of the handler's method",
        )
    converter = CONVERTERS.get(kind if colon else "str")
    if converter is None:
        near = did_you_mean(kind, CONVERTERS)
        known = f"the converters are {', '.join(CONVERTERS)}"
        raise PatternError(
            f"no converter is called {printable(kind)!r}", f"{near} {known}".strip()
        )
    return Parameter(name, converter)


def _check_segments(pieces: Sequence[str | Parameter], parameters: Sequence[Parameter]) -> bool:
    """Refuse what is ambiguous or slow; tell whether free-length parameters share a segment."""
    names = [parameter.name for parameter in parameters]
    for name in names:
        if names.count(name) > 1:
            raise PatternError(f"two parameters are called {name!r}", "rename one of them")
    if sum(parameter.converter.crosses for parameter in parameters) > 1:
        raise PatternError("it has two path parameters", "only one can take the slashes")
    for one, two in pairwise(pieces):
        if isinstance(one, Parameter) and isinstance(two, Parameter):
            raise PatternError(f"{{{one.name}}} and {{{two.name}}} touch", "put text between them")
    shares = False
    for segment in _by_segment(pieces):
        free = [parameter for parameter in segment if not parameter.converter.fixed]
        crosses = any(parameter.converter.crosses for parameter in segment)
        if len(free) > 2 or (crosses and len(segment) > 1):
            listed = ", ".join(f"{{{parameter.name}}}" for parameter in segment)
            raise PatternError(f"{listed} share one segment", "put a slash between them")
        shares = shares or len(free) > 1
    return shares


def _by_segment(pieces: Sequence[str | Parameter]) -> list[list[Parameter]]:
    segments: list[list[Parameter]] = [[]]
    for piece in pieces:
        if isinstance(piece, Parameter):
            segments[-1].append(piece)
        elif "/" in piece:
            segments.append([])
    return segments


def _dump(parameter: Parameter, value: object) -> str:
    converter = parameter.converter
    try:
        text = value.decode("utf-8") if isinstance(value, bytes) else converter.dump(value)
        quoted = quote(text, safe="/" if converter.crosses else "")
        if quoted.startswith("/"):
            # "/{page:path}" with page="/evil.example" must not become "//evil.example".
            quoted = "%2F" + quoted[1:]
        if not re.fullmatch(converter.regex, quoted):
            raise ValueError(text)
        converter.load(text)
        if not {".", ".."}.isdisjoint(text.split("/")):
            raise ValueError("browsers resolve dot segments away")
    except (TypeError, ValueError):
        raise PatternError(
            f"{parameter.name} is {printable(repr(value))}", f"give {converter.expected}"
        ) from None
    return quoted
