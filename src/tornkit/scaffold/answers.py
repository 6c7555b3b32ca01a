"""The answers that a project and a module are written from: plain, frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from tornkit.scaffold.database import DatabaseURL
    from tornkit.scaffold.names import ProjectName

__all__ = ["ModuleAnswers", "ProjectAnswers"]


@dataclass(frozen=True, slots=True)
class ModuleAnswers:
    """What a module is written from.

    ``prefix`` is "" for the one its name gives; ``hue`` is its colour, an angle in degrees.
    """

    name: str
    access: Literal["public", "signed-in", "roles"]
    roles: tuple[str, ...] = ()
    prefix: str = ""
    hue: int = 0

    @property
    def group(self) -> str:
        """The package above the module, or "" for none."""
        return self.name.rpartition("/")[0]

    @property
    def slug(self) -> str:
        """The name in one word, for file names."""
        return self.name.replace("/", "_")

    @property
    def dotted(self) -> str:
        """The name as routes and records spell it."""
        return self.name.replace("/", ".")

    @property
    def short(self) -> str:
        """The name without its group."""
        return self.name.rpartition("/")[2]

    @property
    def label(self) -> str:
        """The name as a heading."""
        return self.noun.capitalize()

    @property
    def noun(self) -> str:
        """The name inside a sentence."""
        return self.short.replace("_", " ")

    @property
    def group_noun(self) -> str:
        """The group's name inside a sentence."""
        return self.group.replace("_", " ")

    @property
    def url(self) -> str:
        """The address of its first page."""
        return f"{self.prefix or '/' + self.name.replace('_', '-')}/"

    @property
    def summary(self) -> str:
        """One sentence that says what it is and whom it is for."""
        plain = f"The {self.noun} area: pages for {self._audience}."
        # Names may be long, and a docstring has to fit on its line.
        return plain if len(plain) <= 90 else f"Pages for {self._those}."

    @property
    def _audience(self) -> str:
        if self.access != "roles":
            return self._those
        *others, last = self.roles
        return f"the roles {', '.join(others)} and {last}" if others else f"the role {last}"

    @property
    def _those(self) -> str:
        match self.access:
            case "public":
                return "everybody"
            case "signed-in":
                return "whoever is signed in"
            case _:
                return "its role" if len(self.roles) == 1 else "its roles"

    def as_record(self) -> dict[str, object]:
        """Return the answers as JSON data."""
        return {
            "name": self.name,
            "access": self.access,
            "roles": list(self.roles),
            "prefix": self.prefix,
            "hue": self.hue,
        }


@dataclass(frozen=True, slots=True)
class ProjectAnswers:
    """What a project is written from; ``database`` is None for a minimal one."""

    name: ProjectName
    modules: tuple[ModuleAnswers, ...] = ()
    database: DatabaseURL | None = None

    @property
    def package(self) -> str:
        """The import name."""
        return self.name.package

    @property
    def minimal(self) -> bool:
        """Whether it goes without accounts and a database."""
        return self.database is None

    @property
    def label(self) -> str:
        """The name as a heading."""
        return self.package.replace("_", " ").capitalize()

    @property
    def initial(self) -> str:
        """Its first letter, for the icon."""
        return self.label[0]

    @property
    def prefix(self) -> str:
        """What its environment variables begin with."""
        return f"{self.package.upper()}_"

    def as_record(self) -> dict[str, object]:
        """Return the answers as JSON data, without any password."""
        return {
            "name": self.name.name,
            "package": self.package,
            "modules": [module.name for module in self.modules],
            "database": self.database.public if self.database else None,
            "minimal": self.minimal,
        }
