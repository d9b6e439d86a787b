"""Being sent to the provider and back, as a browser is."""

from __future__ import annotations

import requests
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from fablab.members.models import Member
from fablab.signin.models import ProviderIdentity, SignInSession
from tests.fixtures_cast import Cast
from tests.support.pages import Reader

BEGIN = "/sign-in/with/university"
BACK = f"{BEGIN}/back"
AMINA = {"sub": "u-17", "email": "Amina@example.org", "email_verified": True, "name": "Amina B."}
NEW = {"sub": "u-99", "email": "hind@example.org", "email_verified": True, "name": "Hind\n\tO."}


def there(answer: TestResponse) -> str:
    """Where the provider sends the browser after it was sent there."""
    assert answer.status_code == 302, answer.text
    back = requests.get(answer.location, allow_redirects=False, timeout=10)
    assert back.status_code == 302, back.text
    return back.headers["Location"].removeprefix("http://localhost")


def come_in(reader: Reader, begin: str = BEGIN) -> TestResponse:
    return reader.get(there(reader.get(begin)))


def signed_in(reader: Reader) -> bool:
    return reader.get("/bookings").status_code == 200


def nobody_new(session: Session, cast: Cast) -> bool:
    """Whether nothing was stored: no member, no identity, no session."""
    counts = [session.scalar(select(func.count()).select_from(each)) for each in (Member, ProviderIdentity)]
    return counts == [len(cast.members), 0] and session.scalar(select(SignInSession.id)) is None
