"""What the tests share, besides the fixtures."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from httpx import Response
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornkit import Application
from tornkit.settings import command_line
from tornkit.testing import Client

from storage.app import create_app

DUNE = {"isbn": "9780441172719", "title": "Dune", "author": "Frank Herbert"}
EMMA = {"isbn": "9780141439587", "title": "Emma", "author": "Jane Austen"}

NOBODY = {
    "default": "postgresql://postgres@127.0.0.1:1/storage",
    "catalog": "mongodb://127.0.0.1:1/storage",
    "cache": "redis://127.0.0.1:1/0",
    "weather": "http://127.0.0.1:1",
}
"""URLs where nobody answers."""


async def add_book(client: Client, book: dict[str, str] = DUNE) -> str:
    """Add a book; return its address."""
    answer = await client.post("/books", json=book)
    assert answer.status_code == 201
    return answer.headers["location"]


async def add_review(client: Client, book_id: int, reader: str, stars: int = 5) -> str:
    """Add a review; return its address."""
    review = {"book_id": book_id, "reader": reader, "stars": stars}
    answer = await client.post("/reviews", json=review)
    assert answer.status_code == 201
    return answer.headers["location"]


async def send(
    client: Client, method: str, address: str, body: object = None, **headers: str
) -> Response:
    """Send a request with a JSON body, unless it is one that has none."""
    content = None if method in {"GET", "DELETE"} else body
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await client.request(method, address, json=content, headers=sent)


def errors_of(answer: Response) -> list[str]:
    """Return the names of the fields that an answer complains of."""
    return sorted(error["field"] for error in answer.json()["errors"])


@asynccontextmanager
async def without(app: Application, *away: str) -> AsyncIterator[Client]:
    """Serve the same site with databases that are away; give a client of it."""
    urls = app.config.database_urls() | {name: NOBODY[name] for name in away}
    overrides = {f"databases.{name}": url for name, url in urls.items()}
    overrides |= {f"paths.{name}": str(folder) for name, folder in app.config.paths}
    # The fixture `app` sets this layer, and it would win over what Settings.load() is given.
    command_line(overrides, "testing")
    listening, port = bind_unused_port()
    async with create_app() as site:
        server = HTTPServer(site)
        server.add_socket(listening)
        try:
            async with Client(site, f"http://127.0.0.1:{port}") as client:
                yield client
        finally:
            server.stop()
            await server.close_all_connections()
