"""Standing in line: who may, whom freed time is offered to, and what becomes of what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, select, text, update
from sqlalchemy.orm import Session

from fablab.bookings import offering, waiting
from fablab.bookings.models import Booking, Occupancy
from fablab.bookings.models_claims import Hold, Waiting
from fablab.bookings.queries import booking
from fablab.bookings.rules import BookingRequest, Policy
from fablab.bookings.service import cancel_booking, create_booking
from fablab.bookings.waiting import WaitingRequest
from fablab.bookings.waiting_queries import waiting_by_id, waitings_of
from fablab.clock import utc_now
from fablab.errors import Code, DomainError
from fablab.machines.models import Machine, Need, Unit
from fablab.mail.models import Mail
from fablab.members.models import Member
from tests.fixtures_cast import Cast, tomorrow

PRINTER = "tanger-prusa-1"


def book(
    session: Session,
    cast: Cast,
    policy: Policy,
    who: str,
    starts: datetime,
    ends: datetime,
    machine: str = PRINTER,
) -> int:
    return create_booking(
        session, cast.actors[who], BookingRequest(machine, starts, ends), utc_now(), policy
    ).id


def wait(
    session: Session,
    cast: Cast,
    policy: Policy,
    who: str,
    starts: datetime,
    ends: datetime,
    minutes: int = 60,
    now: datetime | None = None,
    **what: Any,
) -> int:
    wanted = {"machine": PRINTER, "kind": None, "lab": None, **what}
    asked = WaitingRequest(duration_s=minutes * 60, after=starts, before=ends, **wanted)
    return waiting.join(session, cast.actors[who], asked, now or utc_now(), policy).id


def codes(refused: pytest.ExceptionInfo[DomainError]) -> list[str]:
    return [each.code for each in refused.value.refusals]


def held(session: Session, waiting_id: int) -> tuple[datetime, datetime] | None:
    view = waiting_by_id(session, waiting_id)
    assert view is not None
    return (view.hold.starts_at, view.hold.ends_at) if view.hold else None


@contextmanager
def counted(session: Session) -> Iterator[list[str]]:
    statements: list[str] = []

    def note(*args: Any) -> None:
        statements.append(args[2])

    event.listen(session.get_bind(), "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(session.get_bind(), "before_cursor_execute", note)


@pytest.fixture
def taken(session: Session, cast: Cast, policy: Policy) -> int:
    """Salma has the printer tomorrow from 8 to 20, and nobody else can."""
    return book(session, cast, policy, "salma", tomorrow(8), tomorrow(20))


def test_who_only_reads_waits_for_nothing(session: Session, cast: Cast, policy: Policy, taken: int) -> None:
    with pytest.raises(DomainError) as refused:
        wait(session, cast, policy, "nadia", tomorrow(8), tomorrow(20))
    assert refused.value.code is Code.NOT_ALLOWED


def test_what_there_is_not_is_waited_for_in_vain(session: Session, cast: Cast, policy: Policy) -> None:
    with pytest.raises(DomainError) as refused:
        wait(session, cast, policy, "amina", tomorrow(8), tomorrow(20), machine="no-such-thing")
    assert refused.value.code is Code.NOT_FOUND
    with pytest.raises(DomainError) as refused:
        wait(session, cast, policy, "amina", tomorrow(8), tomorrow(20), machine=None, kind="loom")
    assert codes(refused) == ["nothing_to_wait_for"]


def test_a_window_is_to_come_and_wide_enough(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    now = utc_now()
    for since, until in (
        (now - timedelta(days=2), now - timedelta(days=1)),
        (tomorrow(8), tomorrow(8, 30)),
        (tomorrow(8), tomorrow(8, days=400)),
    ):
        with pytest.raises(DomainError) as refused:
            wait(session, cast, policy, "amina", since, until)
        assert codes(refused) == ["waiting_window"]


def test_what_is_free_now_needs_no_line(session: Session, cast: Cast, policy: Policy, taken: int) -> None:
    with pytest.raises(DomainError) as refused:
        wait(session, cast, policy, "amina", tomorrow(8), tomorrow(21))
    assert codes(refused) == ["free_already"]
    (free,) = refused.value.alternatives
    assert (free.machine, free.starts_at) == (PRINTER, tomorrow(20))


def test_a_window_in_which_the_lab_is_closed_is_refused(session: Session, cast: Cast, policy: Policy) -> None:
    with pytest.raises(DomainError) as refused:
        wait(session, cast, policy, "amina", tomorrow(1), tomorrow(5), machine="tanger-laser-1")
    assert codes(refused) == ["outside_hours"]


def test_whom_no_rule_lets_book_does_not_wait(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    strict = replace(policy, certification_level=2)
    with pytest.raises(DomainError) as refused:
        wait(session, cast, strict, "amina", tomorrow(8), tomorrow(20))
    assert codes(refused) == ["not_certified"]


def test_one_stands_in_the_same_line_once(session: Session, cast: Cast, policy: Policy, taken: int) -> None:
    wait(session, cast, policy, "amina", tomorrow(8), tomorrow(12))
    with pytest.raises(DomainError) as refused:
        wait(session, cast, policy, "amina", tomorrow(11), tomorrow(15))
    assert codes(refused) == ["waiting_already"]
    wait(session, cast, policy, "amina", tomorrow(12), tomorrow(15))


def test_a_member_stands_in_so_many_lines(session: Session, cast: Cast, policy: Policy, taken: int) -> None:
    for n in range(10):
        wait(session, cast, policy, "amina", tomorrow(8 + n), tomorrow(9 + n), minutes=30)
    with pytest.raises(DomainError) as refused:
        wait(session, cast, policy, "amina", tomorrow(18), tomorrow(19), minutes=30)
    assert codes(refused) == ["waiting_too_many"]


def test_the_first_in_line_is_kept_what_comes_free(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    now = utc_now()
    first = wait(session, cast, policy, "amina", tomorrow(9), tomorrow(20), now=now)
    second = wait(session, cast, policy, "youssef", tomorrow(8), tomorrow(9), now=now + timedelta(seconds=1))
    third = wait(session, cast, policy, "karim", tomorrow(9), tomorrow(10), now=now + timedelta(seconds=2))
    cancel_booking(session, cast.actors["salma"], taken, now, policy)
    assert held(session, first) == (tomorrow(9), tomorrow(10))
    # Who can do with the rest gets of it what is left.
    assert held(session, second) == (tomorrow(8), tomorrow(9))
    assert held(session, third) is None
    claims = session.scalars(select(Occupancy).order_by(Occupancy.starts_at)).all()
    assert [(each.kind, each.starts_at) for each in claims] == [
        ("hold", tomorrow(8)),
        ("hold", tomorrow(9)),
    ]
    mails = session.scalars(select(Mail).where(Mail.template == "waiting_offer")).all()
    assert {mail.member_id for mail in mails} == {cast.members["amina"], cast.members["youssef"]}
    assert all(mail.filling["link"].startswith("/offers/") for mail in mails)
    with pytest.raises(DomainError) as refused:
        book(session, cast, policy, "karim", tomorrow(9), tomorrow(10))
    assert refused.value.code is Code.CLASH


def test_what_is_kept_is_booked_with_the_same_claim(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    waits = wait(session, cast, policy, "amina", tomorrow(9), tomorrow(20))
    cancel_booking(session, cast.actors["salma"], taken, utc_now(), policy)
    (claim,) = session.scalars(select(Occupancy)).all()
    with pytest.raises(DomainError) as refused:
        waiting.accept(session, cast.actors["youssef"], waits, utc_now(), policy)
    assert refused.value.code is Code.NOT_FOUND
    made = waiting.accept(session, cast.actors["amina"], waits, utc_now(), policy)
    assert (made.starts_at, made.member_id, made.state) == (tomorrow(9), cast.members["amina"], "confirmed")
    session.expire_all()
    (now_booked,) = session.scalars(select(Occupancy)).all()
    assert (now_booked.id, now_booked.kind, now_booked.booking_id) == (claim.id, "booking", made.id)
    view = waiting_by_id(session, waits)
    assert view is not None
    assert (view.state, view.booking_id, view.hold) == ("accepted", made.id, None)
    with pytest.raises(DomainError) as refused:
        waiting.accept(session, cast.actors["amina"], waits, utc_now(), policy)
    assert codes(refused) == ["hold_over"]


def test_the_key_of_the_mail_books_for_whom_it_was_sent_to(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    wait(session, cast, policy, "amina", tomorrow(9), tomorrow(20))
    cancel_booking(session, cast.actors["salma"], taken, utc_now(), policy)
    mail = session.scalars(select(Mail).where(Mail.template == "waiting_offer")).one()
    key = mail.filling["link"].removeprefix("/offers/")
    assert key not in {hold.key_hash for hold in session.scalars(select(Hold))}
    with pytest.raises(DomainError) as refused:
        waiting.accept_by_key(session, key + "x", utc_now(), policy)
    assert codes(refused) == ["hold_over"]
    assert waiting.accept_by_key(session, key, utc_now(), policy).member_id == cast.members["amina"]


def test_a_shut_account_books_nothing_by_mail(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    wait(session, cast, policy, "amina", tomorrow(9), tomorrow(20))
    cancel_booking(session, cast.actors["salma"], taken, utc_now(), policy)
    mail = session.scalars(select(Mail).where(Mail.template == "waiting_offer")).one()
    session.execute(update(Member).where(Member.id == cast.members["amina"]).values(active=False))
    with pytest.raises(DomainError) as refused:
        waiting.accept_by_key(session, mail.filling["link"].removeprefix("/offers/"), utc_now(), policy)
    assert codes(refused) == ["hold_over"]


def test_what_one_leaves_the_next_gets(session: Session, cast: Cast, policy: Policy, taken: int) -> None:
    now = utc_now()
    first = wait(session, cast, policy, "amina", tomorrow(9), tomorrow(10), now=now)
    second = wait(session, cast, policy, "youssef", tomorrow(9), tomorrow(10), now=now + timedelta(seconds=1))
    cancel_booking(session, cast.actors["salma"], taken, utc_now(), policy)
    with pytest.raises(DomainError) as refused:
        waiting.withdraw(session, cast.actors["youssef"], first, now, policy)
    assert refused.value.code is Code.NOT_FOUND
    waiting.withdraw(session, cast.actors["amina"], first, now, policy)
    assert held(session, second) == (tomorrow(9), tomorrow(10))
    with pytest.raises(DomainError) as refused:
        waiting.withdraw(session, cast.actors["amina"], first, now, policy)
    assert codes(refused) == ["not_waiting"]


def test_what_runs_out_goes_to_the_next_and_is_told(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    now = utc_now()
    first = wait(session, cast, policy, "amina", tomorrow(9), tomorrow(10), now=now)
    second = wait(session, cast, policy, "youssef", tomorrow(9), tomorrow(10), now=now + timedelta(seconds=1))
    cancel_booking(session, cast.actors["salma"], taken, now, policy)
    assert waiting.release_holds(session, now + timedelta(minutes=policy.hold_minutes - 1), policy) == 0
    over = now + timedelta(minutes=policy.hold_minutes)
    assert waiting.release_holds(session, over, policy) == 1
    assert waiting.release_holds(session, over, policy) == 0
    view = waiting_by_id(session, first)
    assert view is not None
    assert view.state == "expired"
    assert held(session, second) == (tomorrow(9), tomorrow(10))
    lapsed = session.scalars(select(Mail).where(Mail.template == "waiting_lapsed")).one()
    assert lapsed.member_id == cast.members["amina"]


def test_what_has_run_out_is_taken_before_the_clock_sees_it(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    now = utc_now()
    waits = wait(session, cast, policy, "amina", tomorrow(9), tomorrow(10), now=now)
    cancel_booking(session, cast.actors["salma"], taken, now, policy)
    over = now + timedelta(minutes=policy.hold_minutes)
    request = BookingRequest(PRINTER, tomorrow(9), tomorrow(10))
    with pytest.raises(DomainError):
        create_booking(session, cast.actors["karim"], request, over - timedelta(seconds=1), policy)
    made = create_booking(session, cast.actors["karim"], request, over, policy)
    assert made.state == "confirmed"
    with pytest.raises(DomainError) as refused:
        waiting.accept(session, cast.actors["amina"], waits, over, policy)
    assert codes(refused) == ["hold_over"]


def test_nothing_is_kept_past_its_start(session: Session, cast: Cast, policy: Policy) -> None:
    now = utc_now().replace(second=0, microsecond=0)
    starts = now + timedelta(minutes=12)
    taken = book(session, cast, policy, "salma", starts, starts + timedelta(hours=1))
    waits = wait(session, cast, policy, "amina", starts, starts + timedelta(hours=1), now=now)
    cancel_booking(session, cast.actors["salma"], taken, now, policy)
    view = waiting_by_id(session, waits)
    assert view is not None
    assert view.hold is not None
    assert view.hold.expires_at <= view.hold.starts_at


def test_the_rules_of_who_waits_decide(session: Session, cast: Cast, policy: Policy, taken: int) -> None:
    """Amina's certificate is asked for only after she has stood in line: what comes free passes her by."""
    now = utc_now()
    first = wait(session, cast, policy, "amina", tomorrow(9), tomorrow(10), now=now)
    cancel_booking(session, cast.actors["salma"], taken, now, replace(policy, certification_level=2))
    assert held(session, first) is None
    assert session.scalars(select(Occupancy)).all() == []


