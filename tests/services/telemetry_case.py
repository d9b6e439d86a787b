"""What the telemetry tests share: two labs, their machines, a bridge each, and a way in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fablab.machines.models import Machine
from fablab.settings import Settings, load_settings
from fablab.telemetry.models import Bridge, BridgeOutbox
from fablab.telemetry.partitions import make_partitions
from fablab.telemetry.service import Applied, apply_batch
from firmware_bridge.wire.messages import Message
from tests.support.bridges import Outbox, add_bridge, incoming
from tests.support.network import Network

START = datetime(2026, 11, 22, 9, tzinfo=UTC)
PRINTER, LASER, RABATS = "tanger-prusa-1", "tanger-laser-1", "rabat-prusa-1"


@dataclass
class Case:
    """Tanger with a printer and a laser, Rabat with a printer; each lab has the bridge `pi-1`."""

    session: Session
    network: Network
    settings: Settings
    machines: dict[str, Machine]
    bridges: dict[str, Bridge]

    def outbox(self, lab: str = "tanger", announced: bool = True) -> Outbox:
        outbox = Outbox(lab, start=START)
        if announced:
            self.deliver([outbox.presence()])
        return outbox

    def deliver(
        self, messages: Iterable[tuple[str, Message | bytes]], received: float | None = None
    ) -> Applied:
        """One batch; each message arrives at its own time, or all ``received`` seconds after START."""
        batch = []
        for topic, message in messages:
            at = getattr(message, "at", None) or START
            moment = at if received is None else START + timedelta(seconds=received)
            batch.append(incoming(topic, message, moment))
        applied = apply_batch(self.session, batch, self.settings)
        self.session.flush()
        return applied

    def rows(self, table: Any, *order: Any) -> Sequence[Any]:
        self.session.expire_all()
        return self.session.scalars(select(table).order_by(*order)).all()

    def committed(self, outbox: Outbox) -> int:
        return self.session.scalars(
            select(BridgeOutbox.committed_seq).where(BridgeOutbox.outbox == outbox.outbox)
        ).one()


def make_case(session: Session) -> Case:
    network = Network(session, START)
    tanger, rabat = network.lab("tanger"), network.lab("rabat")
    machines = {
        PRINTER: network.machine(tanger, PRINTER, unattended=True),
        LASER: network.machine(tanger, LASER),
        RABATS: network.machine(rabat, RABATS, unattended=True),
    }
    bridges = {lab.slug: add_bridge(session, lab.id, lab.slug, START) for lab in (tanger, rabat)}
    settings = load_settings({})
    make_partitions(session, START, settings.telemetry)
    return Case(session, network, settings, machines, bridges)
