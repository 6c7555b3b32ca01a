"""Hash and verify passwords with argon2, beside the event loop.

All hashing of a process shares a pool of `WORKERS` threads of its own: at most so many
hashes run, and hold their memory (64 MiB each by default), at one time; others queue. The
queue is short, for whoever waits in a long one has given up before it is their turn.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError
from argon2.low_level import hash_secret_raw

from tornkit.errors import AppError, WeakPassword

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["PASSWORD_BYTES", "WORKERS", "Passwords", "normal_password"]

PASSWORD_BYTES = 1024
"""Bytes of the longest one, in UTF-8."""

WORKERS = min(4, os.cpu_count() or 1)
"""Passwords hashed at one time."""

QUEUE = 8 * WORKERS
"""Passwords that wait for their turn."""

_RETRY_AFTER = 5.0  # seconds; a full queue is worked off in less
_SMALLEST = 8  # KiB that argon2 takes for each lane at least


class _Pool:
    """Threads that hash, and as many places as may be taken at them."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(WORKERS, "tornkit-passwords")
        self._places = threading.Semaphore(WORKERS + QUEUE)

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        if not self._places.acquire(blocking=False):
            raise AppError(503, f"{QUEUE} passwords wait to be hashed", retry_after=_RETRY_AFTER)
        try:
            work = self._threads.submit(function, *arguments)
        except BaseException:
            self._places.release()
            raise
        # Whoever awaits it may be gone long before its turn is over.
        work.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(work)


_pools: dict[int, _Pool] = {}


def _pool() -> _Pool:
    """Return this process's threads; those of the parent do not survive a fork."""
    pool = _pools.get(os.getpid())
    if pool is None:
        _pools.clear()
        pool = _pools[os.getpid()] = _Pool()
    return pool


class Passwords:
    """Hash and verify passwords with one set of argon2 parameters."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash to store; which passwords are good enough is not asked here.

        Raises:
            WeakPassword: the password is too long or not text.
            AppError: too many wait already (503, with ``retry_after``); `verify` does so too.
        """
        return await _pool().run(self._hasher.hash, normal_password(password).encode())

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether the password fits the stored hash; without one, take the same time.

        A hash of outdated parameters that were cheaper takes as much as one of today's.
        """
        decoy = await self._get_decoy()
        encoded = _encoded(password)
        known = stored is not None and encoded is not None
        compared = stored if stored and known else decoy
        return await _pool().run(self._fits, compared, decoy, encoded or b"") and known

    def is_outdated(self, stored: str) -> bool:
        """Tell whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    async def _get_decoy(self) -> str:
        # Made before any verification, known user or not, so that its making tells nothing.
        if self._decoy is None:
            self._decoy = await _pool().run(self._hasher.hash, secrets.token_bytes(16))
        return self._decoy

    # --- in the thread -------------------------------------------------------------------

    def _fits(self, stored: str, decoy: str, password: bytes) -> bool:
        try:
            right = self._is_right(stored, password)
        except InvalidHashError:  # no password fits such an account
            self._is_right(decoy, b"")
            return False
        # Whether it was right or not, for that an account is inactive is told to nobody.
        self._make_up_for(stored)
        return right

    def _is_right(self, stored: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except InvalidHashError:
            raise
        except VerificationError:
            return False

    def _make_up_for(self, stored: str) -> None:
        """Compute what a hash of today's parameters costs more than this one."""
        today, old = self._hasher, extract_parameters(stored)
        # What argon2 costs is its memory times its passes.
        missing = today.memory_cost * today.time_cost - old.memory_cost * old.time_cost
        if missing > 0:
            hash_secret_raw(
                b"",
                b"of the decoy",
                time_cost=today.time_cost,
                memory_cost=max(-(-missing // today.time_cost), _SMALLEST * today.parallelism),
                parallelism=today.parallelism,
                hash_len=today.hash_len,
                type=today.type,
            )


def normal_password(password: str) -> str:
    """Return the password in one form (NFKC), the same whatever keyboard composed it.

    Raises:
        WeakPassword: it has more than `PASSWORD_BYTES` or holds what is no text.
    """
    if len(password) <= PASSWORD_BYTES:
        normal = unicodedata.normalize("NFKC", password)
        try:
            fits = len(normal.encode()) <= PASSWORD_BYTES
        except UnicodeEncodeError:  # a lone surrogate
            raise WeakPassword("The password holds characters that are no text.") from None
        if fits:
            return normal
    raise WeakPassword(f"The password is too long: use at most {PASSWORD_BYTES} bytes.")


def _encoded(password: str) -> bytes | None:
    try:
        return normal_password(password).encode()
    except WeakPassword:
        return None
