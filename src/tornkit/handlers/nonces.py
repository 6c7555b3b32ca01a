"""Nonces for the scripts and styles that a template's own source holds.

The start tags are found in the source, before anything is rendered: what a variable brings
in never gets a nonce. A tag may be spread over blocks and variables; one that has a nonce
already is left alone. The attribute is written without quotes, so that a tag in a text of
JavaScript stays one.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.lexer import Token
from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import jinja2
    from jinja2.lexer import TokenStream
    from jinja2.parser import Parser

__all__ = ["Nonces", "render"]

_TAG = "nonce attribute"  # with a space in it, no template can write it
_HOLE = "\0"  # stands for a variable or a block
_START = re.compile(r"<(script|style|link)(?=[\s/>\0]|\Z)", re.IGNORECASE)
_INSIDE = re.compile(r"""(?:[^<>"']+|"[^"<]*"|'[^'<]*')*""")
_ATTRIBUTE = re.compile(r"""([^\s"'>/=\0]+)(?:\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+))?""")


class _HasNonce(Protocol):
    @property
    def csp_nonce(self) -> str:
        """The nonce of the page that is rendered."""


# Not a variable of the template: imported macros see none, and are kept between pages.
_page: ContextVar[_HasNonce | None] = ContextVar("tornkit_page", default=None)


def render(template: jinja2.Template, page: _HasNonce, variables: Mapping[str, Any]) -> str:
    """Return a rendered template, with the nonce of ``page`` wherever it needs one."""
    token = _page.set(page)
    try:
        return template.render(variables)
    finally:
        _page.reset(token)


class Nonces(Extension):
    """Give the start tags of scripts and styles in a template's source the page's nonce."""

    tags = {_TAG}

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """Return the tokens of a template, with one of ours after the name of each tag."""
        tokens = list(stream)
        places = _places(tokens)
        for index, token in enumerate(tokens):
            if index in places:
                yield from _split(token, places[index])
            else:
                yield token

    def parse(self, parser: Parser) -> nodes.Node:
        """Return the output of the nonce's attribute."""
        line = next(parser.stream).lineno
        return nodes.Output([self.call_method("attribute", lineno=line)], lineno=line)

    def attribute(self) -> Markup:
        """Return the attribute, or nothing where no page is rendered."""
        page = _page.get()
        return Markup() if page is None else Markup(f" nonce={page.csp_nonce}")  # noqa: S704 - url-safe letters


def _places(tokens: Sequence[Token]) -> dict[int, list[int]]:
    """Return where nonces belong: for a token's index, the offsets in its text."""
    text = ""
    pieces: list[tuple[int, int]] = []  # where each piece of text starts, and its token
    for index, token in enumerate(tokens):
        if token.type == "data":
            pieces.append((len(text), index))
            text += token.value
        elif not text.endswith(_HOLE):
            text += _HOLE
    places: dict[int, list[int]] = {}
    for found in _START.finditer(text):
        if _needs_nonce(found[1].lower(), text, found.end()):
            start, index = max(piece for piece in pieces if piece[0] < found.end())
            places.setdefault(index, []).append(found.end() - start)
    return places


def _needs_nonce(tag: str, text: str, position: int) -> bool:
    inside = _INSIDE.match(text, position)
    attributes = {
        name.lower(): value.strip("\"'").lower()
        for name, value in _ATTRIBUTE.findall(inside[0] if inside else "")
    }
    if "nonce" in attributes:
        return False
    if tag != "link":
        return True
    # Of links, only those that load scripts ahead are asked for one.
    kinds = attributes.get("rel", "").split()
    return "modulepreload" in kinds or ("preload" in kinds and attributes.get("as") == "script")


def _split(token: Token, offsets: Sequence[int]) -> Iterator[Token]:
    text, start = token.value, 0
    for offset in offsets:
        line = token.lineno + text.count("\n", 0, offset)
        yield Token(token.lineno + text.count("\n", 0, start), "data", text[start:offset])
        yield Token(line, "block_begin", "{%")
        yield Token(line, "name", _TAG)
        yield Token(line, "block_end", "%}")
        if text[offset : offset + 1] in ("", "/"):
            yield Token(line, "data", " ")  # what follows must not join the nonce
        start = offset
    yield Token(token.lineno + text.count("\n", 0, start), "data", text[start:])
