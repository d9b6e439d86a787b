"""Booking by form, without any script: refusals at their fields, what is free instead, the end."""

from __future__ import annotations

import html
import re
import uuid
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fablab.bookings.models import Booking, BookingChange
from fablab.clock import utc_now
from fablab.machines.models import Machine, Unit
from fablab.usage.models import Job, UsageSession
from tests.fixtures_cast import CASABLANCA, Cast, tomorrow
from tests.support.pages import Reader, Visit, words

PRINTER = "/machines/tanger-prusa-1"
LASER = "/machines/tanger-laser-1"


def send(reader: Reader, machine: str = PRINTER, at: datetime | None = None, **fields: str):  # type: ignore[no-untyped-def]
    at = at or tomorrow(10)
    typed = {"day": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M}", "duration": "60", "purpose": "", **fields}
    reader.get(machine)
    return reader.post(f"{machine}/bookings", **typed)


def made_by(reader: Reader, **more: object) -> str:
    """The address of a new booking."""
    answer = send(reader, **more)  # type: ignore[arg-type]
    assert answer.status_code == 303, words(answer)
    return str(answer.location).split("?")[0]


def stored(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Booking)) or 0


WRONG = [
    ({"day": "tomorrow"}, "day", "Please give a day"),
    ({"day": ""}, "day", "Please give a day"),
    ({"day": "9999-12-31"}, "day", "Please give a day in this century"),
    ({"time": "half past ten"}, "time", "Please give a time"),
    ({"time": "10:00+05:00"}, "time", "Please give a time"),
    ({"duration": ""}, "duration", "Please choose how long"),
    ({"duration": "-60"}, "duration", "Please choose how long"),
    ({"duration": "99999999"}, "duration", "Please choose how long"),
    ({"duration": "0"}, "duration", "must end after it starts"),
    ({"duration": "1"}, "duration", "at least"),
    ({"duration": "9999"}, "duration", "at most"),
    ({"day": "2020-01-31"}, "time", "in the past"),
    ({"day": "2150-01-31"}, "time", "days ahead"),
    ({"purpose": "x" * 201}, "purpose", "200 characters"),
    ({"purpose": "bell \a"}, "purpose", "plain text"),
    ({"purpose": "nul \0"}, "purpose", "plain text"),
]


@pytest.mark.parametrize(("fields", "at_field", "says"), WRONG)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_stored(
    visit: Visit, session: Session, fields: dict[str, str], at_field: str, says: str
) -> None:
    answer = send(visit("amina"), **fields)
    assert answer.status_code == 422
    assert says in words(answer)
    errors = re.search(rf'id="{at_field}-error-1">.*?</div>', answer.text, re.DOTALL)
    assert errors
    assert says in html.unescape(errors[0])
    assert f'id="{at_field}" name="{at_field}"' in answer.text
    assert re.search(rf'id="{at_field}"[^>]*aria-invalid="true"', answer.text)
    assert stored(session) == 0


def test_what_was_typed_is_still_there_after_a_refusal(visit: Visit) -> None:
    page = send(visit("amina"), day="2020-01-31", purpose='A "lamp" <b>').text
    assert 'value="2020-01-31"' in page
    assert 'value="A &#34;lamp&#34; &lt;b&gt;"' in page


def test_closed_hours_are_refused_for_what_may_not_run_alone(visit: Visit, session: Session) -> None:
    answer = send(visit("amina"), LASER, at=tomorrow(3))
    assert answer.status_code == 422
    assert "The lab is not open" in words(answer)
    assert stored(session) == 0


def test_a_taken_time_is_refused_and_one_tap_takes_another(visit: Visit, session: Session) -> None:
    made_by(visit("amina"))
    youssef = visit("youssef")
    answer = send(youssef, purpose="Gears")
    assert answer.status_code == 409
    assert "is taken at that time" in words(answer)
    assert "Amina" not in words(answer)
    offers = re.search(r'<ul class="choices.*?</ul>', answer.text, re.DOTALL)
    assert offers
    forms = re.findall(r'<form method="post" action="([^"]+)">(.*?)</form>', offers[0], re.DOTALL)
    assert len(forms) == 3
    address, inside = forms[1]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', inside))
    assert fields.pop("csrf_token")
    assert fields["purpose"] == "Gears"
    answer = youssef.post(address, **fields)
    assert answer.status_code == 303
    assert stored(session) == 2


