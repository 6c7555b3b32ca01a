"""The settings class that the tests load."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from tornkit.settings import Section, Settings

if TYPE_CHECKING:
    from tornkit.errors import SettingsError


class Smtp(Section):
    host: str = "localhost"
    port: int = 25
    password: SecretStr = SecretStr("")


class Printer(BaseModel):
    name: str
    pin: int = 0


class School(Settings, env_prefix="MYSCHOOL_"):
    classes: Annotated[int, Field(ge=1, le=99)] = 12
    ratio: float = 0.5
    kind: Literal["primary", "secondary"] = "primary"
    motto: str | None = None
    api_key: SecretStr = SecretStr("")
    upstream_password: str = ""
    smtp: Smtp = Smtp(host="mail.example")
    printers: list[Printer] = Field(default_factory=list)
    printer: Printer | None = None
    places: dict[str, int] = Field(default_factory=lambda: {"pupils": 30})
    anything: Any = None
    pause: timedelta = timedelta(seconds=5)

    @field_validator("motto")
    @classmethod
    def _no_shouting(cls, value: str | None) -> str | None:
        if value and value.isupper():
            raise ValueError("expected a motto that does not shout")
        return value

    @model_validator(mode="after")
    def _leaky(self) -> Self:
        if self.classes == 66:
            raise ValueError(f"bad with {self.api_key.get_secret_value()}")
        return self


def problems(error: SettingsError) -> dict[str, tuple[str, str, str]]:
    """Return the parts of the problems by key."""
    return {each.key: (each.origin, each.found, each.expected) for each in error.problems}