def test_any_of_a_kind_is_waited_for_in_one_lab_or_all(session: Session, cast: Cast, policy: Policy) -> None:
    now = utc_now()
    all_taken = {
        slug: book(session, cast, policy, "admin", tomorrow(8), tomorrow(20), slug)
        for slug in ("tanger-prusa-1", "tanger-prusa-2", "rabat-prusa-1")
    }
    kind = {"machine": None, "kind": "3d-printer"}
    local = wait(session, cast, policy, "amina", tomorrow(9), tomorrow(10), now=now, lab="tanger", **kind)
    anywhere = wait(
        session, cast, policy, "youssef", tomorrow(9), tomorrow(10), now=now + timedelta(seconds=1), **kind
    )
    cancel_booking(session, cast.actors["admin"], all_taken["rabat-prusa-1"], now, policy)
    assert held(session, local) is None
    assert held(session, anywhere) == (tomorrow(9), tomorrow(10))
    cancel_booking(session, cast.actors["admin"], all_taken["tanger-prusa-2"], now, policy)
    view = waiting_by_id(session, local)
    assert view is not None
    assert view.hold is not None
    assert view.hold.machine_slug == "tanger-prusa-2"


def test_what_an_extractor_frees_serves_the_other_laser(session: Session, cast: Cast, policy: Policy) -> None:
    """Two printers stand on one circuit: a unit that neither is booked as."""
    first, second = cast.machines["tanger-prusa-1"], cast.machines["tanger-prusa-2"]
    circuit = _circuit(session, cast)
    session.add_all([Need(machine_id=first, needs_id=circuit), Need(machine_id=second, needs_id=circuit)])
    session.flush()
    now = utc_now()
    taken = book(session, cast, policy, "admin", tomorrow(8), tomorrow(20))
    waits = wait(session, cast, policy, "amina", tomorrow(9), tomorrow(10), now=now, machine="tanger-prusa-2")
    cancel_booking(session, cast.actors["admin"], taken, now, policy)
    assert held(session, waits) == (tomorrow(9), tomorrow(10))
    claims = session.scalars(select(Occupancy)).all()
    assert [each.kind for each in claims] == ["hold", "hold"]
    made = waiting.accept(session, cast.actors["amina"], waits, now, policy)
    session.expire_all()
    assert {each.booking_id for each in session.scalars(select(Occupancy))} == {made.id}


