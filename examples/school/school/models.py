"""What the site's database holds."""

from datetime import date

from sqlalchemy import ForeignKey, MetaData, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tornkit import UserMixin
from tornkit.databases import NAMING_CONVENTION


class Base(DeclarativeBase):
    """The base of every model."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class User(Base, UserMixin):
    """Somebody with an account; ``UserMixin`` brings e-mail, password, roles and is_active."""

    __tablename__ = "users"


class Course(Base):
    """What one teacher teaches."""

    __tablename__ = "courses"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(80))
    teacher_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)


class Enrollment(Base):
    """A student in a course."""

    __tablename__ = "enrollments"
    __table_args__ = (UniqueConstraint("course_id", "student_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("courses.id", ondelete="CASCADE"))
    student_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)


class Grade(Base):
    """What a student reached in one piece of work: 0 to 100 points."""

    __tablename__ = "grades"

    id: Mapped[int] = mapped_column(primary_key=True)
    enrollment_id: Mapped[int] = mapped_column(
        ForeignKey("enrollments.id", ondelete="CASCADE"), index=True
    )
    work: Mapped[str] = mapped_column(String(80))
    points: Mapped[int]
    given_on: Mapped[date]
