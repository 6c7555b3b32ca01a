"""A connection that is hung up is closed, whatever else is short."""

from __future__ import annotations

import contextlib
import resource
import socket
from typing import TYPE_CHECKING

import pytest
from tornado.iostream import IOStream

from tornkit.server.hanging_up import hang_up

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def no_free_descriptor() -> Iterator[None]:
    """Let nothing be opened; what is open stays so."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("short", [False, True], ids=["enough", "no descriptor"])
async def test_the_stream_is_closed_at_once_and_the_other_end_learns_of_it(short: bool) -> None:
    ours, theirs = socket.socketpair()
    stream, other = IOStream(ours), IOStream(theirs)
    with no_free_descriptor() if short else contextlib.nullcontext():
        hang_up(stream)
    assert stream.closed()
    assert await other.read_until_close() == b""
