"""One computation at a time per key: who waits, who is cancelled, what is not kept."""

from __future__ import annotations

import asyncio
import gc
from contextvars import ContextVar
from typing import TYPE_CHECKING

import pytest

from tornkit.cache import Cache, CacheStore, MemoryCacheStore
from tornkit.errors import CacheError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

CROWD = 40  # more than a store in Redis has connections


class Slow:
    """A computation that begins and ends when the test says so."""

    def __init__(self, result: object = "result") -> None:
        self.result = result
        self.begun = 0
        self.cancelled = 0
        self.running = asyncio.Event()
        self.go_on = asyncio.Event()

    async def __call__(self) -> object:
        self.begun += 1
        self.running.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


def ask(cache: Cache, compute: Callable[[], object], key: str = "k") -> asyncio.Task[object]:
    return asyncio.ensure_future(cache.get_or_set(key, compute, ttl=60))  # type: ignore[arg-type]


async def all_wait(cache: Cache, number: int, key: str = "k") -> None:
    """Return when so many wait for a key."""
    async with asyncio.timeout(5):
        while (flight := cache._flights._aloft.get(key)) is None or flight.waiting < number:  # noqa: ASYNC110 - turns of the loop, no wait
            await asyncio.sleep(0)


class TestOneAtATime:
    async def test_a_crowd_shares_one_computation(self, cache: Cache) -> None:
        slow = Slow()
        crowd = [ask(cache, slow) for _ in range(CROWD)]
        await all_wait(cache, CROWD)
        slow.go_on.set()
        assert await asyncio.gather(*crowd) == ["result"] * CROWD
        assert slow.begun == 1
        assert await cache.get("k") == "result"

    async def test_a_crowd_shares_also_what_takes_no_time(self, cache: Cache) -> None:
        computed = 0

        async def compute() -> int:
            nonlocal computed
            computed += 1
            return computed

        crowd = (cache.get_or_set("k", compute, ttl=60) for _ in range(CROWD))
        assert await asyncio.gather(*crowd) == [1] * CROWD

    async def test_keys_do_not_wait_for_each_other(self, memory: Cache) -> None:
        slow, other = Slow(), Slow()
        waiting = ask(memory, slow)
        await slow.running.wait()
        other.go_on.set()
        assert await ask(memory, other, "other") == "result"
        slow.go_on.set()
        await waiting

    async def test_an_error_reaches_all_and_is_not_kept(self, cache: Cache) -> None:
        slow = Slow(LookupError("no such course"))
        crowd = [ask(cache, slow) for _ in range(CROWD)]
        await all_wait(cache, CROWD)
        slow.go_on.set()
        results = await asyncio.gather(*crowd, return_exceptions=True)
        assert {type(result) for result in results} == {LookupError}
        slow.result = "better"
        assert await ask(cache, slow) == "better"
        assert slow.begun == 2

    async def test_one_may_ask_for_another_key_inside(self, memory: Cache) -> None:
        async def outer() -> object:
            return await memory.get_or_set("inner", inner, ttl=60)

        async def inner() -> int:
            return 1

        assert await memory.get_or_set("outer", outer, ttl=60) == 1

    async def test_one_that_asks_for_its_own_key_is_refused_and_does_not_hang(
        self, memory: Cache
    ) -> None:
        async def outer() -> object:
            return await memory.get_or_set("inner", inner, ttl=60)

        async def inner() -> object:
            return await memory.get_or_set("outer", outer, ttl=60)

        async with asyncio.timeout(5):
            with pytest.raises(CacheError, match="'outer' waits for itself"):
                await memory.get_or_set("outer", outer, ttl=60)

    async def test_two_that_need_each_other_are_refused_also_when_asked_for_at_once(
        self, memory: Cache
    ) -> None:
        begun = asyncio.Barrier(2)

        def needing(key: str) -> Callable[[], Coroutine[None, None, object]]:
            async def compute() -> object:
                await begun.wait()
                return await memory.get_or_set(key, never, ttl=60)

            return compute

        asked = [ask(memory, needing("b"), "a"), ask(memory, needing("a"), "b")]
        async with asyncio.timeout(2):
            results = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(result) for result in results] == [CacheError, CacheError]
        assert "waits for itself" in str(results[0])
        assert memory._flights._aloft == {}

    async def test_a_ring_of_many_is_refused_also_where_one_needs_several(
        self, memory: Cache
    ) -> None:
        begun = asyncio.Barrier(4)

        def needing(*keys: str) -> Callable[[], Coroutine[None, None, object]]:
            async def compute() -> object:
                await begun.wait()
                got = (memory.get_or_set(key, compute_one, ttl=60) for key in keys)
                return await asyncio.gather(*got)

            return compute

        needs = {"a": ["x", "b"], "b": ["y", "c"], "c": ["d", "z"], "d": ["a", "x"]}
        asked = [ask(memory, needing(*keys), key) for key, keys in needs.items()]
        async with asyncio.timeout(2):
            results = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(result) for result in results} == {CacheError}

    async def test_two_that_need_a_third_are_not_refused(self, memory: Cache) -> None:
        slow = Slow()

        async def compute() -> object:
            both = (memory.get_or_set("third", slow, ttl=60) for _ in range(2))
            return await asyncio.gather(*both)

        asked = [ask(memory, compute, key) for key in "ab"]
        await all_wait(memory, 4, "third")
        slow.go_on.set()
        assert await asyncio.gather(*asked) == [["result"] * 2] * 2

    async def test_one_that_no_longer_waits_may_be_waited_for(self, memory: Cache) -> None:
        inner_runs, go_on = asyncio.Event(), asyncio.Event()

        async def inner() -> object:
            inner_runs.set()
            await go_on.wait()
            return await memory.get_or_set("outer", never, ttl=60)

        async def outer() -> str:
            asking = ask(memory, inner, "inner")
            await all_wait(memory, 2, "inner")
            asking.cancel()
            await asyncio.wait([asking])
            go_on.set()
            await all_wait(memory, 2, "outer")
            return "patient no more"

        first = ask(memory, outer, "outer")
        await inner_runs.wait()
        other = ask(memory, never, "inner")
        async with asyncio.timeout(5):
            assert [await first, await other] == ["patient no more"] * 2

    async def test_it_sees_the_context_of_who_came_first(self, memory: Cache) -> None:
        request: ContextVar[str] = ContextVar("request", default="none")
        request.set("first")

        async def compute() -> str:
            return request.get()

        assert await memory.get_or_set("k", compute, ttl=60) == "first"


