"""Forms: what was typed is read strictly, and every no stands at its field."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import flask
import pytest

from fablab.errors import Code, DomainError, Refusal, not_found, refused
from fablab.web.pages import forms
from fablab.web.pages.forms import Errors


@pytest.fixture
def errors() -> Errors:
    return {}


@pytest.mark.parametrize("text", ["", " ", "-1", "1.5", "0", "7", "٣", "²", "9" * 40, "1e1", "\0"])
def test_what_is_no_number_within_bounds_is_said_at_its_field(text: str, errors: Errors) -> None:
    assert forms.a_number(text, "places", errors, most=6, message="From 1 to 6.") is None
    assert errors == {"places": ["From 1 to 6."]}


def test_a_number_may_be_the_largest_a_row_can_have(errors: Errors) -> None:
    assert forms.number("9" * 18) == 10**18 - 1
    assert forms.number("1" + "0" * 18) is None
    assert forms.a_number("0", "owner", errors, least=0, most=1, message="No.") == 0
    assert not errors


@pytest.mark.parametrize("text", ["tomorrow", "2027-02-30", "31/01/2027", "\ud800", "2027-01-31T10:00"])
def test_what_is_no_day_is_said_at_its_field(text: str, errors: Errors) -> None:
    assert forms.day(text) is None
    assert forms.a_day(text, "day", errors) is None
    assert errors == {"day": ["Please give a day, for instance 2027-01-31."]}


@pytest.mark.parametrize("text", ["1999-12-31", "2200-01-01", "9999-12-31"])
def test_a_day_near_now_is_in_this_century_or_the_next(text: str, errors: Errors) -> None:
    assert forms.a_day(text, "day", errors, near=True) is None
    assert errors == {"day": ["Please give a day in this century."]}


def test_no_day_is_an_error_only_where_one_is_needed(errors: Errors) -> None:
    assert forms.a_day("  ", "last_day", errors) is None
    assert not errors
    assert forms.a_day("", "day", errors, needed=True) is None
    assert list(errors) == ["day"]


def test_a_day_is_read(errors: Errors) -> None:
    assert forms.a_day(" 1961-04-12 ", "birth_on", errors) == date(1961, 4, 12)
    assert not errors


@pytest.mark.parametrize("text", ["", "noon", "25:00", "14:30Z", "14:30+01:00"])
def test_what_is_no_time_of_day_is_said_at_its_field(text: str, errors: Errors) -> None:
    assert forms.a_time(text, "starts", errors) is None
    assert errors == {"starts": ["Please give a time, for instance 14:30."]}


def test_a_time_of_day_is_read(errors: Errors) -> None:
    assert forms.a_time("14:30", "starts", errors) == time(14, 30)
    assert forms.a_time("14:30:05.7", "starts", errors) == time(14, 30, 5)


def test_a_time_the_clocks_skip_is_said_at_its_field(errors: Errors) -> None:
    skipped = date(2027, 3, 28)
    assert forms.an_instant(skipped, time(2, 30), "Europe/Paris", "starts", errors) is None
    assert "skip this time" in errors["starts"][0]


def test_a_day_and_a_time_make_an_instant(errors: Errors) -> None:
    found = forms.an_instant(date(2027, 7, 1), time(14, 30), "Europe/Paris", "starts", errors)
    assert found == datetime(2027, 7, 1, 12, 30, tzinfo=UTC)
    assert not errors


def test_only_what_is_on_the_list_is_a_choice(errors: Errors) -> None:
    assert forms.a_choice("rabat", "lab", errors, {"tanger": 1}) is None
    assert errors == {"lab": [forms.NOT_LISTED]}
    assert forms.a_choice("tanger", "lab", errors, {"tanger": 1}) == 1


def test_a_line_is_printable_trimmed_and_bounded() -> None:
    with flask.Flask(__name__).test_request_context("/", method="POST", data={"name": " Lamp\0 \a\n"}):
        assert forms.line("name") == "Lamp"
        assert forms.line("name", 2) == "Lam"
        assert forms.lines("name", "kind") == {"name": "Lamp", "kind": ""}
    with flask.Flask(__name__).test_request_context("/?q=amina"):
        assert forms.line("q") == "amina"


@pytest.mark.parametrize(
    ("asked", "given"), [("", 20), ("?n=x", 20), ("?n=-5", 20), ("?n=40", 40), ("?n=999", 200)]
)
def test_an_address_asks_for_rows_within_bounds(asked: str, given: int) -> None:
    with flask.Flask(__name__).test_request_context("/" + asked):
        assert forms.how_many("n", 20, 200) == given


def test_refusals_stand_at_the_fields_of_the_form() -> None:
    error = refused(Refusal("a", "starts_at", "Too soon."), Refusal("b", "quota", "Too much."))
    assert forms.errors_of(error) == {"starts_at": ["Too soon."], "quota": ["Too much."]}
    assert forms.errors_of(error, {"starts_at": "time"}) == {"time": ["Too soon."], "quota": ["Too much."]}
    own = forms.errors_of(error, {"starts_at": "time"}, fields=("time",))
    assert own == {"time": ["Too soon."], "": ["Too much."]}


def test_a_no_without_a_field_concerns_the_whole_form() -> None:
    assert forms.errors_of(DomainError(Code.REFUSED, "Not like this.")) == {"": ["Not like this."]}


def test_what_is_no_refusal_goes_on_to_the_error_page() -> None:
    missing, forbidden = not_found("lab"), DomainError(Code.NOT_ALLOWED, "Not yours.")
    with pytest.raises(DomainError) as raised:
        forms.errors_of(missing, also=(Code.NOT_ALLOWED,))
    assert raised.value is missing
    with pytest.raises(DomainError):
        forms.told(forbidden, "/")
    assert forms.errors_of(forbidden, also=(Code.NOT_ALLOWED,)) == {"": ["Not yours."]}


def test_a_refusal_is_told_on_the_page_one_comes_back_to() -> None:
    app = flask.Flask(__name__)
    app.secret_key = "of this test"
    with app.test_request_context("/"):
        answer = forms.told(refused(Refusal("a", "", "It is full.")), "/trainings/7")
        assert (answer.status_code, answer.location) == (303, "/trainings/7")
        assert flask.get_flashed_messages(with_categories=True) == [("error", "It is full.")]
