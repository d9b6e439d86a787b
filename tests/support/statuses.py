"""Machines that speak, for tests of pages: a status put straight into the tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.db import notify
from fablab.machines.models import Machine
from fablab.telemetry.models import Bridge, MachineStatus

JOB_ID = "6a0e0f5e-3f6c-4a55-9a51-0c4b2a1d7e10"


def speaks(session: Session, slug: str, state: str, silent_s: float = 0, **more: Any) -> None:
    """The machine's newest word is ``state``, ``silent_s`` seconds ago; whoever watches is told."""
    now = datetime.now(UTC)
    machine = session.scalars(select(Machine).where(Machine.slug == slug)).one()
    bridge = session.scalars(select(Bridge).where(Bridge.lab_id == machine.lab_id)).one_or_none()
    if bridge is None:
        bridge = Bridge(
            lab_id=machine.lab_id,
            name="pi-1",
            created_at=now,
            online=True,
            presence_at=now,
        )
        session.add(bridge)
        session.flush()
    at = now - timedelta(seconds=silent_s)
    values = {"state": state, "since": at, "at": at, "seen_at": at, "lab_id": machine.lab_id, **more}
    session.merge(MachineStatus(machine_id=machine.id, bridge_id=bridge.id, **values))
    session.flush()
    notify(session, {"kind": "status", "machine": machine.id, "lab": machine.lab_id})
    session.commit()


def printing(progress: float = 0.42, file: str = "lamp.gcode") -> dict[str, Any]:
    """What a machine tells of its work."""
    eta_at = datetime.now(UTC) + timedelta(minutes=25)
    return {
        "job": {
            "id": JOB_ID,
            "file": file,
            "progress": progress,
            "print_time_s": 600.0,
            "remaining_s": 1500.0,
            "eta_at": eta_at.isoformat(),
        },
        "temperatures": {
            "tool0": {"actual_c": 214.6, "target_c": 215.0},
            "bed": {"actual_c": 60.0, "target_c": 60.0},
        },
    }
