"""The guide to uploads keeps what it promises."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs import pages
from tests.docs.test_how_to import served
from tornkit import Application, Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tornkit.testing import Client

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 100
PAGE = pages.DOCS / "how-to" / "accept-uploads.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "upload"


@pytest.fixture
async def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    *_, last = await pages.run(PAGE, monkeypatch)
    last["Film"].max_body_size = 5000
    overrides = {"session.store": "memory://"}
    settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
    async with served(Application(settings, modules=[last["module"], last["films"]])) as client:
        yield client


def kept(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def send(client: Client, name: str, content: bytes, kind: str = "image/png") -> Any:
    return await client.post("/gallery/pictures", files={"picture": (name, content, kind)})


async def test_a_picture_is_kept_under_a_name_made_here_and_given_back(
    client: Client, folder: Path
) -> None:
    await client.sign_in()
    answer = await send(client, "../../evil.png", PNG)
    assert answer.status_code == 201
    name = answer.json()["name"]
    assert [file.name for file in kept(folder)] == [name]
    shown = await client.get(f"/gallery/pictures/{name}")
    assert (shown.content, shown.headers["Content-Type"]) == (PNG, "image/png")
    assert shown.headers["X-Content-Type-Options"] == "nosniff"


async def test_what_is_no_picture_or_too_large_is_refused(client: Client, folder: Path) -> None:
    await client.sign_in()
    assert (await send(client, "a.png", b"<script>alert(1)</script>")).status_code == 415
    assert (await send(client, "a.png", PNG + b"x" * 2 * 1024 * 1024)).status_code == 413
    assert (await client.post("/gallery/pictures", data={"picture": "x"})).status_code == 415
    assert kept(folder) == []


@pytest.mark.parametrize("name", ["..%2f..%2fsettings.toml", "%2e%2e", "%00", "a.png", "f" * 32])
async def test_no_other_file_is_given(client: Client, name: str) -> None:
    await client.sign_in()
    assert (await client.get(f"/gallery/pictures/{name}")).status_code in (400, 404)


async def test_strangers_neither_send_nor_see(client: Client) -> None:
    assert (await send(client, "a.png", PNG)).status_code in (303, 401)
    assert (await client.get("/gallery/pictures/a.png")).status_code in (302, 401)
    assert (await client.put("/films/", content=b"x")).status_code in (303, 401)


async def test_a_large_file_is_written_as_it_comes(client: Client, folder: Path) -> None:
    await client.sign_in()

    async def parts(number: int) -> AsyncIterator[bytes]:
        for _ in range(number):
            yield b"x" * 1000

    assert (await client.put("/films/", content=parts(5))).status_code == 201
    (film,) = kept(folder)
    assert film.read_bytes() == b"x" * 5000
    assert film.suffix == ".film"
    assert (await client.put("/films/", content=parts(6))).status_code == 413
    assert kept(folder) == [film]  # the part that came is gone


async def test_a_client_that_leaves_leaves_nothing_behind(client: Client, folder: Path) -> None:
    await client.sign_in()
    cookie = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
    reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
    head = f"PUT /films/ HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nContent-Length: 100"
    writer.write(f"{head}\r\nExpect: 100-continue\r\n\r\n".encode())
    await reader.readline()  # told to go on: the file is there
    assert len(kept(folder)) == 1
    writer.write(b"x")
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(5):
        while kept(folder):  # noqa: ASYNC110 - the server tells nobody that it is done
            await asyncio.sleep(0.005)
