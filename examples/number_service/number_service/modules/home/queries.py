"""What visitors send."""

from typing import Annotated

from pydantic import BaseModel, Field

MAX_N = 2**53 - 1
"""The largest number that JavaScript reads exactly from JSON; it takes about three seconds."""


class Number(BaseModel):
    """A number to take apart."""

    n: Annotated[int, Field(ge=1, le=MAX_N)]
    key: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = None
    """Of requests that are sent again with one key, only the first one starts a job."""


class Asked(BaseModel):
    """Which part of the history is asked for; ``paginate()`` judges it."""

    page: str = "1"
