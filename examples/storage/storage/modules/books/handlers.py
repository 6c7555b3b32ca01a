"""List, add, show, change and remove books."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.exc import StaleDataError
from tornkit import AppError, FormError
from tornkit.databases import paginate
from tornkit.errors import FieldError, StaleData

from storage.errors import CHANGED_MEANWHILE, ISBN_TAKEN
from storage.handlers import Versioned
from storage.models import Book

from .bodies import Asked, BookChanges, NewBook


class BookList(Versioned):
    """All books, in pages."""

    async def get(self) -> None:
        asked = self.parse_query(Asked)
        books = select(Book).order_by(Book.title)
        async with self.db(read_only=True) as session:
            page = await paginate(session, books, page=asked.page, size=asked.size)
        self.response_json(books=page)

    async def post(self) -> None:
        book = Book(**self.parse_json(NewBook).model_dump())
        try:
            async with self.db() as session:
                session.add(book)
        except IntegrityError as error:
            taken = FieldError("isbn", ISBN_TAKEN.message, "taken")
            raise FormError([taken], code=ISBN_TAKEN) from error
        self.show_version(book.version)
        self.created(self.reverse_url("books:book", book_id=book.id), book=book)


class OneBook(Versioned):
    """One book."""

    async def get(self, book_id: int) -> None:
        async with self.db(read_only=True) as session:
            book = await find(session, book_id)
        self.show_version(book.version)
        self.response_json(book=book)

    async def patch(self, book_id: int) -> None:
        changes = self.parse_json(BookChanges)
        async with self.changing(book_id) as (_, book):
            for name, value in changes.model_dump(exclude_none=True).items():
                setattr(book, name, value)
        self.show_version(book.version)
        self.response_json(book=book)

    async def delete(self, book_id: int) -> None:
        async with self.changing(book_id) as (session, book):
            await session.delete(book)
        self.deleted()

    @asynccontextmanager
    async def changing(self, book_id: int) -> AsyncIterator[tuple[AsyncSession, Book]]:
        """Give a book to change, and refuse whoever has seen another version of it."""
        try:
            async with self.db() as session:
                book = await find(session, book_id)
                self.check_version(book.version)
                yield session, book
        except (StaleDataError, StaleData) as error:  # changed since it was found
            raise AppError(CHANGED_MEANWHILE) from error


async def find(session: AsyncSession, book_id: int) -> Book:
    """Return a book, or end the request with a 404."""
    book = await session.get(Book, book_id)
    if book is None:
        raise AppError(404)
    return book
