"""Bridges and their outboxes: who is connected, and how far each outbox is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from fablab.machines.models import Lab
from fablab.telemetry.models import Bridge, BridgeOutbox, MachineStatus
from fablab.telemetry.rules import Mark, offline_counts
from firmware_bridge.wire.messages import Presence

_MOST_REMEMBERED = 1000
_unknown: set[UUID] = set()


@dataclass(slots=True)
class Outbox:
    """An outbox with its bridge. ``mark`` moves with a batch; ``stored`` is what the database has."""

    id: UUID
    bridge_id: int
    bridge: str
    lab: str
    mark: Mark
    stored: Mark

    def forget_gap(self) -> None:
        """A bridge that (re)connects sends again: the wait for what is missing starts anew."""
        self.mark = Mark(self.mark.committed)


def lock_outboxes(session: Session, outboxes: Collection[UUID]) -> dict[UUID, Outbox]:
    """The known ones among these outboxes, locked in order."""
    if not outboxes:
        return {}
    rows = session.execute(
        _OUTBOXES.where(BridgeOutbox.outbox.in_(outboxes))
        .order_by(BridgeOutbox.outbox)
        .with_for_update(of=BridgeOutbox)
    )
    return {row.outbox: _outbox(row) for row in rows}


def current_outboxes(session: Session) -> list[Outbox]:
    """Every bridge's outbox that was announced last."""
    rows = session.execute(
        _OUTBOXES.distinct(BridgeOutbox.bridge_id).order_by(
            BridgeOutbox.bridge_id, BridgeOutbox.announced_at.desc()
        )
    )
    return [_outbox(row) for row in rows]


def forget_gaps(session: Session) -> None:
    """After a pause of our own, holes are waited for anew: bridges had no chance to fill them."""
    session.execute(update(BridgeOutbox).where(BridgeOutbox.gap_since.is_not(None)).values(gap_since=None))


def find(session: Session, lab: str, name: str) -> Bridge | None:
    """The bridge of that name in that lab, locked."""
    return session.scalar(
        select(Bridge)
        .join(Lab, Lab.id == Bridge.lab_id)
        .where(Lab.slug == lab, Bridge.name == name)
        .with_for_update(of=Bridge)
        .execution_options(populate_existing=True)
    )


def came_or_went(session: Session, bridge: Bridge, presence: Presence, at: datetime) -> bool:
    """Note a bridge's presence; False for the late good-bye of an earlier start, which changes nothing."""
    boot = str(presence.boot)
    if not presence.online and not offline_counts(bridge.boot, boot):
        return False
    if bridge.online != presence.online or bridge.boot != boot or bridge.presence_at is None:
        bridge.presence_at = at
    bridge.online, bridge.boot = presence.online, boot
    bridge.version = presence.version or bridge.version
    session.flush()
    return True


def announce(session: Session, bridge: Bridge, outbox: UUID, at: datetime, known: Outbox | None) -> Outbox:
    """Note which outbox a bridge uses now. ``known`` is the batch's own view of it, if it has one."""
    statement = insert(BridgeOutbox).values(
        outbox=outbox, bridge_id=bridge.id, committed_seq=0, announced_at=at
    )
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[BridgeOutbox.outbox],
            set_={"bridge_id": bridge.id, "announced_at": at},
        )
    )
    session.execute(update(BridgeOutbox).where(BridgeOutbox.bridge_id == bridge.id).values(gap_since=None))
    _unknown.discard(outbox)
    lab: str = session.scalars(select(Lab.slug).where(Lab.id == bridge.lab_id)).one()
    mark = Mark(known.mark.committed) if known else Mark()
    stored = Mark(known.stored.committed) if known else Mark()
    return Outbox(outbox, bridge.id, bridge.name, lab, mark, stored)


def machines_of(session: Session, bridge_id: int) -> dict[int, int]:
    """Machines that this bridge spoke for last, with their lab."""
    rows = session.execute(
        select(MachineStatus.machine_id, MachineStatus.lab_id).where(MachineStatus.bridge_id == bridge_id)
    )
    return {row.machine_id: row.lab_id for row in rows}


def is_first_of_unknown(outbox: UUID) -> bool:
    """Whether this process meets an unannounced outbox for the first time."""
    if outbox in _unknown or len(_unknown) >= _MOST_REMEMBERED:
        return False
    _unknown.add(outbox)
    return True


_OUTBOXES = (
    select(
        BridgeOutbox.outbox,
        BridgeOutbox.bridge_id,
        BridgeOutbox.committed_seq,
        BridgeOutbox.gap_since,
        Bridge.name,
        Lab.slug.label("lab"),
    )
    .join(Bridge, Bridge.id == BridgeOutbox.bridge_id)
    .join(Lab, Lab.id == Bridge.lab_id)
)


def _outbox(row: Row[*tuple[object, ...]]) -> Outbox:
    mark = Mark(row.committed_seq, row.gap_since)
    return Outbox(row.outbox, row.bridge_id, row.name, row.lab, mark, mark)
