"""Figures are for managers, operators and admins."""

from __future__ import annotations

from tests.web.permissions import Row

OTHERS = {"amina": 403, "youssef": 403, "trainer": 403}

ROWS: dict[str, Row] = {
    "GET /api/v1/utilisation": Row(200, **OTHERS),
    "GET /utilisation": Row(200, **OTHERS),
    "GET /utilisation.csv": Row(200, **OTHERS),
}
