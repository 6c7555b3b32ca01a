"""All that is known of a book, under /overview, asked for at once."""

from tornkit import PUBLIC, Module, path

from .handlers import Overview

module = Module(
    access=PUBLIC,
    routes=[
        path("/{book_id:int}", Overview, name="book"),
    ],
)
