"""Modules: one part of the site for one kind of user, found rather than listed.

`discover` imports a package's modules, `mount` takes modules that were made elsewhere;
both return plain data, `MountedModule`s with complete routes. They open and start nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tornkit._imports import Child, MissingModuleError, import_module, list_package
from tornkit._text import did_you_mean, listing, printable
from tornkit.access import Access
from tornkit.errors import DiscoveryError, UserCodeError
from tornkit.routing import check_duplicates
from tornkit.routing.mounting import Mount, mount_route
from tornkit.routing.redirects import redirect_rules
from tornkit.security.cors import Cors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tornkit.routing import MountedSpec, Route
    from tornkit.routing.route import RouteRule

__all__ = [
    "ENTRY_POINTS",
    "RESERVED_NAMES",
    "Module",
    "MountedModule",
    "discover",
    "mount",
    "slash_redirects",
]

RESERVED_NAMES = frozenset({"static", "health", "tasks", "ops", "metrics"})
ENTRY_POINTS = "tornkit.modules"

_PREFIX = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)+")


@dataclass(frozen=True, kw_only=True)
class Module:
    """Declare one part of the site; a file's is called ``module``.

    Args:
        access: who may pass: `PUBLIC`, `SIGNED_IN` or ``roles(...)``.
        routes: routes of `path`, beside Tornado's tuples and `URLSpec`s, all relative to
            the prefix.
        prefix: where it is served; by default ``/`` and its name, for ``home`` ``/``.
        name: what it is called; by default as its file or package.
        cors: which other origins may ask, or a function that says so of the settings; by
            default none.

    Raises:
        DiscoveryError: an argument that is missing or of the wrong type, with the file and
            line of this call.
    """

    access: Access
    routes: Sequence[Any]
    if not TYPE_CHECKING:
        # Whoever leaves one out reads our message and place, not a TypeError of this class.
        access = None
        routes = None
    prefix: str | None = None
    name: str | None = None
    cors: Cors | Callable[[Any], Cors | None] | None = None
    file: str | None = field(default=None, init=False, repr=False, compare=False)
    line: int | None = field(default=None, init=False, repr=False, compare=False)
    defined_in: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # The frame above is the dataclass's own __init__, the one above that the caller's.
        frame = sys._getframe(2)
        object.__setattr__(self, "file", frame.f_code.co_filename)
        object.__setattr__(self, "line", frame.f_lineno)
        object.__setattr__(self, "defined_in", frame.f_globals.get("__name__", ""))
        if not isinstance(self.access, Access):
            raise _bad(self, "access", self.access, "give PUBLIC, SIGNED_IN or roles(...)")
        if isinstance(self.routes, str) or not isinstance(self.routes, Sequence):
            raise _bad(self, "routes", self.routes, "give a list of path(...)")
        object.__setattr__(self, "routes", tuple(self.routes))
        if not (isinstance(self.cors, Cors | None) or callable(self.cors)):
            raise _bad(self, "cors", self.cors, "give tornkit.Cors(...), or leave it out")
        if self.name is not None and not _is_name(self.name):
            raise _bad(self, "name", self.name, "give a Python name, with dots for groups")
        if self.prefix is not None and not _is_prefix(self.prefix):
            raise _bad(
                self,
                "prefix",
                self.prefix,
                'give "/" or a path such as "/teacher-area", without a slash at its end',
            )


@dataclass(frozen=True, slots=True)
class MountedModule:
    """A module in its place: what `Application` serves.

    Args:
        name: ``staff.principal``.
        prefix: ``/staff/principal``; "" for what is served at ``/``.
        access: who may pass.
        routes: routes and rules with whole patterns and names, access filled in.
        package: the dotted name of the Python module that declares it.
        file: the file that does.
        templates: its folder of templates, where it has one.
        static: its folder of static files, where it has one.
        url_path: ``staff/principal``, what its templates and static files are found under.
        cors: which other origins may ask.
    """

    name: str
    prefix: str
    access: Access
    routes: tuple[Route | MountedSpec, ...] = field(repr=False)
    package: str
    file: str
    templates: Path | None
    static: Path | None
    url_path: str
    cors: Cors | None = None


@dataclass(frozen=True, slots=True)
class _Found:
    """A module, and what it is called where it was found."""

    module: Module
    name: str
    package: str
    file: str


def discover(
    package: str, *, installed: Sequence[str] = (), settings: object = None
) -> list[MountedModule]:
    """Return the modules of a package in name order, then installed ones as they are named.

    Args:
        package: its dotted name; each direct child is imported. A child that is a package
            without ``module`` is a group, and its children are imported likewise.
        installed: names in the entry-point group ``tornkit.modules``.
        settings: what a module's ``cors`` is asked of, where it is a function.

    Raises:
        DiscoveryError: a file without ``module``, a group without any, a reserved name, a
            name that is taken, a package that does not exist.
        RouteError: two routes of one name or one pattern, or one that cannot be mounted.
        UserCodeError: a file raised; its own exception is the cause.
    """
    try:
        root = import_module(package, what=f"package {printable(package)!r}")
    except MissingModuleError as error:
        raise DiscoveryError(
            f"the package of modules {printable(package)!r} does not exist: {error.message}",
            hint=error.hint,
            check_id="modules.no-package",
        ) from None
    if not hasattr(root, "__path__"):
        raise DiscoveryError(
            f"{printable(package)!r} is a file, not a package of modules",
            hint="make it a folder that holds one file for each module",
            file=root.__file__,
            check_id="modules.no-package",
        )
    found = [*_search(root, ""), *(_load_installed(name) for name in installed)]
    return _mount_all(found, settings)


def mount(modules: Iterable[Module], *, settings: object = None) -> list[MountedModule]:
    """Return modules that are handed over rather than found, in the order given.

    Args:
        modules: the modules.
        settings: what a module's ``cors`` is asked of, where it is a function.

    Raises:
        DiscoveryError: one has no name, a reserved one, or one that is taken.
        RouteError: as `discover`.
    """
    found = []
    for module in modules:
        if not isinstance(module, Module):
            raise DiscoveryError(
                f"{printable(repr(module))} is not a Module",
                hint="give Module(...) objects, or the dotted name of a package of modules",
                check_id="modules.bad-module",
            )
        if module.name is None:
            raise _bad(module, "name", None, "a module that is handed over needs one")
        found.append(_Found(module, module.name, module.defined_in, module.file or ""))
    return _mount_all(found, settings)


# --- finding -----------------------------------------------------------------------------


def _search(package: ModuleType, group: str) -> Iterator[_Found]:
    known: dict[str, Child] = {}
    for child in list_package(package):
        name = f"{group}{child.name}"
        if child.name in known:
            raise _taken(name, str(known[child.name].path), str(child.path))
        known[child.name] = child
        if not child.name.isidentifier():
            raise DiscoveryError(
                f"{child.path} cannot be a module: {printable(child.name)!r} is no Python name",
                hint="rename it with letters, digits and _",
                file=str(child.path),
                check_id="modules.bad-name",
            )
        yield from _load(child, f"{package.__name__}.{child.name}", name)


def _load(child: Child, dotted: str, name: str) -> Iterator[_Found]:
    file = str(child.path / "__init__.py" if child.is_package else child.path)
    loaded = _import_child(child, dotted, name, file)
    declared = getattr(loaded, "module", None)
    if isinstance(declared, Module):
        yield _Found(declared, declared.name or name, dotted, loaded.__file__ or file)
    elif declared is not None and not isinstance(declared, ModuleType):
        raise DiscoveryError(
            f"module {name!r} ({file}): `module` is {printable(repr(declared))}, not a Module",
            hint="write module = Module(access=..., routes=[...])",
            file=file,
            check_id="modules.bad-module",
        )
    elif not child.is_package:
        raise DiscoveryError(
            f"module {name!r} ({file}) has no `module`",
            hint=_misnamed(loaded)
            or "write module = Module(access=..., routes=[...]), or "
            "start the file's name with _ if it is no module",
            file=file,
            check_id="modules.no-module",
        )
    else:
        yield from _search_group(loaded, child, name)


def _search_group(loaded: ModuleType, child: Child, name: str) -> Iterator[_Found]:
    inner = list(_search(loaded, f"{name}."))
    if not inner:
        raise DiscoveryError(
            f"{child.path} has no `module` and holds none",
            hint=_misnamed(loaded)
            or "write module = Module(access=..., routes=[...]) in its "
            "__init__.py, or start the folder's name with _ if it is no module",
            file=str(child.path),
            check_id="modules.empty-group",
        )
    yield from inner


def _import_child(child: Child, dotted: str, name: str, file: str) -> ModuleType:
    try:
        return import_module(dotted, what=f"module {name!r} ({dotted})", file=file)
    except MissingModuleError:
        raise DiscoveryError(
            f"module {name!r}: {child.path} was listed but cannot be imported; "
            f"{'Python does not find it' if child.path.exists() else 'it is gone'}",
            hint="start again, or remove a link that leads nowhere",
            file=str(child.path),
            check_id="modules.vanished",
        ) from None


def _misnamed(loaded: ModuleType) -> str:
    for name, value in vars(loaded).items():
        if isinstance(value, Module):
            return f"call its {name!r} `module`"
    return ""


def _load_installed(name: str) -> _Found:
    known = entry_points(group=ENTRY_POINTS)
    points = list(
        {(point.value, _origin(point)): point for point in known.select(name=name)}.values()
    )
    if not points:
        near = did_you_mean(name, known.names) or f"installed are: {listing(known.names)}"
        raise DiscoveryError(
            f"installed_modules names {printable(name)!r}, which no installed package offers",
            hint=near,
            check_id="modules.not-installed",
        )
    if len(points) > 1:
        raise _taken(name, *(_origin(point) for point in points[:2]))
    point = points[0]
    loaded = import_module(point.module, what=f"installed module {name!r} ({point.module})")
    declared: object = loaded
    for attribute in (point.attr or "module").split("."):
        declared = getattr(declared, attribute, None)
    if isinstance(declared, ModuleType):
        declared = getattr(declared, "module", None)
    if not isinstance(declared, Module):
        raise DiscoveryError(
            f"installed module {name!r}: {point.value} is {printable(repr(declared))}, "
            "not a Module",
            hint="its package has to be repaired",
            file=loaded.__file__,
            check_id="modules.bad-module",
        )
    return _Found(declared, name, point.module, loaded.__file__ or "")


def _origin(point: Any) -> str:
    return f"the installed package {point.dist.name}" if point.dist else point.value


# --- mounting ----------------------------------------------------------------------------


def _mount_all(found: Sequence[_Found], settings: object) -> list[MountedModule]:
    known: dict[str, _Found] = {}
    for item in found:
        if item.name in known:
            raise _taken(item.name, known[item.name].file, item.file)
        known[item.name] = item
    mounted = [_mount(item, settings) for item in found]
    check_duplicates(route for module in mounted for route in module.routes)
    return mounted


def _mount(item: _Found, settings: object) -> MountedModule:
    module = item.module
    prefix = _prefix(item)
    for taken in (item.name.partition(".")[0], prefix.strip("/").partition("/")[0]):
        if taken in RESERVED_NAMES:
            raise DiscoveryError(
                f"module {item.name!r} ({item.file}): the name {taken!r} is reserved",
                hint=f"choose another than {listing(RESERVED_NAMES)}",
                file=item.file,
                line=module.line,
                check_id="modules.reserved-name",
            )
    cors = _cors(item, settings)
    place = Mount(item.name, prefix, module.access, item.file, module.line, cors)
    folder = Path(item.file).parent if Path(item.file).stem == "__init__" else None
    return MountedModule(
        name=item.name,
        prefix=prefix,
        access=module.access,
        routes=tuple(mount_route(route, place) for route in module.routes),
        package=item.package,
        file=item.file,
        templates=_folder(folder, "templates"),
        static=_folder(folder, "static"),
        url_path=item.name.replace(".", "/"),
        cors=cors,
    )


def _cors(item: _Found, settings: object) -> Cors | None:
    declared = item.module.cors
    if isinstance(declared, Cors | None):
        return declared
    if settings is None:  # nobody asks for answers, as where the modules are only listed
        return None
    try:
        cors = declared(settings)
    except Exception as error:
        raise UserCodeError(
            f"the cors of module {item.name!r} raised: {type(error).__name__}: {error}",
            file=item.file,
            line=item.module.line,
            check_id="modules.bad-module",
        ) from error
    if not isinstance(cors, Cors | None):
        raise _bad(item.module, "cors", cors, "let it return tornkit.Cors(...) or None")
    return cors


def _prefix(item: _Found) -> str:
    if item.module.prefix is not None:
        return item.module.prefix.rstrip("/")
    if item.name == "home":
        return ""
    return "/" + item.name.replace(".", "/").replace("_", "-")


def _folder(folder: Path | None, name: str) -> Path | None:
    return folder / name if folder is not None and (folder / name).is_dir() else None


def slash_redirects(modules: Iterable[MountedModule]) -> list[RouteRule]:
    """Return rules that redirect (308) from ``/teacher`` to ``/teacher/``, for each module.

    They belong after all other rules, so that a route of the path itself wins. They are
    public and belong to no module: where a module stands is no secret.
    """
    return redirect_rules({each.prefix: each.cors for each in modules if each.prefix})


# --- errors ------------------------------------------------------------------------------


def _is_name(name: object) -> bool:
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


def _is_prefix(prefix: object) -> bool:
    return prefix == "/" or (isinstance(prefix, str) and bool(_PREFIX.fullmatch(prefix)))


def _bad(module: Module, what: str, found: object, hint: str) -> DiscoveryError:
    return DiscoveryError(
        f"{module.file}:{module.line}: Module(): {what} is {printable(repr(found))}",
        hint=hint,
        file=module.file,
        line=module.line,
        check_id="modules.bad-module",
    )


def _taken(name: str, first: str, second: str) -> DiscoveryError:
    return DiscoveryError(
        f"two modules are called {name!r}: {first} and {second}",
        hint="rename or remove one of them",
        file=second,
        check_id="modules.duplicate-name",
    )
