"""Every check of a setting: it fails on a real project, and not on a fresh or a well-set one."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from tests.checks.conftest import PREFIX, SECRET
from tornkit.checks import look_at_deployment
from tornkit.checks.deploy import accounts
from tornkit.security.limits import Rate
from tornkit.security.limits.base import Measure

if TYPE_CHECKING:
    from tests.checks.conftest import Deployed

OTHER = secrets.token_urlsafe(48)

# Identifier, level, key, settings.production.toml.
FAILING = [
    ("deploy.secret-in-file", "warning", "secret", f'secret = "{OTHER}"'),
    (
        "deploy.secret-in-file",
        "warning",
        "secret_fallbacks",
        f'secret_fallbacks = ["{OTHER}"]',
    ),
    (
        "deploy.password-in-file",
        "warning",
        "databases.default",
        'databases.default = "postgresql://school:hush@localhost/school"',
    ),
    (
        "deploy.password-in-file",
        "warning",
        "session.store",
        'session.store = "rediss://:hush@localhost:6379/0"',
    ),
    (
        "deploy.password-in-file",
        "warning",
        "mail.url",
        'mail.url = "smtps://school:hush@mail.example:465"',
    ),
    ("deploy.any-host", "warning", "allowed_hosts", 'allowed_hosts = ["*"]'),
    (
        "deploy.local-hosts",
        "warning",
        "allowed_hosts",
        'allowed_hosts = ["localhost", "127.0.0.1", "[::1]", ".localhost"]',
    ),
    (
        "deploy.insecure-origin",
        "warning",
        "trusted_origins",
        'trusted_origins = ["https://a.example", "http://b.example"]',
    ),
    (
        "deploy.trusted-proxies",
        "error",
        "server.trusted_proxies",
        'server.trusted_proxies = ["10.0.0.0/8", "0.0.0.0/0"]',
    ),
    (
        "deploy.trusted-proxies",
        "error",
        "server.trusted_proxies",
        'server.trusted_proxies = ["::/1", "8000::/1"]',
    ),
    (
        "deploy.trusted-proxies",
        "error",
        "server.trusted_proxies",
        'server.trusted_proxies = ["unix", "::ffff:0:0/96"]',
    ),
    ("deploy.open-host", "warning", "host", 'host = "0.0.0.0"'),
    ("deploy.open-host", "warning", "host", 'host = "::"'),
    ("deploy.body-size", "warning", "server.max_body_size", "server.max_body_size = 104857601"),
    (
        "deploy.shutdown-timeout",
        "warning",
        "server.shutdown_timeout",
        "server.shutdown_timeout = 0",
    ),
    ("deploy.session-memory", "warning", "session.store", 'session.store = "memory://"'),
    (
        "deploy.cookie-prefix",
        "warning",
        "session.cookie_name",
        'session.cookie_name = "__Host-school"',
    ),
    ("deploy.idle-timeout", "warning", "session.idle_timeout", "session.idle_timeout = 1209600"),
    (
        "deploy.touch-interval",
        "warning",
        "session.touch_interval",
        "session = {idle_timeout = 60, touch_interval = 60}",
    ),
    (
        "deploy.absolute-timeout",
        "warning",
        "session.absolute_timeout",
        "session = {absolute_timeout = 2592001, remember_timeout = 2592001}",
    ),
    (
        "deploy.remember-timeout",
        "warning",
        "session.remember_timeout",
        "session.remember_timeout = 2592001",
    ),
    (
        "deploy.remember-timeout",
        "warning",
        "session.remember_timeout",
        "session.remember_timeout = 1209599",
    ),
    (
        "deploy.redis-password",
        "warning",
        "session.store",
        'session.store = "rediss://redis.example:6379/0"',
    ),
    (
        "deploy.redis-password",
        "warning",
        "limits.store",
        'limits.store = "redis://10.0.0.5:6379/0"',
    ),
    (
        "deploy.redis-unencrypted",
        "warning",
        "session.store",
        'session.store = "redis://:hush@[2001:db8::1]:6379/0"',
    ),
    (  # without TLS a certificate is shown to nobody
        "deploy.redis-password",
        "warning",
        "session.store",
        'session.store = "redis://redis.example:6379/0?ssl_certfile=site.pem"',
    ),
    ("deploy.limits-memory", "warning", "limits.store", 'limits.store = "memory://"'),
    (
        "deploy.sign-in-rate",
        "warning",
        "accounts.sign_in_per_account",
        'accounts.sign_in_per_account = "2/m"',
    ),
    (  # 100 at once, and 99 until the hour is over
        "deploy.sign-in-rate",
        "warning",
        "accounts.sign_in_per_account",
        'accounts.sign_in_per_account = "100/hour"',
    ),
    (
        "deploy.sign-in-rate",
        "warning",
        "accounts.sign_in_per_account",
        'accounts.sign_in_per_account = "101/7d"',
    ),
    (
        "deploy.sign-in-rate",
        "warning",
        "accounts.sign_in_per_address",
        'accounts.sign_in_per_address = "2/s"',
    ),
    (
        "deploy.reset-timeout",
        "warning",
        "accounts.reset_timeout",
        "accounts.reset_timeout = 86401",
    ),
    *(
        (
            "deploy.csp-unsafe",
            "warning",
            "security.content_security_policy.script-src",
            f"security.content_security_policy.script-src = \"'self' {word}\"",
        )
        for word in (
            "'unsafe-inline'",
            "'UNSAFE-EVAL'",
            "*",
            "https:",
            "'strict-dynamic' 'unsafe-eval'",
        )
    ),
    (
        "deploy.csp-unsafe",
        "warning",
        "security.content_security_policy.default-src",
        'security.content_security_policy = {script-src = "", default-src = "https:"}',
    ),
    *(
        (
            "deploy.csp-missing",
            "warning",
            f"security.content_security_policy.{name}",
            f'security.content_security_policy.{name} = "{value}"',
        )
        for name, value in (("base-uri", ""), ("frame-ancestors", "*"), ("object-src", "*"))
    ),
    (
        "deploy.csp-missing",
        "warning",
        "security.content_security_policy.script-src",
        'security.content_security_policy = {script-src = "", default-src = ""}',
    ),
    ("deploy.hsts", "warning", "security.hsts", "security.hsts = 0"),
    ("deploy.hsts", "warning", "security.hsts", "security.hsts = 15551999"),
    (
        "deploy.referrer-policy",
        "warning",
        "security.referrer_policy",
        'security.referrer_policy = "no-referrer, unsafe-url"',
    ),
    ("deploy.mail-nowhere", "warning", "mail.url", 'mail.url = "console://"'),
    ("deploy.mail-nowhere", "warning", "mail.url", 'mail.url = "memory://"'),
    ("deploy.mail-sender", "warning", "mail.sender", 'mail.sender = "noreply@localhost"'),
    ("deploy.mail-sender", "warning", "mail.sender", 'allowed_hosts = ["192.0.2.1"]'),
    (
        "deploy.database-unencrypted",
        "warning",
        "databases.default",
        'databases.default = "postgresql://school@db.example/school?sslmode=prefer"',
    ),
    (
        "deploy.database-unencrypted",
        "warning",
        "databases.default",
        'databases.default = "mysql://school@10.0.0.5/school"',
    ),
    *(
        ("deploy.database-unencrypted", "warning", "databases.other", f'databases.other = "{url}"')
        for url in (
            "http://weather.example/v1",
            "mongodb://user:pw-7c1f@db.example/school",
            "mongodb://user:pw-7c1f@localhost,10.0.0.5:27018/school?tls=false",
        )
    ),
    (
        "deploy.database-password",
        "warning",
        "databases.other",
        'databases.other = "mongodb://db.example:27017/school?tls=true"',
    ),
    (
        "deploy.redis-password",
        "warning",
        "databases.other",
        'databases.other = "rediss://cache.example/0"',
    ),
    (
        "deploy.redis-unencrypted",
        "warning",
        "databases.other",
        'databases.other = "redis://:pw-7c1f@cache.example/0"',
    ),
    (
        "deploy.redis-unencrypted",
        "warning",
        "cache.store",
        'cache.store = "redis://:pw-7c1f@cache.example/0"',
    ),
    (
        "deploy.database-superuser",
        "warning",
        "databases.default",
        'databases.default = "postgresql://postgres@localhost/school"',
    ),
    (
        "deploy.database-superuser",
        "warning",
        "databases.default",
        'databases.default = "mysql://root@localhost/school"',
    ),
    *(
        ("deploy.private-files", "error", key, f'{key} = "{value}"')
        for key, value in (
            ("paths.data", "checked_school/static/data"),
            ("paths.log", "checked_school/modules/student/static"),
            ("databases.default", "sqlite:///checked_school/static/site.db"),
        )
    ),
    (
        "deploy.public-uploads",
        "warning",
        "paths.upload",
        'paths.upload = "checked_school/static/upload"',
    ),
    ("deploy.debug-logging", "warning", "log_level", 'log_level = "debug"'),
    ("deploy.debug-logging", "warning", "logging.root.level", 'logging.root.level = "DEBUG"'),
    (
        "deploy.debug-logging",
        "warning",
        "logging.loggers.tornkit.access.level",
        'logging.loggers."tornkit.access".level = "DEBUG"',
    ),
    (
        "deploy.sql-logging",
        "warning",
        "logging.loggers.sqlalchemy.engine.level",
        'logging.loggers."sqlalchemy.engine".level = "INFO"',
    ),
]

WELL_SET = {
    "nothing": "",
    "behind proxies": """
