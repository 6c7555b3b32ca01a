"""`rate_limit`: how often a visitor may ask something of a handler."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any, TypeVar

from tornkit.errors import StoreUnavailable, TornkitError
from tornkit.handlers.guards import guard
from tornkit.security.limits import Rate, client_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from tornkit.handlers.base import BaseHandler

    Target = TypeVar("Target", bound=Callable[..., Any])

__all__ = ["rate_limit"]

_log = logging.getLogger("tornkit.handlers")


def rate_limit(
    rate: str | Rate,
    *,
    by: str | Callable[[Any], str] = "address",
    name: str | None = None,
) -> Callable[[Target], Target]:
    """Let a visitor call a method, or all methods of a handler class, only so often.

    It is counted after the door and before the method. Whoever comes too often gets a 429 with
    ``Retry-After``, as a page or as JSON. Should the limit store not answer, the request goes
    on and a warning is logged.

    Args:
        rate: such as ``30/minute``, ``5/s`` or ``100/15m``.
        by: what is counted apart: ``"address"``; ``"user"``, the address of strangers; or a
            plain function that makes a text of the handler.
        name: what the count is kept under. Handlers of one name are counted together; by
            default each is counted by itself.

    Example:
        >>> from tornkit import BaseHandler
        >>> class Search(BaseHandler):
        ...     @rate_limit("30/minute")
        ...     async def get(self) -> None:
        ...         self.response_json(found=[])

    Raises:
        ValueError: the rate or ``by`` cannot be used.
        TypeError: it decorates neither a method nor a handler class.
    """
    measured = _read_rate(rate)
    subject_of = _read_by(by)
    if name == "":
        raise ValueError("rate_limit(): name is empty; leave it out, or choose one")

    def decorate(target: Target) -> Target:
        own: Any = target
        counted_as = name or f"{own.__module__}:{own.__qualname__}"

        async def check(handler: BaseHandler) -> None:
            await _count(handler, counted_as, subject_of(handler), measured)

        return guard(target, check)

    return decorate


async def _count(handler: BaseHandler, name: str, subject: str, rate: Rate) -> None:
    limiter = handler.site.limiter
    if limiter is None:
        raise TornkitError("rate_limit() needs a tornkit.Application", hint="use one")
    if handler.site.one_store and handler.store_failed:
        _log.warning("not counted: %s: the store has just failed to answer", name)
        return
    try:
        await limiter.hit(f"rate_limit {name}", subject, rate)
    except StoreUnavailable as failure:
        # A site that stands still whenever its counts are lost would be the worse failure.
        _log.warning("not counted: %s: %s", name, failure)


# --- what it is given --------------------------------------------------------------------


def _read_rate(rate: str | Rate) -> Rate:
    if isinstance(rate, Rate):
        return rate
    try:
        return Rate.parse(rate)
    except (ValueError, AttributeError):
        raise ValueError(
            f"rate_limit(): rate is {rate!r}; expected a rate such as 30/minute or 100/15m"
        ) from None


def _read_by(by: str | Callable[[Any], str]) -> Callable[[Any], str]:
    if isinstance(by, str) and by in _SUBJECTS:
        return _SUBJECTS[by]
    if callable(by) and not inspect.iscoroutinefunction(by):
        return lambda handler: _own(by, handler)
    raise ValueError(
        f"rate_limit(): by is {by!r}; expected 'address', 'user' or a plain function of the "
        "handler"
    )


def _own(by: Callable[[Any], str], handler: Any) -> str:
    subject: object = by(handler)
    if not isinstance(subject, str):
        raise TypeError(
            f"rate_limit(): by={by!r} returned {type(subject).__name__} for "
            f"{type(handler).__name__}; expected a text"
        )
    return f"own {subject}"


def _address(handler: Any) -> str:
    return f"address {client_network(handler.request.remote_ip or '')}"


def _user(handler: Any) -> str:
    user = handler.current_user
    return _address(handler) if user is None else f"user {getattr(user, 'id', user)}"


_SUBJECTS = {"address": _address, "user": _user}
