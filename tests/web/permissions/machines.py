"""Labs, kinds and machines, and what they do now: everybody's to see, without names."""

from __future__ import annotations

from tests.web.permissions import Row

SLUG = {"slug": "tanger-prusa-1"}

ROWS: dict[str, Row] = {
    "GET /api/v1/labs": Row(200),
    "GET /api/v1/labs/<slug:lab>": Row(200),
    "GET /api/v1/labs/<slug:lab>/calendar": Row(200),
    "GET /api/v1/kinds": Row(200),
    "GET /api/v1/machines": Row(200),
    "GET /api/v1/machines/<slug:machine>": Row(200),
    "GET /api/v1/machines/<slug:machine>/status": Row(200),
    "GET /api/v1/machines/<slug:machine>/calendar": Row(200),
    "GET /api/v1/slots": Row(200, nadia=403, query={"duration": "PT1H"}),
    "GET /api/v1/stream": Row(200),
    "GET /": Row(200),
    "GET /find": Row(200, nadia=403),
    "GET /labs/<slug>": Row(200, at={"slug": "tanger"}),
    "GET /machines/<slug>": Row(200, at=SLUG),
    "GET /machines/<slug>/panel": Row(200, at=SLUG),
    "GET /machines/<slug>/tile": Row(200, at=SLUG),
    "GET /machines/<slug>/people": Row(404, salma=200, admin=200, at=SLUG, query={"for_member": "amina"}),
}
