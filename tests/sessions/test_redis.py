"""What only the Redis store does: its URLs, its keys, its limits, and a server that fails.

Whatever stops, freezes or restarts a server does it to one of the test's own.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import subprocess
import sys
import time
import traceback
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from redis.asyncio import Redis
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from tests.sessions.redis_server import RedisServer, free_port
from tests.sessions.support import open_redis
from tornkit import PUBLIC, Application, BaseHandler, Module, Settings, path
from tornkit.errors import MissingDriver, SessionError, StoreUnavailable
from tornkit.sessions import Sessions, StoredSession
from tornkit.sessions import redis as module
from tornkit.sessions.redis import RedisStore
from tornkit.testing import Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

A, B, C = (hashlib.sha256(name.encode()).hexdigest() for name in "abc")
T0 = 1_700_000_000.25
TIMES: dict[str, float] = {"seen_at": T0 + 60, "expires_at": T0 + 4000}
AT_ONCE = 100  # requests; more than there are connections
PROMPT = 1.5  # seconds


def stored(id_hash: str = A, user_id: str | None = None, **values: str) -> StoredSession:
    return StoredSession(id_hash, user_id, T0, T0 + 1, T0 + 3600, "{}", values)


def shown(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.fixture
async def store() -> AsyncIterator[RedisStore]:
    async with open_redis() as opened:
        yield opened


@pytest.fixture
async def redis(store: RedisStore) -> AsyncIterator[Any]:
    """Return a client that sees what the store keeps."""
    async with Redis.from_url(store._url, protocol=2, decode_responses=True) as client:
        yield client


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> Iterator[RedisServer]:
    yield running
    running.go_on()


@asynccontextmanager
async def opened(url: str, **options: str) -> AsyncIterator[RedisStore]:
    store = RedisStore(url, **options)
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Return a certificate of localhost, signed by itself; its key lies beside it."""
    file = tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(file.with_name("key.pem")), "-out", str(file)),
        ],
        check=True,
        capture_output=True,
    )
    return file


async def refused_within(seconds: float, store: RedisStore, times: int = 1) -> None:
    """See every one of some requests at once end in `StoreUnavailable`, in time."""
    began = time.monotonic()
    answers = await asyncio.gather(*(store.load(A) for _ in range(times)), return_exceptions=True)
    assert time.monotonic() - began < seconds
    assert {type(answer) for answer in answers} == {StoreUnavailable}


