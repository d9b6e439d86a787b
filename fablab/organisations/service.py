"""Verbs about organisations and who belongs to them. Every one locks the organisation's row first.

So an organisation is never without an owner, however many leave at once.
"""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_allowed, not_found, refused
from fablab.members import audit
from fablab.members.rules import Actor
from fablab.organisations.catalogue import Catalogue
from fablab.organisations.models import KINDS, Invitation, Membership, Organisation
from fablab.organisations.queries import OrganisationView, organisation_by_slug, standing
from fablab.organisations.rules import (
    OWNED_MOST,
    Standing,
    may_appoint_owners,
    may_close,
    may_found,
    may_remove,
    may_rename,
    may_see_organisation,
    may_set_terms,
    name_refusals,
    slug_of,
)


def found(
    session: Session, actor: Actor, name: str, kind: str, words: Catalogue, now: datetime
) -> OrganisationView:
    """Found an organisation; the actor becomes its first owner. Its kind chooses the tariff category."""
    if not may_found(actor):
        raise not_allowed("Operators look at the network and change nothing in it.")
    name = name.strip()
    refusals = name_refusals(name)
    if kind not in KINDS:
        refusals.append(Refusal("invalid", "kind", f"The kind is one of {', '.join(KINDS)}."))
    owned = session.scalar(
        select(func.count())
        .select_from(Membership)
        .join(Organisation, Organisation.id == Membership.organisation_id)
        .where(Membership.member_id == actor.member_id, Membership.owner, Organisation.closed_at.is_(None))
    )
    if (owned or 0) >= OWNED_MOST:
        text = f"You own {OWNED_MOST} organisations already. Close one you no longer need."
        refusals.append(Refusal("too_many", "name", text))
    if refusals:
        raise refused(*refusals)
    organisation_id, slug = _insert(session, name, kind, words.category_for(kind), now)
    session.add(Membership(organisation_id=organisation_id, member_id=actor.member_id, owner=True, since=now))
    session.flush()
    record(
        session, actor, "organisation.found", organisation_id, now, f"kind {kind}", on_member=actor.member_id
    )
    made = organisation_by_slug(session, slug)
    assert made is not None, "it was just written"
    return made


def rename(session: Session, actor: Actor, slug: str, name: str, now: datetime) -> None:
    """Give the organisation another name. Its address stays, so that links keep working."""
    organisation, place = locked(session, actor, slug)
    if not may_rename(actor, place):
        raise not_allowed("Only its owners may change the organisation.")
    name = name.strip()
    if refusals := name_refusals(name):
        raise refused(*refusals)
    organisation.name = name
    session.flush()
    record(session, actor, "organisation.rename", organisation.id, now)


def set_terms(
    session: Session,
    actor: Actor,
    slug: str,
    words: Catalogue,
    now: datetime,
    *,
    kind: str | None = None,
    tariff_category: str | None = None,
) -> None:
    """Set the kind, the tariff category or both. A category in use may stay, though gone from the list."""
    organisation, _ = locked(session, actor, slug)
    if not may_set_terms(actor):
        raise not_allowed("Kind and tariff category are set by the network's administrators.")
    refusals = []
    if kind is not None and kind not in KINDS:
        refusals.append(Refusal("invalid", "kind", f"The kind is one of {', '.join(KINDS)}."))
    known = {organisation.tariff_category, *words.tariff_categories}
    if tariff_category is not None and tariff_category not in known:
        refusals.append(Refusal("invalid", "tariff_category", "There is no such tariff category."))
    if refusals:
        raise refused(*refusals)
    organisation.kind = kind or organisation.kind
    organisation.tariff_category = tariff_category or organisation.tariff_category
    session.flush()
    detail = f"kind {organisation.kind}, tariff category {organisation.tariff_category}"
    record(session, actor, "organisation.set_terms", organisation.id, now, detail)


def remove(session: Session, actor: Actor, slug: str, member_id: int, now: datetime) -> None:
    """Take a member out, or leave.

    What they booked in its name stays as it was, also what is still to come: its owners see it and decide.
    Invitations they sent are over: otherwise one to a second account of theirs would let them in again.
    """
    organisation, place = locked(session, actor, slug, also_closed=True)
    if not may_remove(actor, place, member_id):
        raise not_allowed("Only its owners may remove a member.")
    theirs = standing(session, organisation.id, member_id)
    if not theirs.member:
        raise not_found("member of this organisation")
    if theirs.owner:
        _keep_an_owner(session, organisation, member_id)
    session.execute(
        delete(Membership).where(
            Membership.organisation_id == organisation.id, Membership.member_id == member_id
        )
    )
    withdraw_sent(session, organisation.id, member_id, now)
    act = "membership.leave" if member_id == actor.member_id else "membership.remove"
    record(session, actor, act, organisation.id, now, on_member=member_id)


