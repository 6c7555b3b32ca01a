"""Add courses and grades."""

import sqlalchemy as sa
from alembic import op

revision = "0002_add_courses_and_grades"
down_revision: str | None = "0001_create_users"


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "courses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=80), nullable=False),
        sa.Column("teacher_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["teacher_id"], ["users.id"], name=op.f("fk_courses_teacher_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courses")),
    )
    with op.batch_alter_table("courses") as batch_op:
        batch_op.create_index(batch_op.f("ix_courses_teacher_id"), ["teacher_id"], unique=False)

    op.create_table(
        "enrollments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("student_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"],
            ["courses.id"],
            name=op.f("fk_enrollments_course_id_courses"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["users.id"], name=op.f("fk_enrollments_student_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_enrollments")),
        sa.UniqueConstraint(
            "course_id", "student_id", name=op.f("uq_enrollments_course_id_student_id")
        ),
    )
    with op.batch_alter_table("enrollments") as batch_op:
        batch_op.create_index(
            batch_op.f("ix_enrollments_student_id"), ["student_id"], unique=False
        )

    op.create_table(
        "grades",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("enrollment_id", sa.Integer(), nullable=False),
        sa.Column("work", sa.String(length=80), nullable=False),
        sa.Column("points", sa.Integer(), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(
            ["enrollment_id"],
            ["enrollments.id"],
            name=op.f("fk_grades_enrollment_id_enrollments"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grades")),
    )
    with op.batch_alter_table("grades") as batch_op:
        batch_op.create_index(
            batch_op.f("ix_grades_enrollment_id"), ["enrollment_id"], unique=False
        )


def downgrade() -> None:
    """Take it back."""
    with op.batch_alter_table("grades") as batch_op:
        batch_op.drop_index(batch_op.f("ix_grades_enrollment_id"))

    op.drop_table("grades")
    with op.batch_alter_table("enrollments") as batch_op:
        batch_op.drop_index(batch_op.f("ix_enrollments_student_id"))

    op.drop_table("enrollments")
    with op.batch_alter_table("courses") as batch_op:
        batch_op.drop_index(batch_op.f("ix_courses_teacher_id"))

    op.drop_table("courses")
