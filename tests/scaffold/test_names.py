"""Names: what is refused, with what message, and what is made of the others."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tornkit.errors import BadName
from tornkit.scaffold.names import (
    check_prefix,
    module_name,
    module_names,
    project_name,
    role_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

NOWHERE = [
    "",
    " ",
    "\t\n",
    ".",
    "..",
    "a.b",
    "/abs",
    "a/b/c",
    "..\\up",
    "a\\b",
    "-dash",
    "--flag",
    "bell\x07",
    "\x1b[31mred",
    "zero\u200bwidth",
    "soft\u00adhyphen",
    "😀",
    "it's",
    'quo"te',
    "$(id)",
    "a;b",
    "a|b",
    "a&b",
    "a b",
    "`x`",
    "x" * 300,
    "class",
    "None",
    "async",
    "True",
    "__init__",
    "_",
    "_private",
    "a__b",
    "trailing_",
    "3d",
    "CON",
    "con",
    "Aux",
    "aux.py",
    "NUL.tar.gz",
    "com1",
    "LPT9",
    "conin$",
    "ﬁne",
    "\uff46ull",
    "école",
    "x²",
    "lpt¹",
]


@pytest.mark.parametrize("name", NOWHERE)
@pytest.mark.parametrize("check", [project_name, module_name, role_name])
def test_a_name_that_works_nowhere_is_refused(check: Callable[[str], object], name: str) -> None:
    if check is role_name and name in {"class", "async", "a/b"}:
        pytest.skip("a role is never imported")
    with pytest.raises(BadName) as refused:
        check(name)
    message = str(refused.value)
    assert message.isprintable()
    assert len(message) < 300
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    "name", ["json", "test", "JSON", "distutils", "tornado", "tornkit", "argon2", "tests", "data"]
)
def test_a_project_never_hides_what_it_imports(name: str) -> None:
    with pytest.raises(BadName):
        project_name(name)


def test_every_module_of_python_is_refused_as_a_project() -> None:
    for name in sys.stdlib_module_names:
        with pytest.raises(BadName):
            project_name(name)


@pytest.mark.parametrize(
    ("name", "package"),
    [("myschool", "myschool"), ("my-app", "my_app"), ("MySchool", "myschool"), ("match", "match")],
)
def test_the_package_is_the_name_made_importable(name: str, package: str) -> None:
    assert project_name(name).package == package


@pytest.mark.parametrize("name", ["static", "health", "tasks", "ops", "metrics", "ops/x"])
def test_a_module_never_takes_an_address_of_the_library(name: str) -> None:
    with pytest.raises(BadName, match="reserved"):
        module_name(name)


@pytest.mark.parametrize("name", ["teacher", "json", "type", "staff/principal", "a_b2"])
def test_a_module_may_have_any_other_plain_name(name: str) -> None:
    assert module_name(name) == name


def test_the_repair_of_a_module_is_suggested() -> None:
    with pytest.raises(BadName, match="'head_master'"):
        module_name("head-master")
    with pytest.raises(BadName, match="did you mean 'teacher'"):
        module_name("Teacher")


@pytest.mark.parametrize(
    "names", ["a,a", "home", "account", "account/x", "a,,b", "staff,staff/a", "staff/a,staff", ","]
)
def test_modules_that_collide_are_refused(names: str) -> None:
    with pytest.raises(BadName):
        module_names(names)


def test_modules_keep_their_order() -> None:
    assert module_names("teacher, student") == ("teacher", "student")


@pytest.mark.parametrize(
    "prefix", ["/", "", "library", "/a/", "/a//b", "/../b", "/a b", "/static/x"]
)
def test_a_prefix_is_a_plain_path_of_ones_own(prefix: str) -> None:
    with pytest.raises(BadName):
        check_prefix(prefix)


@given(st.text(max_size=60))
def test_any_text_is_a_good_name_or_a_readable_refusal(text: str) -> None:
    for check in (lambda name: project_name(name).package, module_name, role_name):
        try:
            name = check(text)
        except BadName as error:
            assert str(error).isprintable()  # noqa: PT017 - most texts are refused
        else:
            plain = name.replace("-", "_").replace("/", "_")
            assert plain.isascii()
            assert plain.isidentifier()
            assert plain == plain.lower()


@given(st.from_regex(r"[a-z]([a-z0-9_-]{0,45})", fullmatch=True))
def test_near_good_names_are_decided_without_a_surprise(text: str) -> None:
    try:
        package = project_name(text).package
    except BadName:
        return
    assert package == text.replace("-", "_")
    assert len(package) <= 40