host = "0.0.0.0"
allowed_hosts = [".school.example", "localhost"]
trusted_origins = ["https://partner.example"]
server = {trusted_proxies = ["10.0.0.0/8", "::1", "unix"], max_body_size = 104857600}
""",
    "short sessions": """
session = {idle_timeout = 900, absolute_timeout = 28800, touch_interval = 30}
accounts = {reset_timeout = 86400, sign_in_per_account = "50/hour", sign_in_per_address = "1/s"}
""",
    "Redis beside it": """
session.store = "redis://redis:6379/0"
limits.store = "unix:///run/redis.sock?db=1"
""",
    "Redis that asks for certificates": """
session.store = "rediss://redis.example:6379/0?ssl_certfile=site.pem&ssl_keyfile=site.key"
""",
    "databases beside it": """
databases.default = "postgresql://school@/school?host=/run/postgresql"
databases.archive = "mysql://school@127.0.0.1/archive"
databases.other = "postgresql://school@db/other"
""",
    "databases across a network": """
databases.default = "postgresql://school@db.example/school?sslmode=verify-full"
databases.archive = "mysql://school@db.example/archive?ssl_ca=ca.pem"
""",
    "a policy of its own": """
[security]
referrer_policy = "unsafe-url, strict-origin"
hsts = 15552000
[security.content_security_policy]
script-src = "'strict-dynamic' https: 'unsafe-inline'"
script-src-elem = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' 'unsafe-inline'"
style-src = "'self' 'unsafe-inline'"
img-src = "* data:"
object-src = ""
frame-ancestors = "'self' https://partner.example"
""",
    "mail": """
