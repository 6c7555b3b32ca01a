"""What the tests share, besides the fixtures."""

import time

import pytest
from tornkit import Application
from tornkit.testing import Client

API = "/api/account"
EMAIL = "ada@example.org"
PASSWORD = "a long engine of difference"
SIGN_IN = {"email": EMAIL, "password": PASSWORD}


async def register(client: Client) -> None:
    """Open an account for Ada, who is signed in by it."""
    answer = await client.post(f"{API}/register", json={**SIGN_IN, "name": "Ada"})
    assert answer.status_code == 201


async def is_logged_in(client: Client) -> bool:
    answer = await client.get(f"{API}/is-logged-in")
    logged_in: bool = answer.json()["logged_in"]
    return logged_in


def let_time_pass(app: Application, monkeypatch: pytest.MonkeyPatch, minutes: float) -> None:
    """Make it later for sessions."""
    monkeypatch.setattr(app.sessions, "now", lambda: time.time() + minutes * 60)
