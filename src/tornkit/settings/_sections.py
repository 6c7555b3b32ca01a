"""The tables of settings that tornkit itself reads."""

from __future__ import annotations

import re
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
)

from tornkit._policies import check_name, check_value
from tornkit._rates import Rate
from tornkit.access import roles
from tornkit.settings._folders import absolute
from tornkit.settings._masking import is_secret_name, mask_urls
from tornkit.settings._words import Expected

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AccountSettings",
    "CacheSettings",
    "DatabaseOptions",
    "LimitSettings",
    "MailSettings",
    "PathSettings",
    "Section",
    "SecuritySettings",
    "ServerSettings",
    "SessionSettings",
    "TaskSettings",
]

_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_KEY_PREFIX = re.compile(r"[A-Za-z0-9_.-]{0,100}")
_QUEUE = re.compile(
    r"memory://|(?:database|postgres|postgresql|rediss?)://.+|(?:sqlite|unix):///.+"
)


class Section(BaseModel):
    """A table of settings: frozen, without unknown keys; subclass it for your own."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show no password, not even one inside a URL."""
        for name, value in super().__repr_args__():
            shown = "***" if name and is_secret_name(name) and isinstance(value, str) else value
            yield name, mask_urls(shown) if isinstance(shown, str) else shown


class PathSettings(Section):
    """Folders of the site; relative ones start at the project folder."""

    log: Annotated[Path, Expected("a folder")] = Path("log")
    upload: Annotated[Path, Expected("a folder")] = Path("upload")
    data: Annotated[Path, Expected("a folder")] = Path("data")

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if isinstance(value, str) and (not value.strip() or "\0" in value):
            raise ValueError("expected a folder")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _from_project(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Path) or not info.context:
            return value
        if value.parts[:1] == ("~",):
            value = value.expanduser()
        return absolute(info.context["project_dir"] / value)


def _cookie_name(value: str | None) -> str | None:
    if value is not None and not _COOKIE_NAME.fullmatch(value):
        raise ValueError("expected a cookie's name: letters, digits, - and _")
    return value


Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]


class DatabaseOptions(Section):
    """How a bind is used; times in seconds, None where the kind of database decides."""

    pool_size: Annotated[int | None, Field(ge=1, le=1000)] = None
    pool_timeout: Seconds | None = None
    connect_timeout: Seconds | None = None
    timeout: Seconds | None = None
    slow_query: Annotated[float | None, Field(ge=0, allow_inf_nan=False)] = None
    decode_responses: bool | None = None
    required: bool | None = None
    headers: dict[str, SecretStr] | None = None
    retries: Annotated[int | None, Field(ge=0, le=10)] = None
    max_body_size: Annotated[int | None, Field(ge=1)] = None
    ping_path: str | None = None


class SessionSettings(Section):
    """Where sessions are kept and how long they live; times in seconds."""

    store: str = "database://default"
    idle_timeout: int = Field(default=86_400, ge=1)
    absolute_timeout: int = Field(default=1_209_600, ge=1)
    remember_timeout: int = Field(default=2_592_000, ge=1)
    touch_interval: int = Field(default=60, ge=0)
    cookie_name: Annotated[str | None, AfterValidator(_cookie_name)] = None


def _rate(value: str) -> str:
    Rate.parse(value)
    return value


RateText = Annotated[str, AfterValidator(_rate), Expected("a rate such as 10/15m or 100/hour")]


class AccountSettings(Section):
    """Passwords and sign-in; times in seconds."""

    password_length: int = Field(default=8, ge=8, le=64)
    reset_timeout: int = Field(default=3600, ge=60)
    sign_in_per_account: RateText = "10/15m"
    sign_in_per_address: RateText = "100/15m"


class LimitSettings(Section):
    """Where it is counted how often somebody did something."""

    store: str = ""


def _key_prefix(value: str) -> str:
    if not _KEY_PREFIX.fullmatch(value):
        raise ValueError("expected up to 100 letters, digits, and _ . -")
    return value


