"""What the backends of database servers share: a pool for blocks, and a small prompt one."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Final

from tornkit.databases import prompt
from tornkit.databases.base import POOL_TIMEOUT, Backend, Engines
from tornkit.databases.pools import ShieldedPool

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ServerBackend"]

_POOL: Final[dict[str, Any]] = {
    "poolclass": ShieldedPool,
    "pool_timeout": POOL_TIMEOUT,
    "pool_pre_ping": True,
}


class ServerBackend(Backend):
    """A SQL server that is reached over a network, and may be silent."""

    def engines(self) -> Engines:
        """Make one pool; its readers' transactions begin as ``READ ONLY``."""
        return self._engines(_POOL)

    def prompt_engines(self) -> Engines:
        """Make a second, small pool."""
        return self._engines(prompt.POOL)

    @abstractmethod
    def _engines(self, pool: Mapping[str, Any]) -> Engines:
        """Make the two engines over a pool of these options."""
