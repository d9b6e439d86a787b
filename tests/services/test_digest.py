"""The day ahead for a lab's managers: at seven by the lab's clock, once, and only with something to say."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import event, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.digest import send_digests
from fablab.bookings.models_claims import Outage
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.machines.models import Lab
from fablab.mail.choices import choose
from fablab.mail.models import Mail
from tests.fixtures_cast import Cast, tomorrow
from tests.support.letters import book, speak

SEVEN = tomorrow(7)


def digests(session: Session, now: datetime = SEVEN) -> dict[str, Mail]:
    send_digests(session, now)
    session.flush()
    found = session.scalars(select(Mail).where(Mail.template == "digest", Mail.created_at == now))
    return {mail.address.partition("@")[0]: mail for mail in found}


def test_a_quiet_morning_is_quiet(session: Session, cast: Cast) -> None:
    book(session, cast, starts_at=SEVEN + timedelta(days=2))
    book(session, cast, starts_at=SEVEN + timedelta(hours=4), state="cancelled")
    book(session, cast, starts_at=SEVEN - timedelta(days=3), state="missed")
    assert digests(session) == {}


def test_before_seven_nobody_is_told(session: Session, cast: Cast) -> None:
    book(session, cast, starts_at=SEVEN + timedelta(hours=4))
    assert digests(session, SEVEN - timedelta(seconds=1)) == {}
    assert set(digests(session)) == {"salma"}


def test_seven_is_seven_on_the_labs_wall(session: Session, cast: Cast) -> None:
    session.get_one(Lab, cast.labs["tanger"]).zone = "Asia/Tokyo"
    session.flush()
    book(session, cast, starts_at=SEVEN + timedelta(hours=1))
    book(session, cast, "youssef", "rabat-prusa-1", starts_at=SEVEN + timedelta(hours=1))
    early = SEVEN - timedelta(hours=6)
    assert set(digests(session, early)) == {"salma"}
    assert set(digests(session, SEVEN)) == {"karim"}


def test_managers_read_what_concerns_their_lab(session: Session, cast: Cast) -> None:
    speak(session, cast, "salma", "en")
    book(session, cast, starts_at=SEVEN + timedelta(hours=2))
    book(session, cast, "youssef", "rabat-prusa-1", starts_at=SEVEN + timedelta(hours=2))
    book(session, cast, "youssef", starts_at=SEVEN + timedelta(days=5), state="requested")
    book(session, cast, "youssef", starts_at=SEVEN - timedelta(hours=20), state="missed")
    at = {"machine_id": cast.machines["tanger-laser-1"], "lab_id": cast.labs["tanger"], "category": "fault"}
    session.add(Outage(**at, starts_at=SEVEN - timedelta(days=9), ends_at=None, created_at=utc_now()))
    found = digests(session)
    assert set(found) == {"salma", "karim"}
    says = found["salma"].filling
    assert says["bookings"] == ["09:00–11:00 Tanger Prusa 1, Amina"]
    assert (says["booked"], says["asked"], says["absent"], says["broken"]) == ("1", "1", "1", "1")
    assert says["requests"][0].startswith("Tanger Prusa 1, Youssef, ")
    assert says["missed"] == ["11:00–13:00 Tanger Prusa 1, Youssef"]
    assert says["outages"] == ["Tanger Laser 1, no end known"]
    assert says["link"] == "/labs/tanger"
    assert (found["karim"].filling["booked"], found["karim"].filling["outages"]) == ("1", [])


def test_it_comes_once_a_day_however_often_the_clock_looks(
    session: Session, cast: Cast, sessions: sessionmaker[Session]
) -> None:
    with transaction(sessions) as writing:
        book(writing, cast, starts_at=SEVEN + timedelta(hours=4))
        book(writing, cast, starts_at=SEVEN + timedelta(days=1, hours=4))
    with transaction(sessions) as one:
        assert send_digests(one, SEVEN) == 1
    with transaction(sessions) as two:
        assert send_digests(two, SEVEN + timedelta(hours=5)) == 0
    with transaction(sessions) as late:
        # Nobody looked at seven: it still comes.
        assert send_digests(late, SEVEN + timedelta(days=1, hours=2)) == 1


def test_who_does_not_want_it_does_not_get_it(session: Session, cast: Cast) -> None:
    choose(session, cast.members["salma"], {"digest": False})
    book(session, cast, starts_at=SEVEN + timedelta(hours=4))
    assert digests(session) == {}


def test_many_bookings_are_listed_in_part_and_cost_no_more_statements(session: Session, cast: Cast) -> None:
    def count(now: datetime) -> int:
        statements: list[str] = []
        note = lambda *given: statements.append(given[2])  # noqa: E731
        event.listen(session.get_bind(), "before_cursor_execute", note)
        send_digests(session, now)
        event.remove(session.get_bind(), "before_cursor_execute", note)
        return len(statements)

    book(session, cast, starts_at=SEVEN + timedelta(hours=4))
    for n in range(60):
        book(session, cast, starts_at=SEVEN + timedelta(days=1, hours=2, minutes=10 * n), hours=0.1)
        book(session, cast, "youssef", "rabat-prusa-1", starts_at=SEVEN + timedelta(days=1, minutes=10 * n))
    assert count(SEVEN) == count(SEVEN + timedelta(days=1))
    mail = session.scalars(select(Mail).order_by(Mail.id.desc()).limit(1)).one()
    assert mail.filling["booked"] == "60"
    assert len(mail.filling["bookings"]) == 26
    assert mail.filling["bookings"][-1] == "et 35 autres"
