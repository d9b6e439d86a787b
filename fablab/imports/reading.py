"""A file of bytes as lines of a table, one at a time: encoding and separator found out, size bounded."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from fablab.errors import Refusal, refused
from fablab.imports.rules import (
    CELL_MAX,
    Column,
    Problem,
    Unreadable,
    ability_named,
    an_ability,
    names_of,
    plain,
    says_password,
)

SEPARATORS = (",", ";", "\t")
ENCODINGS = {"utf-8-sig": "UTF-8", "windows-1252": "Windows-1252"}
_CHUNK = 1 << 16
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Limits:
    """How large a file may be."""

    most_bytes: int
    most_lines: int


@dataclass(frozen=True)
class Line:
    """One line of the table: its number in the file, what stands in it by column, and what cannot be read."""

    number: int
    values: Mapping[str, Any]
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Table:
    """A file that can be read again and again. ``lines`` is how many there are below the header."""

    raw: IO[bytes]
    encoding: str
    separator: str
    header: tuple[str | None, ...]
    header_line: int
    lines: int
    columns: Mapping[str, Column]

    @property
    def encoding_name(self) -> str:
        return ENCODINGS[self.encoding]

    def __iter__(self) -> Iterator[Line]:
        """The lines with anything in them; nothing of the others is kept in memory."""
        for number, cells in _records(self.raw, self.encoding, self.separator):
            if number > self.header_line and any(cell.strip() for cell in cells):
                yield self._line(number, cells)

    def _line(self, number: int, cells: Sequence[str]) -> Line:
        values: dict[str, Any] = {name: each.empty for name, each in self.columns.items()}
        problems: list[Problem] = []
        if len(cells) > len(self.header) and any(cell.strip() for cell in cells[len(self.header) :]):
            text = (
                f"The header has {len(self.header)} columns and this line {len(cells)}. "
                "Put quotes around a text that has the separator in it."
            )
            return Line(number, values, (Problem(number, Refusal("unreadable_cell", "", text)),))
        for name, cell in zip(self.header, cells, strict=False):
            if name is None or not (said := cell.strip()):
                continue
            try:
                if len(said) > CELL_MAX:
                    raise Unreadable(f"At most {CELL_MAX} characters.")
                if ability := ability_named(name):
                    values["capabilities"] = {**(values["capabilities"] or {}), ability: an_ability(said)}
                else:
                    values[name] = self.columns[name].read(said)
            except Unreadable as error:
                text = f"{said[:60]!r} cannot be read. {error}"
                problems.append(Problem(number, Refusal("unreadable_cell", name, text)))
        wrong = {each.column for each in problems}
        problems += [
            Problem(number, Refusal("unreadable_cell", name, f"Nothing stands here. {each.about}"))
            for name, each in self.columns.items()
            if each.needed and values[name] in (None, "") and name not in wrong
        ]
        return Line(number, values, tuple(problems))


def open_table(raw: IO[bytes], columns: Mapping[str, Column], limits: Limits) -> Table:
    """Find out how a file is written, and check its size and header. Reads it through, keeping nothing.

    UTF-8 with or without a mark, else Windows-1252, of which Latin-1 is a part; comma, semicolon or tab, by
    which the header shows more columns we know. Raises REFUSED `file_too_large`, `not_csv`, or with all that
    is wrong with the header.
    """
    encoding = _encoding(raw, limits.most_bytes)
    separator = _separator(raw, encoding, columns)
    header: list[str] = []
    number = header_line = lines = 0
    try:
        for number, cells in _records(raw, encoding, separator):
            if not any(cell.strip() for cell in cells) or _says_separator(number, cells):
                continue
            if not header:
                header, header_line = list(cells), number
                continue
            lines += 1
            if lines > limits.most_lines:
                text = (
                    f"The file has more than {limits.most_lines:,} lines, and no more are taken at once. "
                    "Split it into several files."
                )
                raise refused(Refusal("file_too_large", "file", text))
    except csv.Error as error:
        text = f"After line {number} the file cannot be read as CSV: {error}. Save it from a spreadsheet."
        raise refused(Refusal("not_csv", "file", text)) from error
    if not header:
        raise refused(Refusal("not_csv", "file", "The file is empty. Its first line names the columns."))
    return Table(raw, encoding, separator, _header(header, columns), header_line, lines, columns)


def _encoding(raw: IO[bytes], most_bytes: int) -> str:
    """Read the file through once; UTF-8 where every byte fits."""
    raw.seek(0)
    utf_8 = codecs.getincrementaldecoder("utf-8")()
    windows = codecs.getincrementaldecoder("windows-1252")()
    fits = windows_fits = first = True
    size = 0
    while chunk := raw.read(_CHUNK):
        size += len(chunk)
        if size > most_bytes:
            text = f"The file is larger than {most_bytes:,} bytes, and no more are taken at once. Split it."
            raise refused(Refusal("file_too_large", "file", text))
        if (first and chunk.startswith(_UTF_16)) or b"\0" in chunk:
            text = "The file is no text in UTF-8 or Windows-1252. Save it as CSV UTF-8 from a spreadsheet."
            raise refused(Refusal("not_csv", "file", text))
        first = False
        try:
            if fits:
                utf_8.decode(chunk)
        except UnicodeDecodeError:
            fits = False
        # Both at once: what is no UTF-8 may show late.
        windows_fits = windows_fits and _fits(windows, chunk)
        if not fits and not windows_fits:
            text = "The file is no text in UTF-8 or Windows-1252. Save it as CSV UTF-8 from a spreadsheet."
            raise refused(Refusal("not_csv", "file", text))
    try:
        utf_8.decode(b"", final=True)
    except UnicodeDecodeError:
        fits = False
    return "utf-8-sig" if fits else "windows-1252"


def _fits(decoder: Any, chunk: bytes) -> bool:
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _separator(raw: IO[bytes], encoding: str, columns: Mapping[str, Column]) -> str:
    known = names_of(columns)

    def fit(separator: str) -> int:
        try:
            for number, cells in _records(raw, encoding, separator):
                if any(cell.strip() for cell in cells) and not _says_separator(number, cells):
                    return sum(plain(cell) in known or ability_named(cell) is not None for cell in cells)
        except csv.Error:
            pass
        return 0

    return max(SEPARATORS, key=fit)


def _says_separator(number: int, cells: Sequence[str]) -> bool:
    """Spreadsheets write sep=; before everything else."""
    return number == 1 and bool(cells) and cells[0].strip().casefold().startswith("sep=")


def _records(raw: IO[bytes], encoding: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """(line of the file on which it begins, cells) for each record."""
    raw.seek(0)
    text = io.TextIOWrapper(raw, encoding, newline="")
    try:
        reader = csv.reader(text, delimiter=separator, strict=True)
        line = 1
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    finally:
        # The file stays open: it is read again.
        text.detach()


def _header(cells: Sequence[str], columns: Mapping[str, Column]) -> tuple[str | None, ...]:
    known = names_of(columns)
    found: list[str | None] = []
    wrong: list[Refusal] = []
    for cell in cells:
        name = known.get(plain(cell))
        if name is None and "capabilities" in columns and ability_named(cell.strip()) is not None:
            name = cell.strip()
        if not cell.strip():
            found.append(None)
            continue
        if name is None and says_password(cell):
            text = "Leave passwords out: each new member gets a mail to choose one."
            wrong.append(Refusal("no_passwords", cell.strip()[:60], text))
        elif name is None:
            text = f"There is no column {cell.strip()[:60]!r}. Known are {', '.join(columns)}."
            wrong.append(Refusal("unknown_column", cell.strip()[:60], text))
        elif name in found:
            wrong.append(Refusal("unknown_column", name, f"The column {name} is there twice. Keep one."))
        found.append(name)
    wrong += [
        Refusal("missing_column", each.name, f"The column {each.name} is missing. {each.about}")
        for each in columns.values()
        if each.needed and each.name not in found
    ]
    if wrong:
        raise refused(*wrong)
    return tuple(found)
