"""The audit is for admins."""

from __future__ import annotations

from tests.web.permissions import Row

ROWS: dict[str, Row] = {
    "GET /api/v1/audit": Row(404, admin=200),
    "GET /staff/audit": Row(404, admin=200),
}
