"""A member's authenticator app: a secret shared once, and six digits that change every thirty seconds.

The secret is kept encrypted (AES-256-GCM) with a key derived from the service's own; the member's number is
bound to it, so that one member's row cannot be put in another's place.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.errors import DomainError, Refusal, refused
from fablab.members import audit
from fablab.members.rules import Actor
from fablab.signin.models import Authenticator

STEP_S = 30
DIGITS = 6
# Clocks of phones go wrong by some seconds: the step before and the one after are taken too.
STEPS_AROUND = 1
_NONCE_BYTES = 12


@dataclass(frozen=True)
class AuthenticatorView:
    """What the account page shows of an authenticator."""

    created_at: datetime
    confirmed_at: datetime | None


@cache
def key_from(secret_key: str) -> bytes:
    """The 32 bytes that encrypt authenticators' secrets, from the service's secret key (HKDF, RFC 5869)."""
    derived = HKDF(hashes.SHA256(), length=32, salt=None, info=b"fablab authenticator secrets")
    return derived.derive(secret_key.encode())


def authenticator_of(session: Session, member_id: int) -> AuthenticatorView | None:
    """The member's authenticator, confirmed or not yet; None without one."""
    row = session.execute(
        select(Authenticator.created_at, Authenticator.confirmed_at).where(
            Authenticator.member_id == member_id
        )
    ).one_or_none()
    return None if row is None else AuthenticatorView(*row)


def confirmed(session: Session, member_id: int) -> bool:
    """Whether the member has an authenticator that is asked for at sign-in."""
    found = authenticator_of(session, member_id)
    return found is not None and found.confirmed_at is not None


def begin(session: Session, actor: Actor, key: bytes, now: datetime) -> None:
    """Make a new secret for the actor, in place of one that was never confirmed.

    Raises REFUSED when a confirmed one is there: it must be taken away first.
    """
    secret = _encrypt(key, actor.member_id, pyotp.random_base32())
    new = {"secret": secret, "created_at": now, "confirmed_at": None, "last_step": 0}
    begun = session.execute(
        insert(Authenticator)
        .values(member_id=actor.member_id, **new)
        .on_conflict_do_update(
            index_elements=["member_id"], set_=new, where=Authenticator.confirmed_at.is_(None)
        )
        .returning(Authenticator.member_id)
    )
    if begun.one_or_none() is None:
        raise _already()


def pending_secret(session: Session, actor: Actor, key: bytes) -> str | None:
    """The secret the actor is about to put into an app, in base32; None once confirmed, or before begin."""
    row = session.scalar(
        select(Authenticator.secret).where(
            Authenticator.member_id == actor.member_id, Authenticator.confirmed_at.is_(None)
        )
    )
    return None if row is None else _decrypt(key, actor.member_id, row)


def address_of(secret: str, email: str, issuer: str) -> str:
    """The otpauth:// address that apps read from a QR code."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S).provisioning_uri(name=email, issuer_name=issuer)


def confirm(session: Session, actor: Actor, key: bytes, code: str, now: datetime) -> bool:
    """Take the first code of a new authenticator; from then on it is asked for. False: a wrong code.

    Raises REFUSED when there is nothing to confirm.
    """
    row = _row(session, actor.member_id)
    if row is None:
        raise refused(Refusal("not_begun", "code", "Begin again: there is no new authenticator to confirm."))
    if row.confirmed_at is not None:
        raise _already()
    step = _step_of(_decrypt(key, actor.member_id, row.secret), code, now)
    if step is None:
        return False
    taken = session.scalar(
        update(Authenticator)
        .where(Authenticator.member_id == actor.member_id, Authenticator.confirmed_at.is_(None))
        .values(confirmed_at=now, last_step=step)
        .returning(Authenticator.member_id)
    )
    if taken is None:
        raise _already()
    subject = f"member {actor.member_id}"
    audit.record(session, actor, "authenticator.add", subject, now, on_member_id=actor.member_id)
    return True


def take(session: Session, member_id: int, key: bytes, code: str, now: datetime) -> bool:
    """Whether this is the code of a step near now that was not taken before; each works once.

    Two requests with the same code: the row's condition lets exactly one of them pass. Raises REFUSED when
    the secret cannot be read any more, because the service's secret key was changed.
    """
    row = _row(session, member_id)
    if row is None or row.confirmed_at is None:
        return False
    step = _step_of(_decrypt(key, member_id, row.secret), code, now)
    if step is None:
        return False
    taken = session.scalar(
        update(Authenticator)
        .where(
            Authenticator.member_id == member_id,
            Authenticator.confirmed_at.is_not(None),
            Authenticator.last_step < step,
        )
        .values(last_step=step)
        .returning(Authenticator.member_id)
    )
    return taken is not None


def forget(session: Session, member_id: int) -> bool:
    """Delete the member's authenticator; False when there was none."""
    gone = session.scalar(
        delete(Authenticator).where(Authenticator.member_id == member_id).returning(Authenticator.member_id)
    )
    return gone is not None


def _row(session: Session, member_id: int) -> Authenticator | None:
    return session.scalar(
        select(Authenticator)
        .where(Authenticator.member_id == member_id)
        .execution_options(populate_existing=True)
    )


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The step near now that this code belongs to. All are compared, whichever fits."""
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S)
    today = int(now.timestamp()) // STEP_S
    found = None
    for step in range(today - STEPS_AROUND, today + STEPS_AROUND + 1):
        if hmac.compare_digest(totp.generate_otp(step).encode(), code.encode("utf-8", "replace")):
            found = step
    return found


def _encrypt(key: bytes, member_id: int, secret: str) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, secret.encode(), _bound_to(member_id))


def _decrypt(key: bytes, member_id: int, stored: bytes) -> str:
    nonce, sealed = stored[:_NONCE_BYTES], stored[_NONCE_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, sealed, _bound_to(member_id)).decode()
    except InvalidTag as error:
        text = (
            "Your authenticator app can no longer be checked. Use a recovery code, or ask an administrator."
        )
        raise refused(Refusal("unreadable_authenticator", "code", text)) from error


def _bound_to(member_id: int) -> bytes:
    return f"authenticator of member {member_id}".encode()


def _already() -> DomainError:
    return refused(Refusal("already_set_up", "", "You have an authenticator app already. Remove it first."))
