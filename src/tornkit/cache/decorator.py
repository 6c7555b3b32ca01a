"""`cached`: keep what a function returns."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from contextvars import ContextVar
from copy import copy
from functools import partial, update_wrapper
from types import MethodType
from typing import TYPE_CHECKING, Any, Concatenate, Final, Generic, ParamSpec, TypeVar, cast

from tornkit._work import current_work
from tornkit.cache._arguments import ACCEPTED, described
from tornkit.cache._lifetimes import seconds_of
from tornkit.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from tornkit.cache._lifetimes import TTL
    from tornkit.cache.cache import Cache

__all__ = ["Cached", "cached", "use_cache"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")

_current: Final[ContextVar[Cache | None]] = ContextVar("tornkit_cache", default=None)


@contextmanager
def use_cache(cache: Cache) -> Iterator[None]:
    """Make a cache the one that `cached` functions use inside a ``with`` block."""
    token = _current.set(cache)
    try:
        yield
    finally:
        _current.reset(token)


def cached(
    *, ttl: TTL, key: Callable[..., object] | None = None, cache: Cache | None = None
) -> Callable[[Callable[P, Coroutine[Any, Any, R]]], Cached[P, R]]:
    """Keep what an async function or method returns, for each set of arguments.

    The result comes back as JSON brings it back. Of a method, ``self`` is no part of the key:
    the result must depend on the other arguments alone, and on the class.

    Args:
        ttl: for how long: seconds, a text such as ``5m``, or a timedelta.
        key: takes the same arguments, without ``self``, and returns what of them counts.
        cache: where to keep it; by default that of ``use_cache``, else that of the site whose
            request is being handled.

    Raises:
        CacheError: what is decorated, or ``ttl``, cannot be used.

    Example:
        >>> import asyncio
        >>> from tornkit.cache import Cache, MemoryCacheStore
        >>> @cached(ttl="5m", cache=Cache(MemoryCacheStore()))
        ... async def double(number: int) -> int:
        ...     print("computing")
        ...     return 2 * number
        >>> asyncio.run(double(4)), asyncio.run(double(number=4))
        computing
        (8, 8)
    """
    life = seconds_of(ttl)
    return lambda function: Cached(function, life=life, key=key, cache=cache)


class Cached(Generic[P, R]):
    """What `cached` makes of a function; call it as before."""

    __name__: str
    __qualname__: str
    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        function: Callable[P, Coroutine[Any, Any, R]],
        *,
        life: float,
        key: Callable[..., object] | None,
        cache: Cache | None,
    ) -> None:
        _check(function)
        update_wrapper(self, function)
        self._function = function
        self._name = f"{function.__module__}:{self.__qualname__}"
        self._signature = inspect.signature(function)
        self._without_self = _without_first(self._signature)
        self._life = life
        self._key = key
        self._given = cache

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return what was kept for these arguments, or compute and keep it."""
        place = self._place(args, kwargs)
        compute = partial(self._function, *args, **kwargs)
        return await self._cache.get_or_set(place, compute, ttl=self._life)

    async def forget(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Delete what was kept for these arguments; False if there is nothing.

        Raises:
            StoreUnavailable: it may still be there.
        """
        return await self._cache.delete(self._place(args, kwargs))

    async def refresh(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Forget what was kept for these arguments, compute it, keep and return it.

        Raises:
            StoreUnavailable: the former result may still be there.
        """
        await self.forget(*args, **kwargs)
        return await self(*args, **kwargs)

    def __set_name__(self, owner: type, name: str) -> None:
        if name in {each.lower() for each in getattr(owner, "SUPPORTED_METHODS", ())}:
            raise CacheError(
                f"@cached keeps what {self._name} returns, and a handler's {name} returns nothing",
                hint="move what it computes into another method, and cache that",
            )

    def __get__(
        self: Cached[Concatenate[Any, Q], R], instance: object, owner: type | None = None
    ) -> Cached[Q, R]:
        owner = owner or type(instance)
        if isinstance(instance, type):
            raise CacheError(f"@cached cannot keep what the class method {self._name} returns")
        bound = cast("Cached[Q, R]", copy(self))
        if instance is not None:
            bound._function = MethodType(self._function, instance)
        else:
            bound._function = partial(_without_instance, self._name)
        bound._signature = self._without_self
        defined_in = self._name.rpartition(".")[0]
        if defined_in != f"{owner.__module__}:{owner.__qualname__}":
            # Derived classes may have other attributes to compute with.
            bound._name = f"{self._name}@{owner.__module__}:{owner.__qualname__}"
        return bound

    def __repr__(self) -> str:
        return f"<cached {self._name}>"

    @property
    def _cache(self) -> Cache:
        work = current_work.get()
        cache = self._given or _current.get() or (work and work.cache)
        if cache is None:
            raise CacheError(
                f"{self._name} is cached, and there is no cache here",
                hint="call it while a request is handled or inside `with use_cache(cache):`, or "
                "give the decorator cache=",
            )
        return cast("Cache", cache)

    def _place(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self.__qualname__}: {error}") from None
        bound.apply_defaults()
        if self._key is not None:
            given = self._describe("what key= returned", self._key(*args, **kwargs))
        else:
            given = ", ".join(
                f"{name}={self._describe(f'argument {name!r}', value)}"
                for name, value in bound.arguments.items()
            )
        return f"{self._name}({given})"

    def _describe(self, subject: str, value: object) -> str:
        try:
            return described(value)
        except TypeError as error:
            problem, hint = f"is or holds a {error}", f"a key is made of {ACCEPTED}"
        except ValueError:
            problem, hint = "holds an integer that is too long", ""
        except RecursionError:
            problem, hint = "is nested too deep", ""
        raise CacheError(
            f"{self._name} is cached: {subject} {problem}",
            hint=f"{hint}; give its id, or say with key= what counts".removeprefix("; "),
        )


def _check(function: Callable[..., object]) -> None:
    """Refuse what cannot be cached under its name."""
    if not inspect.isfunction(function) or not inspect.iscoroutinefunction(function):
        raise CacheError(
            f"@cached cannot keep what {function!r} returns",
            hint="it is for async functions and methods",
        )
    shared = set(function.__code__.co_freevars) - {"__class__"}
    if shared:
        raise CacheError(
            f"@cached cannot keep what {function.__module__}:{function.__qualname__} returns: "
            f"it uses variables of the function around it",
            hint="make them arguments, or use cache.get_or_set with a key of your own",
        )


def _without_first(signature: inspect.Signature) -> inspect.Signature:
    return signature.replace(parameters=list(signature.parameters.values())[1:])


async def _without_instance(name: str, *_: object, **__: object) -> Any:
    raise CacheError(f"{name} is a method: call it on an instance")
