"""What clients send to this module."""

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from storage.fields import Body, BookId, Slug

Stars = Annotated[int, Field(ge=1, le=5)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5000)]


class NewReview(Body):
    """What a reader thinks of a book."""

    book_id: BookId
    reader: Slug
    stars: Stars
    text: Text = ""


class ReviewChanges(Body):
    """What shall become different; what is left out stays."""

    stars: Stars | None = None
    text: Text | None = None


class Asked(BaseModel):
    """Which part of the list is asked for: what follows the id ``after``."""

    book: BookId | None = None
    after: str = ""
    size: Annotated[int, Field(ge=1, le=100)] = 20
