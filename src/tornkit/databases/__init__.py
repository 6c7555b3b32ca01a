"""Databases by name: SQL engines, transaction blocks, migrations.

What a request does with them stands in `tornkit.handlers`; users in `tornkit.accounts`.
"""

from __future__ import annotations

from tornkit.databases.bind import Bind
from tornkit.databases.binds import Binds, Databases
from tornkit.databases.http import HTTPService
from tornkit.databases.metadata import NAMING_CONVENTION, metadata_of
from tornkit.databases.migrations import Migrations, MigrationStatus
from tornkit.databases.mongodb import MongoDatabase
from tornkit.databases.page import CursorPage, Page
from tornkit.databases.pages import paginate
from tornkit.databases.redis import RedisDatabase
from tornkit.databases.sql import SQLDatabase

__all__ = [
    "NAMING_CONVENTION",
    "Bind",
    "Binds",
    "CursorPage",
    "Databases",
    "HTTPService",
    "MigrationStatus",
    "Migrations",
    "MongoDatabase",
    "Page",
    "RedisDatabase",
    "SQLDatabase",
    "metadata_of",
    "paginate",
]