def offered(reader: Reader, machine: str) -> dict[str, str]:
    """The day and time the empty form begins with."""
    page = reader.get(machine).text
    return {
        name: str(re.search(rf'<input[^>]* name="{name}"[^>]* value="([^"]*)"', page)[1])  # type: ignore[index]
        for name in ("day", "time")
    }


def test_a_machine_with_set_up_and_clean_up_offers_a_start_that_is_taken(
    visit: Visit, session: Session, cast: Cast
) -> None:
    session.execute(
        update(Machine)
        .where(Machine.id == cast.machines["tanger-prusa-1"])
        .values(setup_s=605, cleanup_s=900)
    )
    session.commit()
    made_by(visit("youssef"), at=utc_now().astimezone(CASABLANCA) + timedelta(minutes=5))
    amina = visit("amina")
    answer = send(amina, **offered(amina, PRINTER))
    assert answer.status_code == 303, words(answer)


def test_a_machine_with_two_units_is_free_now_while_one_of_them_is_booked(
    visit: Visit, session: Session, cast: Cast
) -> None:
    session.add(Unit(machine_id=cast.machines["tanger-prusa-1"], number=2))
    session.commit()
    made_by(visit("youssef"), at=utc_now().astimezone(CASABLANCA))
    amina = visit("amina")
    before = utc_now().replace(second=0, microsecond=0)
    begin = datetime.fromisoformat("{day}T{time}".format(**offered(amina, PRINTER)))
    assert before <= begin.replace(tzinfo=CASABLANCA) <= utc_now()
    assert "Booked until" not in words(amina.get(PRINTER))
    assert send(amina, **offered(amina, PRINTER)).status_code == 303
    assert "Yours until" in words(amina.get(PRINTER))
    assert "Booked until" in words(visit("salma").get("/machines/tanger-prusa-1"))


def test_who_only_reads_cannot_book(visit: Visit, session: Session) -> None:
    answer = send(visit("nadia"))
    assert answer.status_code == 403
    assert stored(session) == 0


def test_a_form_without_its_token_books_nothing(visit: Visit, session: Session) -> None:
    answer = visit("amina").client.post(f"{PRINTER}/bookings", data={"day": f"{tomorrow(10):%Y-%m-%d}"})
    assert answer.status_code == 400
    assert stored(session) == 0


def test_a_booking_is_confirmed_with_what_to_do_next(visit: Visit, session: Session) -> None:
    amina = visit("amina")
    answer = send(amina, purpose="A lamp")
    page = amina.get(answer.location)
    assert page.status_code == 200
    for text in ("It is yours.", "10:00 – 11:00", "What to do next", "Confirmed", "A lamp"):
        assert text in words(page)
    [booking] = session.scalars(select(Booking))
    assert booking.starts_at == tomorrow(10)
    assert booking.ends_at == tomorrow(11)
    assert "A lamp" in words(amina.get("/bookings"))


def test_a_manager_books_for_somebody_else(visit: Visit, session: Session, cast: Cast) -> None:
    salma = visit("salma")
    assert send(salma, for_member="nobody@example.org").status_code == 422
    made_by(salma, for_member="youssef@example.org")
    [booking] = session.scalars(select(Booking))
    assert (booking.member_id, booking.created_by_id) == (cast.members["youssef"], cast.members["salma"])
    assert 'name="for_member"' not in visit("amina").get(PRINTER).text


@pytest.mark.parametrize("name", ["youssef", "karim"])
def test_another_persons_booking_does_not_exist(visit: Visit, session: Session, name: str) -> None:
    address = made_by(visit("amina"))
    other = visit(name)
    other.get("/")
    assert other.get(address).status_code == 404
    assert other.get(f"{address}/cancellation").status_code == 404
    assert other.post(f"{address}/cancellation").status_code == 404
    assert "Amina" not in words(other.get(PRINTER))
    assert session.scalars(select(Booking.state)).one() == "confirmed"


def test_neither_does_a_number_nobody_has(visit: Visit) -> None:
    for number in ("0", "999999", "9" * 30):
        assert visit("amina").get(f"/bookings/{number}").status_code == 404


def test_staff_see_a_booking_of_their_lab(visit: Visit) -> None:
    address = made_by(visit("amina"))
    for name in ("salma", "nadia", "admin"):
        assert "Amina" in words(visit(name).get(address)), name
    nadia = visit("nadia")
    assert "Cancel" not in words(nadia.get(address))
    nadia.get("/")
    assert nadia.post(f"{address}/cancellation").status_code == 403


