"""group bookings and projects of bookings."""

import sqlalchemy as sa
from alembic import op

revision = "9f50b36ed154"
down_revision = "8e4fa25dc043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "participant",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.String(length=254), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_participant_booking_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_participant_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_participant")),
    )
    op.create_index(op.f("ix_participant_booking_id"), "participant", ["booking_id"], unique=False)
    op.create_index(op.f("ix_participant_member_id"), "participant", ["member_id"], unique=False)
    op.create_index("uq_participant", "participant", ["booking_id", "member_id"], unique=True)
    op.add_column("booking", sa.Column("organisation_id", sa.BigInteger(), nullable=True))
    op.add_column("booking", sa.Column("project_id", sa.BigInteger(), nullable=True))
    op.add_column("booking", sa.Column("head_count", sa.Integer(), server_default="1", nullable=False))
    op.create_index(
        "ix_booking_organisation_id_starts_at",
        "booking",
        ["organisation_id", "starts_at"],
        unique=False,
        postgresql_where="organisation_id IS NOT NULL",
    )
    op.create_index(
        "ix_booking_project_id",
        "booking",
        ["project_id"],
        unique=False,
        postgresql_where="project_id IS NOT NULL",
    )
    op.create_foreign_key(
        op.f("fk_booking_organisation_id"), "booking", "organisation", ["organisation_id"], ["id"]
    )
    op.create_foreign_key(op.f("fk_booking_project_id"), "booking", "project", ["project_id"], ["id"])
    op.create_check_constraint(op.f("ck_booking_head_count"), "booking", "head_count BETWEEN 1 AND 500")


def downgrade() -> None:
    op.drop_constraint(op.f("fk_booking_project_id"), "booking", type_="foreignkey")
    op.drop_constraint(op.f("fk_booking_organisation_id"), "booking", type_="foreignkey")
    op.drop_index("ix_booking_project_id", table_name="booking", postgresql_where="project_id IS NOT NULL")
    op.drop_index(
        "ix_booking_organisation_id_starts_at",
        table_name="booking",
        postgresql_where="organisation_id IS NOT NULL",
    )
    op.drop_column("booking", "head_count")
    op.drop_column("booking", "project_id")
    op.drop_column("booking", "organisation_id")
    op.drop_index("uq_participant", table_name="participant")
    op.drop_index(op.f("ix_participant_member_id"), table_name="participant")
    op.drop_index(op.f("ix_participant_booking_id"), table_name="participant")
    op.drop_table("participant")