class TestCancelling:
    @pytest.mark.parametrize("leaver", [0, 1, 2], ids=["first", "second", "last"])
    async def test_the_others_do_not_suffer(self, cache: Cache, leaver: int) -> None:
        slow = Slow()
        crowd = [ask(cache, slow) for _ in range(3)]
        await all_wait(cache, 3)
        crowd[leaver].cancel()
        await all_wait(cache, 2)
        slow.go_on.set()
        results = await asyncio.gather(*crowd, return_exceptions=True)
        assert isinstance(results.pop(leaver), asyncio.CancelledError)
        assert results == ["result"] * 2
        assert (slow.begun, slow.cancelled) == (1, 0)

    async def test_when_nobody_waits_any_more_it_is_cancelled_and_ended(
        self, cache: Cache
    ) -> None:
        slow = Slow()
        crowd = [ask(cache, slow) for _ in range(3)]
        await all_wait(cache, 3)
        await slow.running.wait()
        for each in crowd:
            each.cancel()
        await asyncio.wait(crowd)
        assert slow.cancelled == 1
        assert cache._flights._aloft == {}
        slow.go_on.set()
        assert await ask(cache, slow) == "result"

    async def test_one_that_fails_while_it_is_cancelled_disturbs_nobody(
        self, memory: Cache, caplog: pytest.LogCaptureFixture
    ) -> None:
        running = asyncio.Event()

        async def compute() -> None:
            try:
                running.set()
                await asyncio.Event().wait()
            finally:
                raise LookupError

        waiting = ask(memory, compute)
        await running.wait()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert waiting.cancelled()
        del waiting
        gc.collect()  # asyncio logs an error that nobody has seen when its task goes
        assert caplog.records == []

    async def test_its_cleaning_up_is_over_before_the_caller_goes_on(self, memory: Cache) -> None:
        running, clean = asyncio.Event(), asyncio.Event()
        steps = []

        async def compute() -> None:
            try:
                running.set()
                await asyncio.Event().wait()
            finally:
                steps.append("began")
                await clean.wait()
                steps.append("ended")

        waiting = ask(memory, compute)
        await running.wait()
        waiting.cancel()
        while not steps:  # noqa: ASYNC110 - turns of the loop, no wait
            await asyncio.sleep(0)
        # Whoever comes meanwhile does not join what is ending.
        after = Slow()
        after.go_on.set()
        assert await ask(memory, after) == "result"
        assert not waiting.done()
        clean.set()
        await asyncio.wait([waiting])
        assert steps == ["began", "ended"]

    async def test_one_that_was_cancelled_from_outside_does_not_look_like_a_cancelled_caller(
        self, memory: Cache
    ) -> None:
        async def compute() -> None:
            raise asyncio.CancelledError

        with pytest.raises(CacheError, match="was cancelled"):
            await memory.get_or_set("k", compute, ttl=60)

    async def test_a_caller_that_is_cancelled_at_any_moment_leaves_nothing_behind(
        self, cache: Cache
    ) -> None:
        async def compute() -> int:
            await asyncio.sleep(0)
            return 1

        for steps in range(12):
            waiting = ask(cache, compute)
            for _ in range(steps):
                await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.wait([waiting])
            await cache.delete("k")
        await asyncio.sleep(0)
        assert cache._flights._aloft == {}


