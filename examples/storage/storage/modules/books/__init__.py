"""Books, under /books, in PostgreSQL or any other SQL database."""

from tornkit import PUBLIC, Module, path

from .handlers import BookList, OneBook

module = Module(
    access=PUBLIC,
    routes=[
        path("", BookList, name="list"),
        path("/{book_id:int}", OneBook, name="book"),
    ],
)
