"""Which passwords are good enough: by length, and not one that is guessed first.

As NIST SP 800-63B-4 (3.1.1.2) and ASVS 5 (6.2) have it: there are no rules of composition, and
the whole password is compared with the list, not its parts. Sign-in lets only a handful of
guesses through, and those are spent on what stands in the list: the usual decorations do too
("password1", "p@ssw0rd", "password!").
"""

from __future__ import annotations

import asyncio
import importlib.util
import unicodedata
from functools import cache
from importlib.machinery import PathFinder

from tornkit.accounts.passwords import normal_password
from tornkit.errors import WeakPassword

__all__ = ["PASSWORD_LENGTH", "check_password", "is_common"]

PASSWORD_LENGTH = 8
"""Characters of the shortest password, and of the shortest one known as common."""


async def check_password(password: str, *, email: str = "", length: int = PASSWORD_LENGTH) -> None:
    """Refuse a password that breaks a rule.

    Args:
        password: what somebody chose.
        email: whose it is to be.
        length: characters that it needs.

    Raises:
        WeakPassword: with a message for who chose it.
    """
    normal = normal_password(password)
    if len(normal) < length:
        raise WeakPassword(f"The password is too short: use at least {length} characters.")
    address = unicodedata.normalize("NFKC", email.strip()).casefold()
    own = {address, address.partition("@")[0]} - {""}
    if normal.strip().casefold() in own:
        raise WeakPassword("The password is the e-mail address, or its beginning: choose another.")
    # Loading the list takes milliseconds, and looking into it a tenth of one.
    if await asyncio.to_thread(is_common, normal):
        raise WeakPassword("The password is one that many people use: choose another.")


def is_common(password: str) -> bool:
    """Tell whether a password, in any case, is among the most frequent words and passwords."""
    lowered = password.lower()
    return "\n" not in lowered and f"\n{lowered}\n" in _common_passwords()


@cache
def _common_passwords() -> str:
    """Return zxcvbn's frequency lists as one text, a line each: 0.4 MB, where a set has 5.

    Each word stands only in the list where it is most frequent ("aaaaaaaa" among those of
    films), so all of them count. The module is loaded by itself, for its package would bring
    an estimator along and keep everything for good.
    """
    package = importlib.util.find_spec("zxcvbn")
    name = "zxcvbn.frequency_lists"
    found = PathFinder.find_spec(name, package.submodule_search_locations if package else None)
    if found is None or found.loader is None:
        raise ModuleNotFoundError(f"tornkit needs {name}; run pip install zxcvbn", name=name)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    words = (word for each in module.FREQUENCY_LISTS.values() for word in each)
    return "\n".join(["", *(word for word in words if len(word) >= PASSWORD_LENGTH), ""])
