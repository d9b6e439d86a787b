"""The web's database sessions: one a request, given back at its end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Session

from fablab.db import Base

# Tables hang on our own Base, so that ingest and the clock can use them without Flask.
db = SQLAlchemy(metadata=Base.metadata)


@contextmanager
def writing() -> Iterator[Session]:
    """One transaction for one write: committed at the end, rolled back on any exception."""
    session: Session = db.session()
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
