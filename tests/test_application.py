"""The composer: what it makes of settings and modules, and what it refuses."""

from __future__ import annotations

import secrets
import traceback
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
import tornado.web

from tornkit import PUBLIC, SIGNED_IN, Application, BaseHandler, Module, Settings, path, roles
from tornkit.application.parts import make_cache
from tornkit.cache import RedisCacheStore
from tornkit.databases.base import SQLOptions
from tornkit.databases.http import HTTPOptions
from tornkit.databases.mongodb import MongoOptions
from tornkit.databases.redis import RedisOptions
from tornkit.errors import DatabaseError, SettingsError, UnknownDatabase
from tornkit.routing import match
from tornkit.sessions import MemoryStore
from tornkit.sessions.redis import RedisStore
from tornkit.settings._sections import DatabaseOptions

if TYPE_CHECKING:
    from pathlib import Path


class Page(BaseHandler):
    async def get(self, **arguments: Any) -> None:
        self.response_json()


def module(name: str, access: Any = PUBLIC, *routes: Any, **options: Any) -> Module:
    return Module(name=name, access=access, routes=list(routes) or [path("/", Page)], **options)


def make(folder: Path, *modules: Module, environment: str = "testing", **overrides: Any) -> Any:
    settings = Settings.load(environment, project_dir=folder, overrides=overrides)
    return Application(settings, modules=modules)


def test_it_is_a_tornado_application(tmp_path: Path) -> None:
    assert isinstance(make(tmp_path), tornado.web.Application)


def test_the_roles_are_those_that_doors_name(tmp_path: Path) -> None:
    own = path("/x", Page, access=roles("head"))
    application = make(
        tmp_path, module("teacher", roles("teacher")), module("staff", SIGNED_IN, own)
    )
    assert application.known_roles == {"teacher", "head"}


def test_a_catch_all_of_home_hides_no_other_module(tmp_path: Path) -> None:
    everything = path("/{page:path}", Page, name="page")
    application = make(tmp_path, module("home", PUBLIC, everything), module("teacher"))
    for address, expected in (("/teacher/", "teacher"), ("/about/us", "home")):
        found = match(application, "GET", address)
        assert found is not None
        assert found.route.module == expected


@pytest.mark.parametrize("url", ["database://nowhere", "memory", "postgresql://a/b"])
def test_a_store_that_does_not_exist_is_refused_with_its_origin(tmp_path: Path, url: str) -> None:
    (tmp_path / "settings.toml").write_text(f'[session]\nstore = "{url}"\n')
    with pytest.raises(SettingsError) as refused:
        make(tmp_path)
    (problem,) = refused.value.problems
    assert problem.key == "session.store"
    assert problem.origin == "settings.toml:2"
    assert "database://default" in problem.expected


PASSWORD = "pw-" + "7c1f" * 4


