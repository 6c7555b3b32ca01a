"""What a regular expression says about the segments of the paths that it matches.

A `Key` is a necessary condition: every path that the rule matches fulfils it. It may let
through paths that the rule refuses, for the rule's own matcher always has the last word.
What cannot be analysed has the empty key, which every path fulfils.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# The standard library's own parser of regular expressions. It is not public: a failure of
# any kind below ends in the empty key, and the property test compares every answer.
_parser: Any = importlib.import_module("re._parser")
_constants: Any = importlib.import_module("re._constants")

_SLASH = ord("/")
_REPEATS = frozenset({_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT})
_ZERO_WIDTH = frozenset({_constants.AT, _constants.ASSERT, _constants.ASSERT_NOT})
_SLASHLESS = frozenset(
    {_constants.CATEGORY_DIGIT, _constants.CATEGORY_WORD, _constants.CATEGORY_SPACE}
)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a path: it starts with ``text``, and is nothing else unless ``open``."""

    text: str
    open: bool


@dataclass(frozen=True, slots=True)
class Key:
    """The segments that a path starts with, and whether it ends there."""

    segments: tuple[Segment, ...] = ()
    exact: bool = False


ANY_PATH = Key()


class KeyBuilder:
    """Collect a key from left to right."""

    def __init__(self) -> None:
        self._segments: list[Segment] = []
        self._text = ""
        self._open = False

    def literal(self, text: str) -> None:
        """Take text that stands in every path as it is."""
        first, *others = text.split("/")
        if not self._open:
            self._text += first
        for other in others:
            self._segments.append(Segment(self._text, self._open))
            self._text, self._open = other, False

    def within_segment(self) -> None:
        """Take something that holds no slash, or nothing."""
        self._open = True

    def key(self, *, exact: bool) -> Key:
        """Return what was collected; unless ``exact``, anything may follow."""
        last = Segment(self._text, self._open or not exact)
        return Key((*self._segments, last), exact)


# Most Tornado routes are plain text and simple groups. Parsing those fully would cost as
# much as compiling them did.
_TOKEN = re.compile(
    r"(?P<text>[A-Za-z0-9_/~%@:,;=!&'\"<># -]+)(?![*+?{])"
    r"|\\(?P<escaped>[./\-~+*?$^()\[\]{}|&#@ ])(?![*+?{])"
    r"|\((?:\?P<\w+>)?(?:\\d|\\w|\[\^/\]|\[(?:0-9|a-z|A-Z|_)+-?\])[+*]?\)(?![*+?{])"
)


def key_of(regex: object) -> Key:
    """Return the key of a compiled regular expression, as Tornado matches it."""
    if not isinstance(regex, re.Pattern) or not isinstance(regex.pattern, str):
        return ANY_PATH
    key = _simple_key(regex.pattern) if regex.flags == re.UNICODE else None
    return key or _parsed_key(regex.pattern, regex.flags & ~re.DEBUG)


def _simple_key(pattern: str) -> Key | None:
    if not pattern.endswith("$"):
        return None
    builder = KeyBuilder()
    position, end = int(pattern.startswith("^")), len(pattern) - 1
    while position < end:
        found = _TOKEN.match(pattern, position, end)
        if found is None:
            return None
        text = found["text"] or found["escaped"]
        if text:
            builder.literal(text)
        else:
            builder.within_segment()
        position = found.end()
    return builder.key(exact=True)


def _parsed_key(pattern: str, flags: int) -> Key:
    try:
        parsed = _parser.parse(pattern, flags)
        builder = KeyBuilder()
        whole = _walk(builder, parsed, parsed.state.flags)
        exact = whole and _ends(parsed, parsed.state.flags)
        return builder.key(exact=exact)
    except Exception:  # noqa: BLE001 - whatever cannot be analysed is always asked
        return ANY_PATH


def _ends(parsed: Any, flags: int) -> bool:
    """Tell whether the expression is bound to the end of the path (or to a last newline)."""
    if not len(parsed):
        return False
    op, argument = parsed[-1]
    if op is not _constants.AT:
        return False
    at_end = argument is _constants.AT_END and not flags & re.MULTILINE
    return at_end or argument is _constants.AT_END_STRING


def _walk(builder: KeyBuilder, items: Iterable[tuple[Any, Any]], flags: int) -> bool:
    """Feed the builder; return False where it had to stop."""
    return all(_take(builder, op, argument, flags) for op, argument in items)


def _take(builder: KeyBuilder, op: Any, argument: Any, flags: int) -> bool:
    if op is _constants.LITERAL and not _has_case(argument, flags):
        builder.literal(chr(argument))
        return True
    if op is _constants.SUBPATTERN:
        _, added, removed, items = argument
        return _walk(builder, items, (flags | added) & ~removed)
    if op in _ZERO_WIDTH:
        return True  # it only narrows what matches
    if _no_slash(op, argument):
        builder.within_segment()
        return True
    return False


def _has_case(code: int, flags: int) -> bool:
    return bool(flags & re.IGNORECASE) and (code > 127 or chr(code).isalpha())


def _no_slash(op: Any, argument: Any) -> bool:  # noqa: PLR0911 - one for each kind of part
    """Tell whether this part provably never takes a slash."""
    if op is _constants.LITERAL:
        return bool(argument != _SLASH)
    if op is _constants.NOT_LITERAL:
        return bool(argument == _SLASH)
    if op is _constants.IN:
        return not _set_has_slash(argument)
    if op in _ZERO_WIDTH:
        return True
    if op in _REPEATS:
        return _none_has_slash(argument[2])
    if op is _constants.SUBPATTERN:
        return _none_has_slash(argument[3])
    if op is _constants.BRANCH:
        return all(_none_has_slash(items) for items in argument[1])
    return False


def _none_has_slash(items: Iterable[tuple[Any, Any]]) -> bool:
    return all(_no_slash(op, argument) for op, argument in items)


def _set_has_slash(items: list[tuple[Any, Any]]) -> bool:
    negated = items[0][0] is _constants.NEGATE
    holds = any(_holds_slash(op, argument) for op, argument in items)
    return holds != negated


def _holds_slash(op: Any, argument: Any) -> bool:
    if op is _constants.LITERAL:
        return bool(argument == _SLASH)
    if op is _constants.RANGE:
        return bool(argument[0] <= _SLASH <= argument[1])
    if op is _constants.CATEGORY:
        return argument not in _SLASHLESS
    return False
