"""members mails and audit."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "5b1c7f2a9d10"
down_revision = "425ae4ad7872"
branch_labels = None
depends_on = None

# The audit only grows: addresses may be forgotten, what is older than a year may go, nothing else changes.
AUDIT_GUARD = """
CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.at < now() - interval '1 year' THEN
      RETURN OLD;
    END IF;
  ELSIF TG_OP = 'UPDATE' THEN
    IF NEW.address IS NULL AND (to_jsonb(NEW) - 'address') = (to_jsonb(OLD) - 'address') THEN
      RETURN NEW;
    END IF;
  END IF;
  RAISE EXCEPTION 'the audit only grows' USING ERRCODE = 'integrity_constraint_violation';
END
$$
"""
AUDIT_TRIGGERS = """
CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION audit_only_grows();
CREATE TRIGGER audit_is_not_emptied BEFORE TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows();
"""
# Members of before are found as new ones are (fablab.members.search): marks off, small letters, words apart.
MEMBERS_SO_FAR = r"""
UPDATE member SET email_verified_at = created_at, sought = left(btrim(regexp_replace(
  translate(lower(regexp_replace(normalize(name || ' ' || email, NFKD),
    '[\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0640]', '', 'g')),
    U&'\0671\0649\0629', U&'\0627\064a\0647'),
  '[\u0001-/:-@\[-`{-\u00bf]+', ' ', 'g')), 400)
"""


def upgrade() -> None:
    op.create_table(
        "guardian_consent",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=False),
        sa.Column("guardian_name", sa.String(length=120), nullable=False),
        sa.Column("guardian_email", sa.String(length=254), nullable=True),
        sa.Column("words", sa.String(length=2000), nullable=False),
        sa.Column("given_on", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by_id", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_guardian_consent_member_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by_id"],
            ["member.id"],
            name=op.f("fk_guardian_consent_recorded_by_id"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_guardian_consent")),
    )
    op.create_index(op.f("ix_guardian_consent_member_id"), "guardian_consent", ["member_id"], unique=False)
    op.create_table(
        "mail",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("member_id", sa.BigInteger(), nullable=True),
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("template", sa.String(length=40), nullable=False),
        sa.Column("filling", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("given_up_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("trouble", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["member.id"], name=op.f("fk_mail_member_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mail")),
    )
    op.create_index(op.f("ix_mail_created_at"), "mail", ["created_at"], unique=False)
    op.create_index(
        "ix_mail_due",
        "mail",
        ["due_at"],
        unique=False,
        postgresql_where="sent_at IS NULL AND given_up_at IS NULL",
    )
    op.create_index(op.f("ix_mail_member_id"), "mail", ["member_id"], unique=False)
    op.add_column("audit", sa.Column("on_member_id", sa.BigInteger(), nullable=True))
    op.add_column("audit", sa.Column("lab_id", sa.Integer(), nullable=True))
    op.create_index(op.f("ix_audit_action"), "audit", ["action"], unique=False)
    op.create_index("ix_audit_actor_id", "audit", ["actor_id", "id"], unique=False)
    op.create_index("ix_audit_on_member_id", "audit", ["on_member_id", "id"], unique=False)
    op.drop_constraint(op.f("fk_audit_actor_id"), "audit", type_="foreignkey")
    op.create_foreign_key(op.f("fk_audit_actor_id"), "audit", "member", ["actor_id"], ["id"])
    op.create_foreign_key(op.f("fk_audit_lab_id"), "audit", "lab", ["lab_id"], ["id"])
    op.create_foreign_key(op.f("fk_audit_on_member_id"), "audit", "member", ["on_member_id"], ["id"])
    op.add_column("member", sa.Column("language", sa.String(length=2), server_default="fr", nullable=False))
    op.add_column("member", sa.Column("birth_on", sa.Date(), nullable=True))
    op.add_column("member", sa.Column("email_verified_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("member", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "member", sa.Column("sought", sa.String(length=400, collation="C"), server_default="", nullable=False)
    )
    op.add_column(
        "member",
        sa.Column(
            "words",
            postgresql.TSVECTOR(),
            sa.Computed(
                "array_to_tsvector(array_remove(string_to_array(sought::text, ' '::text), ''::text))",
                persisted=True,
            ),
            nullable=False,
        ),
    )
    op.create_index("ix_member_words", "member", ["words"], unique=False, postgresql_using="gin")
    op.create_index("ix_member_sought", "member", ["sought", "id"], unique=False)
    op.add_column(
        "opening", sa.Column("supervised", sa.Boolean(), server_default=sa.text("true"), nullable=False)
    )
    op.create_check_constraint(op.f("ck_member_language"), "member", "language IN ('fr', 'ar', 'en')")
    op.execute(MEMBERS_SO_FAR)
    op.execute(AUDIT_GUARD)
    op.execute(AUDIT_TRIGGERS)


def downgrade() -> None:
    op.execute("DROP TRIGGER audit_is_not_emptied ON audit")
    op.execute("DROP TRIGGER audit_only_grows ON audit")
    op.execute("DROP FUNCTION audit_only_grows()")
    op.drop_column("opening", "supervised")
    op.drop_index("ix_member_sought", table_name="member")
    op.drop_index("ix_member_words", table_name="member", postgresql_using="gin")
    op.drop_column("member", "words")
    op.drop_column("member", "sought")
    op.drop_column("member", "erased_at")
    op.drop_column("member", "email_verified_at")
    op.drop_column("member", "birth_on")
    op.drop_column("member", "language")
    op.drop_constraint(op.f("fk_audit_on_member_id"), "audit", type_="foreignkey")
    op.drop_constraint(op.f("fk_audit_lab_id"), "audit", type_="foreignkey")
    op.drop_constraint(op.f("fk_audit_actor_id"), "audit", type_="foreignkey")
    op.create_foreign_key(
        op.f("fk_audit_actor_id"), "audit", "member", ["actor_id"], ["id"], ondelete="SET NULL"
    )
    op.drop_index("ix_audit_on_member_id", table_name="audit")
    op.drop_index("ix_audit_actor_id", table_name="audit")
    op.drop_index(op.f("ix_audit_action"), table_name="audit")
    op.drop_column("audit", "lab_id")
    op.drop_column("audit", "on_member_id")
    op.drop_index(op.f("ix_mail_member_id"), table_name="mail")
    op.drop_index(
        "ix_mail_due", table_name="mail", postgresql_where="sent_at IS NULL AND given_up_at IS NULL"
    )
    op.drop_index(op.f("ix_mail_created_at"), table_name="mail")
    op.drop_table("mail")
    op.drop_index(op.f("ix_guardian_consent_member_id"), table_name="guardian_consent")
    op.drop_table("guardian_consent")
