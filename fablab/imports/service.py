"""Taking a file in, line by line: every problem is told, and nothing is stored by halves."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import IO, Any, Protocol

from sqlalchemy.orm import Session

from fablab.bookings.facts import Policy
from fablab.errors import DomainError, Refusal, not_allowed, not_found
from fablab.imports.bookings import BookingsImport
from fablab.imports.machines import MachinesImport
from fablab.imports.members import MembersImport
from fablab.imports.reading import Limits, Line, Table, open_table
from fablab.imports.rules import WHATS, Column, Problem, may_import
from fablab.members import audit
from fablab.members.rules import Actor, acting_lab

# Problems kept for a report; all are counted, and told as they come.
LISTED_MOST = 1000
# Lines stored at once where a command takes in line by line: so long others may have to wait.
BATCH = 200


class Importer(Protocol):
    """How one kind of thing is read and stored."""

    key: str
    columns: Mapping[str, Column]
    # Field of a verb's refusal -> column.
    fields: Mapping[str, str]

    def key_of(self, values: Mapping[str, Any]) -> Hashable:
        """By which two lines are known to say the same."""

    def prepare(self, session: Session, lines: Iterable[Line]) -> None:
        """Hold what the lines are about."""

    def take(self, session: Session, values: Mapping[str, Any]) -> bool:
        """Store a line; False when it is there already. Raises DomainError."""

    def finish(self, session: Session) -> None:
        """After the lines that are stored together."""


COLUMNS: Mapping[str, Mapping[str, Column]] = {
    "bookings": BookingsImport.columns,
    "machines": MachinesImport.columns,
    "members": MembersImport.columns,
}
KEYS: Mapping[str, str] = {
    "bookings": BookingsImport.key,
    "machines": MachinesImport.key,
    "members": MembersImport.key,
}


@dataclass(frozen=True)
class Wish:
    """What is to be done with a file.

    ``dry_run`` stores nothing and tells what would be. With ``per_line`` the good lines are stored, else all
    or none. ``override`` goes over rules, as staff may, for bookings.
    """

    what: str
    dry_run: bool = False
    per_line: bool = False
    override: bool = False


@dataclass(frozen=True)
class Setup:
    """What the verbs want to know."""

    policy: Policy
    base_url: str
    limits: Limits


@dataclass
class Report:
    """What became of a file. ``stored`` says whether ``added`` lines are in the database now."""

    what: str
    dry_run: bool
    encoding: str
    separator: str
    lines: int
    added: int = 0
    there: int = 0
    stored: bool = False
    problem_count: int = 0
    problems: list[Problem] = field(default_factory=list)


Told = Callable[[Problem], None]
Progress = Callable[[int, int], None]


def import_file(
    session: Session,
    actor: Actor,
    wish: Wish,
    raw: IO[bytes],
    now: datetime,
    setup: Setup,
    *,
    told: Told = lambda problem: None,
    progress: Progress = lambda done, lines: None,
    between: Callable[[], None] | None = None,
) -> Report:
    """Take a file in by the verbs of its things, as the actor.

    1. the whole file is read once: its encoding, size and header are judged before anything is looked up;
    2. what the lines name is held, in the order of locks that everybody keeps;
    3. each line goes through the verb; a dry run does that, too, and undoes it: so it finds just the same;
    4. with a problem in any line nothing is stored, unless the wish is ``per_line``.

    ``told`` hears of every problem. ``between`` commits; where it is given and the wish is ``per_line``,
    lines are stored BATCH by BATCH. Raises NOT_FOUND, NOT_ALLOWED, and REFUSED for what concerns the
    file as a whole.
    """
    check_may_import(actor, wish.what)
    importer = _importer(actor, wish, now, setup)
    table = open_table(raw, importer.columns, setup.limits)
    report = Report(wish.what, wish.dry_run, table.encoding_name, table.separator, table.lines)
    run = _Run(session, importer, report, told, progress, wish.per_line)
    if between is not None and wish.per_line and not wish.dry_run:
        lines = iter(table)
        while batch := list(islice(lines, BATCH)):
            importer.prepare(session, batch)
            run.take(batch)
            importer.finish(session)
            between()
        report.stored = True
    else:
        outer = session.begin_nested()
        importer.prepare(session, table)
        run.take(table)
        importer.finish(session)
        report.stored = not wish.dry_run and (wish.per_line or not report.problem_count)
        if report.stored:
            outer.commit()
        else:
            outer.rollback()
            session.expire_all()
    if report.stored and report.added:
        audit.record(
            session,
            actor,
            "import.run",
            wish.what,
            now,
            f"{report.added} of {report.lines} lines{', over rules' if wish.override else ''}",
            lab_id=acting_lab(actor),
        )
    return report


def check_may_import(actor: Actor, what: str) -> None:
    """Raises NOT_FOUND for what cannot be imported, NOT_ALLOWED for who may not."""
    if what not in WHATS:
        raise not_found("kind of import")
    if not may_import(actor, what):
        raise not_allowed(
            "Administrators import members."
            if what == "members"
            else "Managers import for their lab, administrators for all."
        )


def _importer(actor: Actor, wish: Wish, now: datetime, setup: Setup) -> Importer:
    if wish.what == "machines":
        return MachinesImport(actor, now)
    if wish.what == "members":
        return MembersImport(actor, now, setup.base_url)
    return BookingsImport(actor, now, setup.policy, override=wish.override)


class _Run:
    """The lines of one file on their way in."""

    def __init__(
        self,
        session: Session,
        importer: Importer,
        report: Report,
        told: Told,
        progress: Progress,
        per_line: bool,
    ) -> None:
        self._session, self._importer, self._report = session, importer, report
        self._told, self._progress, self._per_line = told, progress, per_line
        self._first: dict[Hashable, int] = {}
        self._done = 0

    def take(self, lines: Iterable[Line] | Table) -> None:
        for line in lines:
            for problem in self._problems(line):
                self._report.problem_count += 1
                if len(self._report.problems) < LISTED_MOST:
                    self._report.problems.append(problem)
                self._told(problem)
            self._done += 1
            self._progress(self._done, self._report.lines)

    def _problems(self, line: Line) -> Iterator[Problem]:
        """Store the line, or say what is wrong with it."""
        if line.problems:
            yield from line.problems
            return
        key = self._importer.key_of(line.values)
        if (first := self._first.setdefault(key, line.number)) != line.number:
            text = f"Line {first} says the same ({self._importer.key}). Keep one of them."
            yield Problem(line.number, Refusal("twice_in_file", "", text))
            return
        try:
            if self._stored(line):
                self._report.added += 1
            else:
                self._report.there += 1
        except DomainError as error:
            for each in error.refusals or (Refusal("not_allowed", "", error.message),):
                column = self._importer.fields.get(each.field, each.field)
                known = column if column in self._importer.columns else ""
                yield Problem(line.number, replace(each, field=known))

    def _stored(self, line: Line) -> bool:
        # Where the others are kept, what a refused line had begun must not stay.
        if not self._per_line:
            return self._importer.take(self._session, line.values)
        with self._session.begin_nested():
            return self._importer.take(self._session, line.values)
