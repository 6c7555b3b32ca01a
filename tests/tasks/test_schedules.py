"""When ticks are, by the clocks of a zone that change twice a year too."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tornkit.errors import TaskError
from tornkit.tasks import Tasks, task
from tornkit.tasks.schedules import Cron, Every, zone_of

if TYPE_CHECKING:
    from tornkit.tasks.schedules import Schedule

BERLIN = ZoneInfo("Europe/Berlin")
FORWARD = datetime(2026, 3, 29, 0, 0, tzinfo=BERLIN)
BACK = datetime(2026, 10, 25, 0, 0, tzinfo=BERLIN)


def ticks(schedule: Schedule, begin: datetime, count: int) -> list[str]:
    """Return the ticks from a moment on, as clocks show them."""
    found, now = [], begin.timestamp() - 1
    for _ in range(count):
        now = schedule.next(now)
        found.append(datetime.fromtimestamp(now, begin.tzinfo).strftime("%d %H:%M%z"))
    return found


def test_a_period_is_counted_from_the_epoch() -> None:
    every = Every(300)
    now = datetime(2026, 11, 21, 12, 3, tzinfo=UTC).timestamp()
    assert (every.last(now), every.next(now)) == (now - 180, now + 120)
    assert (every.last(now - 180), every.next(now - 180)) == (now - 180, now + 120)


def test_a_given_time_comes_once_a_day_also_where_clocks_change() -> None:
    early = Cron("30 2 * * *", BERLIN)
    assert ticks(early, BACK, 3) == ["25 02:30+0200", "26 02:30+0100", "27 02:30+0100"]
    assert ticks(early, FORWARD, 3) == ["29 03:30+0200", "30 02:30+0200", "31 02:30+0200"]


def test_what_is_for_every_hour_comes_in_the_hour_that_comes_twice() -> None:
    half_hours = Cron("*/30 * * * *", BERLIN)
    assert ticks(half_hours, BACK, 8)[3:] == [
        *("25 01:30+0200", "25 02:00+0200", "25 02:30+0200", "25 02:00+0100", "25 02:30+0100"),
    ]
    hours = Cron("0 * * * *", BERLIN)
    assert ticks(hours, FORWARD, 4) == [
        *("29 00:00+0100", "29 01:00+0100", "29 03:00+0200", "29 04:00+0200"),
    ]


def test_weekdays_and_months_have_names() -> None:
    weekly = Cron("0 8 * jan mon", ZoneInfo("UTC"))
    begin = datetime(2026, 11, 21, tzinfo=UTC)
    assert ticks(weekly, begin, 2) == ["04 08:00+0000", "11 08:00+0000"]
    assert str(weekly) == "cron 0 8 * jan mon (UTC)"


YEAR = datetime(2026, 1, 1, tzinfo=BERLIN).timestamp()


@settings(max_examples=30)
@given(
    st.sampled_from(["30 2 * * *", "*/20 * * * *", "50 * * * *", "15 1-3 * * sun", "0 3 1 * *"]),
    st.floats(YEAR, YEAR + 366 * 86_400),
)
@example("50 * * * *", datetime(2026, 10, 25, 1, 10, tzinfo=UTC).timestamp())
@example("*/20 * * * *", datetime(2026, 3, 29, 1, 0, tzinfo=UTC).timestamp())
def test_the_tick_before_and_the_one_after_enclose_each_moment(
    expression: str, now: float
) -> None:
    cron = Cron(expression, BERLIN)
    last, following = cron.last(now), cron.next(now)
    assert last <= now < following
    assert cron.next(last) == following
    assert cron.last(following) == following
    assert cron.last(following - 0.001) == last


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "61 * * * *", "@daily", "R * * * *", "H 3 * * *", "x\n* * * *"],
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(TaskError, match="write minute, hour, day, month and weekday"):
        Cron(expression, BERLIN)


def test_a_day_that_never_comes_is_refused() -> None:
    with pytest.raises(TaskError, match="cron is '0 0 31 2 \\*', a day that never comes"):
        Cron("0 0 31 2 *", BERLIN)


@task(cron="99 * * * *")
async def never() -> None: ...


@task(cron="0 3 * * *")
async def early() -> None: ...


def test_a_bad_expression_and_a_bad_zone_are_refused_at_the_start() -> None:
    with pytest.raises(TaskError, match=r"task .*never .*test_schedules.py:\d+.*cron is '99"):
        Tasks("memory://", [never])
    with pytest.raises(TaskError, match="there is no time zone 'Atlantis'"):
        Tasks("memory://", [early], timezone="Atlantis")
    assert zone_of("UTC").key == "UTC"


def test_the_next_tick_can_be_asked_for() -> None:
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    tasks = Tasks("memory://", [early], timezone="Europe/Berlin", clock=noon.timestamp)
    assert tasks.schedules() == {early.name: datetime(2026, 11, 22, 2, tzinfo=UTC)}
