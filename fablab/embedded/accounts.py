"""Broker accounts of the embedded broker, made from the bridges in the database."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.orm import Session

from fablab.embedded.broker_rights import User, write_credentials
from fablab.embedded.secrets import Secrets
from fablab.telemetry.broker_accounts import hash_password
from fablab.telemetry.registry import broker_accounts


def accounts_file(data_dir: Path) -> Path:
    """The file the embedded broker reads, and reads again within a second of a change."""
    return data_dir / "broker" / "accounts.json"


def refresh_accounts(session: Session, data_dir: Path) -> None:
    """Give the embedded broker every bridge of the database; call it after adding or removing one."""
    bridges = [
        (account.user, User(account.password_hash, account.lab, account.name))
        for account in broker_accounts(session)
    ]
    write_credentials(accounts_file(data_dir), hash_password(Secrets(data_dir).broker_password), bridges)
