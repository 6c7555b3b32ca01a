"""`Calculator`: factorials from another process, so that the event loop goes on."""

import asyncio
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from tornkit import AppError

from factorial.computing import digits_of_factorial, prepare

__all__ = ["Calculator"]


class Calculator:
    """Compute in a process that starts when it is first needed.

    A thread would not do: Python multiplies large integers, and writes them as text, without
    letting other threads run meanwhile, that of the event loop among them.

    Args:
        processes: how many computations go on at once; further ones wait.
    """

    def __init__(self, processes: int = 1) -> None:
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None

    @property
    def pool(self) -> ProcessPoolExecutor:
        """The processes, as the standard library sees them."""
        if self._pool is None:
            # Not a copy of this process: it has threads, whose locks nobody would release.
            context = get_context("spawn")
            self._pool = ProcessPoolExecutor(self._processes, context, initializer=prepare)
        return self._pool

    async def factorial(self, n: int) -> str:
        """Return n! in decimal digits.

        Raises:
            AppError: a 503 where the process was killed; the next call starts another.
        """
        pool = self.pool
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, digits_of_factorial, n)
        except BrokenProcessPool as error:
            if self._pool is pool:
                self._pool = None
            raise AppError(503, f"the computation of {n}! was killed") from error

    async def close(self) -> None:
        """End the processes; what runs comes to its end, what waits does not begin."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)
