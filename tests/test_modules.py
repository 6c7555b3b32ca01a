"""Modules: found in a package or handed over, put in their place, refused with reasons."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.routing import HostMatches, Rule, RuleRouter, URLSpec
from tornado.testing import bind_unused_port
from tornado.web import RequestHandler

from tests.routing.requests import Typed, answer, request
from tornkit.access import PUBLIC, SIGNED_IN, roles
from tornkit.errors import DiscoveryError, RouteError, TornkitError, UserCodeError
from tornkit.modules import RESERVED_NAMES, Module, MountedModule, discover, mount, slash_redirects
from tornkit.routing import MountedSpec, Route, RoutedApplication, describe, path, route_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OPEN = (
    "from tornkit.access import PUBLIC\nfrom tornkit.modules import Module\n\n"
    "module = Module(access=PUBLIC, routes=[])\n"
)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], Path]:
    """Write the files of a package ``site_under_test`` that can be imported."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("site_under_test")]:
        monkeypatch.delitem(sys.modules, name)
    package = tmp_path / "site_under_test"

    def write(files: dict[str, str]) -> Path:
        for name, text in files.items():
            file = package / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        return package

    return write


def site(*, installed: tuple[str, ...] = ()) -> list[MountedModule]:
    return discover("site_under_test", installed=installed)


# --- what is found -----------------------------------------------------------------------


def test_modules_are_found_in_name_order_with_groups_and_without_underscores() -> None:
    found = discover("tests.apps.good")
    assert [(one.name, one.prefix, one.url_path) for one in found] == [
        ("home", "", "home"),
        ("lab_staff", "/lab-staff", "lab_staff"),
        ("staff.deep.office", "/staff/deep/office", "staff/deep/office"),
        ("staff.principal", "/staff/principal", "staff/principal"),
        ("teacher", "/teacher", "teacher"),
    ]
    assert [one.access for one in found][1:] == [
        *(SIGNED_IN, PUBLIC),
        *(roles("principal"), roles("teacher")),
    ]
    lab = found[1]
    assert lab.package == "tests.apps.good.lab_staff"
    assert lab.file.endswith("lab_staff/__init__.py")
    assert (str(lab.templates)[-9:], str(lab.static)[-6:]) == ("templates", "static")
    assert found[4].templates is found[4].static is None


def test_routes_are_complete() -> None:
    teacher = discover("tests.apps.good")[-1]
    assert [(one.pattern, one.name) for one in (_route(item) for item in teacher.routes)] == [
        ("/teacher/", "teacher:dashboard"),
        ("/teacher/items/{item_id:int}", "teacher:item"),
        (r"/teacher/old/(\w+)", "teacher:old"),
    ]
    for route in (_route(item) for item in teacher.routes):
        assert (route.access, route.module) == (roles("teacher"), "teacher")
        assert (route.file or "").endswith("teacher.py")
        assert route.line


def _route(item: Route | MountedSpec) -> Route:
    return item if isinstance(item, Route) else item.route


def test_every_rule_of_a_module_leads_to_its_access() -> None:
    found = discover("tests.apps.good")
    app = RoutedApplication([route for module in found for route in module.routes])
    for asked, name in [
        ("/teacher/", "teacher:dashboard"),
        ("/teacher/items/3", "teacher:item"),
        ("/teacher/old/x", "teacher:old"),
        ("/lab-staff/old/x", "lab_staff:old"),
    ]:
        made = request(asked)
        app.find_handler(made)
        route = route_of(made)
        assert route is not None
        assert (route.name, route.module) == (name, name.split(":")[0])
        assert route.access is not None
        assert route.access != PUBLIC
    assert app.reverse_url("teacher:old", "x") == "/teacher/old/x"
    assert app.reverse_url("teacher:item", item_id=3) == "/teacher/items/3"
    listed = {(info.path, info.access.kind) for info in describe(app)}
    assert (r"/teacher/old/(\w+)", "roles") in listed


def test_a_namespace_package_works_as_the_package_of_modules(
    tree: Callable[[dict[str, str]], Path],
) -> None:
    tree({"teacher.py": OPEN, "staff/principal.py": OPEN, "data/table.csv": "", "_x.py": "1/0"})
    assert [one.name for one in site()] == ["staff.principal", "teacher"]


def test_an_empty_package_has_no_modules(tree: Callable[[dict[str, str]], Path]) -> None:
    tree({"__init__.py": ""})
    assert site() == []


def test_a_module_written_this_instant_is_found(tree: Callable[[dict[str, str]], Path]) -> None:
    package = tree({"__init__.py": "", "one.py": OPEN})
    assert len(site()) == 1
    (package / "two.py").write_text(OPEN)
    assert [one.name for one in site()] == ["one", "two"]


