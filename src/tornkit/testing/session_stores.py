"""`SessionStoreContract`: the tests that every session store passes, for stores of your own.

It needs pytest and pytest-asyncio, ``pip install "tornkit[test]"``, in strict or auto mode.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tornkit.testing._session_contract.cancelling import Cancelling
from tornkit.testing._session_contract.changing import Changing
from tornkit.testing._session_contract.counting import Counting
from tornkit.testing._session_contract.ending import Ending
from tornkit.testing._session_contract.keeping import Keeping
from tornkit.testing._session_contract.rotating import Rotating
from tornkit.testing._session_contract.users import Users

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.sessions import SessionStore

__all__ = ["SessionStoreContract"]


@pytest.mark.asyncio
class SessionStoreContract(Keeping, Changing, Counting, Rotating, Ending, Users, Cancelling, ABC):
    """Derive a class whose name starts with ``Test`` and say how your store is made.

    Each test gets a store of its own, opened, in the fixture ``store``.

    Example:
        >>> class TestFileStore(SessionStoreContract):
        ...     async def make_store(self, tmp_path):
        ...         return FileStore(tmp_path / "sessions.json")
    """

    @abstractmethod
    async def make_store(self, tmp_path: Path) -> SessionStore:
        """Return an empty store, not opened; ``tmp_path`` is a folder of the test's own."""

    async def drop_store(self, store: SessionStore) -> None:
        """Put away what `make_store` made; the store is closed already."""

    @pytest_asyncio.fixture
    async def store(self, tmp_path: Path) -> AsyncIterator[SessionStore]:
        """Return the opened store of a test."""
        made = await self.make_store(tmp_path)
        try:
            await made.open()
            yield made
        finally:
            await made.close()
            await self.drop_store(made)
