"""What several changes of one session come to is what they come to one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornkit.errors import SessionError
from tornkit.sessions import MemoryStore
from tornkit.sessions._changes import Change, Refused, fold
from tornkit.testing._session_contract.support import A, stored

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["1", "41", '"word"', "null"])
TIMES: Any = {"seen_at": 1.0, "expires_at": 2.0}
CHANGES = st.one_of(
    st.builds(
        Change,
        st.just(1.0),
        st.just(2.0),
        put=st.dictionaries(NAMES, TEXTS),
        drop=st.frozensets(NAMES),
    ),
    st.builds(
        Change, st.just(1.0), st.just(2.0), counts=st.tuples(NAMES, st.integers(-(2**70), 2**70))
    ),
)


async def one_by_one(before: dict[str, str], changes: list[Change]) -> tuple[Any, list[Any]]:
    store = MemoryStore()
    await store.create(stored())
    await store.apply(A, put=before, drop=(), **TIMES)
    results: list[Any] = []
    for change in changes:
        if change.counts is None:
            await store.apply(A, put=change.put, drop=change.drop, **TIMES)
            results.append(None)
        else:
            try:
                results.append(await store.increment(A, *change.counts, **TIMES))
            except SessionError as refused:
                results.append(str(refused))
    after = await store.load(A)
    assert after is not None
    return after.values, results


@given(st.dictionaries(NAMES, TEXTS), st.lists(CHANGES, min_size=1, max_size=8))
async def test_together_is_as_one_by_one(before: dict[str, str], changes: list[Change]) -> None:
    values, wanted = await one_by_one(before, changes)
    counted = {change.counts[0] for change in changes if change.counts is not None}
    try:
        written, found = fold(changes, {n: text for n, text in before.items() if n in counted})
    except Refused as refused:
        written, found = {}, refused.results
    after = {**before, **written}
    assert {name: text for name, text in after.items() if text is not None} == values
    assert [str(each) if isinstance(each, Exception) else each for each in found] == wanted


def test_where_all_are_refused_nothing_is_to_be_written() -> None:
    counts = [Change(1.0, 2.0, counts=("n", by)) for by in (1, 2)]
    with pytest.raises(Refused) as refused:
        fold(counts, {"n": '"word"'})
    assert [type(each) for each in refused.value.results] == [SessionError] * 2
