"""`@cached`: which calls share an entry, which are refused, and whose cache it is."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag
from typing import TYPE_CHECKING, Any, assert_type
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.web import RequestHandler

from tornkit import BaseHandler
from tornkit._work import Work, current_work
from tornkit.cache import Cache, MemoryCacheStore, cached, use_cache
from tornkit.cache._arguments import described
from tornkit.errors import CacheError

if TYPE_CHECKING:
    from tests.cache.conftest import Clock

calls: list[tuple[Any, ...]] = []


@cached(ttl="5m")
async def add(a: Any, b: Any = 2, /, *rest: Any, c: Any = 3, **more: Any) -> list[Any]:
    """Say what was given."""
    calls.append((a, b, rest, c, more))
    return [len(calls)]


@cached(ttl="5m")
async def other(a: Any, b: Any = 2) -> list[Any]:
    calls.append((a, b))
    return [len(calls)]


@cached(ttl="5m")
async def nothing() -> None:
    calls.append(())


@cached(ttl="5m", key=lambda session, teacher_id: teacher_id)
async def taught(session: object, teacher_id: int) -> int:
    calls.append((session, teacher_id))
    return teacher_id


class Dashboard(BaseHandler):
    limit = 10

    def __init__(self, name: str = "") -> None:
        self.name = name

    @cached(ttl="5m")
    async def courses(self, teacher_id: int, year: int = 2024) -> list[Any]:
        """List them."""
        calls.append((self.name, teacher_id, year))
        return [self.limit, teacher_id, year]

    @cached(ttl="5m", key=lambda teacher_id: teacher_id % 2)
    async def parity(self, teacher_id: int) -> int:
        return teacher_id

    @staticmethod
    @cached(ttl="5m")
    async def plain(a: int) -> int:
        calls.append((a,))
        return a


class Wide(Dashboard):
    limit = 100

    @cached(ttl="5m")
    async def courses(self, teacher_id: int, year: int = 2024) -> list[Any]:
        return ["wide", *await super().courses(teacher_id, year)]


class Colour(Enum):
    RED = 1
    GREEN = 2


class Number(IntEnum):
    ONE = 1


class Permission(IntFlag):
    READ = 1
    WRITE = 2


class Right(Flag):
    READ = 1
    WRITE = 2


class Status(Enum):
    """Takes what another service may answer."""

    OPEN = "open"
    BOXED = ("a", object)

    @classmethod
    def _missing_(cls, value: object) -> Status:
        unknown = object.__new__(cls)
        unknown._name_ = "UNKNOWN"
        unknown._value_ = value
        return unknown


class Anywhere(tzinfo):
    """A time zone with nothing to tell it from others."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return timedelta(0) if moment else None

    def dst(self, moment: datetime | None) -> None:
        return None

    def tzname(self, moment: datetime | None) -> str:
        return "GMT"


@pytest.fixture(autouse=True)
def current(memory: Cache) -> Any:
    calls.clear()
    with use_cache(memory):
        yield memory


