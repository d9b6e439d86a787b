"""How a member can get in at all; the last way is never taken away, and of a new one its owner hears."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fablab.errors import Refusal, refused
from fablab.mail.service import Recipient, queue
from fablab.members.models import Member
from fablab.signin.models import Passkey, ProviderIdentity


def ways_in(
    session: Session,
    member_id: int,
    providers: Collection[str],
    *,
    but_passkey: int | None = None,
    but_identity: int | None = None,
) -> int:
    """How many ways in the member has: a password, each passkey, each account at a provider still in use.

    ``but_passkey`` and ``but_identity`` are ids of what is about to be taken away. The member's row is
    locked: of two removals at the same time, the second counts after the first.
    """
    has_password = session.scalar(
        select(Member.password_hash.is_not(None)).where(Member.id == member_id).with_for_update()
    )
    passkeys = session.scalar(
        select(func.count()).where(Passkey.member_id == member_id, Passkey.id != (but_passkey or 0))
    )
    identities = session.scalar(
        select(func.count()).where(
            ProviderIdentity.member_id == member_id,
            ProviderIdentity.provider.in_(providers),
            ProviderIdentity.id != (but_identity or 0),
        )
    )
    return int(bool(has_password)) + (passkeys or 0) + (identities or 0)


def refuse_last_way(ways_left: int) -> None:
    """Raises REFUSED when nothing would be left."""
    if ways_left < 1:
        text = "This is your only way in. Set a password or add a passkey first."
        raise refused(Refusal("last_way_in", "", text))


def tell(session: Session, member_id: int, now: datetime) -> None:
    """Write to the member that there is a new way into the account; it may have been somebody else."""
    found = Member
    to = session.execute(
        select(found.email, found.name, found.language).where(found.id == member_id, found.active)
    ).one_or_none()
    if to is not None:
        queue(session, "way_in_added", Recipient(to.email, to.name, to.language, member_id), {}, now)
