"""Calendars elsewhere: their busy times close a lab, and whatever goes wrong leaves what was known."""

# ruff: noqa: DTZ001 - wall times have no zone

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fablab.errors import DomainError
from fablab.machines import closures
from fablab.machines.external_calendars import (
    SOURCES_MOST,
    add_source,
    due_sources,
    read_source,
    remove_source,
    sources_of,
)
from fablab.machines.ics_busy import EVENTS_MOST, REPEATED_MOST, BadCalendar, busy_times
from fablab.machines.models import Closure
from fablab.machines.queries import lab_by_slug
from fablab.machines.tasks import read_calendars
from fablab.outbound import Answer, OutboundError
from fablab.settings import Settings
from tests.fixtures_cast import ZONE, Cast
from tests.support.zones import MOROCCO_WITH_RAMADAN, zone_data

NOW = datetime(2027, 1, 4, 9, tzinfo=UTC)
SINCE, UNTIL = date(2027, 1, 4), date(2028, 3, 4)
URL = "https://example.org/lessons.ics"


def calendar(*events: str) -> bytes:
    """Events without their BEGIN and END, lines parted by |."""
    inside = "".join(
        f"BEGIN:VEVENT\r\nUID:{number}@example.org\r\nDTSTAMP:20270101T000000Z\r\n"
        + event.replace("|", "\r\n")
        + "\r\nEND:VEVENT\r\n"
        for number, event in enumerate(events)
    )
    text = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//school//EN\r\n{inside}END:VCALENDAR\r\n"
    return text.encode()


LESSON = f"SUMMARY:Private|DTSTART;TZID={ZONE}:20270111T100000|DTEND;TZID={ZONE}:20270111T120000"


def busy(*events: str) -> list[tuple[str, str]]:
    found = busy_times(calendar(*events), ZONE, SINCE, UNTIL)
    return [(f"{starts:%m-%d %H:%M}", f"{ends:%m-%d %H:%M}") for starts, ends in found]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no iCalendar file"),
        (b"<html>Sign in</html>", "no iCalendar file"),
        (b"\xff\xfe\x00BEGIN:VCALENDAR", "not text in UTF-8"),
        ("BEGIN:VCALENDAR\r\nSUMMARY:Caf\xe9\r\nEND:VCALENDAR".encode("latin-1"), "not text in UTF-8"),
        (b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nnonsense\r\n", "cannot be read"),
        (
            b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:yesterday\r\nEND:VEVENT\r\nEND:VCALENDAR",
            "cannot be read",
        ),
        (calendar("SUMMARY:no time"), "cannot be read"),
        (calendar("DTSTART:20270111T100000|DTEND:20270110T100000"), "ends before it begins"),
        (calendar("DTSTART:20270111T100000|RRULE:FREQ=SECONDLY"), "more often than daily"),
        (calendar("DTSTART:20270111T100000|RRULE:FREQ=DAILY;BYMINUTE=1,2,3"), "more often than daily"),
        (calendar("DTSTART:20270111T100000|RRULE:FREQ=NEVER"), "cannot be read"),
        (calendar(*["DTSTART:20270111T100000|RRULE:FREQ=DAILY"] * (REPEATED_MOST + 1)), "repeated entries"),
        (calendar(*["DTSTART:20270111T100000"] * (EVENTS_MOST + 1)), "entries; choose a smaller"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(body: bytes, said: str) -> None:
    with pytest.raises(BadCalendar, match=said) as error:
        busy_times(body, ZONE, SINCE, UNTIL)
    assert len(str(error.value)) < 300


def test_an_entry_is_busy_in_the_lab_s_wall_time(tmp_path: Path) -> None:
    assert busy(LESSON) == [("01-11 10:00", "01-11 12:00")]
    assert busy("DTSTART:20270111T100000|DTEND:20270111T120000") == [("01-11 10:00", "01-11 12:00")], (
        "floating"
    )
    with zone_data(tmp_path, ZONE, MOROCCO_WITH_RAMADAN):
        assert busy("DTSTART:20270111T100000Z|DURATION:PT2H") == [("01-11 11:00", "01-11 13:00")]
        assert busy("DTSTART:20270215T100000Z|DURATION:PT2H") == [("02-15 10:00", "02-15 12:00")]


def test_whole_days_are_closed_from_midnight_to_midnight() -> None:
    assert busy("DTSTART;VALUE=DATE:20270111|DTEND;VALUE=DATE:20270113") == [("01-11 00:00", "01-13 00:00")]


def test_a_weekly_lesson_keeps_its_wall_time_and_its_exceptions() -> None:
    found = busy(LESSON + "|RRULE:FREQ=WEEKLY;COUNT=4|EXDATE;TZID=Africa/Casablanca:20270118T100000")
    assert [starts for starts, _ in found] == ["01-11 10:00", "01-25 10:00", "02-01 10:00"]


def test_what_is_free_or_cancelled_takes_no_time_and_what_overlaps_is_one() -> None:
    assert busy(LESSON + "|TRANSP:TRANSPARENT", LESSON + "|STATUS:CANCELLED") == []
    assert busy(LESSON, "DTSTART:20270111T110000|DURATION:PT4H") == [("01-11 10:00", "01-11 15:00")]


def test_a_rule_without_end_ends_at_the_horizon() -> None:
    found = busy("DTSTART:20200101T100000|DURATION:PT1H|RRULE:FREQ=DAILY")
    assert len(found) == (UNTIL - SINCE).days


# Which calendars a lab has.


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.ics",
        "https://127.0.0.1/a.ics",
        "https://10.0.0.1/a.ics",
        "https://[::1]/a.ics",
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
        "ftp://example.org/a.ics",
        "https://name:secret@example.org/a.ics",
        "lessons",
        "https://example.org/" + "a" * 600,
    ],
)
def test_an_address_that_leads_into_our_network_or_nowhere_is_refused(
    cast: Cast, session: Session, url: str
) -> None:
    with pytest.raises(DomainError) as error:
        add_source(session, cast.actors["salma"], "tanger", "Lessons", url, NOW)
    assert [(each.code, each.field) for each in error.value.refusals] == [("address_refused", "url")]


