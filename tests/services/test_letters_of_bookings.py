"""Mails about bookings: who gets which, what their calendars learn, and what it costs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from fablab.bookings.letters import TOLD, send, tell
from fablab.bookings.models_notices import Notice
from fablab.clock import utc_now
from fablab.errors import Alternative
from fablab.machines.models import Lab
from fablab.mail.choices import choose
from fablab.mail.models import Mail
from fablab.mail.words import format_span
from fablab.members.models import Member
from fablab.settings import Settings
from tests.fixtures_cast import ZONE, Cast, tomorrow
from tests.support.letters import book, calendar_of, move, speak, told


def readers(mails: list[Mail]) -> list[tuple[str, str]]:
    return sorted((mail.address.partition("@")[0], mail.template) for mail in mails)


def test_nobody_is_told_what_there_is_no_word_for(session: Session, cast: Cast) -> None:
    with pytest.raises(ValueError, match="nobody is told 'vanished'"):
        tell(session, [1], "vanished", utc_now())


def test_a_closed_account_and_one_that_does_not_want_it_get_nothing(
    session: Session, cast: Cast, settings: Settings
) -> None:
    choose(session, cast.members["youssef"], {"bookings": False})
    closed = session.get(Member, cast.members["nadia"])
    assert closed is not None
    closed.active = False
    booking = book(session, cast, guests=("youssef", "nadia"))
    tell(session, [booking.id], "confirmed", utc_now())
    assert readers(told(session, settings)) == [("amina", "booking_confirmed")]


def test_nothing_is_told_of_what_was_undone(session: Session, cast: Cast, settings: Settings) -> None:
    session.commit()
    tell(session, [book(session, cast).id], "confirmed", utc_now())
    session.rollback()
    assert told(session, settings) == []


def test_a_booking_is_one_entry_for_life(session: Session, cast: Cast, settings: Settings) -> None:
    speak(session, cast, "amina", "en")
    booking = book(session, cast, purpose="A gear", guests=("youssef",))
    tell(session, [booking.id], "confirmed", utc_now(), actor=cast.actors["amina"])
    first, guest = told(session, settings)
    assert readers([first, guest]) == [("amina", "booking_confirmed"), ("youssef", "booking_confirmed")]
    entry = calendar_of(first)
    assert entry["METHOD"] == "REQUEST"
    [event_] = entry.walk("VEVENT")
    assert (event_["UID"], event_["SEQUENCE"]) == (f"booking-{booking.id}@127.0.0.1", 1)
    assert event_.decoded("DTSTART") == booking.starts_at
    assert event_["SUMMARY"] == "Tanger Prusa 1, Tanger"
    assert event_["DESCRIPTION"].startswith("A gear\nhttp://127.0.0.1:8000/bookings/")
    assert event_["ATTENDEE"] == "mailto:amina@example.org"
    assert (first.filling["by"], first.filling["leader"], first.filling["purpose"]) == ("", "", "A gear")
    assert guest.filling["leader"] == "Amina"
    [theirs] = calendar_of(guest).walk("VEVENT")
    assert "gear" not in theirs["DESCRIPTION"], "what for is the leader's affair"
    assert theirs["ATTENDEE"] == "mailto:youssef@example.org"

    was = format_span(booking.starts_at, booking.ends_at, ZONE, "en")
    now = utc_now()
    move(session, booking, timedelta(hours=3), now)
    tell(session, [booking.id], "moved", now, actor=cast.actors["salma"], reason="The power is cut")
    moved, _ = told(session, settings)
    assert (moved.template, moved.filling["was"]) == ("booking_moved", was)
    assert (moved.filling["by"], moved.filling["reason"]) == ("Salma", "The power is cut")
    [event_] = calendar_of(moved).walk("VEVENT")
    assert (event_["UID"], event_["SEQUENCE"]) == (f"booking-{booking.id}@127.0.0.1", 2)
    assert event_.decoded("DTSTART") == booking.starts_at

    booking.state, booking.version = "cancelled", 3
    session.flush()
    tell(session, [booking.id], "cancelled", utc_now(), actor=cast.actors["amina"])
    gone, guests_gone = told(session, settings)
    assert calendar_of(gone)["METHOD"] == calendar_of(guests_gone)["METHOD"] == "CANCEL"
    [event_] = calendar_of(gone).walk("VEVENT")
    assert (event_["UID"], event_["SEQUENCE"]) == (f"booking-{booking.id}@127.0.0.1", 3)
    assert [each["TZID"] for each in calendar_of(gone).walk("VTIMEZONE")] == [ZONE]


def test_who_is_booked_for_learns_who_did_it(session: Session, cast: Cast, settings: Settings) -> None:
    tell(session, [book(session, cast).id], "confirmed", utc_now(), actor=cast.actors["salma"])
    [mail] = told(session, settings)
    assert (mail.address, mail.filling["by"]) == ("amina@example.org", "Salma")


def test_a_mail_says_what_was_true_when_it_was_done(session: Session, cast: Cast, settings: Settings) -> None:
    """The clock comes seconds later, when the booking may have changed again."""
    booking = book(session, cast)
    first = booking.starts_at
    tell(session, [booking.id], "confirmed", utc_now())
    now = utc_now()
    move(session, booking, timedelta(days=1), now)
    tell(session, [booking.id], "moved", now)
    confirmed, moved = told(session, settings)
    [before], [after] = calendar_of(confirmed).walk("VEVENT"), calendar_of(moved).walk("VEVENT")
    assert (before["SEQUENCE"], before.decoded("DTSTART")) == (1, first)
    assert (after["SEQUENCE"], after.decoded("DTSTART")) == (2, first + timedelta(days=1))


def test_a_request_goes_to_those_who_decide_and_stands_in_pencil(
    session: Session, cast: Cast, settings: Settings
) -> None:
    booking = book(session, cast, state="requested", decide_by=tomorrow(9), purpose="A gear")
    tell(session, [booking.id], "requested", utc_now(), actor=cast.actors["amina"])
    mails = told(session, settings)
    assert readers(mails) == [("amina", "booking_requested"), ("salma", "booking_to_decide")]
    asked = next(mail for mail in mails if mail.template == "booking_to_decide")
    assert (asked.filling["person"], asked.filling["purpose"]) == ("Amina", "A gear")
    assert asked.filling["link"] == f"/bookings/{booking.id}"
    assert asked.calendar is None
    own = next(mail for mail in mails if mail.template == "booking_requested")
    [event_] = calendar_of(own).walk("VEVENT")
    assert event_["STATUS"] == "TENTATIVE"
    booking.state, booking.version = "rejected", 2
    session.flush()
    tell(session, [booking.id], "rejected", utc_now(), actor=cast.actors["salma"], reason="Full")
    [no] = told(session, settings)
    assert (no.template, no.filling["reason"]) == ("booking_rejected", "Full")
    assert calendar_of(no)["METHOD"] == "CANCEL"


def test_a_series_is_one_mail_with_every_date(session: Session, cast: Cast, settings: Settings) -> None:
    series = [book(session, cast, starts_at=tomorrow(10) + timedelta(weeks=n)) for n in range(60)]
    tell(session, [each.id for each in series], "confirmed", utc_now())
    [mail] = told(session, settings)
    assert mail.filling["when"].startswith("60 dates, la première ")
    assert len(mail.filling["dates"]) == 41
    assert mail.filling["dates"][-1] == "et 20 autres"
    assert mail.filling["link"] == "/bookings"
    entries = calendar_of(mail).walk("VEVENT")
    assert [each["UID"] for each in entries] == [f"booking-{each.id}@127.0.0.1" for each in series]


def test_several_machines_are_one_mail_that_names_them(
    session: Session, cast: Cast, settings: Settings
) -> None:
    speak(session, cast, "amina", "en")
    first = book(session, cast)
    second = book(session, cast, machine="tanger-laser-1", starts_at=tomorrow(12))
    tell(session, [first.id, second.id], "confirmed", utc_now())
    [mail] = told(session, settings)
    assert mail.filling["machine"] == "Tanger Prusa 1, Tanger Laser 1"
    assert [line.partition(":")[0] for line in mail.filling["dates"]] == ["Tanger Prusa 1", "Tanger Laser 1"]


def test_a_handed_over_booking_leaves_one_calendar_and_enters_another(
    session: Session, cast: Cast, settings: Settings
) -> None:
    booking = book(session, cast, "youssef", version=2)
    tell(session, [booking.id], "transferred", utc_now(), from_member_id=cast.members["amina"])
    mails = {mail.address: mail for mail in told(session, settings)}
    before, after = mails["amina@example.org"], mails["youssef@example.org"]
    assert (before.template, calendar_of(before)["METHOD"]) == ("booking_handed_over", "CANCEL")
    assert (after.template, calendar_of(after)["METHOD"]) == ("booking_received", "REQUEST")
    assert before.filling["person"] == "Youssef"
    assert len(mails) == 2


def test_an_outage_is_told_with_what_is_free_instead(
    session: Session, cast: Cast, settings: Settings
) -> None:
    speak(session, cast, "amina", "en")
    touched = [book(session, cast), book(session, cast, starts_at=tomorrow(14))]
    free = Alternative("tanger-laser-1", "tanger", tomorrow(10), tomorrow(12))
    ids = [each.id for each in touched]
    tell(session, ids, "touched_by_outage", utc_now(), reason="Nozzle", offers={ids[0]: [free]})
    first, second = told(session, settings)
    assert first.filling["found"] == "1"
    [line] = first.filling["offers"]
    assert line.startswith("Tanger Laser 1: ")
    assert line.endswith("10:00 to 12:00")
    assert (second.filling["found"], second.filling["offers"]) == ("", [])
    assert first.calendar is None


@pytest.mark.parametrize("what", sorted(TOLD))
@pytest.mark.parametrize("language", ["fr", "ar", "en"])
def test_every_word_makes_a_whole_mail_in_every_language(
    session: Session, cast: Cast, settings: Settings, what: str, language: str
) -> None:
    for name in ("amina", "salma", "youssef"):
        speak(session, cast, name, language)
    booking = book(session, cast, guests=("youssef",))
    others = cast.members["youssef"] if what == "transferred" else None
    tell(session, [booking.id], what, utc_now(), from_member_id=others)
    mails = told(session, settings)
    assert bool(mails) == (what not in ("started", "completed"))
    assert {mail.language for mail in mails} <= {language}


def test_it_costs_the_verb_one_statement_and_the_clock_always_the_same(
    session: Session, cast: Cast, settings: Settings
) -> None:
    def count(bookings: int) -> tuple[int, int]:
        ids = [
            book(session, cast, starts_at=tomorrow(10) + timedelta(days=n), guests=("youssef",)).id
            for n in range(bookings)
        ]
        session.flush()
        statements: list[str] = []
        note = lambda *given: statements.append(given[2])  # noqa: E731
        event.listen(session.get_bind(), "before_cursor_execute", note)
        try:
            tell(session, ids[:1], "confirmed", utc_now())
            noted = len(statements)
            for booking_id in ids[1:]:
                tell(session, [booking_id], "requested", utc_now())
            statements.clear()
            told(session, settings)
        finally:
            event.remove(session.get_bind(), "before_cursor_execute", note)
        return noted, len(statements)

    few, many = count(3), count(40)
    assert few[0] == 1
    assert few == many
    assert session.scalar(select(func.count()).select_from(Notice)) == 0


def test_a_mail_of_another_part_speaks_each_readers_language(session: Session, cast: Cast) -> None:
    speak(session, cast, "youssef", "en")
    lab = session.get(Lab, cast.labs["tanger"])
    assert lab is not None
    lab.name_en, lab.name_fr = "Tangier", "Tanger"
    session.flush()
    send(
        session,
        [cast.members["amina"], cast.members["youssef"]],
        "booking_reminder",
        utc_now(),
        machine_id=cast.machines["tanger-prusa-1"],
        span=(tomorrow(10), tomorrow(12)),
        link="/bookings/7",
        leader="Salma",
    )
    mails = {mail.address: mail.filling for mail in session.scalars(select(Mail))}
    assert mails["amina@example.org"]["lab"] == "Tanger"
    assert mails["youssef@example.org"]["lab"] == "Tangier"
    assert mails["youssef@example.org"]["when"].endswith("10:00 to 12:00")
