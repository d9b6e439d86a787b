"""Figures: who sees which lab's, and that page, table and file tell the same."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from fablab.clock import utc_now
from fablab.utilisation.models import MachineHour
from tests.fixtures_cast import Cast
from tests.support.pages import Visit, words


@pytest.fixture
def figures(session: Session, cast: Cast) -> datetime:
    """Yesterday at 10:00 UTC: an hour of two printers; half used in Tanger, a quarter in Rabat."""
    hour = (utc_now() - timedelta(days=1)).replace(hour=10, minute=0, second=0, microsecond=0)
    for slug, used in (("tanger-prusa-1", 1800), ("rabat-prusa-1", 900)):
        session.add(
            MachineHour(
                machine_id=cast.machines[slug],
                lab_id=cast.labs[slug.split("-")[0]],
                hour=hour,
                open_s=3600,
                booked_s=2700,
                used_s=used,
                used_booked_s=used,
                bookings=4,
                missed=1,
                jobs_finished=3,
                jobs_failed=1,
            )
        )
    session.commit()
    return hour


@pytest.mark.parametrize("address", ["/utilisation", "/utilisation.csv", "/utilisation?lab=tanger"])
@pytest.mark.parametrize("name", ["amina", "youssef"])
def test_figures_are_not_for_makers(visit: Visit, figures: datetime, name: str, address: str) -> None:
    answer = visit(name).get(address)
    assert answer.status_code == 403
    assert "for lab managers" in words(answer)


@pytest.mark.parametrize(
    "address", ["/utilisation?lab=rabat", "/utilisation.csv?lab=rabat", "/utilisation?lab=atlantis"]
)
def test_a_manager_does_not_see_another_lab(visit: Visit, figures: datetime, address: str) -> None:
    assert visit("salma").get(address).status_code == 404


def test_a_manager_sees_the_own_lab(visit: Visit, figures: datetime) -> None:
    page = words(visit("salma").get("/utilisation"))
    assert "By machine" in page
    assert "Tanger Prusa 1" in page
    assert "Rabat" not in page
    assert "Utilisation 50 % used of the hours available" in page
    assert "Nobody came 25 % 1 of 4 bookings" in page
    assert "Jobs that succeeded 75 % 3 of 4" in page


@pytest.mark.parametrize("name", ["nadia", "admin"])
def test_the_network_is_for_operators(visit: Visit, figures: datetime, name: str) -> None:
    page = words(visit(name).get("/utilisation"))
    assert "The whole network" in page
    assert "Utilisation 38 % used of the hours available" in page
    assert "By lab" in page
    assert page.index("Rabat 25 %") < page.index("Tanger 50 %")
    assert "By machine" in words(visit(name).get("/utilisation?lab=rabat"))


def test_the_file_holds_what_the_page_shows(visit: Visit, figures: datetime) -> None:
    answer = visit("nadia").get("/utilisation.csv?period=7")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [(row["lab"], float(row["used_s"]), float(row["utilisation"])) for row in rows] == [
        ("rabat", 900.0, 0.25),
        ("tanger", 1800.0, 0.5),
    ]


def test_own_dates_are_local_days(visit: Visit, figures: datetime) -> None:
    day = figures.astimezone(UTC).date()
    salma = visit("salma")
    shown = words(salma.get(f"/utilisation?period=own&from={day}&to={day}"))
    assert "50 %" in shown
    before = day - timedelta(days=1)
    assert "No figures for these days" in words(
        salma.get(f"/utilisation?period=own&from={before}&to={before}")
    )


@pytest.mark.parametrize(
    "query",
    [
        "period=own&from=nonsense&to=2026-01-01",
        "period=own&from=2026-02-01&to=2026-01-01",
        "period=own&from=0001-01-01&to=9999-12-31",
        "period=-5",
        "period=own",
        "period=365",
    ],
)
def test_whatever_the_filters_say_there_is_a_page(visit: Visit, figures: datetime, query: str) -> None:
    assert visit("nadia").get(f"/utilisation?{query}").status_code == 200
    assert visit("nadia").get(f"/utilisation.csv?{query}").status_code == 200
