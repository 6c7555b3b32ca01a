"""Databases by name: SQL engines, transaction blocks, migrations.

What a request does with them stands in `tornkit.handlers`; users in `tornkit.accounts`.
"""

from __future__ import annotations

from tornkit.databases.binds import Databases
from tornkit.databases.metadata import NAMING_CONVENTION, metadata_of
from tornkit.databases.migrations import Migrations, MigrationStatus
from tornkit.databases.sql import SQLDatabase

__all__ = [
    "NAMING_CONVENTION",
    "Databases",
    "MigrationStatus",
    "Migrations",
    "SQLDatabase",
    "metadata_of",
]
