"""Create books."""

import sqlalchemy as sa
from alembic import op

revision = "0001_create_books"
down_revision: str | None = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "books",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("isbn", sa.String(length=13), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("author", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_books"),
        sa.UniqueConstraint("isbn", name="uq_books_isbn"),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("books")