class TestForgetting:
    """What is deleted or set while it is computed is not overwritten by what may be outdated."""

    async def test_who_waits_gets_it_and_it_is_not_kept(self, cache: Cache) -> None:
        slow = Slow("outdated")
        waiting = ask(cache, slow)
        await slow.running.wait()
        await cache.delete("k")
        slow.go_on.set()
        assert await waiting == "outdated"
        assert await cache.get("k", "nothing") == "nothing"

    async def test_who_comes_later_begins_anew(self, cache: Cache) -> None:
        old, fresh = Slow("outdated"), Slow("fresh")
        first = ask(cache, old)
        await old.running.wait()
        await cache.delete("k")
        second = ask(cache, fresh)
        await fresh.running.wait()
        old.go_on.set()
        assert await first == "outdated"
        third = ask(cache, Slow("never"))
        await all_wait(cache, 2)
        fresh.go_on.set()
        assert [await second, await third] == ["fresh"] * 2
        assert await cache.get("k") == "fresh"

    async def test_the_same_goes_for_set(self, cache: Cache) -> None:
        slow = Slow("outdated")
        waiting = ask(cache, slow)
        await slow.running.wait()
        await cache.set("k", "fresh", ttl=60)
        slow.go_on.set()
        assert await waiting == "outdated"
        assert await cache.get("k") == "fresh"

    async def test_and_for_clear(self, cache: Cache) -> None:
        slow, other = Slow("outdated"), Slow("outdated")
        waiting = [ask(cache, slow), ask(cache, other, "other")]
        await slow.running.wait()
        await other.running.wait()
        await cache.clear()
        slow.go_on.set()
        other.go_on.set()
        assert await asyncio.gather(*waiting) == ["outdated"] * 2
        assert [await cache.get("k"), await cache.get("other")] == [None, None]

    @pytest.mark.parametrize("way", ["delete", "clear"])
    async def test_one_that_is_just_being_saved_is_deleted_after_that(self, way: str) -> None:
        store = Late()
        cache = Cache(store)

        async def compute() -> str:
            return "outdated"

        waiting = ask(cache, compute)
        await store.saving.wait()
        deleting = asyncio.ensure_future(cache.delete("k") if way == "delete" else cache.clear())
        await asyncio.sleep(0)
        store.go_on.set()
        await deleting
        assert await waiting == "outdated"
        assert await store.load("k") is None

    async def test_what_ends_while_clear_waits_for_another_is_not_kept(self) -> None:
        store = Late()
        cache = Cache(store)
        slow = Slow("outdated")
        first = ask(cache, compute_one)
        await store.saving.wait()
        second = ask(cache, slow, "other")
        await slow.running.wait()
        clearing = asyncio.ensure_future(cache.clear())
        await asyncio.sleep(0)
        slow.go_on.set()
        await second
        store.go_on.set()
        await asyncio.gather(first, clearing)
        assert (store.saved, await store.load("other")) == (["k"], None)


async def compute_one() -> int:
    return 1


async def never() -> object:
    raise AssertionError


class Late(MemoryCacheStore):
    """A store that takes its time, as one beyond a network may."""

    def __init__(self) -> None:
        super().__init__()
        self.saving = asyncio.Event()
        self.go_on = asyncio.Event()
        self.saved: list[str] = []

    async def save(self, key: str, text: bytes, life: float) -> None:
        self.saving.set()
        self.saved.append(key)
        await self.go_on.wait()
        await super().save(key, text, life)


async def test_who_looked_before_another_one_had_computed_takes_that() -> None:
    class Held(MemoryCacheStore):
        looked = asyncio.Event()
        go_on = asyncio.Event()

        async def load(self, key: str) -> bytes | None:
            text = await super().load(key)
            if not self.looked.is_set():
                self.looked.set()
                await self.go_on.wait()
            return text

    store = Held()
    cache = Cache(store)
    never = Slow("never")
    held = ask(cache, never)
    await store.looked.wait()
    assert await ask(cache, compute_one) == 1
    store.go_on.set()
    assert await held == 1
    assert never.begun == 0


async def test_a_value_that_another_process_has_saved_meanwhile_is_taken(
    cache: Cache, store: CacheStore
) -> None:
    other = Cache(store)
    slow, never = Slow(), Slow("never")
    waiting = ask(cache, slow)
    await slow.running.wait()
    await other.set("k", "of the other", ttl=60)
    assert await ask(cache, never) == "of the other"
    slow.go_on.set()
    await waiting
    assert never.begun == 0