@pytest.mark.parametrize("number", ["0", str(2**63), "9" * 30])
def test_a_number_no_booking_can_have_is_not_found(visit: Visit, number: str) -> None:
    amina = visit("amina")
    assert amina.get(f"/bookings/{number}").status_code == 404
    amina.get(PRINTER)  # whose form brings the token against forged requests
    # 405 where only the files of the pages, which nobody posts to, could have such an address.
    assert amina.post(f"/bookings/{number}/cancellation").status_code in {404, 405}


def test_cancelling_asks_first_and_gives_the_time_back(visit: Visit, session: Session) -> None:
    amina = visit("amina")
    address = made_by(amina)
    question = amina.get(f"{address}/cancellation")
    assert "Cancel your booking?" in words(question)
    assert session.scalars(select(Booking.state)).one() == "confirmed"
    answer = amina.post(f"{address}/cancellation")
    assert answer.location == "/bookings"
    assert "is cancelled" in words(amina.get("/bookings"))
    session.expire_all()
    assert session.scalars(select(Booking.state)).one() == "cancelled"
    again = amina.post(f"{address}/cancellation")
    assert again.location == address
    assert "cancelled already" in words(amina.get(address))
    made_by(visit("youssef"))


def test_a_manager_says_why_and_the_holder_reads_it(visit: Visit, session: Session) -> None:
    amina = visit("amina")
    address = made_by(amina)
    salma = visit("salma")
    salma.get(f"{address}/cancellation")
    assert salma.post(f"{address}/cancellation", reason="The nozzle broke").status_code == 303
    page = words(amina.get(address))
    assert "The nozzle broke" in page
    assert "by Salma" in page


def past_booking(session: Session, cast: Cast, state: str = "completed") -> Booking:
    starts = utc_now() - timedelta(days=2)
    ends = starts + timedelta(hours=2)
    booking = Booking(
        machine_id=cast.machines["tanger-prusa-1"],
        lab_id=cast.labs["tanger"],
        member_id=cast.members["amina"],
        created_by_id=cast.members["amina"],
        starts_at=starts,
        ends_at=ends,
        zone="Africa/Casablanca",
        local_starts=starts.replace(tzinfo=None),
        local_ends=ends.replace(tzinfo=None),
        state=state,
        created_at=starts - timedelta(days=1),
    )
    session.add(booking)
    session.flush()
    session.add(
        BookingChange(
            booking_id=booking.id, at=starts, made_by="machine", to_state="started", reason="first use"
        )
    )
    return booking


def test_beside_a_past_booking_stands_what_was_really_done(
    visit: Visit, session: Session, cast: Cast
) -> None:
    booking = past_booking(session, cast)
    whose = {
        "machine_id": booking.machine_id,
        "lab_id": booking.lab_id,
        "booking_id": booking.id,
        "member_id": booking.member_id,
    }
    for number, outcome in enumerate(("finished", "failed")):
        begins = booking.starts_at + timedelta(minutes=20 * number)
        job = Job(
            id=uuid.uuid4(),
            file=f"part-{number}.gcode",
            started_at=begins,
            ended_at=begins + timedelta(minutes=15),
            outcome=outcome,
            reason="Thermal runaway" if outcome == "failed" else None,
            print_time_s=840.0,
            elapsed_s=900.0,
            **whose,
        )
        session.add(job)
        session.flush()
        session.add(
            UsageSession(
                started_at=begins,
                ended_at=job.ended_at,
                counted_at=job.ended_at,
                busy_s=840,
                idle_s=60,
                **whose,
            )
        )
    session.commit()
    amina = visit("amina")
    for address in ("/bookings", f"/bookings/{booking.id}"):
        page = words(amina.get(address))
        for text in ("Finished part-0.gcode", "Failed part-1.gcode", "14 min at work", "Thermal runaway"):
            assert text in page, (address, text)
    page = words(amina.get(f"/bookings/{booking.id}"))
    assert "At work 28 min" in page
    assert "seen at the machine" in page


def test_a_booking_nobody_used_says_so(visit: Visit, session: Session, cast: Cast) -> None:
    past_booking(session, cast, "missed")
    session.commit()
    page = words(visit("amina").get("/bookings"))
    assert "Not used" in page
    assert "The machine was not used in this time." in page
    assert "Nothing booked" in page
