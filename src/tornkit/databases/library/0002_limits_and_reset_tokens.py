"""Create the tables of limits and of links that reset a password.

``tornkit.security.limits`` and ``tornkit.accounts`` declare the same columns; a test
compares them.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_limits_and_reset_tokens"
down_revision: str | None = "0001_sessions"


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "tornkit_limit",
        sa.Column("key_hash", sa.CHAR(64), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name="pk_tornkit_limit"),
    )
    op.create_index("ix_tornkit_limit_expires_at", "tornkit_limit", ["expires_at"])
    op.create_table(
        "tornkit_reset_token",
        sa.Column("token_hash", sa.CHAR(64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("security_stamp", sa.String(32), nullable=False),
        sa.Column("created_at", sa.Double(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_tornkit_reset_token"),
    )
    op.create_index("ix_tornkit_reset_token_user_id", "tornkit_reset_token", ["user_id"])
    op.create_index("ix_tornkit_reset_token_expires_at", "tornkit_reset_token", ["expires_at"])


def downgrade() -> None:
    """Take it back."""
    op.drop_table("tornkit_reset_token")
    op.drop_table("tornkit_limit")
