"""/number_request for programs, and /tasks/ID, where they ask for the result."""

import asyncio

import pytest
from tornkit import Application
from tornkit.testing import Client

from tests.helpers import LARGE, send, status, task_of, tasks_of

WAYS = {
    "json": ("POST", {"json": {"n": 12}}),
    "form": ("POST", {"data": {"n": "12"}}),
    "query": ("GET", {"params": {"n": "12"}}),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_number_becomes_a_job_and_the_job_a_result(
    client: Client, app: Application, way: str
) -> None:
    method, given = WAYS[way]
    answer = await client.request(method, "/number_request", **given)  # type: ignore[arg-type]
    assert answer.status_code == 202
    assert task_of(answer)["status"] == "queued"
    place = answer.headers["location"]
    assert task_of(await client.get(place))["status"] == "queued"
    await tasks_of(app).run_all()
    task = task_of(await client.get(place))
    assert (task["status"], task["progress"], task["result"]) == ("complete", 1.0, [2, 2, 3])
    assert (await client.get(answer.json()["page"])).status_code == 200


async def test_of_requests_with_one_key_the_first_counts(client: Client, app: Application) -> None:
    first = await client.post("/number_request", json={"n": 12, "key": "order-7"})
    again = await client.post("/number_request", json={"n": 12, "key": "order-7"})
    assert (first.status_code, again.status_code) == (202, 200)
    assert task_of(first)["id"] == task_of(again)["id"]
    assert (await send(client, 12))["id"] != task_of(first)["id"]
    assert len(await tasks_of(app).run_all()) == 2


@pytest.mark.parametrize("n", ["0", "-1", "9007199254740992", "ten", "2.5", "", "9" * 5000, "\0"])
async def test_what_is_no_such_number_is_refused(client: Client, app: Application, n: str) -> None:
    for answer in (
        await client.get("/number_request", params={"n": n}),
        await client.post("/number_request", data={"n": n}),
    ):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == ["n"]
    assert await tasks_of(app).list() == []


async def test_waiting_ends_with_the_job(client: Client, app: Application) -> None:
    task = await send(client, 360)
    waiting = asyncio.create_task(status(client, task, wait="30"))
    async with tasks_of(app).worker():
        assert (await waiting)["result"] == [2, 2, 2, 3, 3, 5]


async def test_a_job_is_aborted(client: Client, app: Application) -> None:
    task = await send(client, LARGE)
    assert (await client.delete(f"/tasks/{task['id']}")).status_code == 200
    assert (await status(client, task))["status"] == "aborted"
    assert await tasks_of(app).run_all() == []


async def test_nobody_else_sees_a_job(client: Client) -> None:
    task = await send(client, 12)
    client.cookies.clear()
    assert (await client.get(f"/tasks/{task['id']}")).status_code == 404
    assert (await client.delete(f"/tasks/{task['id']}")).status_code == 404
