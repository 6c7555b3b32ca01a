"""`Cache`: what the rest of the site keeps values with."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tornkit.cache._flights import Flight, Flights
from tornkit.cache._keys import stored_key
from tornkit.cache._lifetimes import seconds_of
from tornkit.cache._outages import Outage
from tornkit.encoding import decode, encode
from tornkit.errors import CacheError, EncodingError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornkit.cache._lifetimes import TTL
    from tornkit.cache.base import CacheStore

__all__ = ["Cache"]

T = TypeVar("T")

_log = logging.getLogger("tornkit.cache")


class Cache:
    """Keep values as JSON for a while; what comes back is what JSON makes of them.

    A store that does not answer is as if it were empty: reading finds nothing, writing keeps
    nothing, the log says so once. `delete` and `clear` alone raise `StoreUnavailable`, for
    after them nobody expects to see what was there.

    Args:
        store: where they are kept.
        clock: returns seconds that never go back; for how long a store is left alone that
            did not answer.

    Example:
        >>> import asyncio
        >>> from tornkit.cache import MemoryCacheStore
        >>> async def main():
        ...     cache = Cache(MemoryCacheStore())
        ...     await cache.set("tags", ("b", "a"), ttl="5m")
        ...     return await cache.get("tags"), await cache.get("other", [])
        >>> asyncio.run(main())
        (['b', 'a'], [])
    """

    def __init__(self, store: CacheStore, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.store = store
        self._reading = Outage("reading", clock)
        self._writing = Outage("writing", clock)
        self._flights = Flights()

    async def open(self) -> None:
        """Open the store; called once in each worker, after it has started.

        Raises:
            MissingDriver: the store's driver is not installed.
        """
        await self.store.open()

    async def close(self) -> None:
        """Close the store."""
        await self.store.close()

    async def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key, or the default; a None that was kept is a value.

        Raises:
            CacheError: it is no key.
        """
        found = await self._load(stored_key(key))
        return default if found is None else found[1]

    async def set(self, key: str, value: object, *, ttl: TTL) -> None:
        """Keep a value; after ``ttl`` at the latest it is gone.

        Raises:
            CacheError: the key, the value or the lifetime cannot be used.
        """
        place, life, text = stored_key(key), seconds_of(ttl), _encoded(key, value)
        await self._flights.ground(place)
        await self._save(place, text, life)

    async def delete(self, key: str) -> bool:
        """Delete a key; False if there is none.

        A computation of it that is under way is not kept.

        Raises:
            CacheError: it is no key.
            StoreUnavailable: it may still be there.
        """
        place = stored_key(key)
        await self._flights.ground(place)
        return await self.store.delete(place)

    async def clear(self) -> None:
        """Delete every key of this site.

        Raises:
            StoreUnavailable: some may still be there.
        """
        await self._flights.ground_all()
        await self.store.clear()

    async def get_or_set(self, key: str, compute: Callable[[], Awaitable[T]], *, ttl: TTL) -> T:
        """Return the value of a key; if there is none, compute it and keep it.

        In one process a key is computed once at a time. Whoever asks meanwhile waits and
        shares the result, or the error, which is not kept. The computation runs in a task of
        its own for as long as anybody waits for it.

        Args:
            key: what it is kept under.
            compute: returns the value.
            ttl: seconds, a text such as ``5m``, or a timedelta.

        Returns:
            The value as JSON brings it back, also when it has just been computed.

        Raises:
            CacheError: the key, the value or the lifetime cannot be used.
        """
        place, life = stored_key(key), seconds_of(ttl)
        found = await self._load(place)
        if found is not None:
            return cast("T", found[1])

        async def work(flight: Flight) -> bytes | str:
            # Somebody else's computation may have ended while this one looked.
            found = await self._load(place)
            if found is not None:
                return found[0]
            text = _encoded(key, await compute())
            if flight.is_wanted:
                flight.is_saving = True
                await self._save(place, text, life)
            return text

        return cast("T", decode(await self._flights.join(place, work)))

    async def _load(self, place: str) -> tuple[bytes | str, object] | None:
        """Return the text of a key and its value, or None."""
        if not self._reading.lets_ask():
            return None
        try:
            text = await self.store.load(place)
        except StoreUnavailable as error:
            self._reading.failed(error)
            return None
        self._reading.answered()
        if text is None:
            return None
        try:
            return text, decode(text)
        except ValueError:
            _log.warning("cache key %r holds what is not JSON: ignored", place)
            return None

    async def _save(self, place: str, text: bytes, life: float) -> None:
        if self._reading.lasts or not self._writing.lets_ask():
            return
        try:
            await self.store.save(place, text, life)
        except StoreUnavailable as error:
            self._writing.failed(error)
        else:
            self._writing.answered()


def _encoded(key: str, value: object) -> bytes:
    try:
        return encode(value)
    except EncodingError as error:
        reason = error.message.replace("the answer", "the value").replace(
            "JSON answers do", "JSON does"
        )
        raise CacheError(
            f"cache key {stored_key(key)!r}: {reason}", key_path=error.key_path, hint=error.hint
        ) from error
