"""`Worker`: claims jobs and runs them, several at a time, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from tornkit.errors import TaskError
from tornkit.tasks.saq import LostJob, SaqWorker, Status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from types import TracebackType
    from typing import Self

    from tornkit.tasks.running import Runner
    from tornkit.tasks.saq import SaqJob, TaskQueue, WorkerInfo
    from tornkit.tasks.ticking import Ticker

__all__ = ["Worker"]

_log = logging.getLogger("tornkit.tasks")

BEAT: Final = 1.0
"""Seconds between two looks at whether a running job is to be aborted."""
TICK: Final = 1.0
"""Seconds between two looks at the schedules."""
TELL: Final = 10.0
"""Seconds between two times that a worker says it is there."""
_RECONNECT: Final = (0.1, 0.2, 0.5, 1.0, 2.0)
_GIVE_UP: Final = 8.0  # seconds that jobs have to go back to the queue
_AGAIN: Final = 0.1  # seconds after which a wait for jobs is cancelled again: SAQ may swallow one
_ABANDON: Final = 2.0  # seconds that claims have which nobody wants any longer
_DRIFT: Final = 1.0  # seconds that a clock may be off what has passed


class Worker(SaqWorker[Any]):
    """SAQ's worker, whose jobs are held by leases and given back when it stops.

    Args:
        queue: where the jobs are.
        runner: what runs one.
        ticker: what enqueues polling tasks.
        concurrency: how many jobs run at a time.
        shutdown_timeout: seconds that running jobs have to end when it stops.
    """

    def __init__(
        self,
        queue: TaskQueue,
        runner: Runner,
        ticker: Ticker,
        *,
        concurrency: int = 10,
        shutdown_timeout: float = 30.0,
    ) -> None:
        if concurrency < 1:
            raise TaskError(f"concurrency is {concurrency}", hint="give at least 1")
        super().__init__(queue, [], concurrency=concurrency)
        self._queue = queue
        self._runner = runner
        self._ticker = ticker
        self._shutdown_timeout = shutdown_timeout
        self._idle: set[asyncio.Task[Any]] = set()
        self._upkeep: list[asyncio.Task[None]] = []
        self._main: asyncio.Task[None] | None = None
        self._failures = 0
        self._renewed_at = 0.0
        self._watch = _Watch(queue)

    # --- life --------------------------------------------------------------------------------

    async def start(self) -> None:
        """Work until `stop`."""
        # As in SAQ, without its handlers of signals: a worker may be part of a web process.
        self.event = asyncio.Event()
        self._stopped = False
        _log.info("worker of %s: %d jobs at a time", self._queue.place, self.concurrency)
        self.tasks.update(await self.upkeep())
        for _ in range(self.concurrency):
            self._process()
        await self.event.wait()
        await self.stop()

    async def begin(self) -> None:
        """Work in the background, until `stop`.

        Raises:
            TaskError: the tasks are not connected.
        """
        if not self._queue.identity:
            raise TaskError(
                "a worker was begun before its tasks were connected",
                hint="await tasks.connect() first",
            )
        if self._main is None:
            self._main = asyncio.create_task(self.start())
            await asyncio.sleep(0)

    async def run(self) -> None:
        """Work until SIGTERM, SIGINT or `stop`; a second signal gives what runs back at once."""
        loop = asyncio.get_running_loop()
        handled = []
        await self.begin()
        for number in (signal.SIGTERM, signal.SIGINT):
            # Not on Windows, and not in a thread of its own: there somebody else calls `stop`.
            with suppress(NotImplementedError, ValueError, RuntimeError):
                loop.add_signal_handler(number, self._interrupted)
                handled.append(number)
        try:
            if self._main is not None:
                await asyncio.shield(self._main)
        finally:
            for number in handled:
                loop.remove_signal_handler(number)

    def _interrupted(self) -> None:
        if self.event.is_set():
            self.give_up()
        self.event.set()

    def give_up(self) -> None:
        """Have all that runs go back to the queue at once, also while it is waited for."""
        self._runner.give_up()

    async def stop(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as in the constructor
        """Claim no more, and let what runs end; what does not in time goes back to the queue.

        Args:
            timeout: seconds that running jobs have, in place of ``shutdown_timeout``.
        """
        self.event.set()
        async with self._stop_lock:
            if not self._stopped:
                self._stopped = True
                await self._drain(self._shutdown_timeout if timeout is None else timeout)
                await self._runner.close()
                self.pool.shutdown(wait=False)
        main = self._main
        if main is not None and main is not asyncio.current_task():
            await asyncio.wait([main])
        self._main = None

    async def _drain(self, patience: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_ABANDON):
                while idle := list(self._idle):
                    for task in idle:
                        task.cancel()
                    await asyncio.wait(idle, timeout=_AGAIN)
                await self._queue.abandon()
        running = self.tasks.difference(self._upkeep)
        if running:
            _, late = await asyncio.wait(running, timeout=patience)
            if late:
                self._runner.give_up()
                _, lost = await asyncio.wait(late, timeout=_GIVE_UP)
                await self._cancel(lost)  # how they end cannot be stored: their leases run out
        await self._cancel(self._upkeep)

    @staticmethod
    async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
        """Cancel tasks; a driver may take long to call a question off that nobody answers."""
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_ABANDON)

    async def __aenter__(self) -> Self:
        await self.begin()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    # --- jobs --------------------------------------------------------------------------------

    async def process(self) -> bool:
        """Claim one job, when there is one, and run it."""
        job = await self._claim()
        if job is None:
            return False
        try:
            await self._runner.run(job)
        except Exception:  # noqa: BLE001 - the job's lease runs out, and this worker goes on
            _log.exception("job %s of %s could not be run", job.key, job.function)
        return True

    async def _claim(self) -> SaqJob | None:
        task = asyncio.current_task()
        if task is None or self.event.is_set():
            return None
        self._idle.add(task)
        try:
            job = await self._queue.dequeue(timeout=self._queue.dequeue_timeout)
        except Exception as failure:  # noqa: BLE001 - whatever it is, the next time it may go well
            await self._note_failure(failure)
            return None
        finally:
            self._idle.discard(task)
        self._failures = 0
        if job is not None and self.event.is_set():  # asked to stop meanwhile
            with suppress(LostJob, *self._queue.faults):
                await self._queue.hand_back(job)
            return None
        return job

    async def _note_failure(self, failure: Exception) -> None:
        if not self._failures:
            _log.error(
                "the task queue %s does not answer: %s",
                self._queue.place,
                failure,
                exc_info=not isinstance(failure, self._queue.faults),
            )
        pause = _RECONNECT[min(self._failures // self.concurrency, len(_RECONNECT) - 1)]
        self._failures += 1
        self._watch.doubt()
        with suppress(TimeoutError):
            await asyncio.wait_for(self.event.wait(), pause)

    # --- upkeep ------------------------------------------------------------------------------

    async def upkeep(self) -> list[asyncio.Task[None]]:
        """Start what is done again and again; leases are renewed until the last job has ended."""
        lease = self._queue.lease
        self._upkeep = [
            asyncio.create_task(self._repeat(pause, work))
            for pause, work in (
                (min(BEAT, lease / 4), lambda: self.abort(0)),
                (TICK, self.schedule),
                (lease / 3, self._sweep),
                (TELL, self.worker_info),
            )
        ]
        return self._upkeep

    async def _repeat(self, pause: float, work: Callable[[], Awaitable[Any]]) -> None:
        is_failing = False
        while True:
            try:
                await work()
                is_failing = False
            except self._queue.faults as failure:
                self._watch.doubt()
                if not is_failing:
                    _log.error("upkeep of the task queue %s: %s", self._queue.place, failure)
                is_failing = True
            except Exception:  # noqa: BLE001 - the next time it may go well
                _log.exception("upkeep of the task queue %s failed", self._queue.place)
            await asyncio.sleep(pause)

    async def abort(self, abort_threshold: float) -> None:
        """Renew the leases of what runs, and stop what is to be aborted or is lost."""
        await self._beat(renew=time.monotonic() - self._renewed_at > self._queue.lease / 4)

    async def _beat(self, *, renew: bool) -> None:
        jobs = self._runner.jobs
        if not jobs:
            return
        found = await self._queue.beat(jobs, renew=renew)
        if renew:
            self._renewed_at = time.monotonic()
        for job in jobs:
            status = found.get(job.key)
            if status is None:
                self._runner.stop(job.key, "lost", "its lease ran out")
            elif status == Status.ABORTING:
                stored = await self._queue.job(job.key)
                why = (stored.error if stored else None) or "aborted"
                self._runner.stop(job.key, "abort", why)

    async def schedule(self, lock: int = 1) -> None:
        """Enqueue polling tasks that are due, and what was delayed."""
        if self.event.is_set():
            return
        await self._ticker.fire()
        await self._queue.schedule(lock)

    async def _sweep(self) -> None:
        await self._queue.follow_clock()
        if self._watch.is_sure():
            # Who was stopped for a while must not find its own jobs silent.
            await self._beat(renew=True)
            swept = await self._queue.sweep()
            if swept:
                _log.warning("%d jobs of silent workers: %s", len(swept), " ".join(swept[:10]))

    async def worker_info(self, ttl: int = 60) -> WorkerInfo:
        """Tell the others that this worker is there."""
        return await self._queue.worker_info(
            self._queue.identity, self._queue.name, {"concurrency": self.concurrency}, ttl
        )


class _Watch:
    """Know whether silent workers are dead.

    Where the queue did not answer, or the clock was set, all of them seem to be silent. Then they
    have the time of a lease to be heard of again.
    """

    def __init__(self, queue: TaskQueue) -> None:
        self._queue = queue
        self._sure_at = float("-inf")
        self._offset = self._clocks()

    def _clocks(self) -> float:
        return time.time() - time.monotonic()

    def doubt(self) -> None:
        """Note that the queue has not answered."""
        self._sure_at = time.monotonic() + self._queue.lease

    def is_sure(self) -> bool:
        """Tell whether leases that seem to have run out have."""
        offset = self._clocks()
        if abs(offset - self._offset) > _DRIFT:
            _log.warning("the clock was set by %+.0f s", offset - self._offset)
            self._offset = offset
            self.doubt()
        return time.monotonic() >= self._sure_at
