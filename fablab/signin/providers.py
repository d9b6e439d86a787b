"""Accounts at OIDC providers: whose they are here, linking one, unlinking it.

What a provider says reaches us as `Claims`, after its signature, issuer, audience and times were checked at
the edge (fablab.web.providers). Here it is decided whether that lets anybody in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_found, refused
from fablab.members import audit
from fablab.members.addresses import normal_email
from fablab.members.models import Member
from fablab.members.queries import by_email
from fablab.members.rules import Actor
from fablab.members.service import add_member
from fablab.signin.models import ProviderIdentity
from fablab.signin.ways_in import refuse_last_way, tell, ways_in

SUBJECT_MAX = 255
NAME_MAX = 120


@dataclass(frozen=True)
class Claims:
    """What a provider says of a person. ``email`` is None unless the provider has verified it."""

    provider: str
    subject: str
    email: str | None
    name: str


@dataclass(frozen=True)
class IdentityView:
    """A member's account at a provider, as the account page shows it."""

    id: int
    provider: str
    created_at: datetime
    last_used_at: datetime | None


def read_claims(provider: str, said: Mapping[str, Any]) -> Claims:
    """What a provider's answer says, measured. Raises REFUSED when it does not say who it is about.

    Only the JSON value ``true`` makes an address a verified one.
    """
    subject = said.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_MAX or not subject.isprintable():
        raise refused(Refusal("unreadable_answer", "provider", "The answer does not say who you are."))
    said_email = said.get("email") if said.get("email_verified") is True else None
    email = normal_email(said_email) if isinstance(said_email, str) else None
    name = said.get("name")
    name = name if isinstance(name, str) else ""
    name = " ".join("".join(each if each.isprintable() else " " for each in name).split())
    return Claims(provider, subject, email, name[:NAME_MAX] or (email or "").partition("@")[0][:NAME_MAX])


def identities_of(session: Session, member_id: int) -> list[IdentityView]:
    """The member's accounts at providers, oldest first."""
    rows = session.execute(
        select(
            ProviderIdentity.id,
            ProviderIdentity.provider,
            ProviderIdentity.created_at,
            ProviderIdentity.last_used_at,
        )
        .where(ProviderIdentity.member_id == member_id)
        .order_by(ProviderIdentity.id)
    )
    return [IdentityView(*row) for row in rows]


def sign_in_with(
    session: Session, claims: Claims, now: datetime, *, registration: bool, address: str | None = None
) -> int:
    """The member whom a provider's word lets in; returns the id.

    1. An account at the provider seen before: its member.
    2. Otherwise the member whose verified address the provider has verified too: linked from now on.
    3. Otherwise, where people may register themselves, a new member.

    ``address`` is where the person came from. Raises REFUSED (closed_account, email_unverified,
    email_unconfirmed_here, no_account) with what to do.
    """
    try:
        with session.begin_nested():
            return _member_for(session, claims, now, registration, address)
    except IntegrityError:
        # The same person came in twice at once and the other was first: now there is somebody to find.
        return _member_for(session, claims, now, False, address)


def link(session: Session, actor: Actor, claims: Claims, now: datetime) -> None:
    """Link an account at a provider to the actor, who is signed in here and has just signed in there.

    Raises REFUSED when it belongs to another member.
    """
    owner = _owner(session, claims)
    if owner is None:
        try:
            with session.begin_nested():
                _link(session, actor, actor.member_id, claims, now)
                tell(session, actor.member_id, now)
        except IntegrityError:
            # Somebody was quicker by a moment; whoever it was is the owner now.
            owner = _owner(session, claims)
    if owner is not None and owner != actor.member_id:
        raise refused(
            Refusal("linked_elsewhere", "provider", "That account opens somebody else’s account here.")
        )


def unlink(
    session: Session, actor: Actor, identity_id: int, providers: Collection[str], now: datetime
) -> None:
    """Forget one of the actor's accounts at providers. ``providers`` are the names of those now in use.

    Raises NOT_FOUND for another's, REFUSED for the last way in.
    """
    owned = (ProviderIdentity.id == identity_id) & (ProviderIdentity.member_id == actor.member_id)
    provider = session.scalar(select(ProviderIdentity.provider).where(owned))
    if provider is None:
        raise not_found("linked account")
    refuse_last_way(ways_in(session, actor.member_id, providers, but_identity=identity_id))
    session.execute(delete(ProviderIdentity).where(owned))
    subject = f"identity {identity_id}"
    audit.record(session, actor, "provider.unlink", subject, now, provider, on_member_id=actor.member_id)


def _member_for(
    session: Session, claims: Claims, now: datetime, registration: bool, address: str | None
) -> int:
    known = _owner(session, claims)
    if known is not None:
        _open_account(session, Member.id == known)
        session.execute(
            update(ProviderIdentity)
            .where(ProviderIdentity.provider == claims.provider, ProviderIdentity.subject == claims.subject)
            .values(last_used_at=now)
        )
        return known
    if claims.email is None:
        text = "They have not verified your e-mail address. Verify it there and come again, or sign in here."
        raise refused(Refusal("email_unverified", "provider", text))
    member = _open_account(session, by_email(claims.email))
    if member is not None:
        if member.email_verified_at is None:
            text = (
                "There is an account with your address, but nobody has confirmed the address here yet. "
                "Sign in with its password, confirm the address, then link the two."
            )
            raise refused(Refusal("email_unconfirmed_here", "provider", text))
        _link(session, None, member.id, claims, now, address)
        tell(session, member.id, now)
        return member.id
    if not registration:
        text = "You have no account here yet, and new ones are made by the labs. Ask at your lab."
        raise refused(Refusal("no_account", "provider", text))
    member_id = add_member(session, claims.email, claims.name, "maker", now, joins=True, address=address)
    session.execute(update(Member).where(Member.id == member_id).values(email_verified_at=now))
    _link(session, None, member_id, claims, now, address)
    return member_id


def _owner(session: Session, claims: Claims) -> int | None:
    return session.scalar(
        select(ProviderIdentity.member_id).where(
            ProviderIdentity.provider == claims.provider, ProviderIdentity.subject == claims.subject
        )
    )


def _open_account(session: Session, condition: Any) -> Member | None:
    member = session.scalar(select(Member).where(condition))
    if member is not None and (not member.active or member.erased_at is not None):
        raise refused(Refusal("closed_account", "provider", "Your account here is closed. Ask at your lab."))
    return member


def _link(
    session: Session,
    actor: Actor | None,
    member_id: int,
    claims: Claims,
    now: datetime,
    address: str | None = None,
) -> None:
    identity_id = session.scalar(
        insert(ProviderIdentity)
        .values(
            member_id=member_id,
            provider=claims.provider,
            subject=claims.subject,
            created_at=now,
            last_used_at=None if actor else now,
        )
        .returning(ProviderIdentity.id)
    )
    subject = f"identity {identity_id}"
    audit.record(
        session,
        actor,
        "provider.link",
        subject,
        now,
        claims.provider,
        on_member_id=member_id,
        address=address,
    )
