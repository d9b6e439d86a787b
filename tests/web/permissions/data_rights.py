"""One's own data: everybody takes and erases their own, and there is no way to anybody else's."""

from __future__ import annotations

from tests.fixtures_cast import PASSWORD
from tests.web.permissions import Row

ROWS: dict[str, Row] = {
    "GET /api/v1/me/export": Row(200),
    # Others depend on Amina's organisation, on the trainer's training and on the only administrator.
    "POST /api/v1/me/erasure": Row(200, amina=422, trainer=422, admin=422, json={"password": PASSWORD}),
    "GET /account/data": Row(200),
    "POST /account/data/archive": Row(200),
    "GET /account/data/erasure": Row(200),
    "POST /account/data/erasure": Row(303, amina=422, trainer=422, admin=422, form={"sure": "1"}),
}