def test_discovery_starts_no_event_loop_and_no_thread() -> None:
    program = (
        "import asyncio, threading, sys\n"
        "def forbidden(*a, **k): raise SystemExit('an event loop was made')\n"
        "asyncio.new_event_loop = asyncio.get_event_loop = forbidden\n"
        "asyncio.set_event_loop_policy = forbidden\n"
        "from tornkit.modules import discover\n"
        "discover('tests.apps.good')\n"
        "assert threading.active_count() == 1\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_thousand_routes_are_built_within_a_second() -> None:
    routes = [path(f"/items/{{x:int}}/name_{i}", Typed, name=f"n{i}") for i in range(1000)]
    start = time.perf_counter()
    (module,) = mount([Module(access=PUBLIC, routes=routes, name="big")])
    app = RoutedApplication(module.routes)
    assert answer(app, request("/big/items/3/name_999"))[3] == {"x": 3}
    assert time.perf_counter() - start < 1


# --- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "check_id", "parts", "file"),
    [
        ("renamed", "modules.duplicate-name", ["'a'", "renamed/a.py", "renamed/b.py"], "b.py"),
        ("no_module", "modules.no-module", ["'teacher'", "module = Module("], "teacher.py"),
        ("misnamed", "modules.no-module", ["call its 'teacher' `module`"], "teacher.py"),
        ("not_a_module", "modules.bad-module", ["not a Module"], "teacher.py"),
        ("empty_group", "modules.empty-group", ["empty_group/staff", "holds none"], "staff"),
        ("reserved", "modules.reserved-name", ["'static'", "health"], "static.py"),
        ("reserved_prefix", "modules.reserved-name", ["'static'"], "files.py"),
        ("bad_access", "modules.bad-module", ["access is 'teacher'", "PUBLIC"], "teacher.py"),
        ("same_route_name", "routes.duplicate-name", ["teacher.py:22 and "], "teacher.py"),
        ("same_pattern", "routes.duplicate-pattern", ["home.py:", "teacher.py:"], "teacher.py"),
        ("bad_route", "routes.invalid", ["did you mean 'int'?"], "teacher.py"),
        ("missing", "modules.no-package", ["tests.apps.missing"], None),
        ("good.home", "modules.no-package", ["a file, not a package"], "home.py"),
    ],
)
def test_each_mistake_has_its_message(
    package: str, check_id: str, parts: list[str], file: str | None
) -> None:
    with pytest.raises(TornkitError) as caught:
        discover(f"tests.apps.{package}")
    error = caught.value
    assert not isinstance(error, UserCodeError)
    assert error.check_id == check_id
    for part in parts:
        assert part in str(error)
    assert (error.file or "").endswith(file or "")
    assert (error.file is None) is (file is None)


def test_a_file_and_a_package_of_one_name_are_two_modules(
    tree: Callable[[dict[str, str]], Path],
) -> None:
    package = tree({"__init__.py": "", "teacher.py": OPEN, "teacher/__init__.py": OPEN})
    with pytest.raises(DiscoveryError) as caught:
        site()
    assert caught.value.check_id == "modules.duplicate-name"
    assert str(package / "teacher.py") in str(caught.value)
    assert f"{package / 'teacher'} " in str(caught.value)


def test_a_file_whose_name_cannot_be_imported_is_no_silent_gap(
    tree: Callable[[dict[str, str]], Path],
) -> None:
    tree({"__init__.py": "", "my-module.py": OPEN})
    with pytest.raises(DiscoveryError, match=r"my-module\.py cannot be a module"):
        site()


def test_a_file_that_vanishes_is_named(tree: Callable[[dict[str, str]], Path]) -> None:
    package = tree(
        {
            "__init__.py": "",
            "a.py": f"import pathlib\npathlib.Path(__file__).with_name('b.py').unlink()\n{OPEN}",
            "b.py": OPEN,
        }
    )
    with pytest.raises(DiscoveryError, match="it is gone") as caught:
        site()
    assert caught.value.file == str(package / "b.py")
    assert caught.value.check_id == "modules.vanished"


@pytest.mark.parametrize(
    ("text", "cause", "line"),
    [
        ("x = 1\ndef f(:\n", SyntaxError, 2),
        ("import no_such_package_anywhere\n", ModuleNotFoundError, 1),
        ("\nimport site_under_test.nowhere\n", ModuleNotFoundError, 2),
        ("from site_under_test import nothing\n", ImportError, 1),
        ("raise ModuleNotFoundError('x', name=__name__)\n", ModuleNotFoundError, 1),
        ("import site_under_test.teacher.x\n", ModuleNotFoundError, 1),
        ("x = 1\ny = x / 0\n", ZeroDivisionError, 2),
        ("raise SystemExit(3)\n", SystemExit, 1),
        ("from tornkit.access import roles\nroles()\n", ValueError, 2),
        ("x = '\x00'\n", SyntaxError, None),
    ],
)
def test_what_a_users_file_raises_is_the_cause_unchanged(
    tree: Callable[[dict[str, str]], Path], text: str, cause: type, line: int | None
) -> None:
    package = tree({"__init__.py": "", "teacher.py": text})
    with pytest.raises(UserCodeError) as caught:
        site()
    error = caught.value
    assert "module 'teacher' (site_under_test.teacher) could not be imported" in str(error)
    assert type(error.__cause__) is cause
    assert error.file == str(package / "teacher.py")
    assert line is None or error.line == line