def appoint(session: Session, actor: Actor, slug: str, member_id: int, owner: bool, now: datetime) -> None:
    """Make a member an owner, or an owner a member like others."""
    organisation, place = locked(session, actor, slug)
    if not may_appoint_owners(actor, place):
        raise not_allowed("Only its owners may make owners.")
    theirs = standing(session, organisation.id, member_id)
    if not theirs.member:
        raise not_found("member of this organisation")
    if theirs.owner == owner:
        return
    if theirs.owner:
        _keep_an_owner(session, organisation, member_id)
    session.execute(
        update(Membership)
        .where(Membership.organisation_id == organisation.id, Membership.member_id == member_id)
        .values(owner=owner)
    )
    if not owner:
        withdraw_sent(session, organisation.id, member_id, now)
    act = "membership.appoint" if owner else "membership.dismiss"
    record(session, actor, act, organisation.id, now, on_member=member_id)


def close(session: Session, actor: Actor, slug: str, now: datetime) -> None:
    """Close the organisation: nobody books in its name any more and open invitations end. Its past stays."""
    organisation, place = locked(session, actor, slug)
    if not may_close(actor, place):
        raise not_allowed("Only its owners may close the organisation.")
    end(session, organisation, now)
    record(session, actor, "organisation.close", organisation.id, now)


def reopen(session: Session, actor: Actor, slug: str, now: datetime) -> None:
    """Open a closed organisation again, with the members it had."""
    organisation, _ = locked(session, actor, slug, also_closed=True)
    if not may_set_terms(actor):
        raise not_allowed("A closed organisation is opened again by the network's administrators.")
    if organisation.closed_at is None:
        return
    organisation.closed_at = None
    session.flush()
    record(session, actor, "organisation.reopen", organisation.id, now)


def lock_quotas(session: Session, organisation_id: int) -> None:
    """Hold the organisation until the transaction ends, so that two bookings cannot both pass its quotas.

    Take it before the locks of machines' units: everybody must take them in this order.
    """
    session.execute(
        select(Organisation.id).where(Organisation.id == organisation_id).with_for_update(key_share=True)
    )


def locked(
    session: Session, actor: Actor, slug: str, *, also_closed: bool = False
) -> tuple[Organisation, Standing]:
    """The organisation, its row locked until the transaction ends, and what the actor is in it.

    Raises NOT_FOUND where the actor may not see it, REFUSED when it is closed.
    """
    organisation = session.scalar(
        select(Organisation)
        .where(Organisation.slug == slug)
        # Bookings that only point at the row need not wait.
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if organisation is None:
        raise not_found("organisation")
    place = standing(session, organisation.id, actor.member_id)
    if not may_see_organisation(actor, place):
        raise not_found("organisation")
    if organisation.closed_at is not None and not also_closed:
        text = "The organisation is closed. An administrator of the network can open it again."
        raise refused(Refusal("organisation_closed", "organisation", text))
    return organisation, place


def record(
    session: Session,
    actor: Actor | None,
    act: str,
    organisation_id: int,
    now: datetime,
    detail: str = "",
    on_member: int | None = None,
) -> None:
    """A line of the audit about an organisation."""
    subject = f"organisation {organisation_id}"
    audit.record(session, actor, act, subject, now, detail, on_member_id=on_member)


def withdraw_sent(session: Session, organisation_id: int, member_id: int, now: datetime) -> None:
    """End the open invitations of a member who may invite no more: one may be to an account of their own."""
    session.execute(
        update(Invitation)
        .where(
            Invitation.organisation_id == organisation_id,
            Invitation.invited_by_id == member_id,
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now)
    )


def end(session: Session, organisation: Organisation, now: datetime) -> None:
    """Write that a locked organisation is closed, and withdraw its open invitations."""
    organisation.closed_at = now
    session.flush()
    session.execute(
        update(Invitation)
        .where(
            Invitation.organisation_id == organisation.id,
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now)
    )


def _keep_an_owner(session: Session, organisation: Organisation, leaving_id: int) -> None:
    others = session.scalar(
        select(func.count()).where(
            Membership.organisation_id == organisation.id,
            Membership.owner,
            Membership.member_id != leaving_id,
        )
    )
    if not others:
        text = "An organisation needs an owner. Make somebody else an owner first, or close it."
        raise refused(Refusal("last_owner", "member", text))


def _insert(session: Session, name: str, kind: str, category: str, now: datetime) -> tuple[int, str]:
    """Insert it under the slug of its name, or where that is taken with some letters behind."""
    base = slug_of(name)
    slug = base
    while True:
        made = session.scalar(
            insert(Organisation)
            .values(slug=slug, name=name, kind=kind, tariff_category=category, created_at=now)
            .on_conflict_do_nothing(index_elements=["slug"])
            .returning(Organisation.id)
        )
        if made is not None:
            return made, slug
        slug = f"{base}-{secrets.token_hex(3)}"
