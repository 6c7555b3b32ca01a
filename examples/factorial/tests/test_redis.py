"""What Redis keeps, and what is done without it."""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tornkit.testing import Client

from factorial.app import Site, create_app
from tests.helpers import ask, digits_of

REDIS = "redis://127.0.0.1:6379/0"  # as in settings.toml; otherwise tests get memory://
NOBODY = "redis://127.0.0.1:1/0"
N = 4000 + os.getpid() % 1000  # runs at the same time do not find each other's results


@pytest.fixture
def settings_overrides(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"cache.store": request.param}


@pytest.fixture
async def forgotten(app: Site) -> AsyncIterator[None]:
    """Forget the result, before the test and after it."""
    await app.cache.delete(f"factorial:{N}")
    yield
    await app.cache.delete(f"factorial:{N}")


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("settings_overrides", [REDIS], indirect=True, ids=["redis"])
async def test_all_processes_of_the_site_share_results(client: Client) -> None:
    assert await ask(client, N) == {"n": N, "fact": digits_of(N), "cached": False}
    async with create_app() as other:
        kept = await other.cache.get(f"factorial:{N}")
    assert kept == digits_of(N)
    assert (await ask(client, N))["cached"] is True


@pytest.mark.parametrize("settings_overrides", [NOBODY], indirect=True, ids=["nobody"])
async def test_without_redis_it_computes_all_the_same(client: Client) -> None:
    for _ in range(2):
        assert await ask(client, N) == {"n": N, "fact": digits_of(N), "cached": False}


@pytest.mark.parametrize("settings_overrides", [NOBODY], indirect=True, ids=["nobody"])
async def test_without_redis_too_many_wait_for_one_computation(client: Client) -> None:
    answers = await asyncio.gather(*(ask(client, N) for _ in range(8)))
    assert [answer["cached"] for answer in answers].count(False) == 1
