"""`tornkit routes --access`: the rules of a site as a matrix."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tornkit.cli._matrix import WIDTH

if TYPE_CHECKING:
    from tests.cli.conftest import Project

STAFF = """
from tornkit import PUBLIC, SIGNED_IN, BaseHandler, Module, path, roles

class Page(BaseHandler):
    async def get(self):
        self.response_json()

module = Module(
    access=roles({roles}),
    routes=[path("/", Page, name="hall"), path("/club{long}", Page, access=SIGNED_IN)],
)
"""


def block(text: str, module: str) -> list[list[str]]:
    """Return the words of a module's lines."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.split()[:1] == [module])
    end = lines.index("", start)
    return [line.split() for line in lines[start:end]]


def staff(project: Project, roles: list[str], long: str = "") -> str:
    text = STAFF.replace("{roles}", ", ".join(map(repr, roles))).replace("{long}", long)
    project.write("PACKAGE/modules/staff.py", text)
    result = project.tornkit("routes", "--access")
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= WIDTH == 100
    return result.stdout


def test_a_line_for_each_route_and_a_column_for_each_visitor(project: Project) -> None:
    shown = staff(project, ["cook"])
    assert block(shown, "staff") == [
        ["staff", "stranger", "signed-in", "cook", "teacher"],
        ["/staff/", "GET,HEAD", "-", "-", "x", "-"],
        ["/staff/club", "GET,HEAD", "-", "x", "x", "x"],
    ]
    assert block(shown, "home")[1] == ["/", "GET,HEAD", "x", "x", "x", "x"]
    assert shown.endswith("\n\nx may pass, - is turned away\n")


def test_the_columns_of_all_modules_stand_below_each_other(project: Project) -> None:
    heads = [line for line in staff(project, ["cook"]).splitlines() if "stranger" in line]
    assert len({line.index("stranger") for line in heads}) == 1
    assert len(heads) > 2


def test_many_roles_are_numbered(project: Project) -> None:
    names = [f"head-of-the-{letter * 9}" for letter in "abcdefgh"]
    shown = staff(project, names)
    legend, _, _ = shown.partition("\n\n")
    assert legend.split()[:4] == ["1", "stranger", "2", "signed-in"]
    assert {f"{n} {name}" for n, name in enumerate([*names, "teacher"], 3)} <= {
        f"{number} {name}"
        for number, name in zip(legend.split()[::2], legend.split()[1::2], strict=True)
    }
    head, hall, _ = block(shown, "staff")
    assert head == ["staff", *(str(n) for n in range(1, 12))]
    assert hall == ["/staff/", "GET,HEAD", "-", "-", *("x" * 8), "-"]


def test_long_paths_stand_above_their_marks(project: Project) -> None:
    shown = staff(project, [f"role{number}" for number in range(60)], long="-x" * 30)
    lines = [" ".join(words) for words in block(shown, "staff")]
    assert "/staff/club" + "-x" * 30 + " GET,HEAD" in lines
    marks = "".join(lines[lines.index("/staff/ GET,HEAD") + 1 :]).replace(" ", "")
    assert marks.startswith("--" + "x" * 60 + "-")


def test_one_module_keeps_the_columns_of_all(project: Project) -> None:
    staff(project, ["cook"])
    shown = project.tornkit("routes", "--access", "--module", "teacher").stdout
    assert "/staff" not in shown
    assert block(shown, "teacher") == [
        ["teacher", "stranger", "signed-in", "cook", "teacher"],
        ["/teacher/courses/{course_id:int}", "GET,HEAD", "-", "-", "-", "x"],
    ]


def test_the_json_shape_is_the_promised_one(project: Project) -> None:
    staff(project, ["cook"])
    rows: list[dict[str, Any]] = json.loads(project.tornkit("routes", "--access", "--json").stdout)
    (hall,) = [row for row in rows if row["name"] == "staff:hall"]
    assert hall == {
        "path": "/staff/",
        "name": "staff:hall",
        "module": "staff",
        "methods": ["GET", "HEAD"],
        "public": False,
        "signed_in": False,
        "roles": {"cook": True, "teacher": False},
    }
    assert len(rows) == len(json.loads(project.tornkit("routes", "--json").stdout))


def test_a_role_whose_door_no_route_has_is_a_column_too(project: Project) -> None:
    text = STAFF.replace("{roles}", "'cook'").replace("{long}", "")
    text = text.replace('path("/", Page, name="hall")', 'path("/", Page, access=PUBLIC)')
    project.write("PACKAGE/modules/staff.py", text)
    rows = json.loads(project.tornkit("routes", "--access", "--json").stdout)
    assert {tuple(row["roles"]) for row in rows} == {("cook", "teacher")}


@pytest.mark.parametrize(
    "app",
    [
        "import tornado.web\ncreate_app = tornado.web.Application",
        """
import tornado.web

def create_app():
    return tornado.web.Application([("/a", tornado.web.RequestHandler)])
""",
    ],
    ids=["without routes", "with one"],
)
def test_a_plain_application_is_public(project: Project, app: str) -> None:
    project.write("PACKAGE/app.py", app)
    rows = json.loads(project.tornkit("routes", "--access", "--json").stdout)
    assert all(row["public"] and row["signed_in"] and row["roles"] == {} for row in rows)
    result = project.tornkit("routes", "--access")
    assert result.exit_code == 0
    assert ("(no module)" in result.stdout) is bool(rows)


def test_access_and_match_do_not_go_together(project: Project) -> None:
    result = project.tornkit("routes", "--access", "--match", "GET", "/")
    assert result.exit_code == 2
    assert "--access and --match" in result.stderr
