"""What watches the service and describes it, outside people's areas."""

from __future__ import annotations

from tests.web.permissions import Row

ROWS: dict[str, Row] = {
    "GET /healthz": Row(200, anonymous=200),
    "GET /readyz": Row(200, anonymous=200),
    "GET /metrics": Row(403, nadia=200, admin=200),
    "GET /api/docs": Row(200, anonymous=200),
    "GET /api/v1/openapi.json": Row(200, anonymous=200),
    "GET /static/<path:filename>": Row(200, anonymous=200, at={"filename": "mark.svg"}),
}