def test_only_managers_of_the_lab_see_and_add_calendars(cast: Cast, session: Session) -> None:
    for who in ("amina", "trainer", "karim", "nadia"):
        with pytest.raises(DomainError):
            add_source(session, cast.actors[who], "tanger", "Lessons", URL, NOW)
        with pytest.raises(DomainError):
            sources_of(session, cast.actors[who], cast.labs["tanger"])


def test_a_lab_has_each_calendar_once_and_only_so_many(cast: Cast, session: Session) -> None:
    salma = cast.actors["salma"]
    assert add_source(session, salma, "tanger", "Lessons", URL.replace("https", "webcal"), NOW).url == URL
    with pytest.raises(DomainError):
        add_source(session, salma, "tanger", "Again", URL, NOW)
    for number in range(SOURCES_MOST - 1):
        add_source(session, salma, "tanger", "Lessons", f"{URL}?{number}", NOW)
    with pytest.raises(DomainError) as error:
        add_source(session, salma, "tanger", "Lessons", f"{URL}?last", NOW)
    assert [each.code for each in error.value.refusals] == ["too_many"]


# Reading them.


class School:
    """Answers as it is told, and remembers with which ETag it was asked."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.answer = answer
        self.asked: list[str | None] = []

    def __call__(self, url: str, etag: str | None) -> Answer:
        self.asked.append(etag)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def source(cast: Cast, session: Session) -> int:
    return add_source(session, cast.actors["salma"], "tanger", "Lessons in room 4", URL, NOW).id


def good(*events: str, etag: str = '"1"') -> Answer:
    return Answer(200, {"etag": etag}, calendar(*events))


def labels(session: Session) -> list[str | None]:
    found = lab_by_slug(session, "tanger")
    assert found is not None
    return [found.hours.day(date(2027, 1, day)).closure for day in (11, 12)]


def test_busy_times_become_closures_that_say_only_the_calendar_s_name(
    cast: Cast, session: Session, source: int
) -> None:
    assert read_source(session, source, NOW, School(good(LESSON)), busy_times) == 1
    assert labels(session) == ["Lessons in room 4", None]
    [shown] = closures.closures_of(session, cast.actors["amina"], cast.labs["tanger"])
    assert (shown.label, shown.source, shown.unattended_too) == (
        "Lessons in room 4",
        "Lessons in room 4",
        False,
    )
    with pytest.raises(DomainError) as error:
        closures.remove_closure(session, cast.actors["salma"], "tanger", shown.id, NOW)
    assert [each.code for each in error.value.refusals] == ["of_a_calendar"]


def test_another_reading_replaces_what_differs_and_nothing_else(session: Session, source: int) -> None:
    tuesday = LESSON.replace("20270111", "20270112")
    read_source(session, source, NOW, School(good(LESSON, tuesday)), busy_times)
    kept = session.scalar(select(Closure.id).where(Closure.local_starts == datetime(2027, 1, 12, 10)))
    assert read_source(session, source, NOW, School(good(tuesday)), busy_times) == 1
    assert labels(session) == [None, "Lessons in room 4"]
    assert session.scalars(select(Closure.id)).all() == [kept]
    before = _version(session)
    assert read_source(session, source, NOW, School(good(tuesday)), busy_times) == 0
    assert _version(session) == before, "no process has to read hours again"


def _version(session: Session) -> object:
    found = lab_by_slug(session, "tanger")
    assert found is not None
    return found.hours


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(200, {}, b"<html>Sign in</html>"), "no iCalendar file"),
        (Answer(200, {}, calendar("DTSTART:20270111T100000|RRULE:FREQ=SECONDLY")), "more often than daily"),
        (Answer(404), "The server answered 404."),
        (Answer(301, {"location": "http://10.0.0.1"}), "The server answered 301."),
        (OutboundError("It did not answer within 8 seconds."), "did not answer"),
    ],
)
def test_what_cannot_be_read_leaves_what_was_known_and_says_why(
    cast: Cast, session: Session, source: int, answer: Answer | Exception, said: str
) -> None:
    read_source(session, source, NOW, School(good(LESSON)), busy_times)
    assert read_source(session, source, NOW, School(answer), busy_times) == 0
    assert labels(session) == ["Lessons in room 4", None]
    [shown] = sources_of(session, cast.actors["salma"], cast.labs["tanger"])
    assert said in shown.trouble
    assert (shown.closures, shown.read_at) == (1, NOW)
    read_source(session, source, NOW, School(good(LESSON)), busy_times)
    [shown] = sources_of(session, cast.actors["salma"], cast.labs["tanger"])
    assert shown.trouble == ""


def test_what_has_not_changed_is_not_sent_again_but_once_a_day(session: Session, source: int) -> None:
    school = School(good(LESSON))
    read_source(session, source, NOW, school, busy_times)
    school.answer = Answer(304)
    read_source(session, source, NOW + timedelta(hours=1), school, busy_times)
    read_source(session, source, NOW + timedelta(days=1), school, busy_times)
    assert school.asked == [None, '"1"', None]
    assert labels(session) == ["Lessons in room 4", None]


def test_calendars_are_due_again_after_a_while(session: Session, source: int) -> None:
    quarter = timedelta(minutes=15)
    assert due_sources(session, NOW, quarter, 9) == [source]
    read_source(session, source, NOW, School(good()), busy_times)
    assert due_sources(session, NOW + timedelta(minutes=14), quarter, 9) == []
    assert due_sources(session, NOW + quarter, quarter, 9) == [source]


def test_a_calendar_that_goes_takes_its_closures_along(cast: Cast, session: Session, source: int) -> None:
    read_source(session, source, NOW, School(good(LESSON)), busy_times)
    with pytest.raises(DomainError):
        remove_source(session, cast.actors["karim"], "rabat", source, NOW)
    remove_source(session, cast.actors["salma"], "tanger", source, NOW)
    assert labels(session) == [None, None]
    assert session.scalar(select(func.count()).select_from(Closure)) == 0


# By the clock, over the network.


@pytest.fixture
def school_server() -> Iterator[str]:
    """A server on this machine that sends a calendar."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = calendar(LESSON)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/lessons.ics"
    server.shutdown()
    server.server_close()


def test_the_clock_reads_calendars_of_our_own_network_only_where_the_settings_allow_it(
    cast: Cast, session: Session, settings: Settings, school_server: str
) -> None:
    allowed = replace(settings, hours=replace(settings.hours, private_calendars=True))
    add_source(session, cast.actors["salma"], "tanger", "Lessons", school_server, NOW, private=True)
    assert read_calendars(session, NOW, settings) == 0
    [shown] = sources_of(session, cast.actors["salma"], cast.labs["tanger"])
    assert "https://" in shown.trouble
    assert read_calendars(session, NOW + timedelta(hours=1), allowed) == 1
    assert labels(session) == ["Lessons", None]
