"""``/tasks/ID``: who may ask, waiting for the end, streams of events, aborting."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.handlers.conftest import Note
from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path, roles
from tornkit.errors import TaskError
from tornkit.handlers import tasks as handlers
from tornkit.handlers.tasks import task_routes
from tornkit.server import Options, serve
from tornkit.tasks import TaskContext, task
from tornkit.testing import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests.handlers.conftest import StartSite
    from tornkit.tasks import Tasks

MEMORY: dict[str, object] = {"tasks.queue": "memory://", "session.store": "memory://"}
WORKING: dict[str, object] = {**MEMORY, "tasks.run_in_site": True}
OPS: dict[str, object] = {**MEMORY, "tasks.ops_roles": ["principal"]}

gates: dict[str, asyncio.Event] = {}


@task
async def add(first: int, second: int) -> int:
    return first + second


@task
async def climb(ctx: TaskContext, gate: str) -> str:
    await ctx.progress(0.5, "half way")
    await gates[gate].wait()
    return "there"


class Start(BaseHandler):
    async def post(self) -> None:
        job = await self.enqueue(add, 1, second=2)
        self.set_header("Location", self.reverse_url("tasks:task", job_id=job.id))
        self.response_json(task=job, status_code=202)


class StartInBlock(BaseHandler):
    async def post(self) -> None:
        async with self.db() as session:
            session.add(Note(text="a note"))
            job = await self.enqueue(add, 1, 2)
            assert await job.status() == "new"
            self.response_json(task=job)
            if self.get_argument("fail", ""):
                raise ValueError("it fails")


class SignIn(BaseHandler):
    async def post(self) -> None:
        await self.sign_in("ann", roles=["teacher"])
        self.response_json()

    async def delete(self) -> None:
        await self.sign_out()
        self.response_json()


home = Module(
    name="home",
    access=PUBLIC,
    routes=[
        path("/start", Start),
        path("/start-in-block", StartInBlock),
        path("/signed-in", SignIn),
    ],
)
teacher = Module(name="teacher", access=roles("teacher"), routes=[*task_routes()])
principal = Module(name="principal", access=roles("principal"), routes=[])
SITE = (home, teacher, principal)


async def begin(start: StartSite, overrides: dict[str, object] = MEMORY) -> Client:
    """Start the site without a database: its users are what sessions say."""
    return await start(*SITE, overrides=overrides, user_model=None, migrate=[])


def tasks_of(client: Client) -> Tasks:
    """Return the tasks of a site that has some."""
    tasks = client.application.tasks
    assert tasks is not None
    return tasks


async def status_of(client: Client, job_id: str) -> int:
    return (await client.get(f"/tasks/{job_id}")).status_code


# --- who may ask -------------------------------------------------------------------------


async def test_the_owner_is_told_how_a_task_stands(start: StartSite) -> None:
    client = await begin(start)
    await client.sign_in(role="teacher")
    begun = await client.post("/start")
    assert begun.status_code == 202
    answer = await client.get(begun.headers["Location"])
    assert (answer.status_code, answer.json()["task"]["status"]) == (200, "queued")
    assert answer.headers["Cache-Control"] == "no-store"
    await tasks_of(client).run_all()
    told = (await client.get(begun.headers["Location"])).json()
    assert (told["code"], told["task"]["status"], told["task"]["result"]) == (0, "complete", 3)


async def test_nobody_else_learns_that_it_exists(start: StartSite) -> None:
    client = await begin(start, OPS)
    await client.sign_in(role="teacher")
    job_id = (await client.post("/start")).json()["task"]["id"]
    assert await status_of(client, job_id) == 200
    await client.sign_in(role="teacher")
    of_another = await client.get(f"/tasks/{job_id}")
    of_none = await client.get("/tasks/nonsense")
    assert of_another.status_code == of_none.status_code == 404
    assert of_another.content == of_none.content
    assert of_another.headers["Content-Type"] == of_none.headers["Content-Type"]
    for method, address in (("DELETE", ""), ("GET", "/events"), ("GET", "?wait=9")):
        answer = await client.request(method, f"/tasks/{job_id}{address}")
        assert (answer.status_code, answer.json()["code"]) == (404, 404), address
    client.sign_out()
    assert await status_of(client, job_id) == 404
    assert not client.cookies, "who asks in vain needs no session"
    await client.sign_in(role="principal")
    assert await status_of(client, job_id) == 200


async def test_what_belongs_to_nobody_is_nobodys_to_see(start: StartSite) -> None:
    client = await begin(start, OPS)
    job = await add.enqueue(1, 2)
    assert await status_of(client, job.id) == 404
    await client.post("/start")
    assert await status_of(client, job.id) == 404
    await client.sign_in(role="teacher")
    assert await status_of(client, job.id) == 404
    await client.sign_in(role="principal")
    assert await status_of(client, job.id) == 200


async def test_without_ops_roles_no_role_sees_more_than_another(start: StartSite) -> None:
    client = await begin(start)
    job = await add.using(owner=77).enqueue(1, 2)
    await client.sign_in(role="principal")
    assert await status_of(client, job.id) == 404


async def test_a_visitor_keeps_what_they_began_also_when_they_sign_in(start: StartSite) -> None:
    client = await begin(start)
    mine = (await client.post("/start")).json()["task"]["id"]
    again = (await client.post("/start")).json()["task"]["id"]
    owners = {job.owner for job in await tasks_of(client).list()}
    assert len(owners) == 1
    assert all(str(owner).startswith("session:") for owner in owners)
    assert await status_of(client, mine) == await status_of(client, again) == 200
    assert (await client.post("/signed-in")).status_code == 200
    own = (await client.post("/start")).json()["task"]["id"]
    assert (await tasks_of(client).get(own)).owner == "ann"
    assert await status_of(client, mine) == await status_of(client, own) == 200
    assert (await client.delete("/signed-in")).status_code == 200
    assert await status_of(client, mine) == await status_of(client, own) == 404


async def test_an_owner_that_is_given_is_kept(start: StartSite) -> None:
    client = await begin(start)

    class Other(BaseHandler):
        async def post(self) -> None:
            job = await self.enqueue(add.using(owner="x", key="k"), 1, 2)
            self.response_json(owner=job.owner)

    client.application.add_handlers(".*", [path("/other", Other)])
    assert (await client.post("/other")).json()["owner"] == "x"
    assert not client.cookies


@pytest.mark.slow
async def test_a_module_can_answer_behind_its_own_door(start: StartSite) -> None:
    client = await begin(start)
    user = await client.sign_in(role="teacher")
    job = await add.using(owner=user.id).enqueue(1, 2)
    where = client.application.reverse_url("teacher:task", job_id=job.id)
    assert where == f"/teacher/tasks/{job.id}"
    assert (await client.get(where)).json()["task"]["id"] == job.id
    client.sign_out()
    assert (await client.get(where)).status_code == 401


async def test_a_site_without_tasks_answers_nothing(start: StartSite) -> None:
    client = await start(overrides=MEMORY, user_model=None, migrate=[])
    assert client.application.tasks is None

    class Other(BaseHandler):
        async def get(self) -> None:
            with pytest.raises(TaskError, match="needs a site with tasks"):
                await self.enqueue(add, 1, 2)
            self.response_json()

    routes = [path("/other", Other), path("/mounted/{job_id}", handlers.TaskStatus)]
    client.application.add_handlers(".*", routes)
    assert (await client.get("/other")).status_code == 200
    assert (await client.get("/mounted/x")).status_code == 404
    assert await status_of(client, "x") == 404


# --- waiting -----------------------------------------------------------------------------


async def test_an_answer_waits_for_the_end(start: StartSite) -> None:
    client = await begin(start, WORKING)
    gates["wait"] = asyncio.Event()
    user = await client.sign_in(role="teacher")
    job = await climb.using(owner=user.id).enqueue("wait")
    asked = asyncio.create_task(client.get(f"/tasks/{job.id}?wait=30"))
    async for each in job.changes(10):
        if each.message == "half way":
            break
    assert not asked.done()
    gates["wait"].set()
    told = (await asyncio.wait_for(asked, 10)).json()["task"]
    assert (told["status"], told["progress"], told["result"]) == ("complete", 1.0, "there")


@pytest.mark.slow
async def test_an_answer_waits_no_longer_than_it_was_asked_to(start: StartSite) -> None:
    client = await begin(start)
    await client.sign_in(role="teacher")
    job_id = (await client.post("/start")).json()["task"]["id"]
    answer = await client.get(f"/tasks/{job_id}?wait=0.1")
    assert answer.json()["task"]["status"] == "queued"


async def test_a_wait_has_bounds(start: StartSite) -> None:
    client = await begin(start)
    await client.sign_in(role="teacher")
    for seconds in ("61", "-1", "nan", "inf", "soon"):
        answer = await client.get(f"/tasks/x?wait={seconds}")
        assert answer.status_code == 422, seconds
        assert answer.json()["errors"][0]["field"] == "wait"


# --- events ------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def events(
    client: Client, job_id: str, **headers: str
) -> AsyncIterator[tuple[httpx.Response, AsyncIterator[str]]]:
    async with client.stream("GET", f"/tasks/{job_id}/events", headers=headers) as answer:
        yield answer, answer.aiter_lines()


async def collect(lines: AsyncIterator[str]) -> list[tuple[str, Any]]:
    """Return the id and the data of each event, up to the end of the stream."""
    found, last = [], ""
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            last = value
        elif name == "data":
            found.append((last, json.loads(value)))
    return found


async def test_each_change_is_told_and_the_stream_ends_with_the_task(start: StartSite) -> None:
    client = await begin(start, WORKING)
    gate = gates["events"] = asyncio.Event()
    user = await client.sign_in(role="teacher")
    job = await climb.using(owner=user.id).enqueue("events")
    async with events(client, job.id) as (answer, lines):
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        assert await anext(lines) == "retry: 2000"
        async for line in lines:
            if "half way" in line:
                gate.set()
                break
        told = await asyncio.wait_for(collect(lines), 10)
    last_id, last = told[-1]
    assert (last_id, last["status"], last["result"]) == ("end", "complete", "there")
    async with events(client, job.id, **{"Last-Event-ID": "3"}) as (_, lines):
        assert [name for name, _ in await collect(lines)] == ["end"]
    async with events(client, job.id, **{"Last-Event-ID": "end"}) as (answer, _):
        assert answer.status_code == 204, "an EventSource comes no more"


async def test_the_status_itself_is_a_stream_for_who_asks_for_one(start: StartSite) -> None:
    client = await begin(start)
    await client.sign_in(role="teacher")
    job_id = (await client.post("/start")).json()["task"]["id"]
    await tasks_of(client).run_all()
    for accept, kind in (
        ("text/event-stream", "text/event-stream"),
        ("application/json, text/event-stream;q=0.5", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
    ):
        answer = await client.get(f"/tasks/{job_id}", headers={"Accept": accept})
        assert answer.headers["Content-Type"].startswith(kind), accept
    assert (await client.head(f"/tasks/{job_id}")).status_code == 200
    assert (await client.head(f"/tasks/{job_id}/events")).status_code == 405


@pytest.mark.slow
async def test_a_silent_stream_says_that_it_is_there(
    start: StartSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "HEARTBEAT", 0.05)
    monkeypatch.setattr(handlers, "LONGEST_STREAM", 0.2)
    client = await begin(start)
    await client.sign_in(role="teacher")
    job_id = (await client.post("/start")).json()["task"]["id"]
    async with events(client, job_id) as (_, lines):
        seen = [line async for line in lines]
    assert 2 <= seen.count(": still there") <= 5
    assert sum(line.startswith("data:") for line in seen) == 1, "nothing has changed"


@pytest.mark.slow
async def test_a_client_that_leaves_is_waited_for_no_more(start: StartSite) -> None:
    client = await begin(start)
    await client.sign_in(role="teacher")
    job_id = (await client.post("/start")).json()["task"]["id"]
    watcher = tasks_of(client).watcher
    async with events(client, job_id) as (_, lines):
        async for line in lines:
            if line.startswith("data:"):
                break
        await until(lambda: len(watcher._waiting) == 1)
    await until(lambda: not watcher._waiting)
    asked = asyncio.create_task(client.get(f"/tasks/{job_id}?wait=60"))
    await until(lambda: len(watcher._waiting) == 1)
    asked.cancel()
    await until(lambda: not watcher._waiting)


async def until(is_so: Any) -> None:
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110  there is no event to wait for
            await asyncio.sleep(0.01)


async def test_a_site_that_ends_lets_nobody_wait(start: StartSite) -> None:
    client = await begin(start)
    await client.sign_in(role="teacher")
    job_id = (await client.post("/start")).json()["task"]["id"]
    waiting = asyncio.create_task(client.get(f"/tasks/{job_id}?wait=60"))
    async with events(client, job_id) as (_, lines):
        async for line in lines:
            if line.startswith("data:"):
                break
        await until(lambda: len(tasks_of(client).watcher._waiting) == 2)
        client.application.begin_draining()
        assert await asyncio.wait_for(collect(lines), 5) == []
    assert (await asyncio.wait_for(waiting, 5)).json()["task"]["status"] == "queued"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["tornkit", "tornado"])
async def test_on_a_real_server_neither_who_leaves_nor_who_stays_holds_it_up(
    tmp_path: Path, engine: Any
) -> None:
    settings = Settings.load("testing", project_dir=tmp_path, overrides=MEMORY)
    application = Application(settings, modules=SITE)
    served = contextlib.AsyncExitStack()
    site = serve([(application, 0)], options=Options(engine=engine))
    (port,) = await served.enter_async_context(site)
    async with served, Client(application, f"http://127.0.0.1:{port}") as client:
        await client.sign_in(role="teacher")
        job_id = (await client.post("/start")).json()["task"]["id"]
        waiting = tasks_of(client).watcher._waiting
        async with events(client, job_id) as (_, lines):
            assert [await anext(lines) for _ in range(4)][2].startswith("id: 1")
            await until(lambda: len(waiting) == 1)
        await until(lambda: not waiting)
        staying = asyncio.create_task(client.get(f"/tasks/{job_id}/events"))
        await until(lambda: len(waiting) == 1)
        async with asyncio.timeout(3):
            await served.aclose()
            answer = await staying
    assert (answer.status_code, answer.text.count("data: ")) == (200, 1)


# --- aborting ----------------------------------------------------------------------------


async def test_its_owner_aborts_a_task(start: StartSite) -> None:
    client = await begin(start)
    await client.sign_in(role="teacher")
    job_id = (await client.post("/start")).json()["task"]["id"]
    told = (await client.delete(f"/tasks/{job_id}")).json()["task"]
    assert (told["status"], told["error"]) == ("aborted", "aborted by its owner")
    assert (await client.delete(f"/tasks/{job_id}")).json()["task"]["status"] == "aborted"


async def test_those_who_run_the_site_abort_it_too_and_strangers_do_not(start: StartSite) -> None:
    client = await begin(start, OPS)
    await client.sign_in(role="teacher")
    job_id = (await client.post("/start")).json()["task"]["id"]
    await client.sign_in(role="teacher")
    assert (await client.delete(f"/tasks/{job_id}")).status_code == 404
    assert (await tasks_of(client).get(job_id)).state == "queued"
    await client.sign_in(role="principal")
    told = (await client.delete(f"/tasks/{job_id}")).json()["task"]
    assert told["error"] == "aborted by those who run the site"


@pytest.mark.slow
async def test_no_other_site_makes_a_browser_abort_it(start: StartSite) -> None:
    client = await begin(start)
    await client.sign_in(role="teacher")
    job_id = (await client.post("/start")).json()["task"]["id"]
    answer = await client.delete(f"/tasks/{job_id}", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert (await tasks_of(client).get(job_id)).state == "queued"


# --- blocks ------------------------------------------------------------------------------


async def test_what_is_enqueued_in_a_block_is_sent_by_its_commit(start: StartSite) -> None:
    """On files: the queue beside the database."""
    client = await start(*SITE)
    queue = tasks_of(client).queue.place
    assert queue.endswith("/data/site-tasks.db")
    await look_at_blocks(client)


@pytest.mark.slow
async def test_so_it_is_on_postgresql(start: StartSite, postgresql_url: str) -> None:
    client = await start(*SITE, overrides={"databases.default": postgresql_url, "tasks.name": "x"})
    await look_at_blocks(client)


async def look_at_blocks(client: Client) -> None:
    tasks = tasks_of(client)
    await client.sign_in(role="teacher")
    failed = await client.post("/start-in-block?fail=1")
    assert failed.status_code == 500
    assert await tasks.list() == []
    answer = await client.post("/start-in-block")
    assert answer.status_code == 200
    job_id = answer.json()["task"]["id"]
    assert (await client.get(f"/tasks/{job_id}")).json()["task"]["status"] == "queued"
    assert [job.id for job in await tasks.run_all()] == [job_id]
    # The note is there already: the statement fails when the block ends, as commits do.
    assert (await client.post("/start-in-block")).status_code >= 400
    assert [job.id for job in await tasks.list()] == [job_id]
