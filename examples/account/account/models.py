"""What the site's database holds."""

from sqlalchemy import MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tornkit import UserMixin
from tornkit.databases import NAMING_CONVENTION


class Base(DeclarativeBase):
    """The base of every model."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class User(Base, UserMixin):
    """Somebody with an account; ``UserMixin`` brings e-mail, password, roles and is_active."""

    __tablename__ = "users"

    name: Mapped[str] = mapped_column(String(80), default="")

    def __json__(self) -> dict[str, object]:
        """Return what answers show of an account."""
        return {
            "id": self.id,
            "email": self.email,
            "name": self.name,
            "created_at": self.created_at,
        }
