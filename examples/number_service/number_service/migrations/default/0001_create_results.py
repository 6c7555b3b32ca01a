"""Create results."""

import sqlalchemy as sa
from alembic import op

revision = "0001_create_results"
down_revision: str | None = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "results",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.String(length=32), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("factors", sa.JSON(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("found_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_results")),
        sa.UniqueConstraint("job_id", name=op.f("uq_results_job_id")),
    )
    with op.batch_alter_table("results") as batch_op:
        batch_op.create_index(batch_op.f("ix_results_found_at"), ["found_at"], unique=False)

    op.create_table(
        "summaries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(), nullable=False),
        sa.Column("results", sa.Integer(), nullable=False),
        sa.Column("slowest", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_summaries")),
    )
    with op.batch_alter_table("summaries") as batch_op:
        batch_op.create_index(batch_op.f("ix_summaries_taken_at"), ["taken_at"], unique=False)


def downgrade() -> None:
    """Take it back."""
    with op.batch_alter_table("summaries") as batch_op:
        batch_op.drop_index(batch_op.f("ix_summaries_taken_at"))

    op.drop_table("summaries")
    with op.batch_alter_table("results") as batch_op:
        batch_op.drop_index(batch_op.f("ix_results_found_at"))

    op.drop_table("results")
