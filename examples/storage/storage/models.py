"""What the SQL database holds."""

from sqlalchemy import MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tornkit.databases import NAMING_CONVENTION


class Base(DeclarativeBase):
    """The base of every model."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Book(Base):
    """A book of the shop."""

    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    isbn: Mapped[str] = mapped_column(String(13), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    author: Mapped[str] = mapped_column(String(100))
    version: Mapped[int] = mapped_column()

    # SQLAlchemy counts it up, and changes no row whose version is another by then.
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - the name is SQLAlchemy's

    def __json__(self) -> dict[str, object]:
        """Return what answers show of a book."""
        return {"id": self.id, "isbn": self.isbn, "title": self.title, "author": self.author}
