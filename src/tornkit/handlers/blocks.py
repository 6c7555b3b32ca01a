"""Which ``self.db()`` blocks of a handler are open, and which of them surround the caller.

Tasks that a handler starts see the blocks they were started in, not those of their
siblings; the transactions themselves are `tornkit.databases`' work.
"""

from __future__ import annotations

from contextvars import ContextVar

__all__ = ["OpenBlock", "enter_block", "surrounding_block"]

_innermost: ContextVar[OpenBlock | None] = ContextVar("tornkit_handler_block", default=None)


class OpenBlock:
    """One block of one handler, and the block that it was opened in."""

    __slots__ = ("_is_open", "_outer", "_owner", "reads")

    def __init__(self, owner: object, outer: OpenBlock | None, *, reads: bool = False) -> None:
        self._owner = owner
        self._outer = outer
        self._is_open = True
        # Whether nothing can be rolled back, in this block or in those around it.
        self.reads: bool = reads and (outer is None or outer.reads or not outer._is_open)

    def leave(self) -> None:
        """Note that its work is committed or rolled back."""
        self._is_open = False
        if _innermost.get() is self:
            _innermost.set(self._outer)

    def is_within(self, other: OpenBlock) -> bool:
        """Tell whether this is ``other`` or was opened in it."""
        return self is other or (self._outer is not None and self._outer.is_within(other))

    @property
    def is_over(self) -> bool:
        """Whether neither this block nor any around it is open."""
        return not self._is_open and (self._outer is None or self._outer.is_over)


def surrounding_block(owner: object) -> OpenBlock | None:
    """Return the innermost open block of ``owner`` that the caller is in."""
    block = _innermost.get()
    while block is not None and not (block._is_open and block._owner is owner):
        block = block._outer
    return block


def enter_block(owner: object, *, reads: bool = False) -> OpenBlock:
    """Return a new block of ``owner``, from here the innermost one.

    Args:
        owner: the handler.
        reads: whether it is read-only.
    """
    block = OpenBlock(owner, surrounding_block(owner), reads=reads)
    _innermost.set(block)
    return block