class TestURL:
    @pytest.mark.parametrize(
        "url",
        [
            "redis",
            "redis://",
            "redis:///0",
            "redis://:6379/0",
            "redis://host:port",
            "redis://host:99999",
            "redis://host/name",
            "redis://host/0/1",
            "redis://host/1?db=2",
            "redis://host?db=x",
            "redis://host?db=1&db=2",
            "redis://host?socket_timeout=60",
            "redis://host?max_connections=",
            "redis://host#1",
            "redis://[::1",
            "http://host",
            "unix://",
            "unix:///",
        ],
    )
    def test_what_cannot_work_is_refused_at_once(self, url: str) -> None:
        with pytest.raises(SessionError, match="cannot be used") as caught:
            RedisStore(url)
        assert "redis://:password@host:6379/0" in caught.value.hint

    @pytest.mark.parametrize("form", ["redis://:{}", "redis://u:a?{}@h", "redis://h?password={}"])
    def test_no_refusal_quotes_the_password(self, form: str) -> None:
        password = secrets.token_hex(8)
        with pytest.raises(SessionError) as caught:
            RedisStore(form.format(password))
        assert password not in shown(caught.value)

    @pytest.mark.parametrize(
        ("url", "place"),
        [
            ("redis://host", "redis://host:6379"),
            ("redis://:word@host:1/2", "redis://host:1/2"),
            ("rediss://user:word@host/3?ssl_cert_reqs=none", "rediss://host:6379/3"),
            ("unix://:word@/run/redis.sock?db=1", "unix:///run/redis.sock"),
        ],
    )
    def test_a_store_shows_where_it_is_and_nothing_else(self, url: str, place: str) -> None:
        assert repr(RedisStore(url)) == f"<RedisStore {place}>"

    async def test_a_socket_and_a_numbered_database(self, server: RedisServer) -> None:
        async with opened(f"unix://{server.socket}?db=3") as first:
            await first.create(stored(x="1"))
            async with opened(f"redis://127.0.0.1:{server.port}/3") as second:
                assert await second.load(A) == stored(x="1")
            async with opened(server.url) as other:
                assert await other.load(A) is None
            await first.delete(A)

    async def test_tls(self, certificate: Path) -> None:
        port = free_port()
        options = {
            "--tls-port": str(port),
            "--tls-key-file": str(certificate.with_name("key.pem")),
            "--tls-cert-file": str(certificate),
            "--tls-auth-clients": "no",
        }
        with RedisServer(*(part for option in options.items() for part in option)):
            trusting = f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}"
            async with opened(trusting) as store:
                await store.create(stored(x="1"))
                assert await store.load(A) == stored(x="1")
            async with opened(f"rediss://localhost:{port}") as store:
                with pytest.raises(StoreUnavailable, match="certificate"):
                    await store.load(A)

    async def test_a_password_of_any_characters(self) -> None:
        password = f"p/@:?#% ů{secrets.token_hex(4)}"
        written = "".join(f"%{byte:02X}" for byte in password.encode())
        with RedisServer("--requirepass", password) as server:
            async with opened(f"redis://:{written}@127.0.0.1:{server.port}") as store:
                await store.create(stored(x="1"))
                assert await store.load(A) == stored(x="1")
                assert password not in repr(store) + repr(vars(store)["_place"])
            wrong = secrets.token_hex(8)
            for url in (server.url, f"redis://:{wrong}@127.0.0.1:{server.port}"):
                async with opened(url) as store:
                    with pytest.raises(StoreUnavailable) as caught:
                        await store.load(A)
                    assert wrong not in shown(caught.value)


