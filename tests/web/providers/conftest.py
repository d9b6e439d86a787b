"""A provider that a test may twist, and an application that knows it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import func, update
from sqlalchemy.orm import Session

from fablab.members.models import Member
from fablab.settings import Settings, load_settings
from tests.fixtures_cast import SECRET, Cast
from tests.support.oidc_provider import Provider, oidc_provider
from tests.web.providers.coming_in import AMINA


@pytest.fixture
def provider() -> Iterator[Provider]:
    with oidc_provider() as provider:
        provider.person = AMINA
        yield provider


@pytest.fixture
def settings(database_url: str, provider: Provider) -> Settings:
    given = {"DATABASE_URL": database_url, "FABLAB_SECRET_KEY": SECRET, "FABLAB_BASE_URL": "http://localhost"}
    return load_settings({**given, **provider.settings()})


@pytest.fixture(autouse=True)
def _verified(session: Session, cast: Cast) -> None:
    """The cast has confirmed its addresses, but Youssef has not."""
    verified = update(Member).where(Member.email != "youssef@example.org")
    session.execute(verified.values(email_verified_at=func.now()))
    session.execute(
        update(Member).where(Member.email == "youssef@example.org").values(email_verified_at=None)
    )
    session.commit()
