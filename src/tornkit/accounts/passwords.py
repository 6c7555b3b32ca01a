"""Hash and verify passwords with argon2, beside the event loop.

All hashing of a process shares a pool of `WORKERS` threads of its own: at most so many
hashes run, and hold their memory (64 MiB each by default), at one time; others queue.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tornkit.errors import WeakPassword

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

__all__ = ["PASSWORD_BYTES", "WORKERS", "Passwords", "normal_password"]

PASSWORD_BYTES = 1024
"""Bytes of the longest one, in UTF-8."""

WORKERS = min(4, os.cpu_count() or 1)
"""Passwords hashed at one time."""

_pools: dict[int, ThreadPoolExecutor] = {}


def _pool() -> ThreadPoolExecutor:
    """Return this process's threads; those of the parent do not survive a fork."""
    pool = _pools.get(os.getpid())
    if pool is None:
        _pools.clear()
        pool = _pools[os.getpid()] = ThreadPoolExecutor(WORKERS, "tornkit-passwords")
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
        """
        return await _in_thread(self._hasher.hash, normal_password(password).encode())

    async def verify(self, stored: str | None, password: str) -> bool:
        """Tell whether the password fits the stored hash; without one, take the same time."""
        decoy = await self._get_decoy()
        encoded = _encoded(password)
        known = stored is not None and encoded is not None
        try:
            await _in_thread(
                self._hasher.verify, stored if stored and known else decoy, encoded or b""
            )
        except VerificationError:
            return False
        except InvalidHashError:  # no password fits such an account
            await _in_thread(self._wrong, decoy)
            return False
        return known

    def is_outdated(self, stored: str) -> bool:
        """Tell whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    async def _get_decoy(self) -> str:
        # Made before any verification, known user or not, so that its making tells nothing.
        if self._decoy is None:
            self._decoy = await _in_thread(self._hasher.hash, secrets.token_bytes(16))
        return self._decoy

    def _wrong(self, decoy: str) -> bool:
        try:
            return self._hasher.verify(decoy, b"")
        except VerificationError:
            return False


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


async def _in_thread(function: Callable[..., T], *arguments: object) -> T:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool(), function, *arguments)
