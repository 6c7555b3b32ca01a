"""The contract of a cache store."""

from __future__ import annotations

from abc import ABC, abstractmethod

__all__ = ["CacheStore"]


class CacheStore(ABC):
    """Keep texts under keys, each for a while.

    Keys are printable, and at most `tornkit.cache._keys.MAX_KEPT` characters long; texts are
    JSON. Every method happens as a whole or not at all when its task is cancelled. A store
    that cannot answer raises `tornkit.errors.StoreUnavailable`; it may forget at any time.
    """

    async def open(self) -> None:  # noqa: B027 - memory has nothing to open
        """Get ready; called once in each worker, after it has started."""

    async def close(self) -> None:  # noqa: B027 - or to close
        """Let go of what `open` took; safe to call twice."""

    @abstractmethod
    async def load(self, key: str) -> bytes | str | None:
        """Return the text of a key, or None."""

    @abstractmethod
    async def save(self, key: str, text: bytes, life: float) -> None:
        """Keep a text for at most ``life`` seconds, which are more than 0.

        What was there before is gone in any case, also when the text is too large to keep.
        """

    @abstractmethod
    async def delete(self, key: str) -> bool:
        """Delete a key; False if there is none."""

    @abstractmethod
    async def clear(self) -> None:
        """Delete every key of this store, and nothing that others keep in the same place."""