mail = {url = "smtp://mail.example:587", sender = "School <office@school.example>"}
""",
    "logs": """
log_level = "WARNING"
[logging.loggers]
"sqlalchemy.engine" = {level = "WARNING"}
"myschool.imports" = {level = "DEBUG"}
""",
}


@pytest.mark.parametrize(
    ("check_id", "level", "key", "text"),
    FAILING,
    ids=[f"{number}-{row[0]}" for number, row in enumerate(FAILING)],
)
def test_what_is_wrong_is_found_with_its_origin(
    deployed: Deployed,
    monkeypatch: pytest.MonkeyPatch,
    check_id: str,
    level: str,
    key: str,
    text: str,
) -> None:
    for name in ("secret", "allowed_hosts"):
        if text.startswith(f"{name} ="):  # a variable would win
            monkeypatch.delenv(PREFIX + name.upper())
    found = [message for message in deployed.look(text) if message.id == check_id]
    (message,) = [each for each in found if each.object == key]
    assert message.level == level
    assert message.hint
    assert key in message.message
    if f"{key} = " in text:
        assert (message.file, message.line) == ("settings.production.toml", 1)
    assert "hush" not in str(message)
    assert OTHER not in str(message)


@pytest.mark.parametrize("name", WELL_SET)
def test_nothing_is_found_in_a_site_that_is_well_set(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if "allowed_hosts" in WELL_SET[name]:
        monkeypatch.delenv(f"{PREFIX}ALLOWED_HOSTS")
    assert [str(message) for message in deployed.look(WELL_SET[name])] == []


# --- the secret ------------------------------------------------------------------------------


@pytest.mark.parametrize("fallback", ["short", "changeme" * 8, "ab" * 20])
def test_an_older_secret_has_to_be_as_strong(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, fallback: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}SECRET_FALLBACKS", f"{OTHER},{fallback}")
    (message,) = deployed.look()
    assert (message.id, message.level) == ("deploy.weak-fallback", "error")
    assert "number 2" in message.message
    assert fallback not in str(message)


def test_a_secret_among_its_own_fallbacks_was_not_rotated(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}SECRET_FALLBACKS", OTHER)
    assert deployed.look() == []
    monkeypatch.setenv(f"{PREFIX}SECRET_FALLBACKS", f"{OTHER},{SECRET}")
    (message,) = deployed.look()
    assert (message.id, message.level) == ("deploy.repeated-fallback", "warning")
    assert SECRET not in str(message)


def test_secrets_in_variables_are_where_they_belong(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://school:hush@localhost/school"
    monkeypatch.setenv(f"{PREFIX}DATABASES__DEFAULT", url)
    assert deployed.look() == []


def test_an_empty_secret_in_a_file_is_none(deployed: Deployed) -> None:
    assert look_at_deployment(deployed.app("secret_fallbacks = []")) == []


@pytest.mark.parametrize("text", ["1/s", "2/m", "50/hour", "100/hour", "10/15m", "100/15m", "7/d"])
def test_as_many_tries_are_told_as_the_limiter_lets_through_in_an_hour(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    rate, now, end, counted = Rate.parse(text), 0.0, 0.0, 0
    while now < 3599.9:
        wait, end = Measure.of(rate, now).hit(end)
        counted, now = counted + (not wait), now + wait
    monkeypatch.setattr(accounts, "ACCOUNT_TRIES", 0)
    (message,) = deployed.look(f'accounts.sign_in_per_account = "{text}"')
    assert f" {counted} passwords can be tried" in message.message


def test_what_redis_keeps_is_what_is_in_danger(deployed: Deployed) -> None:
    def told(key: str) -> str:
        found = deployed.look(f'{key} = "redis://redis.example:6379/0"')
        assert [each.id for each in found] == ["deploy.redis-password", "deploy.redis-unencrypted"]
        return " ".join(each.message for each in found)

    assert "sign in as anybody" in told("session.store")
    of_limits = told("limits.store").replace("limits.store", "")
    assert "guess passwords" in of_limits
    assert "sign in" not in of_limits
    assert "session" not in of_limits


def test_tls_may_be_asked_for_in_the_environment(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'databases.default = "postgresql://school@db.example/school"'
    assert [message.id for message in deployed.look(text)] == ["deploy.database-unencrypted"]
    monkeypatch.setenv("PGSSLMODE", "require")
    assert deployed.look(text) == []


@pytest.mark.parametrize("name", ["PYTHONASYNCIODEBUG", "PYTHONDEVMODE"])
def test_pythons_own_debugging_is_seen(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    (message,) = deployed.look()
    assert (message.id, message.level) == ("deploy.python-development", "warning")
    assert message.object == name
