"""Inviting people into an organisation by mail, and what they answer.

Whoever invites gets the same answer whether or not the address has an account.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.mail.service import Recipient, queue
from fablab.members.addresses import email_trouble
from fablab.members.models import Member
from fablab.members.queries import by_email, member_by_email
from fablab.members.rules import Actor
from fablab.organisations.models import Invitation, Membership, Organisation
from fablab.organisations.queries import InvitationView, invitation_views
from fablab.organisations.rules import AGAIN_AFTER, INVITATION_LASTS, INVITATIONS_A_DAY, may_invite, may_join
from fablab.organisations.service import locked, record
from fablab.signin import limits
from fablab.signin.rules import invitation_key, same_email

PATH = "/invitations"


def invite(
    session: Session,
    actor: Actor,
    slug: str,
    email: str,
    now: datetime,
    *,
    base_url: str,
    owner: bool = False,
) -> InvitationView:
    """Invite whoever has this address, by mail. An earlier invitation to it ends and its link with it.

    Raises TOO_MANY when the address got as many mails as strangers can make us send, from whomever.
    """
    organisation, place = locked(session, actor, slug)
    if not may_invite(actor, place):
        raise not_allowed("Only its owners may invite.")
    email = email.strip()
    if refusals := _refusals(session, actor, organisation, email, now):
        raise refused(*refusals)
    limits.attempt(session, [invitation_key(email)], now)
    session.execute(
        update(Invitation)
        .where(Invitation.organisation_id == organisation.id, _sent_to(email), *_OPEN)
        .values(withdrawn_at=now)
    )
    plain = secrets.token_urlsafe(32)
    made = Invitation(
        organisation_id=organisation.id,
        email=email,
        owner=owner,
        digest=digest(plain),
        invited_by_id=actor.member_id,
        created_at=now,
        expires_at=now + INVITATION_LASTS,
    )
    session.add(made)
    session.flush()
    record(
        session,
        actor,
        "invitation.send",
        organisation.id,
        now,
        f"invitation {made.id}{', as owner' if owner else ''}",
    )
    _send(session, organisation, actor, email, f"{base_url}{PATH}/{plain}", now)
    return InvitationView(
        made.id,
        organisation.id,
        slug,
        organisation.name,
        email,
        owner,
        actor.member_id,
        actor.name,
        now,
        made.expires_at,
    )


def withdraw(session: Session, actor: Actor, slug: str, invitation_id: int, now: datetime) -> None:
    """Take an invitation back: its link no longer works."""
    organisation, place = locked(session, actor, slug)
    if not may_invite(actor, place):
        raise not_allowed("Only its owners may take an invitation back.")
    ended = session.scalar(
        update(Invitation)
        .where(Invitation.id == invitation_id, Invitation.organisation_id == organisation.id, *_OPEN)
        .values(withdrawn_at=now)
        .returning(Invitation.id)
    )
    if ended is None:
        raise not_found("invitation")
    record(session, actor, "invitation.withdraw", organisation.id, now, f"invitation {invitation_id}")


def invitation_by_secret(session: Session, plain: str, now: datetime) -> InvitationView | None:
    """The invitation behind a link, while it can be accepted."""
    row = session.execute(invitation_views(now).where(Invitation.digest == digest(plain))).one_or_none()
    return None if row is None else InvitationView(*row)


def accept_by_secret(session: Session, actor: Actor, plain: str, now: datetime) -> InvitationView:
    """Join by the link of a mail. It must have been sent to the actor's own, confirmed address."""
    found = invitation_by_secret(session, plain, now)
    if found is None:
        raise not_found("invitation")
    return _accept(session, actor, found, now)


def accept(session: Session, actor: Actor, invitation_id: int, now: datetime) -> InvitationView:
    """Join by an invitation to the actor's own address. Others' do not exist for them."""
    found = _own(session, actor, invitation_id, now)
    return _accept(session, actor, found, now)


def decline(session: Session, actor: Actor, invitation_id: int, now: datetime) -> None:
    """Say no to an invitation to the actor's own address."""
    found = _own(session, actor, invitation_id, now)
    session.execute(update(Invitation).where(Invitation.id == found.id, *_OPEN).values(withdrawn_at=now))
    record(session, actor, "invitation.decline", found.organisation_id, now, f"invitation {found.id}")


_OPEN = (Invitation.accepted_at.is_(None), Invitation.withdrawn_at.is_(None))


