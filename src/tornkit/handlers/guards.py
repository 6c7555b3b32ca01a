"""Guards: what must hold before a method of a handler runs, beyond the door of its module."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketHandler

from tornkit.errors import AppError
from tornkit.handlers.lifecycle import LifecycleHandler

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tornkit.errors import ErrorCode
    from tornkit.handlers.signing_in import SigningInHandler

    Check = Callable[[Any], Awaitable[None]]
    Target = TypeVar("Target", bound=Callable[..., Any])

__all__ = ["guard", "require_recent_sign_in"]


def guard(target: Target, check: Check) -> Target:
    """Return a handler's method, or a handler class, that awaits ``check(handler)`` first.

    A check refuses by raising, or by answering itself. Of a class, and of all that derive
    from it, every HTTP method is guarded after the door and before ``prepare()``, the
    handshake of a WebSocket included; the list of methods that OPTIONS answers with by itself
    is free.

    Raises:
        TypeError: the target is neither a method nor a `BaseHandler`.
    """
    if isinstance(target, type) and issubclass(target, LifecycleHandler):
        target._guards = (check, *target._guards)
        return target
    if not inspect.isfunction(target):
        raise TypeError(f"{target!r} is neither a method nor a class derived from BaseHandler")
    guarded: Any = _guarded(target, check)
    result: Target = guarded
    return result


def _guarded(method: Callable[..., Any], check: Check) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(method)
    async def run(handler: Any, *args: Any, **kwargs: Any) -> Any:
        await check(handler)
        if handler._finished:
            return None
        result = method(handler, *args, **kwargs)
        return await result if inspect.isawaitable(result) else result

    return run


def require_recent_sign_in(
    *, minutes: float = 10, code: ErrorCode | None = None
) -> Callable[[Target], Target]:
    """Guard a method or a handler class: the visitor has proved who they are a short time ago.

    Whoever signed in longer ago is asked for the password on the page ``account:confirm``,
    or on the sign-in page of a site that has none, and comes back; JSON clients and
    WebSockets get a 401.

    Args:
        minutes: how long ago the sign-in, or `BaseHandler.confirm_password`, may be.
        code: what JSON clients are told in place of a plain 401, which also stands for not
            being signed in at all.

    Example:
        >>> from tornkit import BaseHandler
        >>> class Delete(BaseHandler):
        ...     @require_recent_sign_in(minutes=5)
        ...     async def post(self) -> None:
        ...         await self.accounts.delete(self.current_user)

    Raises:
        ValueError: ``minutes`` is not positive.
        TypeError: it decorates neither a method nor a handler class.
    """
    if not minutes > 0:
        raise ValueError(f"require_recent_sign_in(): minutes is {minutes!r}, not positive")

    async def check(handler: SigningInHandler) -> None:
        if handler.current_user is None:
            handler.turn_stranger_away()
        elif not handler.signed_in_within(minutes * 60):
            _ask_again(handler, code)

    return lambda target: guard(target, check)


def _ask_again(handler: SigningInHandler, code: ErrorCode | None) -> None:
    url = handler.site.confirm_url
    if url is None or isinstance(handler, WebSocketHandler) or handler.wants_json():
        raise HTTPError(401, reason="Sign in again") if code is None else AppError(code)
    reading = handler.request.method in ("GET", "HEAD")
    back = handler.request.uri if reading else handler.request.path
    if reading or type(handler).get is not RequestHandler.get:  # what was posted is lost
        url += f"?next={quote(back or '/', safe='')}"
    handler.redirect(url, status=302 if reading else 303)
