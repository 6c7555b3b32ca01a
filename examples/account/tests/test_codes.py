"""Every error that an endpoint answers with, and the table of them in README.md."""

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tornkit import Application
from tornkit.testing import Client

from tests.helpers import API, EMAIL, PASSWORD, SIGN_IN, let_time_pass, register

README = Path(__file__).parents[1] / "README.md"
OTHER = "charles@example.org"


async def stranger(client: Client) -> None:
    """Come without a session."""


async def stranger_with_account(client: Client) -> None:
    await register(client)
    client.sign_out()


async def member_beside_another(client: Client) -> None:
    await register(client)
    other = {"email": OTHER, "password": PASSWORD}
    assert (await client.post(f"{API}/register", json=other)).status_code == 201
    await client.post(f"{API}/login", json=SIGN_IN)


async def impatient_registrant(client: Client) -> None:
    for _ in range(20):
        await client.post(f"{API}/register", json={})


async def impatient_stranger(client: Client) -> None:
    for _ in range(10):
        await client.post(f"{API}/login", json={"email": EMAIL, "password": "wrong"})


async def impatient_member(client: Client) -> None:
    await register(client)
    for _ in range(10):
        await client.post(f"{API}/confirm", json={"password": "wrong"})


@dataclass(frozen=True)
class Case:
    """A request that is refused, from somebody in a certain situation."""

    endpoint: str
    code: int
    status: int
    who: Callable[[Client], Awaitable[None]]
    body: object = None
    fields: list[str] = field(default_factory=list)
    minutes_later: float = 0

    def __str__(self) -> str:
        return f"{self.endpoint} {self.code} {self.who.__name__}"


EDIT, INFO, CONFIRM = f"PATCH {API}/edit", f"GET {API}/info", f"POST {API}/confirm"
REGISTER, LOGIN = f"POST {API}/register", f"POST {API}/login"
NEW_EMAIL = {"email": "countess@example.org"}

CASES = [
    Case(REGISTER, 422, 422, stranger, {"email": "ada"}, ["email", "password"]),
    Case(REGISTER, 429, 429, impatient_registrant, SIGN_IN),
    Case(REGISTER, 1002, 409, register, SIGN_IN, ["email"]),
    Case(REGISTER, 1003, 422, stranger, {"email": EMAIL, "password": "password"}, ["password"]),
    Case(LOGIN, 422, 422, stranger, {"email": EMAIL}, ["password"]),
    Case(LOGIN, 429, 429, impatient_stranger, SIGN_IN),
    Case(LOGIN, 1001, 422, stranger, SIGN_IN),
    Case(LOGIN, 1001, 422, stranger_with_account, {"email": EMAIL, "password": "wrong"}),
    Case(INFO, 401, 401, stranger),
    Case(EDIT, 401, 401, stranger, NEW_EMAIL),
    Case(EDIT, 422, 422, register, {"nmae": "x", "name": "x" * 81}, ["name", "nmae"]),
    Case(EDIT, 1002, 409, member_beside_another, {"email": OTHER}, ["email"]),
    Case(EDIT, 1004, 401, register, NEW_EMAIL, minutes_later=11),
    Case(CONFIRM, 401, 401, stranger, {"password": PASSWORD}),
    Case(CONFIRM, 422, 422, register, {}, ["password"]),
    Case(CONFIRM, 429, 429, impatient_member, {"password": PASSWORD}),
    Case(CONFIRM, 1005, 422, register, {"password": "wrong"}, ["password"]),
]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_the_refusal(
    client: Client, app: Application, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    await case.who(client)
    let_time_pass(app, monkeypatch, case.minutes_later)
    method, path = case.endpoint.split()
    answer = await client.request(method, path, json=case.body)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (case.status, case.code)
    assert body["message"]
    assert sorted(each["field"] for each in body.get("errors", [])) == case.fields
    assert ("Retry-After" in answer.headers) is (case.status == 429)


def test_the_readme_lists_these_codes_and_no_others() -> None:
    row = r"^\| (\w+) \| `(/\S+)` \|.*\| ([\d, ]*)\|$"
    rows = re.findall(row, README.read_text("utf-8"), re.MULTILINE)
    listed = {f"{method} {path}": set(re.findall(r"\d+", codes)) for method, path, codes in rows}
    found: dict[str, set[str]] = {endpoint: set() for endpoint in listed}
    for case in CASES:
        found[case.endpoint].add(str(case.code))
    assert listed == found
    assert len(listed) == 7


async def test_the_readme_shows_a_true_answer(client: Client) -> None:
    shown = re.search(r"```json\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    weak = {"email": EMAIL, "password": "password"}
    assert json.loads(shown[1]) == (await client.post(f"{API}/register", json=weak)).json()


ENDPOINTS_WITH_A_BODY = [REGISTER, LOGIN, EDIT, CONFIRM]


@pytest.mark.parametrize("endpoint", ENDPOINTS_WITH_A_BODY)
@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [("{", "application/json", 400), ("a=b", "application/x-www-form-urlencoded", 415)],
    ids=["no JSON", "a form"],
)
async def test_a_body_that_is_not_json_is_refused_in_json(
    client: Client, endpoint: str, content: str, content_type: str, status: int
) -> None:
    await client.sign_in()
    method, path = endpoint.split()
    headers = {"Content-Type": content_type}
    answer = await client.request(method, path, content=content, headers=headers)
    assert answer.status_code == answer.json()["code"] == status
