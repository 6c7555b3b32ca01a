"""``tornkit routes``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tornkit._text import did_you_mean, listing, printable
from tornkit.cli._matrix import print_matrix
from tornkit.cli._site import Site, echo, echo_json, print_table, site_options
from tornkit.errors import StartError

if TYPE_CHECKING:
    from tornkit.routing import RouteInfo, RouteMatch

__all__ = ["routes"]


@click.command(
    short_help="List the routes in the order they are matched.",
    epilog="Example: tornkit routes --match GET /teacher/courses/3",
)
@click.option(
    "--access", "as_matrix", is_flag=True, help="Show who may pass which door, as a matrix."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@click.option(
    "--match", "wanted", nargs=2, metavar="METHOD PATH", help="Show only the route that answers."
)
@click.option("--module", metavar="NAME", help="Show only the routes of one module.")
@site_options
def routes(
    site: Site,
    *,
    as_matrix: bool,
    as_json: bool,
    wanted: tuple[str, str] | None,
    module: str | None,
) -> None:
    """List the routes in the order they are matched.

    With --access there is a column for strangers, one for whoever is signed in without a
    role, and one for each role. It tells what the doors let through, with any method; what a
    handler refuses by itself is not known.
    """
    from tornkit.routing import access_matrix, describe, match  # noqa: PLC0415  imports tornado

    if as_matrix and wanted:
        raise click.UsageError("--access and --match do not go together")
    application = site.load_any()
    if wanted:
        method, path = wanted
        found = match(application, method.upper(), path)
        if found is None or not found.allowed:
            allowed = (
                f" ({found.route.path} takes {', '.join(found.route.methods)})" if found else ""
            )
            raise StartError(
                f"no route answers {printable(method.upper())} {printable(path)}{allowed}",
                hint="tornkit routes lists all of them",
            )
        _show_match(found, as_json=as_json)
        return
    everything = describe(application)
    infos = _of_module(everything, module)
    if as_matrix:
        roles = {role for info in everything for role in info.access.roles}
        rows = access_matrix(infos, roles | getattr(application, "known_roles", frozenset()))
        if as_json:
            echo_json([row.as_json() for row in rows])
        else:
            print_matrix(rows)
        return
    if as_json:
        echo_json([info.as_json() for info in infos])
        return
    print_table(("methods", "path", "name", "access", "handler"), [_row(info) for info in infos])


def _of_module(infos: list[RouteInfo], module: str | None) -> list[RouteInfo]:
    if module is None:
        return infos
    known = {info.module for info in infos if info.module}
    if module not in known:
        hint = did_you_mean(module, known) or f"there are: {listing(known)}"
        raise click.BadParameter(f"there is no module {printable(module)!r}; {hint}")
    return [info for info in infos if info.module == module]


def _show_match(found: RouteMatch, *, as_json: bool) -> None:
    plain = found.as_json()
    if as_json:
        echo_json(plain)
        return
    for key in ("path", "name", "module", "handler", "file", "line"):
        echo(f"{key:9} {plain[key] if plain[key] is not None else '-'}")
    echo(f"{'access':9} {found.route.access}")
    arguments = ", ".join(f"{name}={value!r}" for name, value in found.arguments.items())
    echo(f"{'arguments':9} {arguments or '-'}")


def _row(info: RouteInfo) -> tuple[str, ...]:
    methods = ",".join(info.methods) or "-"
    return (methods, info.path, info.name or "-", str(info.access), info.handler)
