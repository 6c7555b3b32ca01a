"""One claimed job from its body's first step to its record: run it, watch it, end it once."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from tornkit import encoding
from tornkit.errors import BadArgument, EncodingError, TaskError, UnknownTask
from tornkit.tasks.bodies import body_of
from tornkit.tasks.context import TaskContext
from tornkit.tasks.failures import explain
from tornkit.tasks.processes import Processes, RunFailed
from tornkit.tasks.reporting import Reporter
from tornkit.tasks.saq import LostJob, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tornkit.tasks.bodies import Body
    from tornkit.tasks.registry import Registry
    from tornkit.tasks.saq import SaqJob, TaskQueue
    from tornkit.tasks.task import Task

__all__ = ["Around", "Runner"]

_log = logging.getLogger("tornkit.tasks")

Around: TypeAlias = "Callable[[TaskContext], AbstractContextManager[object]]"
Reason: TypeAlias = Literal["abort", "timeout", "silence", "shutdown", "lost"]

STOP_PATIENCE: Final = 5.0
"""Seconds that a body has to end when it is stopped."""
_STORE_PAUSES: Final = (0.1, 0.2, 0.5, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """How a run ended."""

    status: Status
    result: Any = None
    error: str | None = None
    may_retry: bool = False


class Runner:
    """Run jobs that were claimed, and store how they end.

    Args:
        registry: the tasks there are.
        queue: which the jobs are from.
        app: what tasks find as ``ctx.app``.
        around: entered around each body.
        max_size: how many bytes of JSON a result may have.
        ended: called when the end of a job was stored.
    """

    def __init__(
        self,
        registry: Registry,
        queue: TaskQueue,
        *,
        app: Any,
        around: Around | None,
        max_size: int,
        ended: Callable[[], None],
    ) -> None:
        self._registry = registry
        self._queue = queue
        self._app = app
        self._around = around or _nothing_around
        self._max_size = max_size
        self._ended = ended
        self._processes = Processes()
        self._runs: dict[str, _Run] = {}

    @property
    def jobs(self) -> list[SaqJob]:
        """What is running."""
        return [each.job for each in self._runs.values()]

    async def run(self, job: SaqJob) -> None:
        """Run a job to its end, whatever that is; nothing is raised."""
        run = _Run(job, self._queue)
        self._runs[job.key] = run
        try:
            try:
                outcome = await self._outcome_of(run)
            except LostJob:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it was, it belongs to this job
                outcome = _Outcome(Status.FAILED, error=explain(error))
            await run.reporter.close()
            await self._settle(run, outcome)
            self._ended()
        except LostJob:
            _log.warning(
                "job %s of %s is not this worker's any more; how it ended is not kept",
                job.key,
                run.name,
            )
        finally:
            if self._runs.get(job.key) is run:
                del self._runs[job.key]

    def stop(self, key: str, reason: Reason, why: str = "") -> None:
        """Have a running job end early."""
        run = self._runs.get(key)
        if run is not None:
            run.stop(reason, why)

    def give_up(self) -> None:
        """Have all that runs go back to the queue."""
        for run in list(self._runs.values()):
            run.stop("shutdown", "the worker stops")

    async def close(self) -> None:
        """End the processes."""
        await self._processes.close()

    # --- one run -----------------------------------------------------------------------------

    async def _outcome_of(self, run: _Run) -> _Outcome:
        job = run.job
        try:
            task = self._registry[job.function]
            context = TaskContext(
                job_id=job.key,
                name=job.function,
                attempt=job.attempts,
                owner=job.meta.get("owner"),
                app=self._app,
                tell=run.reporter.tell,
                run=self._run_inside,
            )
            body = body_of(task, context, job.kwargs or {}, self._processes)
        except (UnknownTask, BadArgument) as error:
            return _Outcome(Status.FAILED, error=explain(error.with_traceback(None)))
        ended = await run.watch(asyncio.create_task(self._within(body, context)), body)
        return self._judge(run, task, ended)

    async def _run_inside(
        self,
        task: Task[..., Any],
        context: TaskContext,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        arguments = task.arguments.pack(args, kwargs)
        # Its own, for it may have to stop while the job around it goes on.
        body = body_of(task, context.again(), arguments, self._processes)
        running = asyncio.create_task(body.run())
        try:
            return await asyncio.shield(running)
        except RunFailed as failure:
            raise TaskError(f"task {task.name} failed in its process: {failure.error}") from None
        except asyncio.CancelledError:
            body.stop(running, "the job around it stops")
            await asyncio.wait([running], timeout=STOP_PATIENCE)
            raise

    async def _within(self, body: Body, context: TaskContext) -> Any:
        with self._around(context):
            return await body.run()

    def _judge(self, run: _Run, task: Task[..., Any], ended: asyncio.Task[Any] | None) -> _Outcome:
        """Return what a body's end means; None is one that could not be ended."""
        reason = run.reason
        error = None
        if ended is None:
            error = f"{run.why}; it does not end, and goes on"
        elif ended.cancelled():
            error = run.why or "CancelledError: it was cancelled from inside"
        elif (raised := ended.exception()) is not None:
            error = run.why or (raised.error if isinstance(raised, RunFailed) else explain(raised))
        elif reason not in ("timeout", "silence"):
            return self._complete(ended.result())
        else:
            error = run.why
        if reason == "lost":
            raise LostJob(run.job.key)
        if reason == "abort":
            return _Outcome(Status.ABORTED, error=error)
        if reason == "shutdown":
            return _Outcome(Status.QUEUED)
        # What still goes on in a thread must not be begun a second time beside it.
        return _Outcome(Status.FAILED, error=error, may_retry=ended is not None)

    def _complete(self, result: Any) -> _Outcome:
        try:
            text = encoding.encode(result)
        except EncodingError as error:
            message = error.message.replace("the answer", "the result")
            hint = f"; {error.hint}" if error.hint else ""
            return _Outcome(Status.FAILED, error=f"EncodingError: {message}{hint}")
        if len(text) > self._max_size:
            return _Outcome(
                Status.FAILED,
                error=f"the result has {len(text):,} bytes of JSON, and at most "
                f"{self._max_size:,} are kept; store it in a file or database, and return where",
            )
        return _Outcome(Status.COMPLETE, result=encoding.decode(text))

    # --- its end -----------------------------------------------------------------------------

    async def _settle(self, run: _Run, outcome: _Outcome) -> None:
        """Store how it ended, as often as it takes."""
        for pause in _pauses():
            try:
                await self._store(run, outcome)
            except LostJob:
                raise
            except self._queue.faults as failure:
                _log.warning("the end of job %s cannot be stored yet: %s", run.job.key, failure)
                await asyncio.sleep(pause)
            except Exception as error:
                _log.exception("the end of job %s cannot be stored", run.job.key)
                kind = type(error).__name__
                outcome = _Outcome(Status.FAILED, error=f"its end could not be stored: {kind}")
                run.job.meta.pop("message", None)
                if pause > _STORE_PAUSES[1]:
                    raise
            else:
                return

    async def _store(self, run: _Run, outcome: _Outcome) -> None:
        job, queue = run.job, self._queue
        if outcome.status == Status.QUEUED:
            await queue.hand_back(job)
            _log.info("job %s of %s went back to the queue", job.key, run.name)
        elif outcome.status == Status.FAILED and outcome.may_retry and job.retryable:
            await queue.retry(job, outcome.error)
            first = (outcome.error or "").partition("\n")[0]
            _log.warning("job %s of %s will be tried again: %s", job.key, run.name, first)
        else:
            await queue.finish(job, outcome.status, result=outcome.result, error=outcome.error)
            if outcome.status == Status.FAILED:
                _log.error("job %s of %s failed: %s", job.key, run.name, outcome.error)
            elif outcome.status == Status.ABORTED:
                _log.info("job %s of %s was aborted: %s", job.key, run.name, outcome.error)


