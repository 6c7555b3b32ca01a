"""What the tests share, besides the fixtures."""

from typing import Any

from httpx import Response
from tornkit import Application
from tornkit.tasks import Tasks
from tornkit.testing import Client

HTML = {"Accept": "text/html"}
LARGE = 99_999_999_999_973
"""A prime that takes several pieces of work."""


def tasks_of(app: Application) -> Tasks:
    """Return the tasks of the site, which has some."""
    assert app.tasks is not None
    return app.tasks


async def send(client: Client, n: object, **more: object) -> dict[str, Any]:
    """Send a number; return what is told of its job."""
    answer = await client.post("/number_request", json={"n": n, **more})
    assert answer.status_code in {200, 202}
    return task_of(answer)


async def status(client: Client, task: dict[str, Any], **query: str) -> dict[str, Any]:
    """Ask how a job stands."""
    answer = await client.get(f"/tasks/{task['id']}", params=query)
    assert answer.status_code == 200
    return task_of(answer)


def task_of(answer: Response) -> dict[str, Any]:
    task: dict[str, Any] = answer.json()["task"]
    return task
