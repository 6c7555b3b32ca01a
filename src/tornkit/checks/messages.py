"""One finding as plain data, and how an error becomes one."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from tornkit.errors import SettingsError, TornkitError, UserCodeError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tornkit.errors import SettingProblem

__all__ = ["Message", "errors_only", "from_error"]

Level = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Message:
    """One finding.

    Attributes:
        id: the heading under which the reference explains it.
        object: what it is about: a setting's key, a template, a database, a role.
        file: the file at fault, where one is known.
        line: the line in it, counted from 1.
    """

    id: str
    level: Level
    message: str
    hint: str = ""
    object: str | None = None
    file: str | None = None
    line: int | None = None

    def as_json(self) -> dict[str, str | int | None]:
        """Return the stable form for machines."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


def errors_only(messages: Iterable[Message]) -> list[Message]:
    """Return the findings that keep a site from starting."""
    return [message for message in messages if message.level == "error"]


def from_error(error: TornkitError) -> list[Message]:
    """Return an error as findings: one for each bad setting, else one."""
    if isinstance(error, SettingsError):
        return [from_setting(problem) for problem in error.problems]
    message = error.message
    if isinstance(error, UserCodeError) and error.__cause__ is not None:
        cause = error.__cause__
        said = f"{type(cause).__name__}: {cause}"
        message = message if said in message else f"{message}: {said}"
    return [
        Message(
            error.check_id or "app.error",
            "error",
            message,
            error.hint,
            file=error.file,
            line=error.line,
        )
    ]


def from_setting(
    problem: SettingProblem, *, level: Level = "error", check_id: str | None = None
) -> Message:
    """Return a bad setting as a finding; a file and a line where its origin is one."""
    file, _, line = problem.origin.rpartition(":")
    known = bool(file) and line.isdigit()
    return Message(
        check_id or problem.check_id,
        level,
        f"settings: {problem}".removesuffix(f"; {problem.hint}" if problem.hint else ""),
        problem.hint,
        object=problem.key,
        file=file if known else None,
        line=int(line) if known else None,
    )