def _circuit(session: Session, cast: Cast) -> int:
    like = session.get_one(Machine, cast.machines["tanger-prusa-1"])
    circuit = Machine(
        slug="tanger-circuit-1",
        name="Circuit",
        lab_id=like.lab_id,
        kind_id=like.kind_id,
        unattended=True,
        bookable=False,
    )
    session.add(circuit)
    session.flush()
    session.add(Unit(machine_id=circuit.id))
    session.flush()
    return circuit.id


def test_the_sweep_finds_what_no_act_has_freed(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    now = utc_now()
    waits = wait(session, cast, policy, "amina", tomorrow(9), tomorrow(10), now=now)
    gone = wait(session, cast, policy, "youssef", tomorrow(9), tomorrow(10), now=now)
    session.execute(text("DELETE FROM occupancy"))
    session.execute(update(Booking).values(state="cancelled"))
    session.execute(
        update(Waiting)
        .where(Waiting.id == gone)
        .values(after=now - timedelta(hours=2), before=now - timedelta(hours=1))
    )
    assert offering.sweep(session, now, policy) == 1
    assert held(session, waits) == (tomorrow(9), tomorrow(10))
    assert offering.sweep(session, now, policy) == 0
    over = waitings_of(session, cast.members["youssef"], states=("expired",))
    assert [each.id for each in over] == [gone]


def test_a_long_line_costs_no_more_statements(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    now = utc_now()
    first = wait(session, cast, policy, "amina", tomorrow(9), tomorrow(10), now=now)
    with counted(session) as alone:
        cancel_booking(session, cast.actors["salma"], taken, now, policy)
    assert held(session, first) is not None
    session.execute(text("DELETE FROM hold"))
    session.execute(update(Waiting).values(state="waiting"))
    again = book(session, cast, policy, "salma", tomorrow(8), tomorrow(20))
    machine = cast.machines[PRINTER]
    session.execute(
        text(
            "INSERT INTO waiting (member_id, machine_id, duration_s, after, before, state, created_at) "
            "SELECT :member, :machine, 3600, :after, :before, 'waiting', :now + make_interval(secs => n) "
            "FROM generate_series(1, 2000) AS n"
        ),
        {
            "member": cast.members["youssef"],
            "machine": machine,
            "after": tomorrow(9),
            "before": tomorrow(10),
            "now": now,
        },
    )
    with counted(session) as many:
        cancel_booking(session, cast.actors["salma"], again, now, policy)
    assert held(session, first) == (tomorrow(9), tomorrow(10))
    assert len(many) <= len(alone) + 2, (len(alone), len(many))


def test_who_leaves_the_network_leaves_every_line(
    session: Session, cast: Cast, policy: Policy, taken: int
) -> None:
    now = utc_now()
    wait(session, cast, policy, "amina", tomorrow(9), tomorrow(10), now=now)
    wait(session, cast, policy, "amina", tomorrow(11), tomorrow(12), now=now)
    cancel_booking(session, cast.actors["salma"], taken, now, policy)
    assert waiting.withdraw_all(session, cast.members["amina"], now, policy) == 2
    assert waitings_of(session, cast.members["amina"]) == []
    assert session.scalars(select(Occupancy)).all() == []
    assert booking(session, taken) is not None
