"""Find the tables that a project's models declare."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from typing import TYPE_CHECKING

from sqlalchemy.orm import DeclarativeBase

from tornkit.errors import DatabaseError, UserCodeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

    from sqlalchemy import MetaData

__all__ = ["NAMING_CONVENTION", "metadata_of"]

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names for constraints, so that migrations can speak of them on every database.

Example:
    >>> from sqlalchemy import MetaData
    >>> class Base(DeclarativeBase):
    ...     metadata = MetaData(naming_convention=NAMING_CONVENTION)
"""


def metadata_of(package: str) -> dict[str, MetaData]:
    """Import ``<package>.models`` and return the tables of every bind in it.

    A declarative base belongs to the bind that its class attribute ``bind`` names, else to
    ``default``. A project without models gives an empty dict.

    Raises:
        UserCodeError: the models raised while they were imported.
        DatabaseError: two declarative bases belong to one bind.
    """
    found: dict[str, tuple[type[DeclarativeBase], MetaData]] = {}
    for module in _modules(f"{package}.models"):
        for base in _bases(module):
            bind = base.__dict__.get("bind", "default")
            known = found.setdefault(str(bind), (base, base.metadata))
            if known[1] is not base.metadata:
                names = " and ".join(f"{b.__module__}.{b.__qualname__}" for b in (known[0], base))
                raise DatabaseError(
                    f"two declarative bases belong to database {bind!r}: {names}",
                    hint='give one of them another bind, as in `bind = "archive"`',
                    check_id="databases.two-bases",
                )
    return {bind: metadata for bind, (_, metadata) in found.items()}


def _modules(dotted: str) -> Iterator[ModuleType]:
    parent = _import(dotted.rpartition(".")[0])
    if importlib.util.find_spec(dotted) is None:
        return
    module = _import(dotted)
    yield module
    for child in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{dotted}."):
        yield _import(child.name)
    del parent


def _import(dotted: str) -> ModuleType:
    try:
        return importlib.import_module(dotted)
    except Exception as error:
        spec_file = getattr(importlib.util.find_spec(dotted), "origin", None)
        raise UserCodeError(
            f"the models ({dotted}) could not be imported: {type(error).__name__}: {error}",
            file=spec_file,
            check_id="databases.models",
        ) from error


def _bases(module: ModuleType) -> Iterator[type[DeclarativeBase]]:
    """Yield the declarative bases that the module holds or whose models it holds."""
    for value in list(vars(module).values()):
        if isinstance(value, type) and issubclass(value, DeclarativeBase):
            for kind in value.__mro__:
                if DeclarativeBase in kind.__bases__:
                    yield kind
