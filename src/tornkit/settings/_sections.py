"""The tables of settings that tornkit itself reads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from tornkit.settings._folders import absolute
from tornkit.settings._masking import is_secret_name, mask_urls
from tornkit.settings._words import Expected

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PathSettings", "Section", "ServerSettings", "SessionSettings"]

_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


class Section(BaseModel):
    """A table of settings: frozen, without unknown keys; subclass it for your own."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True
    )

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Show no password, not even one inside a URL."""
        for name, value in super().__repr_args__():
            shown = "***" if name and is_secret_name(name) and isinstance(value, str) else value
            yield name, mask_urls(shown) if isinstance(shown, str) else shown


class PathSettings(Section):
    """Folders of the site; relative ones start at the project folder."""

    log: Annotated[Path, Expected("a folder")] = Path("log")
    upload: Annotated[Path, Expected("a folder")] = Path("upload")
    data: Annotated[Path, Expected("a folder")] = Path("data")

    @field_validator("*", mode="before")
    @classmethod
    def _not_empty(cls, value: object) -> object:
        if isinstance(value, str) and (not value.strip() or "\0" in value):
            raise ValueError("expected a folder")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _from_project(cls, value: object, info: ValidationInfo) -> object:
        if not isinstance(value, Path) or not info.context:
            return value
        if value.parts[:1] == ("~",):
            value = value.expanduser()
        return absolute(info.context["project_dir"] / value)


def _cookie_name(value: str | None) -> str | None:
    if value is not None and not _COOKIE_NAME.fullmatch(value):
        raise ValueError("expected a cookie's name: letters, digits, - and _")
    return value


class SessionSettings(Section):
    """Where sessions are kept and how long they live; times in seconds."""

    store: str = "database://default"
    idle_timeout: int = Field(default=86_400, ge=1)
    absolute_timeout: int = Field(default=1_209_600, ge=1)
    touch_interval: int = Field(default=60, ge=0)
    cookie_name: Annotated[str | None, AfterValidator(_cookie_name)] = None


class ServerSettings(Section):
    """Limits of the server; times in seconds, sizes in bytes."""

    shutdown_timeout: float = Field(default=30, ge=0, allow_inf_nan=False)
    max_body_size: int = Field(default=10 * 1024 * 1024, ge=1)