@pytest.mark.parametrize(
    "url",
    [
        f"redis://:{PASSWORD}",
        f"redis://:{PASSWORD}@host/no-number",
        f"rediss://user:{PASSWORD}@host?socket_timeout=60",
        f"unix://?password={PASSWORD}",
        f"postgresql://user:{PASSWORD}@host/sessions",
    ],
)
def test_a_store_that_is_refused_keeps_its_password_to_itself(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        make(tmp_path, **{"session.store": url})
    shown = "".join(traceback.format_exception(refused.value)) + repr(refused.value.problems)
    assert PASSWORD not in shown
    (problem,) = refused.value.problems
    assert problem.found == f"'{url.partition('://')[0]}://…'"
    assert "redis://" in str(problem).partition(";")[2]


@pytest.mark.parametrize("url", ["redis://x", "rediss://x:1/2", "unix:///run/redis.sock"])
def test_sessions_in_redis_need_no_server_to_compose(tmp_path: Path, url: str) -> None:
    assert isinstance(make(tmp_path, **{"session.store": url}).sessions.store, RedisStore)


REDIS_CACHE = {"cache.store": "redis://x"}


def test_the_keys_of_the_cache_begin_with_a_prefix_of_the_site(tmp_path: Path) -> None:
    sites = [make(tmp_path, **REDIS_CACHE, **{"cache.prefix": name}) for name in ("one", "two")]
    assert [site.cache.store._prefix for site in sites] == [
        "tornkit:cache:one:",
        "tornkit:cache:two:",
    ]


def test_the_prefix_of_the_cache_is_the_package_unless_a_setting_says_otherwise(
    tmp_path: Path,
) -> None:
    for given, prefix in (("", "my.school"), ("other", "other")):
        overrides = {**REDIS_CACHE, "cache.prefix": given}
        settings = Settings.load("testing", project_dir=tmp_path, overrides=overrides)
        store = make_cache(settings, "my.school").store
        assert isinstance(store, RedisCacheStore)
        assert store._prefix == f"tornkit:cache:{prefix}:"


def test_a_site_without_a_package_must_say_whose_its_cache_in_redis_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        make(tmp_path, **REDIS_CACHE)
    (problem,) = refused.value.problems
    assert (problem.key, problem.found) == ("cache.prefix", "''")
    assert "modules" in problem.hint
    make(tmp_path)  # in memory it shares nothing


@pytest.mark.parametrize("prefix", ["a:b", "a b", "a*", "é", "a\n", "x" * 101])
def test_a_prefix_of_the_cache_has_a_plain_name(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(SettingsError) as refused:
        make(tmp_path, **{"cache.prefix": prefix})
    (problem,) = refused.value.problems
    assert problem.key == "cache.prefix"
    assert "letters" in problem.expected


def test_a_site_without_databases_can_keep_sessions_in_memory(tmp_path: Path) -> None:
    application = make(tmp_path, **{"session.store": "memory://"})
    assert isinstance(application.sessions.store, MemoryStore)
    assert application.accounts is None


def test_strangers_are_sent_to_the_account_module_where_there_is_one(tmp_path: Path) -> None:
    assert make(tmp_path).site.login_url is None
    login = path("/sign-in", Page, name="login")
    application = make(tmp_path, module("account", PUBLIC, login))
    assert application.site.login_url == "/account/sign-in"


def test_the_cookie_is_bound_to_its_host_in_production(tmp_path: Path) -> None:
    assert make(tmp_path).site.cookie.name == "tornkit_session"
    assert not make(tmp_path).site.cookie.secure
    application = make(
        tmp_path,
        environment="production",
        secret=secrets.token_urlsafe(32),
        allowed_hosts=["school.example"],
    )
    assert application.site.cookie.name == "__Host-tornkit_session"
    assert application.site.cookie.secure


def test_composing_writes_nothing(tmp_path: Path) -> None:
    make(tmp_path, module("home"))
    assert list(tmp_path.iterdir()) == []


async def test_starting_makes_the_folders_and_the_secret(tmp_path: Path) -> None:
    application = make(tmp_path)
    async with application:
        assert (tmp_path / "data").is_dir()
        (secret,) = application.settings["cookie_secret"].values()
        assert len(secret) >= 32
    assert not application.databases.sql["default"].is_open


def test_cross_origin_protection_is_on_and_tornados_settings_are_taken(tmp_path: Path) -> None:
    settings = Settings.load("testing", project_dir=tmp_path)
    application = Application(settings, modules=[], xsrf_cookies=True, mine=1)
    assert application.settings["cross_origin_protection"] is True
    assert application.settings["xsrf_cookies"] is True
    assert application.settings["mine"] == 1
    assert application.settings["autoreload"] is False


async def test_expired_sessions_are_cleared_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    cleared = asyncio.Event()
    monkeypatch.setattr("tornkit.application.composer._CLEAR_EXPIRED_FIRST", 0.0)
    application = make(tmp_path, **{"session.store": "memory://"})

    async def clear() -> int:
        cleared.set()
        return 0

    application.sessions.clear_expired = clear
    async with application:
        await asyncio.wait_for(cleared.wait(), 5)


@pytest.mark.parametrize(
    "kind", [SQLOptions, MongoOptions, RedisOptions, HTTPOptions], ids=lambda kind: kind.__name__
)
def test_every_option_of_a_database_is_a_setting(kind: Any) -> None:
    assert {field.name for field in fields(kind)} <= set(DatabaseOptions.model_fields)


def test_every_setting_of_a_database_is_an_option() -> None:
    kinds = (SQLOptions, MongoOptions, RedisOptions, HTTPOptions)
    known = {field.name for kind in kinds for field in fields(kind)}
    assert set(DatabaseOptions.model_fields) - known == {"required"}


def test_an_option_that_a_kind_lacks_is_refused(tmp_path: Path) -> None:
    settings = Settings.load(
        "testing",
        project_dir=tmp_path,
        overrides={"database_options.default.headers": {"X-Api-Key": "hunter2"}},
    )
    with pytest.raises(DatabaseError, match=r"database_options\.default\.headers") as refused:
        Application(settings, modules=[])
    assert "hunter2" not in str(refused.value)
    assert refused.value.check_id == "databases.option"


def test_options_of_an_unknown_database_are_refused(tmp_path: Path) -> None:
    settings = Settings.load(
        "testing", project_dir=tmp_path, overrides={"database_options.defualt.timeout": 3}
    )
    with pytest.raises(UnknownDatabase, match="did you mean 'default'"):
        Application(settings, modules=[])
