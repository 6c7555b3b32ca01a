"""What waits for database blocks to commit: sent when the last of them has, dropped if one fails.

The sessions of open blocks are handed in; that they commit is learned from SQLAlchemy's events,
which come while their ``commit`` is awaited: what cannot be sent fails there, where somebody sees
it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import event
from sqlalchemy.util import await_only

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

__all__ = ["Pending"]

_KEY: Final = "tornkit_tasks_pending"


class Pending:
    """Something that is sent after all of some sessions have committed.

    Args:
        sessions: at least one, each in a block that writes.
        send: sends it.
    """

    def __init__(
        self, sessions: Sequence[AsyncSession], send: Callable[[], Awaitable[None]]
    ) -> None:
        self._send = send
        self._open = len(sessions)
        self.is_sent = False
        self.is_dropped = False
        self._savepoints: list[Any] = []
        for session in sessions:
            _Transaction.of(session.sync_session).waiting.append(self)
            savepoint = session.sync_session.get_nested_transaction()
            while savepoint is not None and savepoint.nested:
                self._savepoints.append(savepoint)
                savepoint = savepoint.parent

    def is_within(self, savepoint: Any) -> bool:
        """Tell whether a savepoint that is rolled back takes this with it."""
        return any(each is savepoint for each in self._savepoints)

    def drop(self) -> bool:
        """Send it never; False if it is sent already."""
        self.is_dropped = not self.is_sent
        return self.is_dropped

    def commit(self) -> None:
        """Note that one of the sessions has committed; with the last one, send.

        Called where SQLAlchemy commits, in a greenlet that may await.
        """
        self._open -= 1
        if not self._open and not self.is_dropped:
            await_only(self._send())
            self.is_sent = True


class _Transaction:
    """What waits for the end of a session's transaction, the open one or else the next."""

    def __init__(self, session: Any) -> None:
        self.waiting: list[Pending] = []
        self._has_committed = False
        event.listen(session, "after_commit", self._note)
        event.listen(session, "after_soft_rollback", self._roll_back)
        event.listen(session, "after_transaction_end", self._end)

    @classmethod
    def of(cls, session: Any) -> _Transaction:
        """Return that of a session."""
        if _KEY not in session.info:
            session.info[_KEY] = cls(session)
        if not session.in_transaction():
            session.begin()  # otherwise nothing would tell of an end without a statement
        found: _Transaction = session.info[_KEY]
        return found

    def _note(self, session: Any) -> None:
        # A savepoint that is released is no commit.
        self._has_committed = not session.in_nested_transaction()

    def _roll_back(self, session: Any, previous: Any) -> None:
        for each in [each for each in self.waiting if each.is_within(previous)]:
            each.drop()
            self.waiting.remove(each)

    def _end(self, session: Any, transaction: Any) -> None:
        if transaction.parent is not None:
            return
        waiting, self.waiting = self.waiting, []
        has_committed, self._has_committed = self._has_committed, False
        try:
            while waiting and has_committed:
                waiting[0].commit()
                del waiting[0]
        finally:
            # Also those behind one that cannot be sent, for whoever waits is told so only once.
            for each in waiting:
                each.drop()
