"""Who may speak for a lab's machines: the register of bridges and their broker accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.errors import Refusal, not_found, refused
from fablab.machines.models import Lab
from fablab.members import audit
from fablab.telemetry.broker_accounts import bridge_users, hash_password, password_matches
from fablab.telemetry.models import Bridge, BridgeCredential


@dataclass(frozen=True)
class BrokerAccount:
    """A bridge as the broker knows it. ``password_hash`` is PBKDF2-SHA512 as Mosquitto 2 writes it."""

    user: str
    lab: str
    name: str
    password_hash: str
    created_at: datetime


def register_bridge(session: Session, lab: str, name: str, password: str, now: datetime) -> str:
    """Add a bridge to a lab; returns its broker user.

    Raises ValueError for a name that could widen a right, DomainError when there is no such lab, the bridge
    exists or another lab's has its user name (labs and bridges may both have dashes in their names).
    """
    user = bridge_users(lab, name)[0]
    lab_id = session.scalar(select(Lab.id).where(Lab.slug == lab))
    if lab_id is None:
        raise not_found(f"lab {lab}")
    if _bridge(session, lab, name) is not None:
        text = f"The bridge {name} exists; `fablab bridge rotate` gives it a new password."
        raise refused(Refusal("bridge_exists", "name", text))
    if user in {account.user for account in broker_accounts(session)}:
        text = f"Another lab's bridge has the user name {user}; choose another name."
        raise refused(Refusal("user_taken", "name", text))
    bridge = Bridge(lab_id=lab_id, name=name, created_at=now)
    session.add(bridge)
    session.flush()
    _add_credential(session, bridge, user, password, now)
    audit.record(session, None, "bridge.add", f"bridge {bridge.id}", now, f"user {user}", lab_id=lab_id)
    return user


def rotate_credential(session: Session, lab: str, name: str, password: str, now: datetime) -> str:
    """Give a bridge a second account, valid beside the first until that is revoked; returns its broker user.

    Raises DomainError when there is no such bridge, or two of its accounts are valid already.
    """
    bridge = _known(session, lab, name)
    taken = [each.user for each in accounts_of(session, lab, name)]
    free = [user for user in bridge_users(lab, name) if user not in taken]
    if not free:
        text = f"Two passwords of {name} are valid already: revoke one first ({' or '.join(taken)})."
        raise refused(Refusal("two_valid", "user", text))
    _add_credential(session, bridge, free[0], password, now)
    subject = f"bridge {bridge.id}"
    audit.record(session, None, "credential.add", subject, now, f"user {free[0]}", lab_id=bridge.lab_id)
    return free[0]


def revoke_credential(session: Session, lab: str, name: str, user: str, now: datetime) -> None:
    """End one account of a bridge, be it the last: a stolen computer must be shut out. Raises DomainError."""
    bridge = _known(session, lab, name)
    ended = session.scalar(
        update(BridgeCredential)
        .where(
            BridgeCredential.bridge_id == bridge.id,
            BridgeCredential.username == user,
            BridgeCredential.revoked_at.is_(None),
        )
        .values(revoked_at=now)
        .returning(BridgeCredential.id)
    )
    if ended is None:
        raise not_found(f"valid broker user {user} of {name}")
    subject = f"bridge {bridge.id}"
    audit.record(session, None, "credential.revoke", subject, now, f"user {user}", lab_id=bridge.lab_id)


def broker_accounts(session: Session, lab: str | None = None) -> list[BrokerAccount]:
    """The valid accounts of all bridges, or of one lab's, by bridge and the newest last. One statement."""
    statement = (
        select(
            BridgeCredential.username,
            Lab.slug,
            Bridge.name,
            BridgeCredential.password_hash,
            BridgeCredential.created_at,
        )
        .join(Bridge, Bridge.id == BridgeCredential.bridge_id)
        .join(Lab, Lab.id == Bridge.lab_id)
        .where(BridgeCredential.revoked_at.is_(None))
        .order_by(Lab.slug, Bridge.name, BridgeCredential.id)
    )
    if lab is not None:
        statement = statement.where(Lab.slug == lab)
    return [BrokerAccount(*row) for row in session.execute(statement)]


def accounts_of(session: Session, lab: str, name: str) -> list[BrokerAccount]:
    """The valid accounts of one bridge, the newest last."""
    return [each for each in broker_accounts(session, lab) if each.name == name]


def newest_is(session: Session, lab: str, name: str, password: str) -> bool:
    """Whether this is the password the bridge was given last."""
    accounts = accounts_of(session, lab, name)
    return bool(accounts) and password_matches(password, accounts[-1].password_hash)


def replace_password(session: Session, lab: str, name: str, password: str) -> None:
    """Give the newest account of a bridge, where there is one, this password instead of its own."""
    for account in accounts_of(session, lab, name)[-1:]:
        session.execute(
            update(BridgeCredential)
            .where(BridgeCredential.username == account.user, BridgeCredential.revoked_at.is_(None))
            .values(password_hash=hash_password(password))
        )


def _add_credential(session: Session, bridge: Bridge, user: str, password: str, now: datetime) -> None:
    session.add(
        BridgeCredential(
            bridge_id=bridge.id, username=user, password_hash=hash_password(password), created_at=now
        )
    )
    session.flush()


def _bridge(session: Session, lab: str, name: str) -> Bridge | None:
    return session.scalar(
        select(Bridge).join(Lab, Lab.id == Bridge.lab_id).where(Lab.slug == lab, Bridge.name == name)
    )


def _known(session: Session, lab: str, name: str) -> Bridge:
    found = _bridge(session, lab, name)
    if found is None:
        raise not_found(f"bridge {name} in {lab}")
    return found
