"""The trie over path segments that nominates the rules a path could match."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tornkit.routing._keys import Key


class _Node:
    __slots__ = ("exact", "lengths", "literal", "open", "prefixed", "rest")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.open: _Node | None = None
        self.prefixed: dict[str, _Node] = {}
        self.lengths: tuple[int, ...] = ()
        self.exact: list[int] = []
        self.rest: list[int] = []


class Trie:
    """Rules by the segments of the paths that they match.

    A look-up follows the path's own segments, so its cost depends on the path and on how
    many rules could match it, not on how many there are.
    """

    def __init__(self, keys: Iterable[Key]) -> None:
        self._root = _Node()
        self._depth = 0
        self._size = 0
        for index, key in enumerate(keys):
            self._add(index, key)
            self._size = index + 1

    def _add(self, index: int, key: Key) -> None:
        node = self._root
        for segment in key.segments:
            if not segment.open:
                node = node.literal.setdefault(segment.text, _Node())
            elif segment.text:
                if len(segment.text) not in node.lengths:
                    node.lengths = tuple(sorted({*node.lengths, len(segment.text)}))
                node = node.prefixed.setdefault(segment.text, _Node())
            else:
                node.open = node.open or _Node()
                node = node.open
        (node.exact if key.exact else node.rest).append(index)
        self._depth = max(self._depth, len(key.segments))

    def nominate(self, path: str) -> Sequence[int]:
        """Return the rules that could match, in ascending order; none that does is missing."""
        if not self._depth:
            return self._root.rest
        if path.endswith("\n"):
            return range(self._size)  # "$" also matches before a last newline
        found = self._root.rest
        merged = False
        nodes = [self._root]
        for segment in path.split("/", self._depth):
            reached: list[_Node] = []
            for node in nodes:
                if segment in node.literal:
                    reached.append(node.literal[segment])
                if node.open is not None:
                    reached.append(node.open)
                if node.lengths:
                    _reach_prefixed(node, segment, reached)
            if not reached:
                return sorted(found) if merged else found
            for node in reached:
                if node.rest:
                    merged = bool(found)
                    found = found + node.rest if merged else node.rest
            nodes = reached
        for node in nodes:
            if node.exact:
                merged = merged or bool(found)
                found = found + node.exact if found else node.exact
        return sorted(found) if merged else found


def _reach_prefixed(node: _Node, segment: str, reached: list[_Node]) -> None:
    for length in node.lengths:
        if length > len(segment):
            return
        child = node.prefixed.get(segment[:length])
        if child is not None:
            reached.append(child)
