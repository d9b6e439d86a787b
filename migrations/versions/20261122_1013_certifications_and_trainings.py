"""certifications and trainings."""

import sqlalchemy as sa
from alembic import op

revision = "8e4fa25dc043"
down_revision = "7d3e914cbf32"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certification",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("kind_id", sa.Integer(), nullable=True),
        sa.Column("machine_id", sa.Integer(), nullable=True),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("suspended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_for", sa.Date(), nullable=True),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.CheckConstraint(
            "(kind_id IS NULL) <> (machine_id IS NULL)", name=op.f("ck_certification_one_thing")
        ),
        sa.CheckConstraint("level BETWEEN 1 AND 3", name=op.f("ck_certification_level")),
        sa.ForeignKeyConstraint(["kind_id"], ["kind.id"], name=op.f("fk_certification_kind_id")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_certification_lab_id")),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name=op.f("fk_certification_machine_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_certification_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certification")),
        sa.UniqueConstraint("code", name=op.f("uq_certification_code")),
    )
    op.create_index(op.f("ix_certification_lab_id"), "certification", ["lab_id"], unique=False)
    op.create_index(
        "uq_certification",
        "certification",
        [
            "member_id",
            sa.literal_column("coalesce(kind_id, 0)"),
            sa.literal_column("coalesce(machine_id, 0)"),
        ],
        unique=True,
    )
    op.create_table(
        "training",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("kind_id", sa.Integer(), nullable=True),
        sa.Column("machine_id", sa.Integer(), nullable=True),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("notes", sa.String(length=2000), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("places", sa.Integer(), nullable=False),
        sa.Column("trainer_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("(kind_id IS NULL) <> (machine_id IS NULL)", name=op.f("ck_training_one_thing")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_training_span")),
        sa.CheckConstraint("level BETWEEN 1 AND 3", name=op.f("ck_training_level")),
        sa.CheckConstraint("places BETWEEN 1 AND 500", name=op.f("ck_training_places")),
        sa.ForeignKeyConstraint(["kind_id"], ["kind.id"], name=op.f("fk_training_kind_id")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_training_lab_id")),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name=op.f("fk_training_machine_id")),
        sa.ForeignKeyConstraint(["trainer_id"], ["member.id"], name=op.f("fk_training_trainer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_training")),
    )
    op.create_index("ix_training_lab_id_starts_at", "training", ["lab_id", "starts_at"], unique=False)
    op.create_index("ix_training_starts_at", "training", ["starts_at"], unique=False)
    op.create_table(
        "certification_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("certification_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("change", sa.String(length=10), nullable=False),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("training_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.CheckConstraint(
            "change IN ('granted', 'renewed', 'suspended', 'resumed', 'revoked')",
            name=op.f("ck_certification_change_change"),
        ),
        sa.ForeignKeyConstraint(
            ["certification_id"],
            ["certification.id"],
            name=op.f("fk_certification_change_certification_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_certification_change_member_id")),
        sa.ForeignKeyConstraint(
            ["training_id"], ["training.id"], name=op.f("fk_certification_change_training_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certification_change")),
    )
    op.create_index(
        op.f("ix_certification_change_certification_id"),
        "certification_change",
        ["certification_id"],
        unique=False,
    )
    op.create_table(
        "enrolment",
        sa.Column("training_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('enrolled', 'waiting', 'cancelled', 'attended', 'absent')",
            name=op.f("ck_enrolment_state"),
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_enrolment_member_id")),
        sa.ForeignKeyConstraint(
            ["training_id"], ["training.id"], name=op.f("fk_enrolment_training_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("training_id", "member_id", name=op.f("pk_enrolment")),
    )
    op.create_index(op.f("ix_enrolment_member_id"), "enrolment", ["member_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_enrolment_member_id"), table_name="enrolment")
    op.drop_table("enrolment")
    op.drop_index(op.f("ix_certification_change_certification_id"), table_name="certification_change")
    op.drop_table("certification_change")
    op.drop_index("ix_training_starts_at", table_name="training")
    op.drop_index("ix_training_lab_id_starts_at", table_name="training")
    op.drop_table("training")
    op.drop_index("uq_certification", table_name="certification")
    op.drop_index(op.f("ix_certification_lab_id"), table_name="certification")
    op.drop_table("certification")
