"""What a project's user model is made of."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, DateTime, ForeignKey, Integer, String, Table
from sqlalchemy import Column as TableColumn
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import Mapped, declared_attr, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

from tornkit._addresses import LONGEST

if TYPE_CHECKING:
    from sqlalchemy import Dialect

__all__ = ["ROLE_LIMIT", "STAMP_LENGTH", "RoleRow", "UTCDateTime", "UserMixin", "make_stamp"]

STAMP_LENGTH = 32
"""Characters of a security stamp."""

ROLE_LIMIT = 64
"""Characters of the longest role."""


class UTCDateTime(TypeDecorator[datetime]):
    """Moments in UTC, with their zone also where the database drops it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn a moment into UTC; without a zone it is an error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give a moment its zone back."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class RoleRow:
    """One role of one user; each user model has a subclass of its own."""

    user_id: int
    role: str

    def __init__(self, role: str) -> None:
        self.role = role

    def __repr__(self) -> str:
        return f"<role {self.role}>"


def make_stamp() -> str:
    """Return a security stamp that no account ever had."""
    return secrets.token_hex(STAMP_LENGTH // 2)


def _now() -> datetime:
    # MySQL keeps whole seconds; the same everywhere compares the same.
    return datetime.now(UTC).replace(microsecond=0)


class UserMixin:
    """The columns and roles of a user model.

    Roles live in a table of their own, a row for each; they are loaded with the user.
    ``security_stamp`` is another one after every change of the password, of ``is_active`` or
    of the address: sessions and reset links that remember an older one are over.

    Example:
        >>> from sqlalchemy.orm import DeclarativeBase
        >>> class Base(DeclarativeBase): ...
        >>> class User(Base, UserMixin):
        ...     __tablename__ = "users"
        >>> sorted(Base.metadata.tables)
        ['users', 'users_roles']
    """

    id: Mapped[int] = mapped_column(Integer, primary_key=True, sort_order=-6)
    # A unique index rather than a constraint: it has a name on every database.
    email: Mapped[str] = mapped_column(String(LONGEST), unique=True, index=True, sort_order=-5)
    password_hash: Mapped[str] = mapped_column(String(255), sort_order=-4)
    # Empty only in rows that were inserted by hand, until their owner first signs in.
    security_stamp: Mapped[str] = mapped_column(
        String(STAMP_LENGTH), default=make_stamp, server_default="", sort_order=-3
    )
    is_active: Mapped[bool] = mapped_column(
        Boolean(create_constraint=False), default=True, sort_order=-2
    )
    created_at: Mapped[datetime] = mapped_column(UTCDateTime(), default=_now, sort_order=-1)

    roles: AssociationProxy[set[str]] = association_proxy("role_rows", "role")

    @declared_attr
    def role_rows(cls) -> Mapped[set[RoleRow]]:  # noqa: N805 - SQLAlchemy passes the class
        """Map the rows of the user's roles."""
        return relationship(
            _role_class(cls),
            lazy="joined",
            collection_class=set,
            cascade="all, delete-orphan",
            passive_deletes=True,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__dict__.get('id')}>"


def _role_class(model: Any) -> type[RoleRow]:
    """Map a subclass of `RoleRow` to the role table of ``model``."""
    name = model.__tablename__
    key = f"{model.metadata.schema}.{name}" if model.metadata.schema else name
    table = Table(
        f"{name}_roles",
        model.metadata,
        TableColumn(
            "user_id",
            Integer,
            ForeignKey(f"{key}.id", name=f"fk_{name}_roles_user_id_{name}", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        TableColumn("role", String(ROLE_LIMIT), primary_key=True),
    )
    table.primary_key.name = f"pk_{name}_roles"
    role_class = type(f"{model.__name__}Role", (RoleRow,), {"__module__": model.__module__})
    model.registry.map_imperatively(role_class, table)
    return role_class
