"""`fablab import`: bookings, machines and members from CSV files."""

from __future__ import annotations

import sys
from typing import IO, TYPE_CHECKING, Any

import click

from fablab.clock import utc_now
from fablab.commands.door import sessions
from fablab.errors import not_found

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from fablab.imports.service import Report, Wish
    from fablab.members.rules import Actor

WHATS = ("bookings", "machines", "members")
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}


@click.command("import")
@click.argument("what", type=click.Choice(WHATS))
@click.argument("file", type=click.File("rb"))
@click.option("--as", "email", required=True, help="Who imports: their rights count, the audit names them.")
@click.option("--dry-run", is_flag=True, help="Store nothing; list every problem, line by line.")
@click.option("--per-line", is_flag=True, help="Store the good lines. Otherwise all or none.")
@click.option("--override", is_flag=True, help="Bookings: go over the rules, as the lab's managers may.")
def import_file(
    what: str, file: IO[bytes], email: str, dry_run: bool, per_line: bool, override: bool
) -> None:
    """Import bookings, machines or members from a CSV file.

    The first line names the columns; `fablab import-columns` lists them. Encoding (UTF-8, Windows-1252) and
    separator (comma, semicolon, tab) are found out. What is there already stays as it is, so a file may be
    imported again. Problems go to the output, one a line: line, column, code, sentence.
    """
    from fablab.imports.service import Wish

    report = _run(file, email, Wish(what, dry_run, per_line, override))
    where = f"{report.encoding}, separator {SEPARATORS[report.separator]}"
    click.echo(f"{file.name}: {report.lines} lines ({where})", err=True)
    for line in summary(report):
        click.echo(line, err=True)
    if report.problem_count:
        raise SystemExit(1)


@click.command("import-columns")
@click.argument("what", type=click.Choice(WHATS))
def import_columns(what: str) -> None:
    """List the columns of a file to import, what each is for, and which are needed."""
    from fablab.imports.service import COLUMNS

    for each in COLUMNS[what].values():
        click.echo("\t".join([each.name, "needed" if each.needed else "", each.about, ", ".join(each.also)]))


def summary(report: Report) -> list[str]:
    """What became of a file, in sentences."""
    said = [f"{report.there} there already"] if report.there else []
    if report.problem_count:
        said.append(f"{report.problem_count} problems")
    would = "would be added" if report.dry_run else "added" if report.stored else "could be added"
    lines = [", ".join([f"{report.added} {would}", *said])]
    if report.dry_run:
        lines.append("nothing was stored: this was a dry run")
    elif not report.stored:
        lines.append("nothing was stored: mend the lines, or store the good ones with --per-line")
    return lines


def _run(file: IO[bytes], email: str, wish: Wish) -> Report:
    from dataclasses import asdict

    from fablab.bookings.facts import Policy
    from fablab.imports.reading import Limits
    from fablab.imports.service import Setup, import_file
    from fablab.settings import load_settings

    settings = load_settings()
    limits = Limits(settings.imports.bytes, settings.imports.lines)
    setup = Setup(Policy(**asdict(settings.bookings)), settings.web.base_url, limits)
    bar = _Bar()
    # Line by line it is committed on the way; what was not is rolled back when the session closes.
    with sessions() as make, make() as session:
        actor = _actor(session, email)
        try:
            report = import_file(
                session,
                actor,
                wish,
                file,
                utc_now(),
                setup,
                told=bar.tell,
                progress=bar.move,
                between=session.commit,
            )
            session.commit()
        finally:
            bar.close()
    return report


class _Bar:
    """Progress on a terminal; problems as they come."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._shown = sys.stderr.isatty()

    def move(self, done: int, lines: int) -> None:
        if not self._shown:
            return
        if self._bar is None:
            self._bar = click.progressbar(length=lines, file=sys.stderr, label="importing")
        if done % 50 == 0 or done == lines:
            self._bar.update(done - self._bar.pos)

    def tell(self, problem: Any) -> None:
        click.echo("\t".join([str(problem.line), problem.column, problem.code, problem.message]))

    def close(self) -> None:
        if self._bar is not None:
            self._bar.render_finish()


def _actor(session: Session, email: str) -> Actor:
    from fablab.members.models import Member
    from fablab.members.queries import actor_from, by_email, with_roles

    rows = session.execute(with_roles().where(by_email(email), Member.active)).mappings()
    found = actor_from(rows)
    if found is None:
        raise not_found(f"member {email}")
    return found
