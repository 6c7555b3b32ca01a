"""``tornkit settings``."""

from __future__ import annotations

import click

from tornkit.cli._site import Site, echo_json, print_table, site_options

__all__ = ["settings"]


@click.command(
    short_help="Show every setting and where it comes from.",
    epilog="Example: tornkit settings --environment production",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")
@site_options
def settings(site: Site, *, as_json: bool) -> None:
    """Show every setting and where it comes from.

    Secret values are masked.
    """
    rows = site.load().config.listing()
    if as_json:
        echo_json(
            [
                {
                    "key": row.key,
                    "value": None if row.secret else row.value,
                    "origin": row.origin,
                    "secret": row.secret,
                }
                for row in rows
            ]
        )
        return
    print_table(
        ("setting", "value", "origin"),
        [(row.key, "********" if row.secret else _shown(row.value), row.origin) for row in rows],
    )


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return "-" if value is None or value == {} else str(value)
