"""Whatever way a booking is asked for, the same rules say no: same codes, same words, and all of them."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking
from fablab.bookings.models_rules import RuleRow, RulesVersion
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import create_booking
from fablab.clock import utc_now
from fablab.machines.models import Machine
from tests.fixtures_cast import Apis, Cast, tomorrow
from tests.support.pages import Visit, words

Said = set[tuple[str, str]]
LASER, PRINTER = "tanger-laser-1", "tanger-prusa-1"


@dataclass(frozen=True)
class Case:
    """What is asked for, by Amina or for her, and the codes of the rules that say no."""

    machine: str
    starts_at: datetime
    ends_at: datetime
    codes: tuple[str, ...]
    rule: tuple[str, int] | None = None
    taken: bool = False
    inactive: bool = False


def case(
    *codes: str, machine: str = LASER, hour: int = 10, hours: float = 1, days: int = 1, **more: object
) -> Case:
    starts_at = tomorrow(hour, days=days)
    return Case(machine, starts_at, starts_at + timedelta(hours=hours), codes, **more)  # type: ignore[arg-type]


CASES = {
    "taken": case("machine_booked", taken=True),
    "closed": case("outside_hours", hour=20),
    "too short": case("too_short", hours=0.1),
    "too long": case("too_long", machine=PRINTER, hours=30),
    "too far ahead": case("beyond_horizon", days=400, machine=PRINTER),
    "in the past": case("in_the_past", machine=PRINTER),
    "out of use": case("machine_inactive", machine=PRINTER, inactive=True),
    "not certified": case("not_certified", rule=("certification_level", 2)),
    "off the grid": case("off_grid", hours=1.1, rule=("grid_s", 1800)),
    "too soon": case("too_soon", rule=("min_notice_s", 20 * 86400)),
    "a quota": case("quota_used", hours=3, rule=("quota_day_s", 7200)),
    "several at once": case(
        "outside_hours", "too_short", "not_certified", hour=20, hours=0.1, rule=("certification_level", 1)
    ),
}


@pytest.fixture(params=CASES.values(), ids=CASES)
def asked(request: pytest.FixtureRequest, session: Session, cast: Cast, policy: Policy) -> Case:
    """A case with the world as it has to be."""
    found: Case = request.param
    if found.codes == ("in_the_past",):
        at = utc_now().replace(second=0, microsecond=0) - timedelta(days=2)
        found = Case(found.machine, at, at + timedelta(hours=1), found.codes)
    if found.taken:
        wanted = BookingRequest(found.machine, found.starts_at, found.ends_at)
        create_booking(session, cast.actors["youssef"], wanted, utc_now(), policy)
    if found.inactive:
        session.get_one(Machine, cast.machines[found.machine]).active = False
    if found.rule is not None:
        name, value = found.rule
        session.add(
            RuleRow(name=name, value=value, machine_id=cast.machines[found.machine], changed_at=utc_now())
        )
        session.add(RulesVersion(id=1))
    session.commit()
    return found


def body(asked: Case, **more: str) -> dict[str, str]:
    times = {"starts_at": asked.starts_at.isoformat(), "ends_at": asked.ends_at.isoformat()}
    return {"machine": asked.machine, **times, **more}


def refusals(answer: object) -> Said:
    return {(each["code"], each["message"]) for each in answer.json["refusals"]}  # type: ignore[attr-defined]


def test_every_way_in_says_the_same(
    asked: Case, api: Apis, visit: Visit, session: Session, cast: Cast, policy: Policy
) -> None:
    before = session.scalar(select(func.count()).select_from(Booking))
    by_rest = refusals(api("amina").post("/bookings", body(asked)))
    assert {code for code, _ in by_rest} == set(asked.codes)
    others: dict[str, Callable[[], Said]] = {
        "preview": lambda: refusals(api("amina").post("/bookings/preview", body(asked))),
        # Staff book for her, and are bound as she is unless they say otherwise.
        "staff": lambda: refusals(
            api("salma").post("/bookings", body(asked, for_member="amina@example.org"))
        ),
        "import": lambda: _by_import(api, asked),
    }
    for way, ask in others.items():
        assert ask() == by_rest, way
    _by_page(visit, asked, by_rest)
    session.expire_all()
    assert session.scalar(select(func.count()).select_from(Booking)) == before


def _by_import(api: Apis, asked: Case) -> Said:
    content = (
        "machine,starts_at,ends_at,member\n"
        f"{asked.machine},{asked.starts_at.isoformat()},{asked.ends_at.isoformat()},amina@example.org\n"
    )
    answer = api("salma").request(
        "POST",
        "/imports/bookings",
        data={"file": (io.BytesIO(content.encode()), "file.csv")},
        content_type="multipart/form-data",
    )
    assert answer.status_code == 422
    assert {each["field"].rpartition(".")[0] for each in answer.json["refusals"]} == {"lines.2"}
    return refusals(answer)


def _by_page(visit: Visit, asked: Case, said: Said) -> None:
    """The form shows the same sentences, with the machine called as its sign does."""
    reader = visit("amina")
    reader.get(f"/machines/{asked.machine}")
    local = asked.starts_at.astimezone(tomorrow(10).tzinfo)
    minutes = int((asked.ends_at - asked.starts_at).total_seconds() // 60)
    answer = reader.post(
        f"/machines/{asked.machine}/bookings",
        day=f"{local:%Y-%m-%d}",
        time=f"{local:%H:%M}",
        duration=str(minutes),
        purpose="",
    )
    assert answer.status_code in (409, 422)
    shown = words(answer)
    name = asked.machine.replace("-", " ").title()
    for code, message in said:
        if code == "machine_booked":
            assert f"{name} is taken" in shown
        else:
            assert message.replace(asked.machine, name) in shown, code
