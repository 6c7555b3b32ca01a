"""What clients send to this module."""

from typing import Annotated

from pydantic import Field

from storage.fields import Body, BookId

Count = Annotated[int, Field(ge=1, le=99)]


class More(Body):
    """So many more of a book."""

    book_id: BookId
    count: Count = 1


class Exactly(Body):
    """So many of a book, however many there were."""

    count: Count
