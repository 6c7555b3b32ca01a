"""Answers for projects and modules, in every combination that matters."""

from __future__ import annotations

from tornkit.scaffold.answers import ModuleAnswers, ProjectAnswers
from tornkit.scaffold.database import DEFAULT_DATABASE, database_url
from tornkit.scaffold.names import project_name

LONGEST = "a" * 40
LONG_ROLES = tuple(f"{letter * 64}" for letter in "bcd")

MODULES = {
    "none": (),
    "one": (ModuleAnswers("student", "roles", ("student",)),),
    "all": (
        ModuleAnswers("student", "roles", ("student",)),
        ModuleAnswers("head_master", "roles", ("teacher", "head-master")),
        ModuleAnswers("news", "public"),
        ModuleAnswers("club", "signed-in", prefix="/the/club"),
        ModuleAnswers("staff/cook", "roles", ("cook",)),
        ModuleAnswers("staff/nurse", "roles", ("nurse",), "/infirmary"),
    ),
    "longest": (
        ModuleAnswers(LONGEST, "roles", LONG_ROLES),
        ModuleAnswers(f"e{LONGEST[2:]}", "signed-in"),
        ModuleAnswers(f"f/{LONGEST[2:]}", "roles", LONG_ROLES[:1], f"/{'p' * 79}"),
        ModuleAnswers(f"{LONGEST[2:]}/p", "public"),
    ),
}
DATABASES = {
    "minimal": None,
    "default": DEFAULT_DATABASE,
    "quoted": database_url('sqlite:///data/a "b" c.db'),
    "postgresql": database_url("postgresql://ada@localhost/school"),
    "secret": database_url("mysql://ada:s3cret-word@localhost/school"),
}
NAMES = {"short": "s", "dashed": "my-school", "late": "zz_9", "longest": LONGEST}


def answers(name: str, modules: str, database: str) -> ProjectAnswers:
    return ProjectAnswers(project_name(NAMES[name]), MODULES[modules], DATABASES[database])
