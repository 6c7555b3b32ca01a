"""``/ops/tasks``: its door, what it shows, and what can be ordered on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tests.handlers.conftest import User
from tornkit import PUBLIC, BaseHandler, Module, path, roles
from tornkit.handlers import ops
from tornkit.tasks import TaskContext, task

if TYPE_CHECKING:
    import pytest

    from tests.handlers.conftest import StartSite
    from tornkit.testing import Client

SITE: dict[str, object] = {
    "tasks.queue": "memory://",
    "session.store": "memory://",
    "tasks.ops_roles": ["principal", "operator"],
}
HTML = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}


@task
async def double(number: int) -> int:
    return 2 * number


@task
async def fail(text: str, password: str = "hunter2") -> None:
    raise ValueError(f"<script>alert({text})</script>")


@task(cron="0 3 * * *")
async def nightly(ctx: TaskContext) -> None: ...


class Page(BaseHandler):
    async def get(self) -> None:
        self.response_json()


home = Module(name="home", access=PUBLIC, routes=[path("/", Page)])
teacher = Module(name="teacher", access=roles("teacher"), routes=[path("/", Page)])


async def begin(start: StartSite, role: str = "principal", **overrides: object) -> Client:
    client = await start(
        home, teacher, overrides={**SITE, **overrides}, user_model=None, migrate=[]
    )
    await client.sign_in(role=role)
    return client


async def run(client: Client) -> None:
    tasks = client.application.tasks
    assert tasks is not None
    await tasks.run_all(check=False)


async def page(client: Client, address: str = "/ops/tasks") -> str:
    answer = await client.get(address, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


# --- the door ----------------------------------------------------------------------------


async def test_only_those_who_run_the_site_get_in(start: StartSite) -> None:
    client = await begin(start, "teacher")
    job = await double.enqueue(1)
    for address in ("/ops/tasks", f"/ops/tasks/{job.id}"):
        assert (await client.get(address)).status_code == 403
        assert (await client.post(address, data={"abort": job.id})).status_code == 403
    client.sign_out()
    assert (await client.get("/ops/tasks")).status_code == 401
    assert (await job.status()) == "queued"
    for role in ("principal", "operator"):
        await client.sign_in(role=role)
        assert (await client.get("/ops/tasks", headers=HTML)).status_code == 200


async def test_its_roles_exist_though_no_module_names_them(start: StartSite) -> None:
    client = await begin(start)
    assert client.application.known_roles == {"teacher", "principal", "operator"}
    with_users = await start(home, teacher, overrides=SITE, user_model=User)
    await with_users.sign_in(role="operator")
    assert (await with_users.get("/ops/tasks", headers=HTML)).status_code == 200


async def test_without_ops_roles_there_is_no_page_and_no_such_role(start: StartSite) -> None:
    client = await begin(start, "teacher", **{"tasks.ops_roles": []})
    assert client.application.known_roles == {"teacher"}
    assert (await client.get("/ops/tasks")).status_code == 404


# --- what it shows -----------------------------------------------------------------------


async def test_it_shows_how_all_tasks_stand(start: StartSite) -> None:
    client = await begin(start)
    assert "There are no tasks yet." in await page(client)
    await double.using(owner="ann").enqueue(4)
    await fail.enqueue("1")
    await run(client)
    await double.using(delay="1h").enqueue(5)
    text = await page(client)
    assert re.findall(r"<b>([\d,]+)</b> (\w+)", text) == [
        *(("1", "queued"), ("0", "active"), ("1", "complete"), ("1", "failed"), ("0", "aborted")),
    ]
    assert "Recent failures" in text
    assert "· owner ann" in text
    assert "· due <time" in text
    assert f"{__name__}:nightly" in text
    assert "<code>0 3 * * *</code>" in text
    assert "No worker is running" in text
    assert text.count('value="') >= 3


async def test_what_tasks_say_is_text_and_no_page(start: StartSite) -> None:
    client = await begin(start)
    job = await fail.using(owner="<i>").enqueue("<u>1</u>")
    await run(client)
    for address in ("/ops/tasks", f"/ops/tasks/{job.id}", "/ops/tasks?owner=%3Ci%3E"):
        text = await page(client, address)
        assert "alert(" in text
        assert "<script>alert" not in text
        assert "<u>" not in text
        assert "<i>" not in text


async def test_the_page_of_a_task_has_all_of_it_but_what_is_private(start: StartSite) -> None:
    client = await begin(start)
    job = await fail.enqueue("1", password="hunter3")
    await run(client)
    text = await page(client, f"/ops/tasks/{job.id}")
    assert "Traceback (most recent call last)" in text
    assert "hunter3" not in text
    assert "***" in text
    done = await double.enqueue(21)
    await run(client)
    text = await page(client, f"/ops/tasks/{done.id}")
    assert ">42</pre>" in text
    assert "under 10 ms" in text
    assert (await client.get("/ops/tasks/nonsense", headers=HTML)).status_code == 404


async def test_scripts_and_styles_carry_the_nonce_and_nothing_else_runs(start: StartSite) -> None:
    client = await begin(start)
    answer = await client.get("/ops/tasks", headers=HTML)
    (nonce,) = re.findall(r"'nonce-([^']+)'", answer.headers["Content-Security-Policy"])[:1]
    tags = re.findall(r"<(?:script|style)\b[^>]*>", answer.text)
    assert tags == [f"<style nonce={nonce}>", f"<script nonce={nonce}>"]
    assert not re.search(r"\s(?:on\w+|style)=", answer.text)
    assert '<noscript><meta http-equiv="refresh"' in answer.text


async def test_tasks_are_filtered_and_paged(
    start: StartSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ops, "PAGE", 2)
    client = await begin(start)
    for number in range(5):
        await double.using(owner=number).enqueue(number)
    await fail.enqueue("1")
    await run(client)

    async def owners(address: str) -> tuple[list[str], str]:
        text = await page(client, address)
        found = re.search(r'href="([^"]+after=[^"]+)"', text)
        return re.findall(r"owner (\d)", text), found[1].replace("&amp;", "&") if found else ""

    seen, older = await owners("/ops/tasks?status=complete")
    assert seen == ["4", "3"]
    assert "Recent failures" not in await page(client, "/ops/tasks?status=complete")
    seen, older = await owners(older)
    assert seen == ["2", "1"]
    assert await owners(older) == (["0"], "")
    assert (await owners("/ops/tasks?owner=3"))[0] == ["3"]
    text = await page(client, f"/ops/tasks?name={__name__}:fail")
    assert text.count("<li>") - 5 == 1
    assert "No task matches." in await page(client, "/ops/tasks?status=active")
    refused = await client.get("/ops/tasks?status=lost", headers=HTML)
    assert refused.status_code == 422


async def test_a_program_gets_json(start: StartSite) -> None:
    client = await begin(start)
    job = await double.enqueue(1)
    told = (await client.get("/ops/tasks", headers=JSON)).json()
    assert told["counts"]["queued"] == 1
    assert list(told["schedules"]) == [f"{__name__}:nightly"]
    assert told["workers"] == {}
    assert [each["id"] for each in told["tasks"]] == [job.id]
    one = (await client.get(f"/ops/tasks/{job.id}", headers=JSON)).json()
    assert one["task"] == told["tasks"][0]


# --- what can be ordered -----------------------------------------------------------------


async def order(client: Client, address: str = "/ops/tasks", **data: str) -> Any:
    return await client.post(address, data=data, headers=HTML)


async def test_a_task_is_aborted_and_retried(start: StartSite) -> None:
    client = await begin(start)
    job = await double.enqueue(1)
    answer = await order(client, "/ops/tasks?status=queued", abort=job.id)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/ops/tasks?status=queued")
    assert await job.status() == "aborted"
    assert job.error == "aborted by those who run the site"
    assert f"{job.name} is aborted." in await page(client)
    answer = await order(client, f"/ops/tasks/{job.id}", retry=job.id)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/ops/tasks/{job.id}")
    assert await job.status() == "queued"


async def test_what_cannot_be_done_is_said(start: StartSite) -> None:
    client = await begin(start)
    job = await double.enqueue(1)
    assert (await order(client, retry=job.id)).status_code == 303
    assert "only one that has failed or was aborted can be retried." in await page(client)
    answer = await client.post("/ops/tasks", json={"retry": job.id})
    assert answer.status_code == 409
    assert "is queued" in answer.json()["message"]
    assert (await order(client, abort="nonsense")).status_code == 404
    for data in ({}, {"abort": job.id, "retry": job.id}, {"abort": "x" * 201}):
        assert (await order(client, **data)).status_code == 422
    answer = await client.post("/ops/tasks", json={"abort": job.id})
    assert answer.json()["task"]["status"] == "aborted"


async def test_no_other_site_makes_a_browser_order_it(start: StartSite) -> None:
    client = await begin(start)
    job = await double.enqueue(1)
    answer = await client.post(
        "/ops/tasks", data={"abort": job.id}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 403
    assert await job.status() == "queued"


async def test_a_page_that_is_fetched_again_takes_no_messages(start: StartSite) -> None:
    client = await begin(start)
    job = await double.enqueue(1)
    await order(client, abort=job.id)
    live = await client.get("/ops/tasks", headers={**HTML, "X-Live": "1"})
    assert "is aborted." not in live.text
    assert "<script" not in live.text
    assert "<style" not in live.text
    assert "is aborted." in await page(client)
