"""Who may speak for a lab's machines: the register of bridges and their broker accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from fablab.errors import Code, DomainError
from fablab.machines.models import Lab
from fablab.telemetry.models import Bridge


@dataclass(frozen=True)
class BrokerAccount:
    """A bridge as the broker knows it. ``password_hash`` is PBKDF2-SHA512 as Mosquitto 2 writes it."""

    user: str
    lab: str
    name: str
    password_hash: str


def register_bridge(
    session: Session,
    lab_id: int,
    name: str,
    user: str,
    password_hash: str,
    now: datetime,
    *,
    renew: bool = False,
) -> None:
    """Add a bridge to a lab, or with ``renew`` give the one that is there a new password.

    Raises DomainError when the bridge exists (or, with ``renew``, does not), or another has its user name.
    """
    known = list(
        session.scalars(
            select(Bridge).where(
                or_(Bridge.username == user, (Bridge.lab_id == lab_id) & (Bridge.name == name))
            )
        )
    )
    same = [bridge for bridge in known if bridge.lab_id == lab_id and bridge.name == name]
    if len(same) != len(known):
        raise DomainError(
            Code.REFUSED, f"Another lab's bridge has the user name {user}; choose another name."
        )
    if renew:
        if not same:
            raise DomainError(Code.NOT_FOUND, f"There is no bridge {name} in that lab.")
        same[0].password_hash = password_hash
        return
    if same:
        raise DomainError(Code.REFUSED, f"The bridge {name} exists; --renew gives it a new password.")
    session.add(Bridge(lab_id=lab_id, name=name, username=user, password_hash=password_hash, created_at=now))


def broker_accounts(session: Session) -> list[BrokerAccount]:
    """All bridges' accounts, by user name."""
    rows = session.execute(
        select(Bridge.username, Lab.slug, Bridge.name, Bridge.password_hash)
        .join(Lab, Lab.id == Bridge.lab_id)
        .order_by(Bridge.username)
    )
    return [BrokerAccount(*row) for row in rows]
