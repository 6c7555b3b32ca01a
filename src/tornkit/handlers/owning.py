"""Whose a task is: what a handler enqueues belongs to the visitor, and who else may see it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from tornkit.errors import TaskError
from tornkit.handlers.resources import ResourcesHandler
from tornkit.tasks import Call

if TYPE_CHECKING:
    from tornkit.tasks import Job, Task

__all__ = ["OwningHandler"]

P = ParamSpec("P")
R = TypeVar("R")

_KEY: Final = "tornkit.tasks"
"""What the session keeps the owner under of what is enqueued by nobody in particular."""


class OwningHandler(ResourcesHandler):
    """Enqueue tasks for the visitor, who may then ask about them."""

    @property
    def task_owner(self) -> str:
        """Whose the tasks are that this visitor enqueues, for ``using(owner=…)``.

        That is the id of who is signed in. Of anybody else it is a random text that their
        session keeps, so that asking for it gives a visitor a session.
        """
        user = self.current_user
        if user is not None:
            return str(user.id)
        owner = self.session.get(_KEY)
        if not isinstance(owner, str):
            owner = self.session[_KEY] = f"session:{secrets.token_hex(16)}"
        return owner

    async def enqueue(
        self, task: Task[P, R] | Call[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Job[R]:
        """Enqueue a job that belongs to the visitor: they may ask about it, and abort it.

        Otherwise it is ``task.enqueue(…)``: inside a ``self.db()`` block it happens when the block
        has committed.

        Args:
            task: the task, or what its ``using(…)`` returned.
            args: arguments of the task.
            kwargs: likewise.

        Example:
            ``job = await self.enqueue(report.using(delay="5m"), class_id=3)``

        Raises:
            BadArgument: an argument is none of the task's, or JSON does not carry it.
            QueueUnavailable: the queue does not answer; uncaught, a 503.
            TaskError: the site has no tasks, or not this one.
        """
        tasks = self.site.tasks
        if tasks is None:
            raise TaskError(
                "self.enqueue() needs a site with tasks",
                hint="put them into a file tasks.py of the project, or beside a module's handlers",
            )
        call = task if isinstance(task, Call) else task.using()
        if call.options.owner is None:
            call = Call(call.task, replace(call.options, owner=self.task_owner))
        return await tasks.enqueue(call, *args, **kwargs)

    def _may_own_tasks(self) -> bool:
        """Tell whether any task could be this visitor's to see.

        Raises:
            StoreUnavailable: the session's store did not answer, which might know.
        """
        if self._session_failure is not None:
            raise self._session_failure
        return self.current_user is not None or (self._has_session and _KEY in self.session)

    def may_see_task(self, job: Job[Any]) -> bool:
        """Tell whether a job is the visitor's, or they hold one of ``tasks.ops_roles``."""
        user = self.current_user
        if user is not None and (str(user.id) == job.owner or self._runs_the_site(user)):
            return True
        # What was enqueued before signing in stays theirs: the session goes on.
        mine = self.session.get(_KEY) if self._has_session else None
        return mine is not None and mine == job.owner

    def _runs_the_site(self, user: Any) -> bool:
        config = self.site.config
        roles = () if config is None else config.tasks.ops_roles
        return not set(roles).isdisjoint(getattr(user, "roles", ()))
