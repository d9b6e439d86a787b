"""Calendar entries, read back by programs that others wrote: `icalendar`, and dateutil's own time zones."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import icalendar
import pytest
from dateutil.tz import tzical
from hypothesis import given
from hypothesis import strategies as st

from fablab.bookings.ics import Entry, Person, booking_uid, feed, message
from tests.support.zones import MOROCCO_WITH_RAMADAN, zone_data

CASABLANCA = "Africa/Casablanca"
ORGANIZER = Person("Fablab", "fablab@example.org")
AMINA = Person('Amina "El" Fassi; DROP', "amina@example.org")
# When the clock goes back for Ramadan and forward again, by the data that has the decrees.
RAMADAN_2027 = (datetime(2027, 2, 7, 2, tzinfo=UTC), datetime(2027, 3, 14, 2, tzinfo=UTC))


def entry(starts_at: datetime, hours: float = 1.0, **more: object) -> Entry:
    values: dict[str, object] = {
        "uid": booking_uid(7, "fablab.example.org"),
        "sequence": 3,
        "stamped_at": datetime(2026, 11, 22, 14, tzinfo=UTC),
        "starts_at": starts_at,
        "ends_at": starts_at + timedelta(hours=hours),
        "zone": CASABLANCA,
        "summary": "Prusa 1, Tanger",
        **more,
    }
    return Entry(**values)  # type: ignore[arg-type]


def parsed(text: str) -> icalendar.Calendar:
    [found] = icalendar.Calendar.from_ical(text, multiple=True)
    assert not found.errors
    return found


def events(text: str) -> list[icalendar.Event]:
    return list(parsed(text).walk("VEVENT"))


def zone_of_dateutil(text: str) -> tzical:
    """The VTIMEZONE as a reader that knows no tables of its own understands it."""
    begin, end = text.index("BEGIN:VTIMEZONE"), text.rindex("END:VTIMEZONE")
    return tzical(io.StringIO(text[begin:end].replace("\r\n", "\n") + "END:VTIMEZONE\n"))


def test_an_invitation_says_what_a_calendar_needs() -> None:
    starts = datetime(2027, 1, 30, 18, 0, tzinfo=ZoneInfo(CASABLANCA)).astimezone(UTC)
    text = message([entry(starts, url="https://x.example/bookings/7")], ORGANIZER, AMINA)
    calendar = parsed(text)
    assert calendar["METHOD"] == "REQUEST"
    assert (calendar["VERSION"], calendar["PRODID"]) == ("2.0", "-//fablab//bookings//EN")
    [event] = calendar.walk("VEVENT")
    assert (event["UID"], event["SEQUENCE"]) == ("booking-7@fablab.example.org", 3)
    assert event["DTSTART"].params["TZID"] == CASABLANCA
    assert event.decoded("DTSTART") == starts
    assert event.decoded("DTSTART").isoformat()[:16] == "2027-01-30T18:00"
    assert event.decoded("DTEND") == starts + timedelta(hours=1)
    assert event["ORGANIZER"] == "mailto:fablab@example.org"
    assert event["ATTENDEE"] == "mailto:amina@example.org"
    assert event["ATTENDEE"].params["CN"] == "Amina 'El' Fassi; DROP"
    assert event["ATTENDEE"].params["RSVP"] == "FALSE"
    assert (event["STATUS"], event["URL"]) == ("CONFIRMED", "https://x.example/bookings/7")
    assert [each["TZID"] for each in calendar.walk("VTIMEZONE")] == [CASABLANCA]


def test_a_cancellation_takes_the_same_entry_away() -> None:
    at = datetime(2027, 1, 30, 17, tzinfo=UTC)
    first = parsed(message([entry(at)], ORGANIZER, AMINA))
    gone = parsed(message([entry(at, sequence=4, status="CANCELLED")], ORGANIZER, AMINA))
    assert gone["METHOD"] == "CANCEL"
    [before], [after] = first.walk("VEVENT"), gone.walk("VEVENT")
    assert (before["UID"], before["SEQUENCE"]) == (after["UID"], after["SEQUENCE"] - 1)
    assert after["STATUS"] == "CANCELLED"


def test_several_are_published_because_an_invitation_speaks_of_one() -> None:
    week = [
        entry(datetime(2027, 2, 3, 17, tzinfo=UTC) + timedelta(weeks=n), uid=booking_uid(n, "x"))
        for n in range(8)
    ]
    text = message(week, ORGANIZER, AMINA)
    calendar = parsed(text)
    assert calendar["METHOD"] == "PUBLISH"
    assert [each["UID"] for each in calendar.walk("VEVENT")] == [f"booking-{n}@x" for n in range(8)]
    assert all("ATTENDEE" not in each for each in calendar.walk("VEVENT"))
    assert len(calendar.walk("VTIMEZONE")) == 1


def assert_alike(zone: str, begin: datetime, days: int) -> None:
    """Every hour of these days, by a reader that has only our VTIMEZONE to go by."""
    end = begin + timedelta(days=days)
    text = feed("x", [entry(begin, zone=zone), entry(end, zone=zone)])
    theirs, ours = zone_of_dateutil(text).get(zone), ZoneInfo(zone)
    assert theirs is not None
    at = begin
    while at < end:
        wall = at.astimezone(ours).replace(tzinfo=None)
        # An hour that comes twice can be either.
        twice = (at - timedelta(hours=1)).astimezone(ours).replace(tzinfo=None) == wall
        again = (at + timedelta(hours=1)).astimezone(ours).replace(tzinfo=None) == wall
        if not (twice or again):
            assert wall.replace(tzinfo=theirs).utcoffset() == at.astimezone(ours).utcoffset(), at
        at += timedelta(hours=1)


@pytest.mark.parametrize(
    "zone", [CASABLANCA, "Europe/Paris", "Africa/El_Aaiun", "America/St_Johns", "UTC", "Asia/Kathmandu"]
)
def test_every_hour_of_a_year_and_a_half_is_understood_alike(zone: str) -> None:
    assert_alike(zone, datetime(2026, 5, 22, tzinfo=UTC), 540)


def test_every_hour_over_two_ramadans_is_understood_alike(tmp_path: Path) -> None:
    with zone_data(tmp_path, CASABLANCA, MOROCCO_WITH_RAMADAN):
        assert_alike(CASABLANCA, datetime(2026, 11, 22, tzinfo=UTC), 540)
        text = feed("x", [entry(datetime(2026, 12, 1, tzinfo=UTC)), entry(datetime(2027, 11, 1, tzinfo=UTC))])
    zone = zone_of_dateutil(text).get(CASABLANCA)
    for change, before, after in zip(RAMADAN_2027, (1, 0), (0, 1), strict=True):
        for step, hours in ((-timedelta(hours=3), before), (timedelta(hours=3), after)):
            wall = (change + step + timedelta(hours=hours)).replace(tzinfo=zone)
            assert wall.utcoffset() == timedelta(hours=hours)


def test_a_weekly_evening_stays_at_six_over_ramadan(tmp_path: Path) -> None:
    days = [date(2027, 1, 6) + timedelta(weeks=n) for n in range(60)]
    with zone_data(tmp_path, CASABLANCA, MOROCCO_WITH_RAMADAN):
        wanted = [datetime.combine(day, time(18), ZoneInfo(CASABLANCA)).astimezone(UTC) for day in days]
        text = feed("x", [entry(each, uid=f"b{n}@x") for n, each in enumerate(wanted)])
    # Whoever knows the zone by its own tables, and whoever goes by ours, reads six o'clock.
    assert [each["DTSTART"].dt.time() for each in events(text)] == [time(18)] * 60
    zone = zone_of_dateutil(text).get(CASABLANCA)
    walls = [datetime.combine(day, time(18), zone) for day in days]
    assert [wall.astimezone(UTC) for wall in walls] == wanted
    assert {wall.utcoffset() for wall in walls} == {timedelta(0), timedelta(hours=1)}


@given(
    st.text(max_size=300),
    st.text(max_size=60),
    st.integers(1_767_225_600, 2_051_222_400),
    st.integers(600, 10**6),
)
def test_whatever_people_type_stays_in_its_place(text: str, name: str, epoch: int, length_s: int) -> None:
    at = datetime.fromtimestamp(epoch, UTC)
    written = message(
        [entry(at, length_s / 3600, summary=text, description=text, location=name)],
        ORGANIZER,
        Person(name, "amina@example.org"),
    )
    assert written.endswith("END:VCALENDAR\r\n")
    for line in written.split("\r\n"):
        assert len(line.encode()) <= 75
        assert all(letter.isprintable() for letter in line)
    [event] = events(written)
    assert (event["UID"], event["SEQUENCE"]) == ("booking-7@fablab.example.org", 3)
    assert set(event) <= {
        *("UID", "SEQUENCE", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "STATUS", "LOCATION", "DESCRIPTION"),
        *("ORGANIZER", "ATTENDEE"),
    }
    kept = "".join(letter for letter in text.encode("utf-8", "replace").decode() if letter.isprintable())
    said = "".join(letter for letter in str(event["SUMMARY"]) if letter.isprintable())
    assert said.replace(" ", "") == kept.replace(" ", "")
    assert event.decoded("DTSTART") == at


def test_a_change_of_the_clock_is_written_by_the_old_wall_time(tmp_path: Path) -> None:
    """RFC 5545, 3.6.5: DTSTART is local to TZOFFSETFROM, which no reader shows but in the doubtful hour."""
    with zone_data(tmp_path, CASABLANCA, MOROCCO_WITH_RAMADAN):
        text = feed("x", [entry(datetime(2027, 2, 1, tzinfo=UTC))])
    begins = "DTSTART:20270207T030000\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0000\r\n"
    ends = "DTSTART:20270314T020000\r\nTZOFFSETFROM:+0000\r\nTZOFFSETTO:+0100\r\n"
    assert begins in text
    assert ends in text


def test_separators_are_escaped_as_strict_readers_want_them() -> None:
    text = feed("x", [entry(datetime(2027, 2, 1, tzinfo=UTC), summary="a;b,c\\d\r\ne\x00f")])
    assert "\r\nSUMMARY:a\\;b\\,c\\\\d\\ne f\r\n" in text
