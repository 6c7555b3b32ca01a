"""What handlers reach besides SQL: other databases, other services, several things at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, overload

from tornkit._gathering import gather
from tornkit.errors import TornkitError
from tornkit.handlers.signing_in import SigningInHandler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Coroutine, Hashable, Mapping, Sequence

    from tornkit.cache import Cache
    from tornkit.databases import HTTPService
    from tornkit.databases.mongodb import Documents
    from tornkit.databases.redis import RedisClient

__all__ = ["ResourcesHandler"]

T = TypeVar("T")
Key = TypeVar("Key", bound="Hashable")


class ResourcesHandler(SigningInHandler):
    """Reach MongoDB, Redis and HTTP services by the names of their binds."""

    def mongo(self, name: str) -> Documents:
        """Return the MongoDB database of a bind: ``await self.mongo("catalog").books.find_one()``.

        Its driver's errors, uncaught, become a 503 where the server is at fault.

        Raises:
            UnknownDatabase: no bind of that name, or one of another kind.
        """
        return self._databases.mongodb[name].database

    def redis(self, name: str) -> RedisClient:
        """Return the Redis client of a bind: ``await self.redis("cache").get("key")``.

        Its driver's errors, uncaught, become a 503 where the server is at fault.

        Raises:
            UnknownDatabase: no bind of that name, or one of another kind.
        """
        return self._databases.redis[name].client

    def http(self, name: str) -> HTTPService:
        """Return the HTTP service of a bind: ``await self.http("weather").get("/today")``.

        Raises:
            UnknownDatabase: no bind of that name, or one of another kind.
        """
        return self._databases.http[name]

    @property
    def cache(self) -> Cache:
        """The site's cache: ``await self.cache.get("key")``.

        Raises:
            TornkitError: the application is not a `tornkit.Application`.
        """
        if self.site.cache is None:
            raise TornkitError("self.cache needs a tornkit.Application", hint="use one")
        return self.site.cache

    @overload
    def gather(
        self, first: Sequence[Awaitable[T]], /, *, timeout: float | None = None
    ) -> Coroutine[Any, Any, list[T]]: ...
    @overload
    def gather(
        self, first: Mapping[Key, Awaitable[T]], /, *, timeout: float | None = None
    ) -> Coroutine[Any, Any, dict[Key, T]]: ...
    @overload
    def gather(
        self, first: Awaitable[Any], /, *more: Awaitable[Any], timeout: float | None = None
    ) -> Coroutine[Any, Any, list[Any]]: ...
    def gather(self, *children: Any, timeout: float | None = None) -> Coroutine[Any, Any, Any]:
        """Await several at once: several or a list in, a list out; a dict in, a dict out.

        The first error, or the deadline, cancels the others and waits until they have ended.
        Each runs in a task of its own, with ``self.db()`` blocks of its own.

        Args:
            children: awaitables, or one list, tuple or dict of them.
            timeout: seconds that they have together.

        Raises:
            DeadlineExceeded: the time was up; uncaught, it becomes a 503.
        """
        return gather(*children, timeout=timeout)
