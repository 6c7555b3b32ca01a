"""Sign short texts with the site's secrets: the first signs, all of them verify.

Keyed BLAKE2b (RFC 7693) of 128 bits; each purpose has a key of its own, so that a text
signed for one is worth nothing for another.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from hashlib import blake2b, sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Signer", "key_version"]

_BYTES = 16
_KEPT = 4096  # verdicts of `Signer.unsign`; what was longest not asked for goes first


class Signer:
    """Sign and verify texts for one purpose.

    Args:
        secrets: returns the secrets, today's first; it is asked at the first signature.
        purpose: what the texts are for.

    Attributes:
        unsign: takes a signed text; returns the text and whether today's secret signed it, or
            None if none did. Verdicts are kept, so texts of strangers need a bounded length.

    Example:
        >>> signer = Signer(lambda: ["a secret"], "greeting")
        >>> signer.unsign(signer.sign("hello"))
        ('hello', True)
    """

    def __init__(self, secrets: Callable[[], Sequence[str]], purpose: str) -> None:
        self._secrets = secrets
        self._purpose = f"tornkit:{purpose}".encode()
        # A visitor sends the same text with each request. Texts are found by a hash with a key
        # of this process, so the time that it takes tells nothing of a signature.
        self.unsign: Callable[[str], tuple[str, bool] | None]
        self.unsign = lru_cache(maxsize=_KEPT)(self._unsign)

    @cached_property
    def _keys(self) -> tuple[bytes, ...]:
        # A key of BLAKE2b has at most 64 bytes, a secret any number.
        return tuple(
            sha256(b"\0".join((self._purpose, secret.encode()))).digest()
            for secret in self._secrets()
        )

    def sign(self, text: str) -> str:
        """Return the text, a dot and its signature: 33 characters more."""
        return f"{text}.{_signature(self._keys[0], text.encode())}"

    def _unsign(self, signed: str) -> tuple[str, bool] | None:
        text, dot, signature = signed.rpartition(".")
        if not dot or not signed.isascii():
            return None
        keys, raw = self._keys, text.encode()
        if compare_digest(signature, _signature(keys[0], raw)):
            return text, True
        if any(compare_digest(signature, _signature(key, raw)) for key in keys[1:]):
            return text, False
        return None


def _signature(key: bytes, text: bytes) -> str:
    return blake2b(text, key=key, digest_size=_BYTES).hexdigest()


def key_version(secret: str) -> int:
    """Return the number that Tornado's signed cookies know a secret by.

    It follows from the secret itself, so that it stays the same when secrets move down the
    list.
    """
    return int.from_bytes(sha256(b"tornkit:key-version:" + secret.encode()).digest()[:4], "big")