def test_an_error_in_the_packages_own_file_is_the_users(
    tree: Callable[[dict[str, str]], Path],
) -> None:
    tree({"__init__.py": "import no_such_package_anywhere"})
    with pytest.raises(UserCodeError, match="package 'site_under_test' could not"):
        site()


# --- Module ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"access": "teacher"},
        {"access": roles},
        {"routes": path("/", Typed)},
        {"routes": "/"},
        {"name": 3},
        {"name": "a b"},
        {"name": ""},
        *(
            {"prefix": prefix}
            for prefix in [
                *("", "teacher", "/teacher/", "//evil.example", "/a//b", "/..", "/a/./b", "/a b"),
                *("/{x}", "/a?b", "/a#b", "/%2e%2e", "/é", "/a\n", "/\\evil", 3),
            ]
        ),
    ],
)
def test_a_wrong_argument_is_told_with_its_place(wrong: dict[str, Any]) -> None:
    with pytest.raises(DiscoveryError) as caught:
        Module(**{"access": PUBLIC, "routes": [], **wrong})
    assert caught.value.file == __file__
    assert caught.value.line
    assert next(iter(wrong)) in str(caught.value)
    assert str(caught.value).isprintable()


def test_access_is_never_defaulted() -> None:
    with pytest.raises(DiscoveryError, match="access is None; give PUBLIC") as caught:
        Module(routes=[])  # type: ignore[call-arg]
    assert caught.value.file == __file__


@pytest.mark.parametrize(
    ("name", "prefix", "expected"),
    [
        ("home", None, ""),
        ("a_b.c_d", None, "/a-b/c-d"),
        ("a", "/", ""),
        ("a", "/x/y-z", "/x/y-z"),
        ("a", "/.well-known", "/.well-known"),
    ],
)
def test_the_prefix_follows_from_the_name_unless_it_is_given(
    name: str, prefix: str | None, expected: str
) -> None:
    (mounted,) = mount([Module(access=PUBLIC, routes=[], name=name, prefix=prefix)])
    assert mounted.prefix == expected


def test_a_module_handed_over_keeps_its_place() -> None:
    (mounted,) = mount([Module(access=PUBLIC, routes=[path("/", Typed)], name="x")])
    assert (mounted.file, mounted.package) == (__file__, __name__)


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_reserved_names_are_refused(name: str) -> None:
    with pytest.raises(DiscoveryError, match="reserved"):
        mount([Module(access=PUBLIC, routes=[], name=name)])


def test_modules_handed_over_need_names_of_their_own() -> None:
    with pytest.raises(DiscoveryError, match="needs one"):
        mount([Module(access=PUBLIC, routes=[])])
    with pytest.raises(DiscoveryError, match="two modules are called 'a'"):
        mount([Module(access=PUBLIC, routes=[], name="a")] * 2)
    with pytest.raises(DiscoveryError, match="not a Module"):
        mount(["teacher"])  # type: ignore[list-item]


# --- routes of modules -------------------------------------------------------------------


def mounted_app(*routes: Any, prefix: str = "/t", access: Any = PUBLIC) -> RoutedApplication:
    modules = mount([Module(access=access, routes=routes, name="t", prefix=prefix)])
    return RoutedApplication([*modules[0].routes, *slash_redirects(modules)])


def handler_of(app: RoutedApplication, asked: str) -> type:
    found: type = answer(app, request(asked))[0]
    return found


@pytest.mark.parametrize(
    ("pattern", "inside", "outside"),
    [
        (r"/a|/b", ["/t/a", "/t/b", "/t/ax"], ["/b", "/t", "/t/c"]),
        (r"(?i)/a", ["/t/A"], ["/T/a"]),
        (r"^/a$", ["/t/a"], ["/a"]),
        (r"(.*)", ["/t", "/t/", "/t/x/y"], ["/tx", "/", "/x/t/"]),
        (r"/?", ["/t", "/t/"], ["/t/x"]),
    ],
)
def test_an_expression_means_below_the_prefix_what_it_means_in_tornado(
    pattern: str, inside: list[str], outside: list[str]
) -> None:
    app = mounted_app(URLSpec(pattern, RequestHandler))
    for asked in inside:
        assert handler_of(app, asked) is RequestHandler, asked
    for asked in outside:
        assert handler_of(app, asked) is not RequestHandler, asked


