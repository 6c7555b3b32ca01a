"""Turn answers into finished files, records included; nothing here touches the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornkit.scaffold.records import PROJECT_RECORD, module_record, record
from tornkit.scaffold.render import find_templates, render

if TYPE_CHECKING:
    from pathlib import Path

    from tornkit.scaffold.answers import ModuleAnswers, ProjectAnswers
    from tornkit.scaffold.render import Files

__all__ = ["SECRETS", "plan_module", "plan_project"]

SECRETS = ".env"
"""The file of a project that holds a password; it is in no record and not for Git."""


def plan_project(answers: ProjectAnswers, version: str, *, templates: Path | None = None) -> Files:
    """Return every file of a project: its frame, its accounts, its modules, their records.

    ``templates`` is the folder of the sets ``project``, ``accounts``, ``secret``, ``module``
    and ``group``; tornkit's own by default.
    """
    templates = templates or find_templates()
    values = {
        "project": answers,
        "package": answers.package,
        "database": answers.database,
        "modules": answers.modules,
        "version": version,
    }
    paths = {"package": answers.package}
    files: Files = {}
    for name in _sets(answers):
        files |= render(templates / name, values, paths)
    # Never recorded: the hash of a file with a password is a hint at the password.
    recorded = {path: content for path, content in files.items() if path != SECRETS}
    files[PROJECT_RECORD] = record(version, answers.as_record(), recorded)
    groups: set[str] = set()
    for module in answers.modules:
        files |= plan_module(
            module,
            package=answers.package,
            version=version,
            accounts=not answers.minimal,
            new_group=module.group not in groups,
            templates=templates,
        )
        groups.add(module.group)
    return files


def plan_module(
    answers: ModuleAnswers,
    *,
    package: str,
    version: str,
    accounts: bool = True,
    new_group: bool = True,
    folder: str = "",
    templates: Path | None = None,
) -> Files:
    """Return every file of a module, its record last.

    Args:
        answers: what to write.
        package: the import name of the project.
        version: of tornkit, for the record.
        accounts: whether the project has a page to sign in at.
        new_group: whether the group above it has to be written too.
        folder: the path of the package in the project, when it is not its name.
        templates: where the sets ``module`` and ``group`` are; tornkit's own by default.
    """
    templates = templates or find_templates()
    values = {"module": answers, "package": package, "accounts": accounts}
    paths = {
        "package": folder or package,
        "module": answers.name,
        "group": answers.group,
        "name": answers.short,
        "slug": answers.slug,
    }
    files = render(templates / "module", values, paths)
    group = render(templates / "group", values, paths) if answers.group else {}
    # Every module of a group remembers the group's file, for the last one takes it along.
    remembered = record(version, answers.as_record(), files | group)
    return files | (group if new_group else {}) | {module_record(answers.dotted): remembered}


def _sets(answers: ProjectAnswers) -> tuple[str, ...]:
    """Return the sets of templates that a project is made of."""
    if answers.database is None:
        return ("project",)
    return ("project", "accounts", *(["secret"] if answers.database.secret else []))
