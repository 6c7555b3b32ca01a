"""Everything public is in the reference."""

from __future__ import annotations

import re
from typing import Any

import pytest

import tornkit
from tests.docs import pages
from tornkit import accounts, cache, databases, errors, mail, sessions
from tornkit.security import limits
from tornkit.testing import Client, plugin

REFERENCE = {
    page.stem: page.read_text("utf-8") for page in (pages.DOCS / "reference").glob("*.md")
}


def is_told(name: str, text: str) -> bool:
    """Tell whether ``name`` stands in code: `name`, `name(…)`, `self.name`, `await name()`."""
    return re.search(rf"`[^`\n]*\b{re.escape(name)}\b[^`\n]*`", text) is not None


def own(kind: type) -> list[str]:
    """Return the public names that tornkit's classes add to those of Tornado and httpx."""
    ours = [base for base in kind.__mro__ if base.__module__.startswith("tornkit.")]
    known = {name for base in kind.__mro__ if base not in ours for name in dir(base)}
    names = {name for base in ours for name in vars(base)}
    return sorted(name for name in names - known if not name.startswith("_"))


@pytest.mark.parametrize("name", tornkit.__all__)
def test_every_name_of_the_package_is_in_the_reference(name: str) -> None:
    assert is_told(name, "\n".join(REFERENCE.values()))


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_on_its_page(name: str) -> None:
    assert is_told(name, REFERENCE["errors"])


@pytest.mark.parametrize(
    ("names", "page"),
    [
        (sessions.__all__, "sessions"),
        (databases.__all__, "databases"),
        (accounts.__all__, "accounts"),
        (own(tornkit.BaseHandler), "handlers"),
        (own(tornkit.Application), "application"),
        (limits.__all__, "limits"),
        (own(limits.Limiter), "limits"),
        (own(limits.LimitStore), "limits"),
        (own(sessions.Session), "sessions"),
        (own(sessions.Sessions), "sessions"),
        (own(databases.SQLDatabase), "databases"),
        (own(databases.Migrations), "databases"),
        (own(databases.MongoDatabase), "databases"),
        (own(databases.RedisDatabase), "databases"),
        (own(databases.HTTPService), "databases"),
        (own(accounts.Accounts), "accounts"),
        (own(accounts.Passwords), "accounts"),
        (cache.__all__, "cache"),
        (own(cache.Cache), "cache"),
        (own(cache.Cached), "cache"),
        (own(cache.CacheStore), "cache"),
        (mail.__all__, "mail"),
        (own(mail.Mailer), "mail"),
        (own(mail.Message), "mail"),
        (own(Client), "testing"),
        (own(tornkit.Module), "modules"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_public_name_of_a_room_is_on_its_page(names: list[str], page: str) -> None:
    assert [name for name in names if not is_told(name, REFERENCE[page])] == []


def test_every_fixture_is_in_the_reference() -> None:
    found: list[Any] = [
        name for name in vars(plugin) if "Fixture" in type(getattr(plugin, name)).__name__
    ]
    assert {"app", "client", "settings_overrides"} <= set(found)
    assert [name for name in found if not is_told(name, REFERENCE["testing"])] == []
