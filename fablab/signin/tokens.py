"""Personal access tokens: how many, and for how long."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.errors import Refusal, refused
from fablab.members.models import Member
from fablab.members.queries import TokenView, tokens_of
from fablab.members.rules import Actor
from fablab.members.service import add_token
from fablab.signin.ways_in import tell

NAME_MAX = 80


def make_token(
    session: Session,
    actor: Actor,
    name: str,
    scope: str,
    days: int | None,
    now: datetime,
    *,
    most: int,
    longest_days: int,
) -> tuple[TokenView, str]:
    """Make a token for the actor; returns it and its secret text, which is kept nowhere.

    ``most`` tokens at a time, each for ``longest_days`` at most, which is also what None gives. A mail
    tells the member of it.
    """
    refusals = []
    if not name.strip() or len(name.strip()) > NAME_MAX or not name.strip().isprintable():
        refusals.append(Refusal("invalid", "name", f"Give it a name of at most {NAME_MAX} characters."))
    if days is not None and not 1 <= days <= longest_days:
        text = f"A token works for 1 to {longest_days} days."
        refusals.append(Refusal("invalid", "days", text))
    if refusals:
        raise refused(*refusals)
    # Of two at once the second counts after the first.
    session.execute(select(Member.id).where(Member.id == actor.member_id).with_for_update())
    if len(tokens_of(session, actor.member_id, now)) >= most:
        text = f"You have {most} tokens, which is as many as one may have. End one you no longer use."
        raise refused(Refusal("too_many_tokens", "name", text))
    tell(session, actor.member_id, now)
    return add_token(
        session,
        actor.member_id,
        name.strip(),
        scope,
        now,
        days=longest_days if days is None else days,
        actor=actor,
    )
