"""What machines did. Rows of the lists differ by person, the right to ask does not."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from fablab.usage.models import Job
from tests.web.permissions import Row
from tests.web.permissions.world import World

ROWS: dict[str, Row] = {
    "GET /api/v1/jobs": Row(200),
    "GET /api/v1/jobs/<uuid:job_id>": Row(200, at={"job_id": "$job"}),
    "GET /api/v1/usage-sessions": Row(200),
}


def things(world: World) -> dict[str, Any]:
    """A job nobody booked."""
    job = Job(
        id=uuid.UUID(int=7),
        machine_id=world.cast.machines["tanger-prusa-1"],
        lab_id=world.cast.labs["tanger"],
        started_at=world.now - timedelta(hours=1),
        ended_at=world.now,
        outcome="finished",
    )
    world.session.add(job)
    return {"job": job.id}