class TestDriver:
    async def test_a_missing_one_names_the_command(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "redis", None)
        store = RedisStore("redis://:word@host")
        with pytest.raises(MissingDriver) as caught:
            await store.open()
        assert 'pip install "tornkit[redis]"' in str(caught.value)
        assert "word@" not in shown(caught.value)
        await store.close()

    async def test_a_site_without_it_does_not_start(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setitem(sys.modules, "redis", None)
        overrides: dict[str, object] = {"session.store": "redis://127.0.0.1", "databases": {}}
        settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
        with pytest.raises(MissingDriver, match=r"tornkit\[redis\]"):
            await Application(settings, modules=[]).startup()

    @pytest.mark.slow
    def test_it_is_imported_when_a_store_is_opened_and_not_before(self) -> None:
        code = (
            "import asyncio, sys, tornkit.application\n"
            "from tornkit.sessions.redis import RedisStore\n"
            "store = RedisStore('redis://127.0.0.1')\n"
            "assert 'redis' not in sys.modules\n"
            "asyncio.run(store.open())\n"
            "assert 'redis' in sys.modules\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


class TestKeys:
    async def all_keys(self, store: RedisStore, redis: Any) -> set[str]:
        found = [key async for key in redis.scan_iter(f"*{store._prefix}*", count=1000)]
        assert all(key.startswith(store._prefix) for key in found)
        return {key.removeprefix(store._prefix) for key in found}

    def test_the_common_prefix(self) -> None:
        assert RedisStore("redis://host")._prefix == "tornkit:session:"

    async def test_they_are_these(self, store: RedisStore, redis: Any) -> None:
        await store.create(stored(A, "7"))
        await store.create(stored(B))
        assert await self.all_keys(store, redis) == {A, B, "user:7", "ends"}

    async def test_what_is_ended_leaves_nothing(self, store: RedisStore, redis: Any) -> None:
        await store.create(stored(A, "7", x="1"))
        await store.rotate(A, stored(B, "8"), drop=())
        await store.rotate(B, stored(C), drop=())
        assert await self.all_keys(store, redis) == {C, "ends"}
        await store.delete(C)
        await store.create(stored(A, "7"))
        await store.delete_user("7")
        await store.create(stored(A, "7"))
        await store.clear_expired(T0 + 9000)
        assert await self.all_keys(store, redis) == set()

    @pytest.mark.parametrize("way", ["create", "apply", "increment", "rotate"])
    async def test_redis_forgets_a_session_after_its_end(
        self, store: RedisStore, redis: Any, way: str
    ) -> None:
        life = 3599.0
        await store.create(stored(A))
        if way == "apply":
            await store.apply(A, put={}, drop=(), seen_at=T0, expires_at=T0 + 9000)
            life = 9000
        elif way == "increment":
            await store.increment(A, "n", 1, seen_at=T0, expires_at=T0 + 8000)
            life = 8000
        elif way == "rotate":
            await store.rotate(A, stored(B), drop=())
        left = await redis.pttl(store._prefix + (B if way == "rotate" else A)) / 1000
        assert life < left <= life + module.MARGIN

    async def test_an_end_beyond_what_redis_can_count(self, store: RedisStore) -> None:
        await store.create(stored(A))
        assert await store.apply(A, put={}, drop=(), seen_at=T0, expires_at=1e300)
        found = await store.load(A)
        assert found is not None
        assert found.expires_at == 1e300

    async def test_what_redis_forgot_is_tidied_up(self, store: RedisStore, redis: Any) -> None:
        for id_hash in (A, B):
            await store.create(stored(id_hash, "7"))
        await redis.delete(store._prefix + A)
        assert [one.id_hash for one in await store.list_user("7")] == [B]
        await redis.delete(store._prefix + B)
        assert await store.clear_expired(T0 + 9000) == 0
        assert await self.all_keys(store, redis) == set()

    async def test_a_touch_does_not_bring_back_what_redis_forgot(
        self, store: RedisStore, redis: Any
    ) -> None:
        await store.create(stored(A, "7"))
        await redis.delete(store._prefix + A)
        assert not await store.apply(A, put={"x": "1"}, drop=(), **TIMES)
        assert await store.increment(A, "n", 1, **TIMES) is None
        assert not await store.rotate(A, stored(B, "7"), drop=())
        assert await store.delete_user("7") == 0

    async def test_clearing_goes_in_batches(
        self, store: RedisStore, redis: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "CLEAR_BATCH", 3)
        for number in range(9):
            await store.create(stored(hashlib.sha256(bytes([number])).hexdigest(), "ů 7"))
        assert await store.clear_expired(T0 + 9000) == 9
        assert await self.all_keys(store, redis) == set()

    async def test_no_raw_id_is_stored(self, store: RedisStore, redis: Any) -> None:
        sessions = Sessions(store, idle_timeout=60, absolute_timeout=600, touch_interval=5)
        session = await sessions.load(None)
        session.sign_in(7)
        await sessions.save(session)
        assert session.id
        kept = repr(await redis.hgetall(f"{store._prefix}{session._hash}"))
        kept += repr(await self.all_keys(store, redis))
        assert session._hash in kept
        assert session.id not in kept

    async def test_bytes_that_are_no_text_are_an_empty_session(
        self, store: RedisStore, redis: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        sessions = Sessions(store, idle_timeout=60, absolute_timeout=600, touch_interval=5)
        session = await sessions.load(None)
        session["x"] = 1
        await sessions.save(session)
        await redis.hset(f"{store._prefix}{session._hash}", "=x", b"\xff\xfe")
        assert dict(await sessions.load(session.id)) == {}
        assert "cannot be decoded" in caplog.text

    async def test_a_hash_of_somebody_else_is_no_session(
        self, store: RedisStore, redis: Any
    ) -> None:
        await redis.hset(store._prefix + A, "colour", "green")
        assert await store.load(A) is None


class TestCounting:
    @pytest.mark.parametrize(
        ("start", "by"),
        [
            ("9007199254740993", 2),  # a double would round it
            ("-9007199254740993", -2),
            (str(2**63 - 2), 1),
            (str(2**63 - 1), 1),
            (str(-(2**63)), -1),
            ("0", 2**63),
            ("1", -(10**40)),
            ("-0", 0),
            (str(10**400), 1),
        ],
    )
    async def test_no_size_is_rounded(self, store: RedisStore, start: str, by: int) -> None:
        await store.create(stored(n=start))
        assert await store.increment(A, "n", by, **TIMES) == int(start) + by
        assert await store.increment(A, "n", 1, **TIMES) == int(start) + by + 1

    async def test_a_missing_counter_takes_any_size(self, store: RedisStore) -> None:
        await store.create(stored())
        assert await store.increment(A, "n", 10**30, **TIMES) == 10**30

    async def test_30_at_once_beyond_64_bits_are_30(self, store: RedisStore) -> None:
        await store.create(stored(n=str(2**64)))
        await asyncio.gather(*(store.increment(A, "n", 1, **TIMES) for _ in range(30)))
        assert await store.increment(A, "n", 0, **TIMES) == 2**64 + 30


class TestOutage:
    async def test_a_store_that_is_not_open_says_so(self) -> None:
        with pytest.raises(StoreUnavailable, match="is not open"):
            await RedisStore("redis://host").load(A)

    async def test_it_opens_without_a_server_and_finds_one_later(self) -> None:
        server = RedisServer()
        async with opened(server.url) as store:
            await refused_within(0.5, store, AT_ONCE)
            with server:
                assert await store.load(A) is None

    async def test_every_verb_of_a_store_that_is_down(self) -> None:
        async with opened(f"redis://:word@127.0.0.1:{free_port()}/0") as store:
            for attempt in (
                store.load(A),
                store.create(stored()),
                store.apply(A, put={}, drop=(), **TIMES),
                store.increment(A, "n", 1, **TIMES),
                store.rotate(A, stored(B), drop=()),
                store.delete(A),
                store.delete_user("7"),
                store.list_user("7"),
                store.clear_expired(T0),
            ):
                with pytest.raises(StoreUnavailable, match="does not answer") as caught:
                    await attempt
                assert "word" not in str(caught.value)
                assert caught.value.__cause__ is not None

    @pytest.mark.parametrize("warm", [False, True])
    @pytest.mark.slow
    async def test_a_frozen_server_is_given_up_in_time_and_found_again(
        self, server: RedisServer, warm: bool
    ) -> None:
        async with opened(server.url) as store:
            if warm:
                await asyncio.gather(*(store.load(A) for _ in range(AT_ONCE)))
            server.stop()
            await refused_within(PROMPT, store, AT_ONCE)
            server.go_on()
            assert (
                await asyncio.gather(*(store.load(A) for _ in range(AT_ONCE))) == [None] * AT_ONCE
            )

    async def test_closing_does_not_wait_for_a_frozen_server(self, server: RedisServer) -> None:
        store = RedisStore(server.url)
        await store.open()
        await store.load(A)
        server.stop()
        began = time.monotonic()
        await store.close()
        assert time.monotonic() - began < PROMPT

    async def test_a_restart_is_not_noticed(self, server: RedisServer) -> None:
        async with opened(server.url) as store:
            await store.create(stored(x="1"))
            await asyncio.gather(*(store.load(A) for _ in range(AT_ONCE)))
            server.kill()
            server.start()  # it has lost the scripts, and every connection is dead
            puts = [store.apply(A, put={f"k{i}": "1"}, drop=(), **TIMES) for i in range(AT_ONCE)]
            assert all(await asyncio.gather(*puts))
            found = await store.load(A)
            assert found is not None
            assert len(found.values) == AT_ONCE + 1
            assert await store.delete(A)

    async def test_loads_in_flight_while_it_dies(self, server: RedisServer) -> None:
        async with opened(server.url) as store:
            await store.load(A)
            server.stop()
            loads = [asyncio.ensure_future(store.load(A)) for _ in range(AT_ONCE)]
            _, waiting = await asyncio.wait(loads, timeout=0.05)
            assert waiting == set(loads)
            server.kill()
            answers = await asyncio.gather(*loads, return_exceptions=True)
            assert {type(answer) for answer in answers} == {StoreUnavailable}
            server.start()
            assert await store.load(A) is None

    async def test_nothing_is_retried(self) -> None:
        connections = 0

        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            writer.close()

        listening = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        async with listening, opened(f"redis://127.0.0.1:{port}") as store:
            await refused_within(0.5, store)
            assert connections == 1
            # Said aloud, for what happens unsaid differs between versions of redis-py.
            assert store._opened is not None
            options = store._opened.client.connection_pool.connection_kwargs
            assert options["retry"].get_retries() == 0

    async def test_a_refusal_quotes_neither_ids_nor_values(
        self, store: RedisStore, redis: Any
    ) -> None:
        value = secrets.token_hex(16)
        await redis.set(store._prefix + A, "text")
        for attempt in (store.load(A), store.apply(A, put={"x": value}, drop=(), **TIMES)):
            with pytest.raises(StoreUnavailable, match="WRONGTYPE") as caught:
                await attempt
            assert A not in shown(caught.value)
            assert value not in shown(caught.value)

    async def test_an_unknown_command_is_not_quoted_with_its_arguments(self) -> None:
        value = secrets.token_hex(16)
        with RedisServer("--rename-command", "EVALSHA", "") as server:
            async with opened(server.url) as store:
                with pytest.raises(StoreUnavailable, match="unknown command") as caught:
                    await store.create(stored(x=value))
                for secret in (A, A[:20], value):
                    assert secret not in shown(caught.value)

    async def test_a_full_server_keeps_what_it_has(self) -> None:
        with RedisServer("--maxmemory-policy", "noeviction") as server:
            async with opened(server.url) as store:
                await store.create(stored(x="1", n="1"))
                async with Redis.from_url(server.url, protocol=2) as redis:
                    await redis.config_set("maxmemory", "1")
                for attempt in (store.create(stored(B)), store.increment(A, "n", 1, **TIMES)):
                    with pytest.raises(StoreUnavailable, match="memory"):
                        await attempt
                assert await store.load(A) == stored(x="1", n="1")
                assert await store.delete(A)

    async def test_cancelled_requests_leave_every_connection_usable(
        self, server: RedisServer
    ) -> None:
        async with opened(server.url) as store:
            await store.create(stored(x="1"))
            for _ in range(3):
                loads = [asyncio.ensure_future(store.load(A)) for _ in range(AT_ONCE)]
                await asyncio.sleep(0)
                for load in loads:
                    load.cancel()
                await asyncio.gather(*loads, return_exceptions=True)
            answers = await asyncio.gather(*(store.load(A) for _ in range(AT_ONCE)))
            assert answers == [stored(x="1")] * AT_ONCE
            assert await store.delete(A)


class Plain(BaseHandler):
    async def get(self) -> None:
        self.response_json(page="plain")


class Visits(BaseHandler):
    async def get(self) -> None:
        self.session["visits"] = self.session.get("visits", 0) + 1
        self.response_json(visits=self.session["visits"])


@asynccontextmanager
async def site(folder: Path, url: str) -> AsyncIterator[Client]:
    settings = Settings.load("testing", project_dir=folder, overrides={"session.store": url})
    pages = Module(name="home", access=PUBLIC, routes=[path("/", Plain), path("/visits", Visits)])
    application = Application(settings, modules=[pages])
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(application)
        listening, port = bind_unused_port()
        server = HTTPServer(application)
        server.add_socket(listening)
        stack.push_async_callback(server.close_all_connections)
        stack.callback(server.stop)
        yield await stack.enter_async_context(Client(application, f"http://127.0.0.1:{port}"))


class TestSite:
    @pytest.mark.slow
    async def test_it_outlives_a_frozen_and_a_restarted_server(
        self, server: RedisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with site(tmp_path, server.url) as client:

            async def visit() -> tuple[int, Any]:
                began = time.monotonic()
                answer = await client.get("/visits", headers={"Accept": "application/json"})
                assert time.monotonic() - began < PROMPT
                assert (await client.get("/")).status_code == 200, "public pages still work"
                return answer.status_code, answer.json().get("visits")

            assert [await visit(), await visit()] == [(200, 1), (200, 2)]
            server.stop()
            assert await visit() == (503, None)
            server.go_on()
            assert await visit() == (200, 3)
            server.kill()
            assert await visit() == (503, None)
            server.start()
            assert await visit() == (200, 4)
        assert "Traceback" not in caplog.text
