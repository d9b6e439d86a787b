"""The hours of labs, kept in this process for as long as they do not change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from fablab.machines.hours import Closure, Hours, Season, Week
from fablab.machines.recurrence import occurrences_between, parse
from fablab.machines.rules import OpenHours

# Labs kept at a time: more than a network has, and an end to what a process remembers.
_LABS_KEPT = 5000
_known: dict[int, Hours] = {}

# One statement, so that what is read belongs to one version. Closures that are over are read too: machine
# hours of days past are counted anew.
_READ = text(
    """
    SELECT lab.id, lab.zone, lab.hours_version,
           (SELECT json_agg(json_build_array(machine_id, season_id, weekday, opens, closes, supervised))
            FROM opening WHERE opening.lab_id = lab.id) AS openings,
           (SELECT json_agg(json_build_array(id, label, starts_on, ends_on, priority))
            FROM season WHERE season.lab_id = lab.id AND state = 'confirmed') AS seasons,
           (SELECT json_agg(json_build_array(label, local_starts, local_ends, machine_id, unattended_too,
                                             rrule))
            FROM closure WHERE closure.lab_id = lab.id AND state = 'confirmed') AS closures
    FROM lab WHERE lab.id = ANY(:labs)
    """
)


def hours_of_labs(session: Session, versions: Mapping[int, UUID]) -> dict[int, Hours]:
    """The hours of these labs, by id. ``versions`` are `lab.hours_version` as just read: what is known under
    them is not read again, and the others are, in one statement.
    """
    found = {
        lab_id: known
        for lab_id, version in versions.items()
        if (known := _known.get(lab_id)) is not None and known.version == version
    }
    missing = versions.keys() - found.keys()
    if missing:
        if len(_known) + len(missing) > _LABS_KEPT:
            _known.clear()
        for row in session.execute(_READ, {"labs": sorted(missing)}):
            # Under the version that was read along with it: it may be a newer one than was asked for.
            found[row.id] = _known[row.id] = _hours(row)
    return found


def hours_of_lab(session: Session, lab_id: int) -> Hours:
    """The hours of one lab as this transaction sees them now, whatever version that is."""
    version = session.scalar(text("SELECT hours_version FROM lab WHERE id = :lab"), {"lab": lab_id})
    return hours_of_labs(session, {lab_id: version})[lab_id]


def _hours(row: Any) -> Hours:
    weeks: dict[tuple[int | None, int | None], list[OpenHours]] = defaultdict(list)
    for machine_id, season_id, weekday, opens, closes, supervised in row.openings or ():
        weeks[machine_id, season_id].append(
            OpenHours(weekday, time.fromisoformat(opens), time.fromisoformat(closes), supervised)
        )
    return Hours(
        row.zone,
        {key: _in_order(week) for key, week in weeks.items()},
        tuple(
            Season(id_, label, date.fromisoformat(starts), date.fromisoformat(ends), priority)
            for id_, label, starts, ends, priority in row.seasons or ()
        ),
        tuple(closure_of(*each, zone=row.zone) for each in row.closures or ()),
        row.hours_version,
    )


def _in_order(week: Iterable[OpenHours]) -> Week:
    return tuple(sorted(week, key=lambda each: (each.weekday, each.opens)))


def closure_of(
    label: str,
    local_starts: str | datetime,
    local_ends: str | datetime,
    machine_id: int | None,
    unattended_too: bool,
    rrule: str | None,
    *,
    zone: str,
) -> Closure:
    """A closure as it is stored, with its repetitions."""
    starts, ends = (
        datetime.fromisoformat(each) if isinstance(each, str) else each for each in (local_starts, local_ends)
    )
    again = None
    if rrule is not None:
        rule = parse(rrule, zone, endless=True)

        def again(since: datetime, until: datetime) -> Iterable[datetime]:
            return occurrences_between(rule, starts, since, until)

    return Closure(label, starts, ends, machine_id, unattended_too, again)
