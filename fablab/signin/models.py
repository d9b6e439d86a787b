"""Sessions, tokens, links sent by mail, second factors, providers' identities, and wrong guesses."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Identity,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from fablab.db import Base


class SignInSession(Base):
    """A browser somebody is signed in with. Only the SHA-256 of what its cookie holds is kept."""

    __tablename__ = "sign_in_session"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    # 'password', 'passkey' or 'oidc:<provider>'; whether a second factor was shown beside it.
    method: Mapped[str] = mapped_column(String(60))
    second_factor: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    # Over, too, when not seen for this long.
    idle_s: Mapped[int]
    address: Mapped[str] = mapped_column(String(45), default="")
    browser: Mapped[str] = mapped_column(String(200), default="")


class Token(Base):
    """A personal access token; only its SHA-256 is kept."""

    __tablename__ = "token"
    __table_args__ = (CheckConstraint("scope IN ('read', 'write')", name="scope"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    scope: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class MailLink(Base):
    """A link sent by mail that works once, for an hour. Only the SHA-256 of its secret is kept."""

    __tablename__ = "mail_link"
    __table_args__ = (
        CheckConstraint("purpose IN ('verify', 'reset', 'address', 'join')", name="purpose"),
        CheckConstraint("(purpose = 'join') = (member_id IS NULL)", name="member"),
        CheckConstraint("(purpose = 'join') = (pending IS NOT NULL)", name="pending"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(10))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    # The address the link was sent to; for 'address' the new one.
    email: Mapped[str] = mapped_column(String(254))
    # The account that opening a 'join' link makes, with just what was typed when it was asked for: of two
    # who give the same address neither can put a password into the other's account.
    pending: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class LinkRequest(Base):
    """Somebody gave an address and waits for a mail. The clock looks whose it is and sends the right one.

    The page only writes this row, whoever the address belongs to: its work, and so the time it takes, tells
    nobody who has an account.
    """

    __tablename__ = "link_request"
    __table_args__ = (CheckConstraint("purpose IN ('verify', 'reset', 'address', 'join')", name="purpose"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(10))
    email: Mapped[str] = mapped_column(String(254))
    # Who wants another address, or theirs confirmed; None for strangers.
    member_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    pending: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_at: Mapped[datetime]


class ProviderIdentity(Base):
    """A member's account at an OIDC provider."""

    __tablename__ = "provider_identity"
    __table_args__ = (UniqueConstraint("provider", "subject"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    provider: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class Authenticator(Base):
    """A member's authenticator app (TOTP). The secret is encrypted with the service's key."""

    __tablename__ = "authenticator"

    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
    # Until a first code has been shown, it is not asked for.
    confirmed_at: Mapped[datetime | None]
    # The last time step whose code was taken: no code works twice.
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(Base):
    """One of the codes that stand in for a lost authenticator app, each once."""

    __tablename__ = "recovery_code"
    __table_args__ = (UniqueConstraint("member_id", "digest"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    used_at: Mapped[datetime | None]


class Passkey(Base):
    """A passkey (WebAuthn credential) of a member."""

    __tablename__ = "passkey"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    member_id: Mapped[int] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(80))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(1023), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger, default=0)
    created_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]


class SpentChallenge(Base):
    """A passkey's challenge that was answered rightly: the same answer opens nothing a second time."""

    __tablename__ = "spent_challenge"

    # SHA-256 of the challenge. Kept only for as long as the challenge would have been good.
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    spent_at: Mapped[datetime]


class Guess(Base):
    """Wrong guesses under one key: an account, an address, an address's tokens. The key is a SHA-256."""

    __tablename__ = "guess"

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(index=True)
