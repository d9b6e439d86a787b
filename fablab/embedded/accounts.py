"""Broker accounts of the embedded broker, made from the bridges in the database."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fablab.embedded.broker_rights import bridge_user, hash_password, password_matches, write_credentials
from fablab.embedded.secrets import Secrets
from fablab.machines.models import Lab
from fablab.telemetry.models import Bridge


def accounts_file(data_dir: Path) -> Path:
    """The file the embedded broker reads, and reads again within a second of a change."""
    return data_dir / "broker" / "accounts.json"


def refresh_accounts(session: Session, data_dir: Path) -> None:
    """Give the embedded broker every bridge of the database; call it after adding or removing one."""
    rows = session.execute(
        select(Lab.slug, Bridge.name, Bridge.password_hash).join(Lab, Lab.id == Bridge.lab_id)
    )
    bridges = {(lab, name): password_hash for lab, name, password_hash in rows}
    server_hash = hash_password(Secrets(data_dir).broker_password)
    write_credentials(accounts_file(data_dir), server_hash, bridges)


def set_password(session: Session, lab: str, name: str, password: str) -> None:
    """Give a bridge, where it exists, this password."""
    statement = update(Bridge).where(Bridge.username == bridge_user(lab, name))
    session.execute(statement.values(password_hash=hash_password(password)))


def has_password(session: Session, lab: str, name: str, password: str) -> bool:
    """Whether the bridge exists and this is its password."""
    stored = session.scalar(select(Bridge.password_hash).where(Bridge.username == bridge_user(lab, name)))
    try:
        return stored is not None and password_matches(password, stored)
    except ValueError:
        return False
