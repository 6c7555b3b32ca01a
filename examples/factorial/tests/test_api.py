"""GET /factorial: numbers, longer numbers, and what is none."""

import asyncio
import os
import signal
from collections.abc import Awaitable

import pytest
from tornkit.testing import Client

from factorial.app import Site
from tests.helpers import ask, digits_of, is_refused


async def test_the_second_answer_comes_from_the_cache(client: Client) -> None:
    answer = await client.get("/factorial?n=10")
    fact = {"code": 0, "message": "", "n": 10, "fact": 3628800}
    assert answer.json() == {**fact, "cached": False}
    assert (await client.get("/factorial?n=10")).json() == {**fact, "cached": True}
    assert (await client.get("/factorial?n=11")).json()["cached"] is False


@pytest.mark.parametrize(("n", "fact"), [("0", 1), ("1", 1), ("20", 2432902008176640000)])
async def test_small_ones(client: Client, n: str, fact: int) -> None:
    assert (await ask(client, n))["fact"] == fact


@pytest.mark.parametrize("n", [5000, 20000])
async def test_what_is_too_long_for_a_number_in_json_is_text(client: Client, n: int) -> None:
    for cached in (False, True):
        assert await ask(client, n) == {"n": n, "fact": digits_of(n), "cached": cached}


async def test_the_longest_number_and_the_shortest_text(client: Client) -> None:
    assert (await ask(client, 1558))["fact"] == int(digits_of(1558))
    assert (await ask(client, 1559))["fact"] == digits_of(1559)


@pytest.mark.parametrize(
    "n", ["-1", "20001", "ten", "2.5", "1e3", "", "9" * 5000, "NaN", "\0"], ids=ascii
)
async def test_what_is_no_such_number_is_refused(client: Client, n: str) -> None:
    assert is_refused(await client.get("/factorial", params={"n": n}))


async def test_n_has_to_be_given(client: Client) -> None:
    assert is_refused(await client.get("/factorial"))


async def test_other_requests_are_answered_while_it_computes(
    client: Client, app: Site, begun: asyncio.Event
) -> None:
    process = await process_of(app)
    os.kill(process, signal.SIGSTOP)  # the computation lasts as long as the test wants
    try:
        computing = asyncio.create_task(ask(client, 5000))
        await begun.wait()
        assert (await client.get("/")).status_code == 200
        assert not computing.done()
    finally:
        os.kill(process, signal.SIGCONT)
    assert (await computing)["fact"] == digits_of(5000)


async def test_many_who_ask_at_once_wait_for_one_computation(client: Client) -> None:
    answers = await asyncio.gather(*(ask(client, 5000) for _ in range(8)))
    assert {answer["fact"] for answer in answers} == {digits_of(5000)}
    assert [answer["cached"] for answer in answers].count(False) == 1


async def test_a_killed_computation_is_a_503_and_the_next_one_works(
    client: Client, app: Site, begun: asyncio.Event
) -> None:
    process = await process_of(app)
    os.kill(process, signal.SIGSTOP)
    computing = asyncio.create_task(client.get("/factorial?n=5000"))
    await begun.wait()
    os.kill(process, signal.SIGKILL)
    assert (await computing).status_code == 503
    assert (await ask(client, 5000))["cached"] is False


@pytest.fixture
def begun(app: Site, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Tell when a computation has begun."""
    event, factorial = asyncio.Event(), app.calculator.factorial

    def begin(n: int) -> Awaitable[str]:
        event.set()
        return factorial(n)

    monkeypatch.setattr(app.calculator, "factorial", begin)
    return event


async def process_of(app: Site) -> int:
    """Return the id of the process that computes."""
    return await asyncio.get_running_loop().run_in_executor(app.calculator.pool, os.getpid)
