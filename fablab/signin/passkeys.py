"""Passkeys (WebAuthn): adding one, signing in with one. Verification itself is the `webauthn` package's.

A passkey is asked to verify its user (finger, face, PIN), so that it counts as both factors.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import webauthn
from sqlalchemy import and_, delete, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from webauthn.helpers import parse_authentication_credential_json, structs
from webauthn.helpers.exceptions import WebAuthnException

from fablab.errors import DomainError, Refusal, not_found, refused
from fablab.logs import logger
from fablab.members import audit
from fablab.members.models import Member
from fablab.members.rules import Actor
from fablab.signin.models import Passkey, SpentChallenge
from fablab.signin.ways_in import refuse_last_way, tell, ways_in

log = logger("signin")

CHALLENGE_TTL = timedelta(minutes=5)
MOST_OF_ONE = 20
NAME_MAX = 80
SERVICE_NAME = "Fablab"


@dataclass(frozen=True)
class Place:
    """Where passkeys are good for: the origin a browser reports, and the host they are bound to."""

    origin: str
    host: str


@dataclass(frozen=True)
class PasskeyView:
    """What the account page shows of a passkey."""

    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


def place_of(base_url: str) -> Place | None:
    """The place of the service's address; None where browsers offer no passkeys.

    They are bound to a domain name, so an IP address has none, and they need https except on localhost.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if not host or _is_ip(host) or (parts.scheme != "https" and not _is_localhost(host)):
        return None
    return Place(f"{parts.scheme}://{parts.netloc}".lower(), host)


def passkeys_of(session: Session, member_id: int) -> list[PasskeyView]:
    """The member's passkeys, oldest first."""
    rows = session.execute(
        select(Passkey.id, Passkey.name, Passkey.created_at, Passkey.last_used_at)
        .where(Passkey.member_id == member_id)
        .order_by(Passkey.id)
    )
    return [PasskeyView(*row) for row in rows]


def options_to_add(session: Session, actor: Actor, email: str, place: Place, challenge: bytes) -> str:
    """What the browser needs to make a passkey for the actor, as JSON."""
    known = session.scalars(select(Passkey.credential_id).where(Passkey.member_id == actor.member_id))
    options = webauthn.generate_registration_options(
        rp_id=place.host,
        rp_name=SERVICE_NAME,
        user_id=_handle(actor.member_id),
        user_name=email,
        user_display_name=actor.name,
        challenge=challenge,
        timeout=int(CHALLENGE_TTL.total_seconds() * 1000),
        authenticator_selection=structs.AuthenticatorSelectionCriteria(
            resident_key=structs.ResidentKeyRequirement.REQUIRED,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        ),
        exclude_credentials=[structs.PublicKeyCredentialDescriptor(id=each) for each in known],
    )
    return webauthn.options_to_json(options)


def options_to_sign_in(place: Place, challenge: bytes) -> str:
    """What the browser needs to ask its user for a passkey, as JSON. The passkey tells who."""
    options = webauthn.generate_authentication_options(
        rp_id=place.host,
        challenge=challenge,
        timeout=int(CHALLENGE_TTL.total_seconds() * 1000),
        user_verification=structs.UserVerificationRequirement.REQUIRED,
    )
    return webauthn.options_to_json(options)


def add(
    session: Session, actor: Actor, name: str, credential: str, challenge: bytes, place: Place, now: datetime
) -> int:
    """Keep a passkey the actor's browser has just made; returns its id.

    Raises REFUSED for an answer that does not fit the challenge, the place or a free place in the list.
    """
    name = "".join(letter for letter in name if letter.isprintable()).strip()[:NAME_MAX] or "Passkey"
    try:
        made = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        raise _unfit(error) from error
    if not _spend(session, challenge, now):
        raise refused(Refusal("spent", "passkey", "That answer was used already. Try again."))
    # The row is locked, so that two at a time do not pass the most one may have.
    session.execute(select(Member.id).where(Member.id == actor.member_id).with_for_update())
    if (session.scalar(select(func.count()).where(Passkey.member_id == actor.member_id)) or 0) >= MOST_OF_ONE:
        text = f"You have {MOST_OF_ONE} passkeys. Remove one you do not use first."
        raise refused(Refusal("too_many", "passkey", text))
    passkey_id = session.scalar(
        insert(Passkey)
        .values(
            member_id=actor.member_id,
            name=name,
            credential_id=made.credential_id,
            public_key=made.credential_public_key,
            sign_count=made.sign_count,
            created_at=now,
        )
        .on_conflict_do_nothing()
        .returning(Passkey.id)
    )
    if passkey_id is None:
        raise refused(Refusal("known", "passkey", "This passkey is in use already."))
    audit.record(session, actor, "passkey.add", f"passkey {passkey_id}", now, on_member_id=actor.member_id)
    tell(session, actor.member_id, now)
    return int(passkey_id)


