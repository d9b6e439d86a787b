"""What a spreadsheet opens is read as text and figures, never as a formula."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest

from fablab.csv_out import cell, write_table


@pytest.mark.parametrize("text", ["=1+1", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_what_a_spreadsheet_would_compute_is_text(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["", "vase", "3-4", "à = b", -2, 0.5, date(2027, 1, 31)])
def test_ordinary_cells_stay(value: object) -> None:
    assert cell(value) == value


def test_a_table_has_its_heading_and_every_row() -> None:
    out = io.StringIO(newline="")
    assert (
        write_table(out, ["name", "used", "ok"], iter([["=cmd()", -1.5, True], ['a "b", c\n', None, False]]))
        == 2
    )
    assert list(csv.reader(io.StringIO(out.getvalue(), newline=""))) == [
        ["name", "used", "ok"],
        ["'=cmd()", "-1.5", "yes"],
        ['a "b", c\n', "", "no"],
    ]
