"""What the site's database holds."""

from datetime import datetime

from sqlalchemy import JSON, BigInteger, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tornkit.databases import NAMING_CONVENTION


class Base(DeclarativeBase):
    """The base of every model; times are in UTC."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Result(Base):
    """A number that was taken apart; a job has one, however often it ran."""

    __tablename__ = "results"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(String(32), unique=True)
    n: Mapped[int] = mapped_column(BigInteger)
    factors: Mapped[list[int]] = mapped_column(JSON)
    seconds: Mapped[float]
    found_at: Mapped[datetime] = mapped_column(index=True)


class Summary(Base):
    """What there was at one moment."""

    __tablename__ = "summaries"

    id: Mapped[int] = mapped_column(primary_key=True)
    taken_at: Mapped[datetime] = mapped_column(index=True)
    results: Mapped[int]
    slowest: Mapped[float]
