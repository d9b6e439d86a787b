"""first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "425ae4ad7872"
down_revision = None
branch_labels = None
depends_on = None


# extract() on timestamptz is STABLE only because some of its fields depend on the zone; the epoch does not.
SLOT_FUNCTION = """
CREATE FUNCTION occupancy_slot(unit_id bigint, starts_at timestamptz, ends_at timestamptz) RETURNS int8range
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
  SELECT int8range((unit_id << 33) + extract(epoch FROM starts_at)::bigint,
                   (unit_id << 33) + extract(epoch FROM ends_at)::bigint)
$$
"""


def upgrade() -> None:
    op.execute(SLOT_FUNCTION)
    op.create_table(
        "dead_letter",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("topic", sa.String(length=300), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter")),
    )
    op.create_index(op.f("ix_dead_letter_received_at"), "dead_letter", ["received_at"], unique=False)
    op.create_table(
        "kind",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("name_fr", sa.String(length=120), nullable=False),
        sa.Column("name_ar", sa.String(length=120), nullable=False),
        sa.Column("name_en", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kind")),
        sa.UniqueConstraint("slug", name=op.f("uq_kind_slug")),
    )
    op.create_table(
        "member",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_member")),
    )
    op.create_index("uq_member_email", "member", [sa.literal_column("lower(email)")], unique=True)
    op.create_table(
        "reading",
        sa.Column("machine_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=True),
        sa.Column("temperatures", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("power_w", sa.Double(), nullable=True),
        sa.Column("energy_wh", sa.Double(), nullable=True),
        sa.Column("energy_epoch", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("machine_id", "at", "seq", name=op.f("pk_reading")),
        postgresql_partition_by="RANGE (at)",
    )
    op.create_table(
        "region",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("name_fr", sa.String(length=120), nullable=False),
        sa.Column("name_ar", sa.String(length=120), nullable=False),
        sa.Column("name_en", sa.String(length=120), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_region")),
        sa.UniqueConstraint("slug", name=op.f("uq_region_slug")),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=True),
        sa.Column("action", sa.String(length=60), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("detail", sa.String(length=2000), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["member.id"], name=op.f("fk_audit_actor_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_idempotency_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("member_id", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"], unique=False)
    op.create_table(
        "lab",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("region_id", sa.Integer(), nullable=False),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("address", sa.String(length=200), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("name_fr", sa.String(length=120), nullable=False),
        sa.Column("name_ar", sa.String(length=120), nullable=False),
        sa.Column("name_en", sa.String(length=120), nullable=False),
        sa.ForeignKeyConstraint(["region_id"], ["region.id"], name=op.f("fk_lab_region_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lab")),
        sa.UniqueConstraint("slug", name=op.f("uq_lab_slug")),
    )
    op.create_table(
        "token",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("scope", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("scope IN ('read', 'write')", name=op.f("ck_token_scope")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_token_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("digest", name=op.f("uq_token_digest")),
    )
    op.create_index(op.f("ix_token_member_id"), "token", ["member_id"], unique=False)
    op.create_table(
        "bridge",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("username", sa.String(length=130), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("boot", sa.String(length=60), nullable=True),
        sa.Column("version", sa.String(length=64), nullable=True),
        sa.Column("presence_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_bridge_lab_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bridge")),
        sa.UniqueConstraint("username", name=op.f("uq_bridge_username")),
    )
    op.create_index("uq_bridge_lab_id_name", "bridge", ["lab_id", "name"], unique=True)
    op.create_table(
        "machine",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("kind_id", sa.Integer(), nullable=False),
        sa.Column("capabilities", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("unattended", sa.Boolean(), nullable=False),
        sa.Column("setup_s", sa.Integer(), nullable=False),
        sa.Column("cleanup_s", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.CheckConstraint("setup_s >= 0 AND cleanup_s >= 0", name=op.f("ck_machine_buffers")),
        sa.ForeignKeyConstraint(["kind_id"], ["kind.id"], name=op.f("fk_machine_kind_id")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_machine_lab_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_machine")),
        sa.UniqueConstraint("slug", name=op.f("uq_machine_slug")),
    )
    op.create_index(op.f("ix_machine_lab_id"), "machine", ["lab_id"], unique=False)
    op.create_table(
        "opening",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("weekday", sa.SmallInteger(), nullable=False),
        sa.Column("opens", sa.Time(), nullable=False),
        sa.Column("closes", sa.Time(), nullable=False),
        sa.CheckConstraint("closes > opens OR closes = '00:00'", name=op.f("ck_opening_order")),
        sa.CheckConstraint("weekday BETWEEN 0 AND 6", name=op.f("ck_opening_weekday")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_opening_lab_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening")),
        sa.UniqueConstraint("lab_id", "weekday", "opens", name=op.f("uq_opening_lab_id_weekday_opens")),
    )
    op.create_table(
        "role",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "(role IN ('trainer', 'manager')) = (lab_id IS NOT NULL)", name=op.f("ck_role_scope")
        ),
        sa.CheckConstraint(
            "role IN ('maker', 'trainer', 'manager', 'operator', 'admin')", name=op.f("ck_role_known")
        ),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_role_lab_id")),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_role_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_role")),
    )
    op.create_index(
        "uq_role",
        "role",
        ["member_id", "role", sa.literal_column("coalesce(lab_id, 0)")],
        unique=True,
    )
    op.create_table(
        "booking",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("created_by_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("zone", sa.String(length=60), nullable=False),
        sa.Column("local_starts", sa.DateTime(), nullable=False),
        sa.Column("local_ends", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("purpose", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "state IN ('requested', 'confirmed', 'started', 'completed', 'cancelled', 'missed', 'rejected')",
            name=op.f("ck_booking_state"),
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_booking_span")),
        sa.ForeignKeyConstraint(["created_by_id"], ["member.id"], name=op.f("fk_booking_created_by_id")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_booking_lab_id")),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name=op.f("fk_booking_machine_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_booking_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking")),
    )
    op.create_index(
        "ix_booking_due",
        "booking",
        ["ends_at"],
        unique=False,
        postgresql_where="state IN ('confirmed', 'started')",
    )
    op.create_index("ix_booking_lab_id_starts_at", "booking", ["lab_id", "starts_at"], unique=False)
    op.create_index("ix_booking_machine_id_starts_at", "booking", ["machine_id", "starts_at"], unique=False)
    op.create_index("ix_booking_member_id_starts_at", "booking", ["member_id", "starts_at"], unique=False)
    op.create_index(
        "ix_booking_span",
        "booking",
        [sa.literal_column("tstzrange(starts_at, ends_at)")],
        unique=False,
        postgresql_using="gist",
    )
    op.create_table(
        "bridge_outbox",
        sa.Column("outbox", sa.Uuid(), nullable=False),
        sa.Column("bridge_id", sa.Integer(), nullable=False),
        sa.Column("committed_seq", sa.BigInteger(), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("gap_since", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["bridge_id"], ["bridge.id"], name=op.f("fk_bridge_outbox_bridge_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("outbox", name=op.f("pk_bridge_outbox")),
    )
    op.create_index(op.f("ix_bridge_outbox_bridge_id"), "bridge_outbox", ["bridge_id"], unique=False)
    op.create_table(
        "machine_hour",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("open_s", sa.Integer(), nullable=False),
        sa.Column("outage_s", sa.Integer(), nullable=False),
        sa.Column("booked_s", sa.Double(), nullable=False),
        sa.Column("used_s", sa.Double(), nullable=False),
        sa.Column("used_booked_s", sa.Double(), nullable=False),
        sa.Column("used_unbooked_s", sa.Double(), nullable=False),
        sa.Column("overrun_s", sa.Double(), nullable=False),
        sa.Column("bookings", sa.Integer(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("jobs_finished", sa.Integer(), nullable=False),
        sa.Column("jobs_failed", sa.Integer(), nullable=False),
        sa.Column("jobs_cancelled", sa.Integer(), nullable=False),
        sa.Column("jobs_interrupted", sa.Integer(), nullable=False),
        sa.Column("energy_wh", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_machine_hour_lab_id")),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name=op.f("fk_machine_hour_machine_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("machine_id", "hour", name=op.f("pk_machine_hour")),
    )
    op.create_index("ix_machine_hour_lab_id_hour", "machine_hour", ["lab_id", "hour"], unique=False)
    op.create_table(
        "machine_status",
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("bridge_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("detail", sa.String(length=1000), nullable=True),
        sa.Column("job", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("temperatures", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("power_w", sa.Double(), nullable=True),
        sa.Column("energy_wh", sa.Double(), nullable=True),
        sa.Column("clock_skew_s", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["bridge_id"], ["bridge.id"], name=op.f("fk_machine_status_bridge_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_machine_status_lab_id")),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name=op.f("fk_machine_status_machine_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("machine_id", name=op.f("pk_machine_status")),
    )
    op.create_index(op.f("ix_machine_status_lab_id"), "machine_status", ["lab_id"], unique=False)
    op.create_table(
        "status_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_state", sa.String(length=20), nullable=True),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.String(length=1000), nullable=True),
        sa.Column("historical", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_status_change_lab_id")),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name=op.f("fk_status_change_machine_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_status_change")),
    )
    op.create_index("ix_status_change_machine_id_at", "status_change", ["machine_id", "at"], unique=False)
    op.create_table(
        "unit",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["machine_id"], ["machine.id"], name=op.f("fk_unit_machine_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unit")),
        sa.UniqueConstraint("machine_id", "number", name=op.f("uq_unit_machine_id_number")),
    )
    op.create_table(
        "booking_change",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by", sa.String(length=10), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("from_state", sa.String(length=20), nullable=True),
        sa.Column("to_state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_booking_change_booking_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_booking_change_member_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_change")),
    )
    op.create_index(op.f("ix_booking_change_at"), "booking_change", ["at"], unique=False)
    op.create_index(op.f("ix_booking_change_booking_id"), "booking_change", ["booking_id"], unique=False)
    op.create_table(
        "job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(length=500), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.String(length=1000), nullable=True),
        sa.Column("print_time_s", sa.Double(), nullable=True),
        sa.Column("elapsed_s", sa.Double(), nullable=True),
        sa.Column("estimated_s", sa.Double(), nullable=True),
        sa.Column("filament_mm", sa.Double(), nullable=True),
        sa.Column("owner", sa.String(length=200), nullable=True),
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("historical", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "outcome IN ('finished', 'failed', 'cancelled', 'interrupted')", name=op.f("ck_job_outcome")
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (outcome IS NULL)", name=op.f("ck_job_ended")),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_job_booking_id")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_job_lab_id")),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name=op.f("fk_job_machine_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_job_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_booking_id"), "job", ["booking_id"], unique=False)
    op.create_index("ix_job_ended_at", "job", ["ended_at"], unique=False)
    op.create_index("ix_job_lab_id_started_at", "job", ["lab_id", "started_at"], unique=False)
    op.create_index("ix_job_machine_id_started_at", "job", ["machine_id", "started_at"], unique=False)
    op.create_index(op.f("ix_job_member_id"), "job", ["member_id"], unique=False)
    op.create_table(
        "message_gap",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("outbox", sa.Uuid(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["outbox"], ["bridge_outbox.outbox"], name=op.f("fk_message_gap_outbox"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message_gap")),
    )
    op.create_index(op.f("ix_message_gap_outbox"), "message_gap", ["outbox"], unique=False)
    op.create_table(
        "occupancy",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("unit_id", sa.Integer(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "slot",
            postgresql.INT8RANGE(),
            sa.Computed("occupancy_slot(unit_id, starts_at, ends_at)", persisted=True),
            nullable=False,
        ),
        postgresql.ExcludeConstraint(
            (sa.column("slot"), "&&"), using="gist", name="one_claim_per_unit_and_instant"
        ),
        sa.CheckConstraint("(kind = 'booking') = (booking_id IS NOT NULL)", name=op.f("ck_occupancy_owner")),
        sa.CheckConstraint("kind IN ('booking', 'outage', 'hold')", name=op.f("ck_occupancy_kind")),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_occupancy_span")),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_occupancy_booking_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_occupancy_lab_id")),
        sa.ForeignKeyConstraint(["unit_id"], ["unit.id"], name=op.f("fk_occupancy_unit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_occupancy")),
    )
    op.create_index(op.f("ix_occupancy_booking_id"), "occupancy", ["booking_id"], unique=False)
    op.create_index(
        "ix_occupancy_outage",
        "occupancy",
        ["ends_at"],
        unique=False,
        postgresql_where="kind = 'outage'",
    )
    op.create_table(
        "usage_session",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("machine_id", sa.Integer(), nullable=False),
        sa.Column("lab_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("busy_s", sa.Double(), nullable=False),
        sa.Column("idle_s", sa.Double(), nullable=False),
        sa.Column("busy", sa.Boolean(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("energy_wh", sa.Double(), nullable=True),
        sa.Column("meter_wh", sa.Double(), nullable=True),
        sa.Column("meter_epoch", sa.String(length=64), nullable=True),
        sa.Column("stop_reason", sa.String(length=40), nullable=True),
        sa.CheckConstraint("busy_s >= 0 AND idle_s >= 0", name=op.f("ck_usage_session_seconds")),
        sa.CheckConstraint("ended_at >= started_at", name=op.f("ck_usage_session_span")),
        sa.ForeignKeyConstraint(["booking_id"], ["booking.id"], name=op.f("fk_usage_session_booking_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_usage_session_job_id")),
        sa.ForeignKeyConstraint(["lab_id"], ["lab.id"], name=op.f("fk_usage_session_lab_id")),
        sa.ForeignKeyConstraint(["machine_id"], ["machine.id"], name=op.f("fk_usage_session_machine_id")),
        sa.ForeignKeyConstraint(["member_id"], ["member.id"], name=op.f("fk_usage_session_member_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_session")),
    )
    op.create_index(op.f("ix_usage_session_booking_id"), "usage_session", ["booking_id"], unique=False)
    op.create_index(op.f("ix_usage_session_job_id"), "usage_session", ["job_id"], unique=False)
    op.create_index(
        "ix_usage_session_lab_id_started_at", "usage_session", ["lab_id", "started_at"], unique=False
    )
    op.create_index(
        "ix_usage_session_machine_id_started_at", "usage_session", ["machine_id", "started_at"], unique=False
    )
    op.create_index(op.f("ix_usage_session_member_id"), "usage_session", ["member_id"], unique=False)
    op.create_index(
        "ix_usage_session_span",
        "usage_session",
        [sa.literal_column("tstzrange(started_at, ended_at, '[]')")],
        unique=False,
        postgresql_using="gist",
    )
    op.create_index(
        "uq_usage_session_open",
        "usage_session",
        ["machine_id"],
        unique=True,
        postgresql_where="ended_at IS NULL",
    )


def downgrade() -> None:
    op.drop_index("uq_usage_session_open", table_name="usage_session", postgresql_where="ended_at IS NULL")
    op.drop_index("ix_usage_session_span", table_name="usage_session", postgresql_using="gist")
    op.drop_index(op.f("ix_usage_session_member_id"), table_name="usage_session")
    op.drop_index("ix_usage_session_machine_id_started_at", table_name="usage_session")
    op.drop_index("ix_usage_session_lab_id_started_at", table_name="usage_session")
    op.drop_index(op.f("ix_usage_session_job_id"), table_name="usage_session")
    op.drop_index(op.f("ix_usage_session_booking_id"), table_name="usage_session")
    op.drop_table("usage_session")
    op.drop_index("ix_occupancy_outage", table_name="occupancy", postgresql_where="kind = 'outage'")
    op.drop_index(op.f("ix_occupancy_booking_id"), table_name="occupancy")
    op.drop_table("occupancy")
    op.drop_index(op.f("ix_message_gap_outbox"), table_name="message_gap")
    op.drop_table("message_gap")
    op.drop_index(op.f("ix_job_member_id"), table_name="job")
    op.drop_index("ix_job_machine_id_started_at", table_name="job")
    op.drop_index("ix_job_lab_id_started_at", table_name="job")
    op.drop_index("ix_job_ended_at", table_name="job")
    op.drop_index(op.f("ix_job_booking_id"), table_name="job")
    op.drop_table("job")
    op.drop_index(op.f("ix_booking_change_booking_id"), table_name="booking_change")
    op.drop_index(op.f("ix_booking_change_at"), table_name="booking_change")
    op.drop_table("booking_change")
    op.drop_table("unit")
    op.drop_index("ix_status_change_machine_id_at", table_name="status_change")
    op.drop_table("status_change")
    op.drop_index(op.f("ix_machine_status_lab_id"), table_name="machine_status")
    op.drop_table("machine_status")
    op.drop_index("ix_machine_hour_lab_id_hour", table_name="machine_hour")
    op.drop_table("machine_hour")
    op.drop_index(op.f("ix_bridge_outbox_bridge_id"), table_name="bridge_outbox")
    op.drop_table("bridge_outbox")
    op.drop_index("ix_booking_span", table_name="booking", postgresql_using="gist")
    op.drop_index("ix_booking_member_id_starts_at", table_name="booking")
    op.drop_index("ix_booking_machine_id_starts_at", table_name="booking")
    op.drop_index("ix_booking_lab_id_starts_at", table_name="booking")
    op.drop_index(
        "ix_booking_due", table_name="booking", postgresql_where="state IN ('confirmed', 'started')"
    )
    op.drop_table("booking")
    op.drop_index("uq_role", table_name="role")
    op.drop_table("role")
    op.drop_table("opening")
    op.drop_index(op.f("ix_machine_lab_id"), table_name="machine")
    op.drop_table("machine")
    op.drop_index("uq_bridge_lab_id_name", table_name="bridge")
    op.drop_table("bridge")
    op.drop_index(op.f("ix_token_member_id"), table_name="token")
    op.drop_table("token")
    op.drop_table("lab")
    op.drop_index(op.f("ix_idempotency_created_at"), table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index(op.f("ix_audit_at"), table_name="audit")
    op.drop_table("audit")
    op.drop_table("region")
    op.drop_table("reading")
    op.drop_index("uq_member_email", table_name="member")
    op.drop_table("member")
    op.drop_table("kind")
    op.drop_index(op.f("ix_dead_letter_received_at"), table_name="dead_letter")
    op.drop_table("dead_letter")
    op.execute("DROP FUNCTION occupancy_slot(bigint, timestamptz, timestamptz)")