def _accept(session: Session, actor: Actor, found: InvitationView, now: datetime) -> InvitationView:
    if refusals := obstacles(session, actor, found):
        raise refused(*refusals)
    # The organisation first, as every verb does; then whoever was quicker has taken the invitation.
    closed_at = session.scalar(
        select(Organisation.closed_at)
        .where(Organisation.id == found.organisation_id)
        .with_for_update(key_share=True)
    )
    taken = session.scalar(
        update(Invitation)
        .where(Invitation.id == found.id, *_OPEN)
        .values(accepted_at=now)
        .returning(Invitation.id)
    )
    if closed_at is not None or taken is None:
        raise not_found("invitation")
    joining = insert(Membership).values(
        organisation_id=found.organisation_id, member_id=actor.member_id, owner=found.owner, since=now
    )
    session.execute(
        joining.on_conflict_do_update(
            index_elements=["organisation_id", "member_id"],
            set_={"owner": Membership.owner | joining.excluded.owner},
        )
    )
    detail = f"invitation {found.id}{', as owner' if found.owner else ''}"
    record(session, actor, "membership.begin", found.organisation_id, now, detail, on_member=actor.member_id)
    return found


def obstacles(session: Session, actor: Actor, found: InvitationView) -> list[Refusal]:
    """Why the actor cannot accept: another address, one not confirmed yet, or an operator."""
    email, verified_at = session.execute(
        select(Member.email, Member.email_verified_at).where(Member.id == actor.member_id)
    ).one()
    if same_email(email) != same_email(found.email):
        text = "This invitation was sent to another address. Sign in with the account that has it."
        return [Refusal("other_address", "email", text)]
    if verified_at is None:
        text = "Please confirm your e-mail address first, by the link in the mail we sent you."
        return [Refusal("address_not_confirmed", "email", text)]
    if not may_join(actor):
        text = "Operators look at the network and change nothing in it. Join with another account."
        return [Refusal("operator", "organisation", text)]
    return []


def _own(session: Session, actor: Actor, invitation_id: int, now: datetime) -> InvitationView:
    row = session.execute(
        invitation_views(now)
        .join(Member, by_email(Invitation.email) & (Member.id == actor.member_id))
        .where(Invitation.id == invitation_id, Member.email_verified_at.is_not(None))
    ).one_or_none()
    if row is None:
        raise not_found("invitation")
    return InvitationView(*row)


def _sent_to(email: str) -> ColumnElement[bool]:
    return func.lower(Invitation.email) == func.lower(email)


def _refusals(
    session: Session, actor: Actor, organisation: Organisation, email: str, now: datetime
) -> list[Refusal]:
    if trouble := email_trouble(email):
        return [Refusal("invalid", "email", trouble)]
    belongs = session.scalar(
        select(Membership.member_id)
        .join(Member, Member.id == Membership.member_id)
        .where(Membership.organisation_id == organisation.id, by_email(email))
    )
    if belongs is not None:
        return [Refusal("already_member", "email", "They belong to the organisation already.")]
    waits = session.scalar(
        select(func.count()).where(
            Invitation.organisation_id == organisation.id,
            _sent_to(email),
            Invitation.created_at > now - AGAIN_AFTER,
            *_OPEN,
        )
    )
    if waits:
        text = "We wrote to this address within the last day. Wait for an answer, or invite again tomorrow."
        return [Refusal("already_invited", "email", text)]
    sent = session.scalar(
        select(func.count()).where(
            Invitation.invited_by_id == actor.member_id, Invitation.created_at > now - timedelta(days=1)
        )
    )
    if (sent or 0) >= INVITATIONS_A_DAY:
        text = f"Those were {INVITATIONS_A_DAY} invitations within a day. Please go on tomorrow."
        return [Refusal("too_many", "email", text)]
    return []


def _send(
    session: Session, organisation: Organisation, actor: Actor, email: str, link: str, now: datetime
) -> None:
    """In the language of whoever has the address; of whoever invites, where nobody has."""
    known = member_by_email(session, email)
    asked = known.id if known is not None else actor.member_id
    language = session.scalar(select(Member.language).where(Member.id == asked)) or "fr"
    name, member_id = (known.name, known.id) if known is not None and known.active else ("", None)
    queue(
        session,
        "invitation",
        Recipient(email, name, language, member_id=member_id),
        {"organisation": organisation.name, "inviter": actor.name, "link": link},
        now,
    )


def digest(plain: str) -> bytes:
    """What is kept of an invitation's secret. It carries 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).digest()