@pytest.mark.parametrize("target", [RuleRouter([]), lambda request: None, [("/a", Typed)]])
def test_a_target_that_checks_no_access_is_refused_behind_a_door(target: Any) -> None:
    mounted_app(("/a.*", target), path("/b", target))
    for written in [("/a.*", target), path("/b", target)]:
        with pytest.raises(RouteError, match="checks no access"):
            mounted_app(written, access=SIGNED_IN)
    mounted_app(path("/b", target, access=PUBLIC), access=SIGNED_IN)
    with pytest.raises(RouteError, match="checks no access"):
        mounted_app(path("/b", target, access=SIGNED_IN))


@pytest.mark.parametrize(
    "written",
    [3, (), ("/a",), "/a", Typed, Rule(HostMatches("x"), Typed), (HostMatches("x"), Typed)],
)
def test_what_is_no_route_is_refused(written: Any) -> None:
    with pytest.raises(RouteError) as caught:
        mounted_app(written)
    assert caught.value.file == __file__


def test_a_broken_expression_is_one_message_with_its_place() -> None:
    with pytest.raises(RouteError, match="missing \\), unterminated subpattern") as caught:
        mounted_app((r"/(", Typed))
    assert caught.value.file == __file__


# --- installed modules -------------------------------------------------------------------


@pytest.fixture
def offer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a distribution that offers modules."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def install(distribution: str, **points: str) -> None:
        info = tmp_path / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n"
        )
        lines = "".join(f"{name} = {value}\n" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[tornkit.modules]\n{lines}")
        importlib.invalidate_caches()

    return install


def test_installed_modules_join_when_they_are_named(offer: Callable[..., None]) -> None:
    offer("blog", blog="tests.apps.good.home:module", wiki="tests.apps.good.teacher", bad="json:x")
    found = discover("tests.apps.good", installed=["wiki", "blog"])
    assert [one.name for one in found][-2:] == ["wiki", "blog"]
    assert [one.prefix for one in found][-2:] == ["/wiki", "/blog"]
    assert "wiki" not in [one.name for one in discover("tests.apps.good")]
    with pytest.raises(DiscoveryError, match=r"did you mean 'wiki'\?"):
        discover("tests.apps.good", installed=["wiky"])
    with pytest.raises(DiscoveryError, match="not a Module"):
        discover("tests.apps.good", installed=["bad"])


def test_two_packages_that_offer_one_name_are_named(offer: Callable[..., None]) -> None:
    offer("one", blog="tests.apps.good.home")
    offer("two", blog="tests.apps.good.teacher")
    with pytest.raises(DiscoveryError, match=r"package (one|two) and the installed package"):
        discover("tests.apps.good", installed=["blog"])


def test_an_installed_module_that_raises_shows_its_own_error(offer: Callable[..., None]) -> None:
    offer("one", blog="tests.apps.raises.teacher")
    with pytest.raises(UserCodeError, match="installed module 'blog'") as caught:
        discover("tests.apps.good", installed=["blog"])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


# --- /teacher to /teacher/ ---------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT", "DELETE", "PATCH"])
async def test_the_bare_prefix_redirects_with_its_method_and_query(method: str) -> None:
    server = HTTPServer(mounted_app(path("/", Typed), prefix="/te-acher"))
    socket, port = bind_unused_port()
    server.add_socket(socket)
    client = AsyncHTTPClient(force_instance=True)
    try:
        response = await client.fetch(
            f"http://127.0.0.1:{port}/te-acher?a=1&b=//evil.example",
            method=method,
            headers={"Sec-Fetch-Site": "cross-site"},
            follow_redirects=False,
            raise_error=False,
            allow_nonstandard_methods=True,
        )
    finally:
        client.close()
        server.stop()
        await server.close_all_connections()
    assert response.code == 308
    assert response.headers["Location"] == "/te-acher/?a=1&b=//evil.example"


def test_a_route_of_the_bare_prefix_wins_over_the_redirect() -> None:
    assert handler_of(mounted_app(path("", Typed), path("/", RequestHandler)), "/t") is Typed
    assert handler_of(mounted_app(("", RequestHandler)), "/t") is RequestHandler


def test_redirects_are_public_and_of_no_module() -> None:
    app = mounted_app(path("/", Typed), access=roles("teacher"))
    made = request("/t")
    app.find_handler(made)
    route = route_of(made)
    assert route is not None
    assert (route.access, route.module, route.pattern) == (PUBLIC, None, "/t")
    assert describe(app)[-1].path == "/t"


def test_what_is_served_at_the_root_has_no_redirect() -> None:
    assert slash_redirects(mount([Module(access=PUBLIC, routes=[], name="home")])) == []