class _Run:
    """A job while it runs."""

    def __init__(self, job: SaqJob, queue: TaskQueue) -> None:
        self.job = job
        self.name = job.function
        self.reason: Reason | None = None
        self.why = ""
        self.reporter = Reporter(job, queue)
        self._stopped: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def stop(self, reason: Reason, why: str) -> None:
        """Have it end early, for the first reason that is given."""
        if self.reason is None:
            self.reason, self.why = reason, why
            self._stopped.set_result(None)

    async def watch(self, running: asyncio.Task[Any], body: Body) -> asyncio.Task[Any] | None:
        """Wait for the body; stop it when it has to; return None if it does not end then."""
        began = time.monotonic()
        timeout = self.job.timeout or math.inf
        silence = body.task.options.heartbeat or math.inf
        while not running.done() and not self._stopped.done():
            now = time.monotonic()
            left, quiet = began + timeout - now, self.reporter.heard_at + silence - now
            if left <= 0:
                self.stop("timeout", f"TimeoutError: it did not end within {timeout:g} s")
            elif quiet <= 0:
                self.stop("silence", f"TimeoutError: it told no progress for {silence:g} s")
            patience = max(0.0, min(left, quiet))
            await asyncio.wait(
                [running, self._stopped],
                timeout=None if math.isinf(patience) else patience,
                return_when=asyncio.FIRST_COMPLETED,
            )
        if not running.done():
            body.stop(running, self.why)
            await asyncio.wait([running], timeout=STOP_PATIENCE)
        if running.done():
            return running
        running.add_done_callback(lambda task: task.cancelled() or task.exception())
        return None


def _pauses() -> Iterator[float]:
    yield from _STORE_PAUSES
    while True:
        yield _STORE_PAUSES[-1]


def _nothing_around(_: TaskContext) -> AbstractContextManager[object]:
    return nullcontext()
