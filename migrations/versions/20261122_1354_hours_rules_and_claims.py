"""hours rules and claims."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "068ffca078ce"
down_revision = "a061c47fe265"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "rules_version",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_rules_version_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rules_version")),
    )
    op.create_table(
        "notice_choice",
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("notice", sa.String(length=40), nullable=False),
        sa.Column("by_mail", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_notice_choice_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("member_id", "notice", name=op.f("pk_notice_choice")),
    )
    op.create_table(
        "calendar_source",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("etag", sa.String(length=200), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["lab_id"], ["lab.id"], name=op.f("fk_calendar_source_lab_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_source")),
    )
    op.create_index(op.f("ix_calendar_source_lab_id"), "calendar_source", ["lab_id"], unique=False)
    op.create_table(
        "preset",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_preset_lab_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_preset")),
        sa.UniqueConstraint("lab_id", "name", name=op.f("uq_preset_lab_id_name")),
    )
    op.create_table(
        "season",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column("priority", sa.SmallInteger(), nullable=False),
        sa.Column("proposal", sa.String(length=60), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.CheckConstraint("ends_on >= starts_on", name=op.f("ck_season_days")),
        sa.CheckConstraint("state IN ('proposed', 'confirmed', 'declined')", name=op.f("ck_season_state")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_season_lab_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_season")),
        sa.UniqueConstraint("lab_id", "proposal", name=op.f("uq_season_lab_id_proposal")),
    )
    op.create_table(
        "webhook",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=True),
        sa.Column("created_by_id", sa.BigInteger(), nullable=True),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("events", sa.ARRAY(sa.String(length=40)), nullable=False),
        sa.Column("secret", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["created_by_id"], ["member.id"], name=op.f("fk_webhook_created_by_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_webhook_lab_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    op.create_index(op.f("ix_webhook_lab_id"), "webhook", ["lab_id"], unique=False)
    op.create_table(
        "calendar_key",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=True),
        sa.Column("lab_id", sa.Integer(), nullable=True),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("machine_id IS NULL OR lab_id IS NULL", name=op.f("ck_calendar_key_one_thing")),
        sa.ForeignKeyConstraint(
            ["lab_id"], ["lab.id"], name=op.f("fk_calendar_key_lab_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name=op.f("fk_calendar_key_machine_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_calendar_key_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_key")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_calendar_key_key_hash")),
    )
    op.create_index(op.f("ix_calendar_key_member_id"), "calendar_key", ["member_id"], unique=False)
    op.create_table(
        "closure",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=True),
        sa.Column("label", sa.String(length=120), nullable=False),
        sa.Column("local_starts", sa.DateTime(), nullable=False),
        sa.Column("local_ends", sa.DateTime(), nullable=False),
        sa.Column("rrule", sa.String(length=500), nullable=True),
        sa.Column("unattended_too", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("proposal", sa.String(length=200), nullable=True),
        sa.Column("source_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("state IN ('proposed', 'confirmed', 'declined')", name=op.f("ck_closure_state")),
        sa.CheckConstraint("local_ends > local_starts", name=op.f("ck_closure_span")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_closure_lab_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name=op.f("fk_closure_machine_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["calendar_source.id"], name=op.f("fk_closure_source_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_closure")),
        sa.UniqueConstraint("lab_id", "proposal", name=op.f("uq_closure_lab_id_proposal")),
    )
    op.create_index("ix_closure_lab_id_local_ends", "closure", ["lab_id", "local_ends"], unique=False)
    op.create_index(op.f("ix_closure_source_id"), "closure", ["source_id"], unique=False)
    op.create_table(
        "machine_need",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("needs_id", sa.Integer(), nullable=False),
        sa.CheckConstraint("machine_id <> needs_id", name=op.f("ck_machine_need_another")),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name=op.f("fk_machine_need_machine_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["needs_id"], ["machine.id"], name=op.f("fk_machine_need_needs_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("machine_id", "needs_id", name=op.f("pk_machine_need")),
    )
    op.create_index(op.f("ix_machine_need_needs_id"), "machine_need", ["needs_id"], unique=False)
    op.create_table(
        "outage",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("category", sa.String(length=20), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("created_by_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "category IN ('fault', 'maintenance', 'upgrade', 'supplies', 'other')",
            name=op.f("ck_outage_category"),
        ),
        sa.CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name=op.f("ck_outage_span")),
        sa.ForeignKeyConstraint(["created_by_id"], ["member.id"], name=op.f("fk_outage_created_by_id")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_outage_lab_id")),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name=op.f("fk_outage_machine_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outage")),
    )
    op.create_index("ix_outage_machine_id_starts_at", "outage", ["machine_id", "starts_at"], unique=False)
    op.create_table(
        "rule",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=True),
        sa.Column("kind_id", sa.Integer(), nullable=True),
        sa.Column("machine_id", sa.Integer(), nullable=True),
        sa.Column("category", sa.String(length=60), nullable=True),
        sa.Column("organisation_id", sa.BigInteger(), nullable=True),
        sa.Column("note", sa.String(length=300), nullable=False),
        sa.Column("changed_by_id", sa.BigInteger(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "machine_id IS NULL OR (lab_id IS NULL AND kind_id IS NULL)", name=op.f("ck_rule_place")
        ),
        sa.ForeignKeyConstraint(
            ["changed_by_id"], ["member.id"], name=op.f("fk_rule_changed_by_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["kind_id"], ["kind.id"], name=op.f("fk_rule_kind_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_rule_lab_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name=op.f("fk_rule_machine_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_rule_organisation_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rule")),
    )
    op.create_index(
        "uq_rule",
        "rule",
        [
            "name",
            sa.literal_column("coalesce(lab_id, 0)"),
            sa.literal_column("coalesce(kind_id, 0)"),
            sa.literal_column("coalesce(machine_id, 0)"),
            sa.literal_column("coalesce(category, '')"),
            sa.literal_column("coalesce(organisation_id, 0)"),
        ],
        unique=True,
    )
    op.create_table(
        "series",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("created_by_id", sa.BigInteger(), nullable=False),
        sa.Column("rrule", sa.String(length=500), nullable=False),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("local_starts", sa.DateTime(), nullable=False),
        sa.Column("local_ends", sa.DateTime(), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("local_ends > local_starts", name=op.f("ck_series_span")),
        sa.ForeignKeyConstraint(["created_by_id"], ["member.id"], name=op.f("fk_series_created_by_id")),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name=op.f("fk_series_machine_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_series_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_series")),
    )
    op.create_index("ix_series_member_id", "series", ["member_id"], unique=False)
    op.create_table(
        "webhook_delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("webhook_id", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("trouble", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_delivery_webhook_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_delivery")),
    )
    op.create_index(
        "ix_webhook_delivery_due",
        "webhook_delivery",
        ["due_at"],
        unique=False,
        postgresql_where="delivered_at IS NULL AND given_up_at IS NULL",
    )
    op.create_index(
        "ix_webhook_delivery_webhook_id_created_at",
        "webhook_delivery",
        ["webhook_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "series_skip",
        sa.Column("series_id", sa.BigInteger(), nullable=False),
        sa.Column("series_at", sa.DateTime(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["series.id"], name=op.f("fk_series_skip_series_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_id", "series_at", name=op.f("pk_series_skip")),
    )
    op.create_table(
        "approval",
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_approval_booking_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_approval_member_id")),
        sa.PrimaryKeyConstraint("booking_id", "member_id", name=op.f("pk_approval")),
    )
    op.create_index(op.f("ix_approval_member_id"), "approval", ["member_id"], unique=False)
    op.create_table(
        "booking_notice",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("batch", sa.Uuid(), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_member_id", sa.BigInteger(), nullable=True),
        sa.Column("offers", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_notice_booking_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_notice")),
    )
    op.create_table(
        "digest",
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_digest_lab_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("lab_id", name=op.f("pk_digest")),
    )
    op.create_table(
        "handover",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("for_booking_id", sa.BigInteger(), nullable=True),
        sa.Column("from_member_id", sa.BigInteger(), nullable=False),
        sa.Column("to_email", sa.String(length=254), server_default="", nullable=False),
        sa.Column("to_member_id", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("for_version", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('offered', 'accepted', 'declined', 'withdrawn', 'expired')",
            name=op.f("ck_handover_state"),
        ),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_handover_booking_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["for_booking_id"], ["booking.id"], name=op.f("fk_handover_for_booking_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["from_member_id"], ["member.id"], name=op.f("fk_handover_from_member_id")),
        sa.ForeignKeyConstraint(["to_member_id"], ["member.id"], name=op.f("fk_handover_to_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handover")),
    )
    op.create_index("ix_handover_booking_id", "handover", ["booking_id"], unique=False)
    op.create_index(
        "ix_handover_expires_at",
        "handover",
        ["expires_at"],
        unique=False,
        postgresql_where="state = 'offered'",
    )
    op.create_index("ix_handover_for_booking_id", "handover", ["for_booking_id"], unique=False)
    op.create_index(op.f("ix_handover_from_member_id"), "handover", ["from_member_id"], unique=False)
    op.create_index("ix_handover_to_member_id", "handover", ["to_member_id"], unique=False)
    op.create_table(
        "waiting",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=True),
        sa.Column("kind_id", sa.Integer(), nullable=True),
        sa.Column("lab_id", sa.Integer(), nullable=True),
        sa.Column("duration_s", sa.Integer(), nullable=False),
        sa.Column("after", sa.DateTime(timezone=True), nullable=False),
        sa.Column("before", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "state IN ('waiting', 'held', 'accepted', 'withdrawn', 'expired')", name=op.f("ck_waiting_state")
        ),
        sa.CheckConstraint("(kind_id IS NULL) <> (machine_id IS NULL)", name=op.f("ck_waiting_one_thing")),
        sa.CheckConstraint("before > after AND duration_s > 0", name=op.f("ck_waiting_window")),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_waiting_booking_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["kind_id"], ["kind.id"], name=op.f("fk_waiting_kind_id")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_waiting_lab_id")),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name=op.f("fk_waiting_machine_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_waiting_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiting")),
    )
    op.create_index(
        "ix_waiting_before",
        "waiting",
        ["before"],
        unique=False,
        postgresql_where="state IN ('waiting', 'held')",
    )
    op.create_index(
        "ix_waiting_kind_id", "waiting", ["kind_id"], unique=False, postgresql_where="state = 'waiting'"
    )
    op.create_index(
        "ix_waiting_machine_id", "waiting", ["machine_id"], unique=False, postgresql_where="state = 'waiting'"
    )
    op.create_index("ix_waiting_member_id", "waiting", ["member_id"], unique=False)
    op.create_table(
        "hold",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("waiting_id", sa.BigInteger(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_hold_span")),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name=op.f("fk_hold_machine_id")),
        sa.ForeignKeyConstraint(
            ["waiting_id"], ["waiting.id"], name=op.f("fk_hold_waiting_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sa.UniqueConstraint("key_hash", name=op.f("uq_hold_key_hash")),
        sa.UniqueConstraint("waiting_id", name=op.f("uq_hold_waiting_id")),
    )
    op.create_index("ix_hold_expires_at", "hold", ["expires_at"], unique=False)
    op.create_index(op.f("ix_hold_machine_id"), "hold", ["machine_id"], unique=False)
    op.add_column("booking", sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    op.add_column("booking", sa.Column("bundle_id", sa.BigInteger(), nullable=True))
    op.add_column("booking", sa.Column("series_id", sa.BigInteger(), nullable=True))
    op.add_column("booking", sa.Column("series_at", sa.DateTime(), nullable=True))
    op.add_column("booking", sa.Column("decide_by", sa.DateTime(timezone=True), nullable=True))
    op.add_column("booking", sa.Column("checked_in_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("booking", sa.Column("checked_out_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("booking", sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "booking", sa.Column("forgiven", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.create_index(
        "ix_booking_bundle_id",
        "booking",
        ["bundle_id"],
        unique=False,
        postgresql_where="bundle_id IS NOT NULL",
    )
    op.create_index(
        "ix_booking_requested",
        "booking",
        ["lab_id", "decide_by"],
        unique=False,
        postgresql_where="state = 'requested'",
    )
    op.create_index(
        "ix_booking_series_id",
        "booking",
        ["series_id"],
        unique=False,
        postgresql_where="series_id IS NOT NULL",
    )
    op.create_foreign_key(op.f("fk_booking_series_id"), "booking", "series", ["series_id"], ["id"])
    op.add_column("booking_change", sa.Column("from_starts_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("booking_change", sa.Column("from_ends_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("booking_change", sa.Column("from_machine_id", sa.Integer(), nullable=True))
    op.add_column("booking_change", sa.Column("to_starts_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("booking_change", sa.Column("to_ends_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("booking_change", sa.Column("to_machine_id", sa.Integer(), nullable=True))
    op.add_column("booking_change", sa.Column("from_holder_id", sa.BigInteger(), nullable=True))
    op.add_column("booking_change", sa.Column("to_holder_id", sa.BigInteger(), nullable=True))
    op.add_column(
        "booking_change",
        sa.Column("broke", sa.ARRAY(sa.String(length=40)), server_default="{}", nullable=False),
    )
    op.create_foreign_key(
        op.f("fk_booking_change_from_machine_id"), "booking_change", "machine", ["from_machine_id"], ["id"]
    )
    op.create_foreign_key(
        op.f("fk_booking_change_to_machine_id"), "booking_change", "machine", ["to_machine_id"], ["id"]
    )
    for column in ("from_holder_id", "to_holder_id"):
        op.create_foreign_key(
            op.f(f"fk_booking_change_{column}"),
            "booking_change",
            "member",
            [column],
            ["id"],
            ondelete="SET NULL",
        )
    op.add_column(
        "lab",
        sa.Column("hours_version", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
    )
    op.add_column("member", sa.Column("category", sa.String(length=60), server_default="", nullable=False))
    op.add_column(
        "machine", sa.Column("bookable", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )
    op.add_column("mail", sa.Column("calendar", sa.Text(), nullable=True))
    op.add_column("occupancy", sa.Column("outage_id", sa.BigInteger(), nullable=True))
    op.add_column("occupancy", sa.Column("hold_id", sa.BigInteger(), nullable=True))
    op.create_index(op.f("ix_occupancy_hold_id"), "occupancy", ["hold_id"], unique=False)
    op.create_index(op.f("ix_occupancy_outage_id"), "occupancy", ["outage_id"], unique=False)
    op.create_foreign_key(
        op.f("fk_occupancy_hold_id"), "occupancy", "hold", ["hold_id"], ["id"], ondelete="CASCADE"
    )
    op.create_foreign_key(
        op.f("fk_occupancy_outage_id"), "occupancy", "outage", ["outage_id"], ["id"], ondelete="CASCADE"
    )
    op.execute("DELETE FROM occupancy WHERE kind = 'hold'")
    # Outages were claims and nothing else: each gets a row of its own to stand for it.
    op.execute(
        "INSERT INTO outage (machine_id, lab_id, starts_at, ends_at, category, note, created_at) "
        "SELECT DISTINCT unit.machine_id, claim.lab_id, claim.starts_at, claim.ends_at, 'other', '', "
        "claim.starts_at FROM occupancy AS claim JOIN unit ON unit.id = claim.unit_id "
        "WHERE claim.kind = 'outage'"
    )
    op.execute(
        "UPDATE occupancy SET outage_id = outage.id FROM outage, unit WHERE occupancy.kind = 'outage' "
        "AND unit.id = occupancy.unit_id AND outage.machine_id = unit.machine_id "
        "AND outage.starts_at = occupancy.starts_at AND outage.ends_at = occupancy.ends_at"
    )
    op.drop_constraint(op.f("ck_occupancy_owner"), "occupancy", type_="check")
    op.create_check_constraint(
        op.f("ck_occupancy_owner"),
        "occupancy",
        "(kind = 'booking') = (booking_id IS NOT NULL) "
        "AND (kind = 'outage') = (outage_id IS NOT NULL) AND (kind = 'hold') = (hold_id IS NOT NULL)",
    )
    op.drop_constraint(op.f("ck_opening_order"), "opening", type_="check")
    op.add_column("opening", sa.Column("machine_id", sa.Integer(), nullable=True))
    op.add_column("opening", sa.Column("season_id", sa.Integer(), nullable=True))
    op.drop_constraint(op.f("uq_opening_lab_id_weekday_opens"), "opening", type_="unique")
    op.create_index(
        "uq_opening",
        "opening",
        [
            "lab_id",
            sa.literal_column("coalesce(machine_id, 0)"),
            sa.literal_column("coalesce(season_id, 0)"),
            "weekday",
            "opens",
        ],
        unique=True,
    )
    op.create_foreign_key(
        op.f("fk_opening_machine_id"), "opening", "machine", ["machine_id"], ["id"], ondelete="CASCADE"
    )
    op.create_foreign_key(
        op.f("fk_opening_season_id"), "opening", "season", ["season_id"], ["id"], ondelete="CASCADE"
    )


def downgrade() -> None:
    op.drop_constraint(op.f("fk_opening_season_id"), "opening", type_="foreignkey")
    op.drop_constraint(op.f("fk_opening_machine_id"), "opening", type_="foreignkey")
    op.drop_index("uq_opening", table_name="opening")
    op.execute("DELETE FROM opening WHERE machine_id IS NOT NULL OR season_id IS NOT NULL")
    op.create_unique_constraint(
        op.f("uq_opening_lab_id_weekday_opens"),
        "opening",
        ["lab_id", "weekday", "opens"],
        postgresql_nulls_not_distinct=False,
    )
    op.drop_column("opening", "season_id")
    op.drop_column("opening", "machine_id")
    op.execute("DELETE FROM opening WHERE closes <= opens AND closes <> '00:00'")
    op.create_check_constraint(op.f("ck_opening_order"), "opening", "closes > opens OR closes = '00:00'")
    op.drop_constraint(op.f("ck_occupancy_owner"), "occupancy", type_="check")
    op.drop_constraint(op.f("fk_occupancy_outage_id"), "occupancy", type_="foreignkey")
    op.drop_constraint(op.f("fk_occupancy_hold_id"), "occupancy", type_="foreignkey")
    op.drop_index(op.f("ix_occupancy_outage_id"), table_name="occupancy")
    op.drop_index(op.f("ix_occupancy_hold_id"), table_name="occupancy")
    op.drop_column("occupancy", "hold_id")
    op.drop_column("occupancy", "outage_id")
    op.create_check_constraint(
        op.f("ck_occupancy_owner"), "occupancy", "(kind = 'booking') = (booking_id IS NOT NULL)"
    )
    op.drop_column("mail", "calendar")
    op.drop_column("member", "category")
    op.drop_column("machine", "bookable")
    op.drop_column("lab", "hours_version")
    op.drop_constraint(op.f("fk_booking_change_to_machine_id"), "booking_change", type_="foreignkey")
    op.drop_constraint(op.f("fk_booking_change_from_machine_id"), "booking_change", type_="foreignkey")
    for column in ("from_holder_id", "to_holder_id"):
        op.drop_constraint(op.f(f"fk_booking_change_{column}"), "booking_change", type_="foreignkey")
        op.drop_column("booking_change", column)
    op.drop_column("booking_change", "broke")
    op.drop_column("booking_change", "to_machine_id")
    op.drop_column("booking_change", "to_ends_at")
    op.drop_column("booking_change", "to_starts_at")
    op.drop_column("booking_change", "from_machine_id")
    op.drop_column("booking_change", "from_ends_at")
    op.drop_column("booking_change", "from_starts_at")
    op.drop_constraint(op.f("fk_booking_series_id"), "booking", type_="foreignkey")
    op.drop_index("ix_booking_series_id", table_name="booking", postgresql_where="series_id IS NOT NULL")
    op.drop_index("ix_booking_requested", table_name="booking", postgresql_where="state = 'requested'")
    op.drop_index("ix_booking_bundle_id", table_name="booking", postgresql_where="bundle_id IS NOT NULL")
    op.drop_column("booking", "forgiven")
    op.drop_column("booking", "reminded_at")
    op.drop_column("booking", "checked_out_at")
    op.drop_column("booking", "checked_in_at")
    op.drop_column("booking", "decide_by")
    op.drop_column("booking", "series_at")
    op.drop_column("booking", "series_id")
    op.drop_column("booking", "bundle_id")
    op.drop_column("booking", "version")
    op.drop_index(op.f("ix_hold_machine_id"), table_name="hold")
    op.drop_index("ix_hold_expires_at", table_name="hold")
    op.drop_table("hold")
    op.drop_index("ix_waiting_member_id", table_name="waiting")
    op.drop_index("ix_waiting_machine_id", table_name="waiting", postgresql_where="state = 'waiting'")
    op.drop_index("ix_waiting_kind_id", table_name="waiting", postgresql_where="state = 'waiting'")
    op.drop_index("ix_waiting_before", table_name="waiting", postgresql_where="state IN ('waiting', 'held')")
    op.drop_table("waiting")
    op.drop_index("ix_handover_to_member_id", table_name="handover")
    op.drop_index(op.f("ix_handover_from_member_id"), table_name="handover")
    op.drop_index("ix_handover_for_booking_id", table_name="handover")
    op.drop_index("ix_handover_expires_at", table_name="handover", postgresql_where="state = 'offered'")
    op.drop_index("ix_handover_booking_id", table_name="handover")
    op.drop_table("handover")
    op.drop_table("digest")
    op.drop_table("booking_notice")
    op.drop_index(op.f("ix_approval_member_id"), table_name="approval")
    op.drop_table("approval")
    op.drop_table("series_skip")
    op.drop_index("ix_webhook_delivery_webhook_id_created_at", table_name="webhook_delivery")
    op.drop_index(
        "ix_webhook_delivery_due",
        table_name="webhook_delivery",
        postgresql_where="delivered_at IS NULL AND given_up_at IS NULL",
    )
    op.drop_table("webhook_delivery")
    op.drop_index("ix_series_member_id", table_name="series")
    op.drop_table("series")
    op.drop_index("uq_rule", table_name="rule")
    op.drop_table("rule")
    op.drop_index("ix_outage_machine_id_starts_at", table_name="outage")
    op.drop_table("outage")
    op.drop_index(op.f("ix_machine_need_needs_id"), table_name="machine_need")
    op.drop_table("machine_need")
    op.drop_index("ix_closure_lab_id_local_ends", table_name="closure")
    op.drop_table("closure")
    op.drop_index(op.f("ix_calendar_key_member_id"), table_name="calendar_key")
    op.drop_table("calendar_key")
    op.drop_index(op.f("ix_webhook_lab_id"), table_name="webhook")
    op.drop_table("webhook")
    op.drop_table("season")
    op.drop_table("preset")
    op.drop_index(op.f("ix_calendar_source_lab_id"), table_name="calendar_source")
    op.drop_table("calendar_source")
    op.drop_table("notice_choice")
    op.drop_table("rules_version")
