"""What visitors ask for."""

from typing import Annotated

from pydantic import BaseModel, Field

MAX_N = 20_000
"""The largest n: its factorial has 77,338 digits."""


class Number(BaseModel):
    """The n of n!."""

    n: Annotated[int, Field(ge=0, le=MAX_N)]
