"""Every endpoint of the API, read from the running application, with what each needs to be called."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Flask

from tests.fixtures_cast import tomorrow

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Route:
    """One method on one address pattern."""

    method: str
    rule: str

    def __str__(self) -> str:
        return f"{self.method} {self.rule.removeprefix(PREFIX)}"


def routes(app: Flask) -> list[Route]:
    """Everything below /api/v1 except the document itself."""
    found = [
        Route(method, str(rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if str(rule).startswith(PREFIX) and not str(rule).endswith("openapi.json")
    ]
    return sorted(found, key=str)


def booking_body(**more: Any) -> dict[str, Any]:
    """A booking of tanger-prusa-1 that nothing speaks against."""
    starts = tomorrow(10)
    return {
        "machine": "tanger-prusa-1",
        "starts_at": starts.isoformat(),
        "ends_at": (starts + timedelta(hours=1)).isoformat(),
        **more,
    }


BODIES: dict[str, dict[str, Any]] = {
    "POST /bookings": booking_body(),
    "POST /bookings/preview": booking_body(),
    "POST /bookings/<id:booking_id>/cancellation": {"reason": "ill"},
    "POST /me/tokens": {"name": "laptop"},
}


def address(route: Route, *, lab: str = "tanger", machine: str = "tanger-prusa-1", **ids: Any) -> str:
    """The route's address with something in each of its places."""
    values = {"<slug:lab>": lab, "<slug:machine>": machine, "<uuid:job_id>": uuid.UUID(int=7), **ids}
    path = route.rule
    for place, value in values.items():
        path = path.replace(place, str(value))
    for place in ("<id:booking_id>", "<id:token_id>"):
        path = path.replace(place, str(ids.get(place, 1)))
    assert "<" not in path, f"{route}: say in tests/web/api/requests.py what goes into this address"
    return path