def sign_in_with(
    session: Session,
    credential: str,
    challenge: bytes,
    place: Place,
    now: datetime,
    *,
    address: str | None = None,
) -> int | None:
    """The member whose passkey answered the challenge, or None. A challenge is good for one right answer.

    ``address`` is where the answer came from.

    1. Find the passkey and check what it signed.
    2. Spend the challenge.
    3. Let its counter only grow: one that went back tells of a copy, is refused and written into the audit.
    4. Refuse closed accounts.
    """
    try:
        answer = parse_authentication_credential_json(credential)
        passkey = session.scalar(select(Passkey).where(Passkey.credential_id == answer.raw_id))
        if passkey is None or (answer.response.user_handle or _handle(passkey.member_id)) != _handle(
            passkey.member_id
        ):
            return None
        shown = webauthn.verify_authentication_response(
            credential=answer,
            expected_challenge=challenge,
            expected_rp_id=place.host,
            expected_origin=place.origin,
            credential_public_key=passkey.public_key,
            # Compared below: the package does it before the signature, when anybody could have written it.
            credential_current_sign_count=0,
            require_user_verification=True,
        )
    except (WebAuthnException, ValueError, TypeError, KeyError) as error:
        log.info("passkey_refused", trouble=str(error)[:200])
        return None
    if not _spend(session, challenge, now):
        return None
    if not _counted(session, passkey.id, shown.new_sign_count, now):
        detail = f"counter {shown.new_sign_count} after {passkey.sign_count}"
        subject = f"passkey {passkey.id}"
        audit.record(
            session,
            None,
            "passkey.refuse",
            subject,
            now,
            detail,
            on_member_id=passkey.member_id,
            address=address,
        )
        return None
    return session.scalar(
        select(Member.id).where(Member.id == passkey.member_id, Member.active, Member.erased_at.is_(None))
    )


def remove(
    session: Session, actor: Actor, passkey_id: int, providers: Collection[str], now: datetime
) -> None:
    """Forget one of the actor's own passkeys. Raises NOT_FOUND for another's, REFUSED for the last way in."""
    owned = (Passkey.id == passkey_id) & (Passkey.member_id == actor.member_id)
    if session.scalar(select(Passkey.id).where(owned)) is None:
        raise not_found("passkey")
    refuse_last_way(ways_in(session, actor.member_id, providers, but_passkey=passkey_id))
    session.execute(delete(Passkey).where(owned))
    audit.record(session, actor, "passkey.remove", f"passkey {passkey_id}", now, on_member_id=actor.member_id)


def _spend(session: Session, challenge: bytes, now: datetime) -> bool:
    """Use a challenge up; False when it was. What is older than a challenge lives is forgotten on the way."""
    session.execute(delete(SpentChallenge).where(SpentChallenge.spent_at < now - 2 * CHALLENGE_TTL))
    spent = session.scalar(
        insert(SpentChallenge)
        .values(digest=hashlib.sha256(challenge).digest(), spent_at=now)
        .on_conflict_do_nothing()
        .returning(SpentChallenge.digest)
    )
    return spent is not None


def _counted(session: Session, passkey_id: int, count: int, now: datetime) -> bool:
    """Note a use, if the counter has grown. Passkeys kept in a cloud do not count and always say zero."""
    grown = or_(Passkey.sign_count < count, and_(Passkey.sign_count == 0, literal(count) == 0))
    noted = session.scalar(
        update(Passkey)
        .where(Passkey.id == passkey_id, grown)
        .values(sign_count=count, last_used_at=now)
        .returning(Passkey.id)
        .execution_options(synchronize_session=False)
    )
    return noted is not None


def _handle(member_id: int) -> bytes:
    return member_id.to_bytes(8, "big")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_localhost(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _unfit(error: Exception) -> DomainError:
    log.info("passkey_refused", trouble=str(error)[:200])
    text = "That did not work: the answer does not belong to this page. Try again."
    return refused(Refusal("unfit", "passkey", text))
