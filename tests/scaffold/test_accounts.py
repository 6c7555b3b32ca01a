"""The account module of a project: every page has its route, its template and its way back."""

from __future__ import annotations

import ast
import re

import pytest

from tests.scaffold.helpers import DATABASES, answers
from tornkit.scaffold.plan import plan_project

MODULE = "s/modules/account"
FILES = {
    path: content.decode()
    for path, content in plan_project(answers("short", "none", "default"), "1").items()
}
CODE = {path: text for path, text in FILES.items() if path.startswith(f"{MODULE}/")}
PAGES = {path: text for path, text in CODE.items() if path.endswith(".html")}
ROUTES = frozenset(re.findall(r'path\("/([\w-]+)"', CODE[f"{MODULE}/__init__.py"]))
MINIMAL = plan_project(answers("short", "none", "minimal"), "1")


def test_the_module_has_the_routes_that_sites_count_on() -> None:
    signing_in = {"register", "login", "logout", "is-signed-in", "confirm"}
    own = {"profile", "password", "sessions", "forgot", "reset"}
    assert signing_in | own == ROUTES


def test_every_template_is_used_and_every_used_one_is_there() -> None:
    used = set(re.findall(r'"account/([\w.]+)"', "".join(CODE.values())))
    there = {path.rpartition("/")[2] for path in CODE if "/templates/" in path}
    assert used == there


def test_every_link_leads_to_a_route() -> None:
    linked = re.findall(r'(?:url|reverse_url)\([\'"]account:([\w-]+)', "".join(FILES.values()))
    assert set(linked) <= ROUTES


@pytest.mark.parametrize("page", sorted(PAGES))
def test_a_page_has_one_heading_a_title_and_a_telling_alert(page: str) -> None:
    text = PAGES[page]
    assert text.count("<h1>") == 1
    assert "{% block title %}" in text
    assert ("{{ alert(message) }}" in text) is ("field(" in text or "new_password(" in text)


@pytest.mark.parametrize("page", sorted(PAGES))
def test_every_password_field_says_what_it_is_for(page: str) -> None:
    for field in re.findall(r"\bfield\((.*?)\) }}", PAGES[page], re.DOTALL):
        assert ('type="password"' in field) <= ('autocomplete="current-password"' in field)


def test_a_class_is_a_few_short_methods() -> None:
    for path in (f"{MODULE}/handlers.py", f"{MODULE}/passwords.py"):
        for node in ast.walk(ast.parse(CODE[path])):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 22, f"{path}: {node.name}"


def test_every_mail_is_made_in_the_background_where_its_failure_stops_nothing() -> None:
    tree = ast.parse(CODE[f"{MODULE}/passwords.py"])
    posted = [
        node.args[0].func
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.mailer.post"
        if isinstance(node.args[0], ast.Call)
    ]
    assert [ast.unparse(made) for made in posted] == ["self.make_notice", "self.make_mail"]
    makers = {node.name for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)}
    assert {"make_notice", "make_mail"} <= makers


@pytest.mark.parametrize("database", [name for name in DATABASES if name != "minimal"])
def test_no_password_of_mail_belongs_into_the_settings(database: str) -> None:
    files = plan_project(answers("short", "none", database), "1")
    assert b"[mail]" in files["settings.toml"]
    assert b"PASSWORD@" not in files["settings.toml"]
    assert b"S_MAIL__URL=" in files[".env.example"]


def test_a_minimal_project_knows_of_no_accounts() -> None:
    assert not [path for path in MINIMAL if "account" in path or path.endswith("forms.html")]
    for path, content in MINIMAL.items():
        for word in (b"account:", b"mail", b"remember", b"show_form", b"current_user.email"):
            assert word not in content, f"{path}: {word!r}"
