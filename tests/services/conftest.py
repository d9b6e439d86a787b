"""A session on the test database, and the telemetry case on it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from fablab.db import engine_options, sqlalchemy_url
from fablab.settings import Database
from tests.services.telemetry_case import Case, make_case


@pytest.fixture
def telemetry_session(database_url: str) -> Iterator[Session]:
    engine = create_engine(sqlalchemy_url(database_url), **engine_options(Database(database_url, 2, 2)))
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def case(telemetry_session: Session) -> Case:
    return make_case(telemetry_session)