class TestFunctions:
    async def test_the_same_arguments_are_computed_once_however_they_are_given(self) -> None:
        first = await other(1)
        assert [await other(1, 2), await other(b=2, a=1), await other(a=1)] == [first] * 3
        assert calls == [(1, 2)]

    @pytest.mark.parametrize(
        ("args", "kwargs"),
        [
            ((1, 2, 3), {}),
            ((1, 3), {}),
            ((1,), {"c": 4}),
            ((1,), {"d": 3}),
            ((1, 2, "c=4"), {}),
            (("1",), {}),
            ((1.0,), {}),
            ((True,), {}),
        ],
        ids=str,
    )
    async def test_other_arguments_are_computed_apart(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        await add(1)
        await add(*args, **kwargs)
        assert len(calls) == 2

    async def test_the_order_of_keywords_and_of_a_dict_means_nothing(self) -> None:
        await add(1, x=1, y={"a": 1, "b": {0, 8}})
        await add(1, y={"b": {8, 0}, "a": 1}, x=1)
        assert len(calls) == 1

    async def test_a_date_is_no_text(self) -> None:
        await other(date(2024, 1, 1))
        await other("2024-01-01")
        assert len(calls) == 2

    async def test_functions_do_not_mix(self) -> None:
        await add(1)
        await other(1)
        assert len(calls) == 2

    async def test_none_is_a_result(self) -> None:
        assert await nothing() is None  # type: ignore[func-returns-value]
        await nothing()
        assert len(calls) == 1

    async def test_after_its_lifetime_it_is_computed_again(self, clock: Clock) -> None:
        await add(1)
        clock.now += 300
        await add(1)
        assert len(calls) == 2

    async def test_at_once_it_is_computed_once(self) -> None:
        assert await asyncio.gather(*(add(1) for _ in range(20))) == [[1]] * 20

    async def test_forget_deletes_one_entry(self) -> None:
        await other(1)
        await other(2)
        assert await other.forget(1, b=2) is True
        assert await other.forget(1) is False
        await other(1)
        await other(2)
        assert calls == [(1, 2), (2, 2), (1, 2)]

    async def test_refresh_computes_anew_and_keeps_it(self) -> None:
        assert await other(1) == [1]
        assert await other.refresh(1) == [2]
        assert await other(1) == [2]

    async def test_key_says_what_counts(self) -> None:
        one, two = object(), object()
        assert [await taught(one, 7), await taught(two, teacher_id=7), await taught(one, 8)] == [
            *(7, 7),
            8,
        ]
        assert calls == [(one, 7), (one, 8)]
        assert await taught.forget(None, 7) is True

    async def test_wrong_arguments_are_a_type_error_that_names_the_function(self) -> None:
        with pytest.raises(TypeError, match=r"^other: missing a required argument: 'a'"):
            await other()  # type: ignore[call-arg]
        with pytest.raises(TypeError, match=r"^other: "):
            await other.forget(1, 2, 3)  # type: ignore[call-arg]

    async def test_a_long_list_of_arguments_is_no_trouble(self) -> None:
        await add(list(range(1000)))
        await add(list(range(1000)))
        await add([*range(999), 1000])
        assert len(calls) == 2

    @pytest.mark.parametrize("text", ["x" * 20_000, "a\N{NO-BREAK SPACE}b", "a\nb", "\ud800"])
    async def test_what_a_visitor_types_is_no_trouble(self, text: str) -> None:
        assert [await other(text), await other(text), await other(f"{text}.")] == [[1], [1], [2]]

    async def test_an_error_is_not_kept(self) -> None:
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await divided(0)
        assert await divided(1) == 1.0

    def test_it_looks_like_the_function(self) -> None:
        assert add.__name__ == "add"
        assert add.__doc__ == "Say what was given."
        assert repr(add) == "<cached tests.cache.test_cached:add>"
        assert repr(Wide().parity).endswith(":Dashboard.parity@tests.cache.test_cached:Wide>")

    async def test_its_types_are_the_functions(self) -> None:
        assert_type(await other(1), list[Any])
        assert_type(await other.refresh(1), list[Any])
        assert_type(await Dashboard().courses(1), list[Any])
        assert_type(await Dashboard.courses.forget(1), bool)


@cached(ttl=60)
async def divided(a: int) -> float:
    return 1 / a


class TestMethods:
    async def test_instances_share_their_results(self) -> None:
        assert await Dashboard("one").courses(7) == [10, 7, 2024]
        assert await Dashboard("two").courses(year=2024, teacher_id=7) == [10, 7, 2024]
        assert calls == [("one", 7, 2024)]

    async def test_derived_classes_do_not(self) -> None:
        assert await Dashboard().parity(2) == 2
        assert await Wide().parity(4) == 4
        assert await Dashboard().parity(4) == 2

    async def test_one_that_calls_the_one_it_overrides(self) -> None:
        assert await Wide().courses(7) == ["wide", 100, 7, 2024]
        assert await Dashboard().courses(7) == [10, 7, 2024]

    async def test_it_is_forgotten_by_the_class_or_by_an_instance(self) -> None:
        await Dashboard().courses(7)
        assert await Dashboard.courses.forget(7) is True
        await Dashboard().courses(7)
        assert await Dashboard().courses.forget(teacher_id=7) is True
        assert await Dashboard().courses.refresh(7) == [10, 7, 2024]
        assert len(calls) == 3

    async def test_it_is_called_on_an_instance(self) -> None:
        with pytest.raises(CacheError, match=r"Dashboard\.courses is a method"):
            await Dashboard.courses(7)
        with pytest.raises(CacheError, match=r"Dashboard\.courses is a method"):
            await Dashboard.courses.refresh(7)

    async def test_a_static_method_is_a_function(self) -> None:
        plain: Any = Dashboard.plain
        assert [await plain(1), await Dashboard().plain(1)] == [1, 1]  # type: ignore[call-arg]
        assert calls == [(1,)]


class TestRefused:
    @pytest.mark.parametrize(
        ("value", "named"),
        [
            (object(), "object"),
            (Dashboard("x"), "Dashboard"),
            ({"a": [object()]}, "object"),
            ({object(): 1}, "object"),
            (int, "type"),
            (Counter(), "Counter"),
            (iter(""), "str_ascii_iterator"),
            (datetime(2026, 3, 30, tzinfo=Anywhere()), "Anywhere"),
            (Status({1: object}), "Status"),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    async def test_an_argument_that_no_key_can_tell_apart(self, value: object, named: str) -> None:
        with pytest.raises(CacheError, match=rf"test_cached:other .*argument 'b' .* {named};"):
            await other(1, value)
        assert calls == []

    async def test_one_that_contains_itself_or_is_too_long(self) -> None:
        endless: list[object] = []
        endless.append(endless)
        with pytest.raises(CacheError, match="nested too deep"):
            await other(endless)
        with pytest.raises(CacheError, match="integer that is too long"):
            await other(10**5000)

    async def test_what_key_returns_is_held_to_the_same(self) -> None:
        with pytest.raises(CacheError, match="what key= returned is or holds a object"):
            await taught(1, object())  # type: ignore[arg-type]

    def test_what_is_no_async_function(self) -> None:
        def plain() -> None: ...

        async def generator() -> Any:
            yield 1

        refused: list[Any] = [plain, generator, len, Dashboard, Dashboard().courses, 7]
        for function in refused:
            with pytest.raises(CacheError, match="async functions"):
                cached(ttl=60)(function)

    def test_a_lifetime_that_is_none(self) -> None:
        with pytest.raises(CacheError, match="ttl is None"):
            cached(ttl=None)  # type: ignore[arg-type]

    def test_a_function_that_uses_variables_of_another(self) -> None:
        factor = 3

        async def times(number: int) -> int:
            return number * factor

        with pytest.raises(CacheError, match="variables of the function around it"):
            cached(ttl=60)(times)

    @pytest.mark.parametrize("base", [BaseHandler, RequestHandler])
    def test_the_http_methods_of_handlers(self, base: type) -> None:
        async def get(self: object) -> None: ...

        with pytest.raises((CacheError, RuntimeError)) as caught:
            type("Page", (base,), {"get": cached(ttl=60)(get)})
        # Python 3.11 wraps what such a hook raises.
        assert "a handler's get returns nothing" in str(caught.value.__cause__ or caught.value)

    async def test_class_methods(self) -> None:
        class Page:
            @classmethod
            @cached(ttl=60)
            async def count(cls, a: int) -> int:
                return a

        count: Any = Page
        with pytest.raises(CacheError):
            await count.count(1)


class TestWhichCache:
    async def test_that_of_the_work(self, current: Cache) -> None:
        mine = Cache(MemoryCacheStore())
        token = current_work.set(Work("GET x:Y", cache=mine))
        with use_cache(None):  # type: ignore[arg-type]
            await add(1)
            assert await mine.get("tests.cache.test_cached:add(a=1, b=2, rest=(), c=3, more={})")
        current_work.reset(token)
        await add(1)
        assert len(calls) == 2

    async def test_use_cache_goes_before_it_and_ends(self, current: Cache) -> None:
        token = current_work.set(Work("GET x:Y", cache=Cache(MemoryCacheStore())))
        await add(1)
        current_work.reset(token)
        await add(1)
        assert len(calls) == 1
        with use_cache(Cache(MemoryCacheStore())):
            await add(1)
        await add(1)
        assert len(calls) == 2

    async def test_that_of_the_decorator_goes_before_all(self) -> None:
        mine = Cache(MemoryCacheStore())
        await cached(ttl=60, cache=mine)(plain_sum)(1)
        assert await mine.get("tests.cache.test_cached:plain_sum(a=1)") == 1

    @pytest.mark.parametrize("work", [None, Work("POST x:Y")], ids=["no work", "work without"])
    async def test_without_any_it_says_what_to_do(self, work: Work | None) -> None:
        token = current_work.set(work)
        with use_cache(None):  # type: ignore[arg-type]
            for attempt in (add(1), add.forget(1), add.refresh(1)):
                with pytest.raises(CacheError, match=r"test_cached:add .*use_cache\(cache\)"):
                    await attempt
        current_work.reset(token)


async def plain_sum(a: int) -> int:
    return a


# --- what arguments are called -----------------------------------------------------------

NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)

plain_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats(-1, 1, width=16)
    | st.text("a',(){}[] 1\n", max_size=4)
    | st.binary(max_size=2)
    | st.sampled_from([*Colour, Number.ONE, UUID(int=1), Decimal("1.0"), timedelta(1)])
    | st.sampled_from([date(2024, 1, 1), NOON, NOON.replace(tzinfo=None), time(0), NOON.time()])
    | st.sampled_from([*map(Permission, range(9)), *map(Right, range(4))])
    | st.frozensets(st.integers(0, 1) | st.booleans(), max_size=2)
    | st.sets(st.integers(0, 1), max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)


def typed(value: object) -> object:
    """Return what equals only values of the same types."""
    if isinstance(value, list | tuple):
        return type(value), tuple(map(typed, value))
    if isinstance(value, set | frozenset):
        return type(value), frozenset(map(typed, value))
    if isinstance(value, dict):
        return dict, frozenset((name, typed(item)) for name, item in value.items())
    return type(value), repr(value) if isinstance(value, float) else value


@given(plain_values, plain_values)
def test_values_share_a_description_only_if_they_are_equal(one: object, two: object) -> None:
    assert (described(one) == described(two)) == (typed(one) == typed(two))
    assert described(one).isprintable()


LONDON, UNIVERSAL = ZoneInfo("Europe/London"), ZoneInfo("Etc/UTC")
SUMMER_EVE = datetime(2026, 3, 28, 12)  # noqa: DTZ001 - each test gives it a zone


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Permission(8), Permission(0)),
        (Permission(8), Permission(4)),
        (Permission.READ | Permission.WRITE, Permission.WRITE),
        (Permission(1), Right(1)),
        (Status("closed"), Status("lost")),
        (SUMMER_EVE.replace(tzinfo=LONDON), SUMMER_EVE.replace(tzinfo=UTC)),
        (SUMMER_EVE.replace(tzinfo=LONDON), SUMMER_EVE.replace(tzinfo=ZoneInfo("Africa/Accra"))),
        (SUMMER_EVE.replace(tzinfo=LONDON), SUMMER_EVE),
        (time(12, tzinfo=LONDON), time(12)),
        ({}, set()),
        (set(), frozenset()),
    ],
    ids=repr,
)
def test_what_a_function_can_tell_apart_is_described_apart(one: object, two: object) -> None:
    assert described(one) != described(two)
    assert described([one]) != described([two])


@pytest.mark.parametrize(
    "zone", [LONDON, UNIVERSAL, UTC, timezone(timedelta(hours=1), "X"), Status.BOXED], ids=repr
)
def test_the_same_is_described_alike_each_time(zone: Any) -> None:
    value = zone if isinstance(zone, Enum) else [time(1, tzinfo=zone), NOON.astimezone(zone)]
    assert described(value) == described(value)


def test_zones_of_one_offset_for_ever_are_one() -> None:
    same = (UTC, UNIVERSAL, timezone(timedelta(0), "GMT"))
    assert len({described(SUMMER_EVE.replace(tzinfo=zone)) for zone in same}) == 1
