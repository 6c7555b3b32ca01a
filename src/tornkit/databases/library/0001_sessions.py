"""Create the tables of sessions.

The stores in ``tornkit.sessions`` declare the same columns; a test compares the two.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001_sessions"
down_revision: str | None = None


def _exact(length: int) -> sa.String:
    # MySQL and MariaDB compare text without regard to case unless told otherwise.
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "tornkit_session",
        sa.Column("id_hash", sa.CHAR(64), nullable=False),
        sa.Column("user_id", _exact(64), nullable=True),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("seen_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.Column("meta", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name="pk_tornkit_session"),
    )
    op.create_index("ix_tornkit_session_user_id", "tornkit_session", ["user_id"])
    op.create_index("ix_tornkit_session_expires_at", "tornkit_session", ["expires_at"])
    op.create_table(
        "tornkit_session_key",
        sa.Column("id_hash", sa.CHAR(64), nullable=False),
        sa.Column("name", _exact(255), nullable=False),
        sa.Column("value", _LONG, nullable=False),
        sa.ForeignKeyConstraint(
            ["id_hash"],
            ["tornkit_session.id_hash"],
            name="fk_tornkit_session_key_id_hash_tornkit_session",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id_hash", "name", name="pk_tornkit_session_key"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("tornkit_session_key")
    op.drop_table("tornkit_session")
