"""Several awaitables at once: shapes, the first error, the deadline."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from tornkit._gathering import gather
from tornkit.errors import DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import Coroutine


async def value(what: object) -> object:
    await asyncio.sleep(0)
    return what


class Slow:
    """A coroutine that only a cancellation ends, and notes that it has ended."""

    def __init__(self) -> None:
        self.ended = False

    async def __call__(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)  # it takes its time to let go
            self.ended = True


async def fail(error: Exception, steps: int = 1) -> None:
    for _ in range(steps):
        await asyncio.sleep(0)
    raise error


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (lambda: ([value(1), value(2)],), [1, 2]),
        (lambda: ((value(1), value(2)),), [1, 2]),
        (lambda: (value(1), value(2)), [1, 2]),
        (lambda: (value(1),), [1]),
        (lambda: ({"a": value(1), 2: value("b")},), {"a": 1, 2: "b"}),
        (lambda: ([],), []),
        (lambda: ({},), {}),
        (lambda: (), []),
    ],
    ids=["list", "tuple", "several", "one", "dict", "empty list", "empty dict", "nothing"],
)
async def test_the_results_have_the_shape_that_came_in(given: Any, expected: object) -> None:
    assert await gather(*given(), timeout=5) == expected


async def test_futures_and_tasks_are_awaited_too_and_twice_is_once() -> None:
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(value("task"))
    asyncio.get_running_loop().call_soon(future.set_result, 7)
    assert await gather(future, task, future) == [7, "task", 7]


async def test_they_run_at_the_same_time() -> None:
    meeting = asyncio.Barrier(3)
    await gather([meeting.wait() for _ in range(3)], timeout=5)


async def test_the_first_error_ends_the_others_before_it_is_raised() -> None:
    slow = Slow()
    with pytest.raises(ValueError, match="first"):
        await gather(fail(KeyError("second"), 9), slow(), fail(ValueError("first"), 2))
    assert slow.ended


async def test_the_deadline_ends_what_still_runs_and_names_it() -> None:
    slow = Slow()
    with pytest.raises(DeadlineExceeded, match=r"1 of 2 did not end within 0\.01 s: Slow") as late:
        await gather({"a": value(1), "b": slow()}, timeout=0.01)
    assert slow.ended
    assert isinstance(late.value, TimeoutError)


async def test_a_cancelled_caller_ends_them_all() -> None:
    slow = Slow(), Slow()
    task = asyncio.create_task(gather(slow[0](), slow[1]()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [each.ended for each in slow] == [True, True]


@pytest.mark.parametrize("wrong", [None, 3, "ab", value], ids=["None", "int", "str", "function"])
async def test_what_cannot_be_awaited_is_refused_and_nothing_runs(wrong: object) -> None:
    ran = []

    async def note() -> None:
        ran.append(1)

    with pytest.raises(TypeError, match="cannot be awaited"):
        await gather(note(), wrong)
    assert ran == []


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
async def test_a_deadline_that_is_none_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds above 0"):
        await gather(value(1), timeout=seconds)


async def test_an_error_while_others_end_is_not_left_unheard() -> None:
    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        raise RuntimeError("too late to matter")

    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    children: list[Coroutine[Any, Any, None]] = [stubborn(), fail(ValueError("first"))]
    with pytest.raises(ValueError, match="first"):
        await gather(children)
    del children
    await asyncio.sleep(0)
    assert complaints == []


async def test_a_child_that_is_cancelled_ends_the_others() -> None:
    slow = Slow()

    async def give_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(gather(slow(), give_up()), 5)
    assert slow.ended
