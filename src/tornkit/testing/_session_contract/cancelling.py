"""Cancelled calls: a visitor who leaves harms nobody, and leaves nothing half-done."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tornkit.testing._session_contract.support import LATER, A, expect, stored, values_of

if TYPE_CHECKING:
    from tornkit.sessions import SessionStore

__all__ = ["Cancelling"]


class Cancelling:
    """What every method promises to a task that is cancelled."""

    async def test_a_cancelled_write_is_all_or_nothing(self, store: SessionStore) -> None:
        """Both keys of a change are written, or none."""
        await store.create(stored(A, x=0, y=0))
        for turns in range(0, 40, 4):
            both = {"x": str(turns), "y": str(turns)}
            write = asyncio.ensure_future(store.apply(A, put=both, drop=(), **LATER))
            for _ in range(turns):
                await asyncio.sleep(0)
            write.cancel()
            await asyncio.gather(write, return_exceptions=True)
            values = await values_of(store)
            expect(values["x"], values["y"], "a cancelled apply() was carried out by half")

    async def test_the_store_works_on_after_cancelled_writes(self, store: SessionStore) -> None:
        """No lock and no connection stays behind."""
        await store.create(stored(A))
        writes = [asyncio.ensure_future(store.increment(A, "n", 1, **LATER)) for _ in range(20)]
        await asyncio.sleep(0)
        for write in writes[::2]:
            write.cancel()
        await asyncio.gather(*writes, return_exceptions=True)
        counted = (await values_of(store))["n"]
        found = await store.increment(A, "n", 1, **LATER)
        expect(found, counted + 1, "a cancelled increment() counted late")

    async def test_a_cancelled_load_harms_nobody(self, store: SessionStore) -> None:
        """Those who asked at the same time get their answers."""
        await store.create(stored(A, x=1))
        for turns in range(0, 20, 4):
            loads = [asyncio.ensure_future(store.load(A)) for _ in range(6)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for load in loads[::2]:
                load.cancel()
            await asyncio.gather(*loads, return_exceptions=True)
            found = [load.result() for load in loads[1::2]]
            expect(found, [stored(A, x=1)] * 3, "load() beside cancelled ones")
        expect(await values_of(store), {"x": 1}, "the values after cancelled loads")
