"""The promises about order, held over many rounds and many clients at once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.handlers.test_lifecycle import Count, Write, home, slow_store
from tornkit import BaseHandler, path
from tornkit.testing import Client

if TYPE_CHECKING:
    from tests.handlers.conftest import StartSite

CLIENTS, ROUNDS = 50, 20


class Enter(BaseHandler):
    async def post(self) -> None:
        user = await self.accounts.load(self.get_argument("user"))
        await self.sign_in(user)
        self.redirect("/who")


class Who(BaseHandler):
    async def get(self) -> None:
        self.response_json(user=self.current_user and self.current_user.id)


@pytest.mark.slow
async def test_a_thousand_sign_ins_over_a_slow_store_never_show_an_old_session(
    start: StartSite,
) -> None:
    """1,000 rounds of sign-in and redirect, the store slowed by 50 ms: none sees the old user."""
    first = await start(home(path("/enter", Enter), path("/who", Who)))
    accounts = first.application.accounts
    assert accounts is not None
    users = [
        (await accounts.create(f"u{number}@b.example", "long enough")).id
        for number in range(CLIENTS)
    ]
    slow_store(first, 0.05)
    stale: list[object] = []

    async def visit(number: int) -> None:
        async with Client(first.application, str(first.base_url)) as client:
            for turn in range(ROUNDS):
                user = users[(number + turn) % CLIENTS]
                answer = await client.post("/enter", data={"user": str(user)})
                seen = (await client.get(answer.headers["Location"])).json()["user"]
                if seen != user:
                    stale.append((user, seen))

    await asyncio.gather(*(visit(number) for number in range(CLIENTS)))
    assert stale == []


@pytest.mark.slow
async def test_two_hundred_writes_followed_at_once_are_never_read_stale(start: StartSite) -> None:
    client = await start(home(path("/write", Write), path("/count", Count)))
    counts = []
    for number in range(200):
        answer = await client.post("/write", data={"text": f"n{number}"})
        counts.append((await client.get(answer.headers["Location"])).json()["count"])
    assert counts == list(range(1, 201))
