"""``tornkit add-module`` and ``tornkit remove-module``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import tornkit

if TYPE_CHECKING:
    from tornkit.scaffold.answers import ModuleAnswers
    from tornkit.scaffold.remove import Removal

__all__ = ["add_module", "remove_module"]


@click.command(
    "add-module", epilog="Example: tornkit add-module librarian --role librarian --role teacher"
)
@click.argument("name")
@click.option(
    "--role",
    "roles",
    multiple=True,
    metavar="R",
    help="A role that gets in; repeatable. Default: NAME.",
)
@click.option("--public", is_flag=True, help="Let everybody in.")
@click.option("--signed-in", is_flag=True, help="Let in whoever is signed in.")
@click.option("--prefix", metavar="P", help="Its address, instead of /NAME.")
@click.option("--dry-run", is_flag=True, help="Only show what would be written.")
def add_module(
    *,
    name: str,
    roles: tuple[str, ...],
    public: bool,
    signed_in: bool,
    prefix: str | None,
    dry_run: bool,
) -> None:
    """Add a module to the project.

    NAME is a word, or GROUP/NAME for one of several below a common address.
    """
    from dataclasses import replace  # noqa: PLC0415 - --help does without

    from tornkit.cli.new import show_plan  # noqa: PLC0415
    from tornkit.scaffold.hues import free_hue  # noqa: PLC0415
    from tornkit.scaffold.layout import find_layout  # noqa: PLC0415
    from tornkit.scaffold.plan import plan_module  # noqa: PLC0415
    from tornkit.scaffold.records import module_record  # noqa: PLC0415
    from tornkit.scaffold.write import write_into  # noqa: PLC0415

    answers = _answers(name, roles, prefix, public=public, signed_in=signed_in)
    layout = find_layout()
    layout.check_free(answers.name)
    answers = replace(answers, hue=free_hue(layout.hues()))
    files = plan_module(
        answers,
        package=layout.package,
        version=tornkit.__version__,
        accounts=layout.has_accounts,
        new_group=not (layout.modules / answers.group / "__init__.py").exists(),
        folder=layout.folder,
    )
    if dry_run:
        show_plan(files)
        return
    write_into(files, layout.root, replace=module_record(answers.dotted))
    click.echo(
        f"Made the module {answers.name}, {_door(answers)}, at {answers.url}: {len(files)} files."
    )
    click.echo("\nNext:")
    click.echo(f"  pytest tests/modules/test_{answers.slug}.py")
    if answers.access == "roles" and layout.has_accounts:
        click.echo(f"  tornkit user roles EMAIL --add {answers.roles[0]}")
    else:
        click.echo("  tornkit run")


def _answers(
    name: str, roles: tuple[str, ...], prefix: str | None, *, public: bool, signed_in: bool
) -> ModuleAnswers:
    from tornkit.scaffold.answers import ModuleAnswers  # noqa: PLC0415
    from tornkit.scaffold.names import check_prefix, module_name, role_name  # noqa: PLC0415

    if public + signed_in + bool(roles) > 1:
        raise click.UsageError("--role, --public and --signed-in exclude one another")
    name = module_name(name)
    checked = check_prefix(prefix) if prefix is not None else ""
    if public:
        return ModuleAnswers(name, "public", prefix=checked)
    if signed_in:
        return ModuleAnswers(name, "signed-in", prefix=checked)
    named = tuple(dict.fromkeys(role_name(role) for role in roles))
    return ModuleAnswers(name, "roles", named or (name.rpartition("/")[2],), checked)


def _door(answers: ModuleAnswers) -> str:
    match answers.access:
        case "public":
            return "for everybody"
        case "signed-in":
            return "for whoever is signed in"
        case _:
            return f"for {' and '.join(answers.roles)}"


@click.command("remove-module", epilog="Example: tornkit remove-module librarian")
@click.argument("name")
def remove_module(name: str) -> None:
    """Remove a module that add-module wrote, sparing edited files."""
    from tornkit.scaffold.layout import find_layout  # noqa: PLC0415 - --help does without
    from tornkit.scaffold.names import module_name  # noqa: PLC0415
    from tornkit.scaffold.remove import plan_removal, remove  # noqa: PLC0415

    name = module_name(name)
    layout = find_layout()
    removal = plan_removal(layout, name)
    remove(layout, removal)
    _tell(removal)


def _tell(removal: Removal) -> None:
    count = len(removal.removed)
    click.echo(f"Removed the module {removal.dotted}: {count} file{'s' if count > 1 else ''}.")
    for path in removal.edited:
        click.echo(f"Kept {path}: it was edited.")
    for path in removal.added:
        click.echo(f"Kept {path}: it was not generated.")
    if any(path.endswith("/__init__.py") for path in removal.edited):
        click.echo("The site does not start until what is left is completed or deleted.", err=True)
