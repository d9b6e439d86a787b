"""The door. Whoever is inside already is sent on."""

from __future__ import annotations

from tests.fixtures_cast import PASSWORD
from tests.web.permissions import Row

ROWS: dict[str, Row] = {
    "GET /sign-in": Row(302, anonymous=200),
    "POST /sign-in": Row(303, anonymous=303, form={"email": "amina@example.org", "password": PASSWORD}),
    "POST /sign-out": Row(303, anonymous=303),
}
