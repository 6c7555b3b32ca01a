"""Changes of one key that come meanwhile go together; those of other keys do not wait."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tornkit._batches import Batches

if TYPE_CHECKING:
    from collections.abc import Sequence


class Desk:
    """Carries changes out when it is told to, and notes them."""

    def __init__(self) -> None:
        self.begun: list[tuple[str, list[int]]] = []
        self.go_on = asyncio.Event()
        self.batches: Batches[int, int] = Batches(self.work)

    async def work(self, key: str, changes: Sequence[int]) -> list[int | Exception]:
        self.begun.append((key, list(changes)))
        await self.go_on.wait()
        if -1 in changes:
            raise ConnectionError("down")
        return [LookupError(str(each)) if each == 0 else each * 2 for each in changes]

    async def begin(self, *changes: tuple[str, int]) -> list[asyncio.Task[int]]:
        """Add changes one after the other; the first of each key is being carried out."""
        tasks = []
        for key, change in changes:
            tasks.append(asyncio.ensure_future(self.batches.add(key, change)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return tasks


async def test_what_comes_meanwhile_goes_together_and_in_order() -> None:
    desk = Desk()
    tasks = await desk.begin(*(("a", number) for number in range(1, 6)))
    assert desk.begun == [("a", [1])]
    desk.go_on.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10]
    assert desk.begun == [("a", [1]), ("a", [2, 3, 4, 5])]
    assert desk.batches._waiting == {}
    assert await desk.batches.add("a", 7) == 14


async def test_other_keys_do_not_wait() -> None:
    desk = Desk()
    await desk.begin(("a", 1), ("b", 1))
    assert desk.begun == [("a", [1]), ("b", [1])]
    desk.go_on.set()


async def test_one_that_is_refused_harms_no_other() -> None:
    desk = Desk()
    tasks = await desk.begin(("a", 1), ("a", 0), ("a", 2))
    desk.go_on.set()
    first, refused, last = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, last) == (2, 4)
    assert isinstance(refused, LookupError)


async def test_a_failure_is_everybodys_who_waits() -> None:
    desk = Desk()
    tasks = await desk.begin(("a", -1), ("a", 1), ("a", 2), ("b", 3))
    desk.go_on.set()
    *failed, other = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in failed] == [ConnectionError] * 3
    assert desk.begun == [("a", [-1]), ("b", [3])]  # those behind it fail at once
    assert other == 6
    assert await desk.batches.add("a", 1) == 2  # the next one tries anew


async def test_a_cancelled_caller_waits_for_the_end_of_its_change() -> None:
    desk = Desk()
    first, second = await desk.begin(("a", 1), ("a", 2))
    for task in (first, second):
        task.cancel()
    await asyncio.sleep(0)
    assert not first.done()
    desk.go_on.set()
    for task in (first, second):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert desk.begun == [("a", [1]), ("a", [2])]


async def test_work_that_is_cancelled_leaves_nobody_waiting() -> None:
    async def work(_: str, changes: Sequence[int]) -> list[int]:
        raise asyncio.CancelledError

    batches = Batches(work)
    task = asyncio.ensure_future(batches.add("a", 1))
    done, _ = await asyncio.wait([task], timeout=5)
    assert done
    assert task.cancelled()
    assert batches._waiting == {}