class CacheSettings(Section):
    """Where computed values are kept; the limits are those of ``memory://``, for each worker."""

    store: str = "memory://"
    prefix: Annotated[str, AfterValidator(_key_prefix)] = ""
    max_entries: int = Field(default=10_000, ge=1)
    max_bytes: int = Field(default=32 * 1024 * 1024, ge=1)


def _queue(value: str) -> str:
    if not _QUEUE.fullmatch(value):
        raise ValueError(
            "expected database://default, sqlite:///data/tasks.db, postgresql://host/database, "
            "redis://host:6379/0 or memory://"
        )
    return value


def _role(value: str) -> str:
    try:
        return roles(value).roles[0]
    except ValueError:
        raise ValueError(
            "expected a role's name: lower-case letters, digits, - and _, a letter first"
        ) from None


def _timezone(value: str) -> str:
    try:
        return ZoneInfo(value).key
    except (ValueError, OSError, LookupError):
        raise ValueError("expected a time zone such as UTC or Europe/Berlin") from None


class TaskSettings(Section):
    """Where tasks wait and who runs them; times in seconds."""

    queue: Annotated[str, AfterValidator(_queue)] = "database://default"
    name: Annotated[str, AfterValidator(_key_prefix)] = ""
    concurrency: int = Field(default=10, ge=1, le=1000)
    run_in_site: bool | None = None
    ops_roles: list[Annotated[str, AfterValidator(_role)]] = Field(default_factory=list)
    timezone: Annotated[str, AfterValidator(_timezone)] = "UTC"
    lease: float = Field(default=15, ge=3, le=3600, allow_inf_nan=False)
    shutdown_timeout: float = Field(default=30, ge=0, le=86_400, allow_inf_nan=False)


Directive = Annotated[str, AfterValidator(check_name)]
Sources = Annotated[str, AfterValidator(check_value)]
_REFERRER_POLICIES = {
    *("", "no-referrer", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin"),
    *("same-origin", "strict-origin", "strict-origin-when-cross-origin", "unsafe-url"),
}


def _referrer_policy(value: str) -> str:
    # Of several, a browser takes the last that it knows.
    if not {word.strip() for word in value.split(",")} <= _REFERRER_POLICIES:
        raise ValueError("expected a policy such as same-origin or no-referrer")
    return value


class SecuritySettings(Section):
    """The headers that tell browsers what pages may do; times in seconds."""

    content_security_policy: dict[Directive, Sources] = Field(default_factory=dict)
    referrer_policy: Annotated[str, AfterValidator(_referrer_policy)] = "same-origin"
    hsts: int = Field(default=31_536_000, ge=0)
    hsts_subdomains: bool = False


class MailSettings(Section):
    """How mail leaves; an empty ``url`` stands for the default of the environment."""

    url: str = ""
    sender: str = ""


def _network(value: str) -> str:
    try:
        if value != "unix":
            ip_network(value)
    except ValueError:
        raise ValueError(
            "expected an address such as 127.0.0.1, a network such as 10.0.0.0/8, or unix"
        ) from None
    return value


Network = Annotated[
    str,
    AfterValidator(_network),
    Expected("an address such as 127.0.0.1, a network such as 10.0.0.0/8, or unix"),
]


class ServerSettings(Section):
    """The server and its limits; times in seconds, sizes in bytes."""

    engine: Literal["tornkit", "tornado"] = "tornkit"
    trusted_proxies: list[Network] = Field(default_factory=list)
    health_details: list[Network] = Field(default_factory=list)
    shutdown_timeout: float = Field(default=30, ge=0, allow_inf_nan=False)
    max_body_size: int = Field(default=10 * 1024 * 1024, ge=1)
    idle_timeout: Seconds = 75
    body_timeout: Seconds = 60
    stall_timeout: Seconds = 30
    max_connections: int = Field(default=10_000, ge=1)
