"""bridge credentials."""

import sqlalchemy as sa
from alembic import op

revision = "a061c47fe265"
down_revision = "9f50b36ed154"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bridge_credential",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("bridge_id", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(length=132), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["bridge_id"], ["bridge.id"], name=op.f("fk_bridge_credential_bridge_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bridge_credential")),
    )
    op.create_index(op.f("ix_bridge_credential_bridge_id"), "bridge_credential", ["bridge_id"])
    op.create_index(
        "uq_bridge_credential_valid",
        "bridge_credential",
        ["username"],
        unique=True,
        postgresql_where="revoked_at IS NULL",
    )
    op.execute(
        "INSERT INTO bridge_credential (bridge_id, username, password_hash, created_at) "
        "SELECT id, username, password_hash, created_at FROM bridge"
    )
    op.drop_constraint(op.f("uq_bridge_username"), "bridge", type_="unique")
    op.drop_column("bridge", "username")
    op.drop_column("bridge", "password_hash")


def downgrade() -> None:
    op.add_column("bridge", sa.Column("username", sa.String(length=130), nullable=True))
    op.add_column("bridge", sa.Column("password_hash", sa.String(length=200), nullable=True))
    # The older tables know one account for each bridge: the newest valid one, by the bridge's first name.
    op.execute(
        "UPDATE bridge SET (username, password_hash) = ("
        "  SELECT regexp_replace(username, '\\.2$', ''), password_hash FROM bridge_credential"
        "  WHERE bridge_id = bridge.id ORDER BY (revoked_at IS NULL) DESC, id DESC LIMIT 1)"
    )
    op.alter_column("bridge", "username", nullable=False)
    op.alter_column("bridge", "password_hash", nullable=False)
    op.create_unique_constraint(op.f("uq_bridge_username"), "bridge", ["username"])
    op.drop_table("bridge_credential")
