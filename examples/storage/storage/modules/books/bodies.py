"""What clients send to this module."""

from typing import Annotated

from pydantic import BaseModel, StringConstraints

from storage.fields import Body

Isbn = Annotated[str, StringConstraints(pattern=r"^97[89][0-9]{10}$")]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Author = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class NewBook(Body):
    """A book that the shop did not have."""

    isbn: Isbn
    title: Title
    author: Author


class BookChanges(Body):
    """What shall become different; what is left out stays."""

    title: Title | None = None
    author: Author | None = None


class Asked(BaseModel):
    """Which part of the list is asked for; ``paginate()`` judges it."""

    page: str = "1"
    size: str = "20"
