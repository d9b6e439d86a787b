"""Tables as CSV, so that a spreadsheet shows what stands there and computes nothing."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

_FORMULA = frozenset("=+-@\t\r\n")


def write_table(out: TextIO, heading: Sequence[str], rows: Iterable[Iterable[Any]]) -> int:
    """Write a heading and rows, one by one, to a file opened with ``newline=""``; returns how many rows."""
    table = csv.writer(out)
    table.writerow(heading)
    count = 0
    for row in rows:
        table.writerow([cell(value) for value in row])
        count += 1
    return count


def cell(value: Any) -> Any:
    """A value as a cell: no text is taken for a formula, yes or no in words, nothing where there is none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value
