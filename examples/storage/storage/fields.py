"""Kinds of values that several modules take from clients."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# What an INTEGER column of PostgreSQL holds.
LARGEST_ID = 2**31 - 1

BookId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]


class Body(BaseModel):
    """A key that is not known is refused, for it may be a misspelt one."""

    model_config = ConfigDict(extra="forbid")
