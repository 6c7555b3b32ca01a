"""A missing service skips the tests that need it, and fails them where nothing may be missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import services

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look for NATS on a port where nothing can listen."""
    monkeypatch.setitem(services.PORTS, "nats", 0)
    services.problem.cache_clear()
    yield
    services.problem.cache_clear()


def test_a_missing_service_skips_and_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"nats does not serve tests at 127\.0\.0\.1"):
        services.require("nats")


def test_a_missing_service_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI=true: nothing may be missing"):
        services.require("nats")


async def test_a_fresh_database_can_be_had_inside_a_loop(
    postgresql_url: str, mysql_url: str
) -> None:
    assert postgresql_url.startswith("postgresql://")
    assert mysql_url.startswith("mysql://")
