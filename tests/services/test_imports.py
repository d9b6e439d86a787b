"""Files taken in: every problem by line, all or nothing, by the very verbs that pages use."""

from __future__ import annotations

import io
import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session, sessionmaker

from fablab.bookings.models import Booking, BookingChange, Occupancy, Participant
from fablab.bookings.models_notices import Notice
from fablab.bookings.rules import Policy
from fablab.clock import utc_now
from fablab.db import transaction
from fablab.errors import Code, DomainError
from fablab.imports.reading import Limits
from fablab.imports.rules import Problem
from fablab.imports.service import Report, Setup, Wish, import_file
from fablab.machines.models import Machine, Need, Unit
from fablab.mail.models import Mail
from fablab.members.models import Audit, Member, Role
from tests.fixtures_cast import Cast, tomorrow

BASE = "http://localhost"
DAY = f"{tomorrow(10):%Y-%m-%d}"
HEADER = "machine,starts_at,ends_at,member,purpose"


@pytest.fixture
def take(session: Session, cast: Cast, policy: Policy) -> Any:
    """Takes a file in, as somebody; returns the report."""

    def run(
        what: str, content: str | bytes, who: str = "admin", limits: Limits | None = None, **wish: bool
    ) -> Report:
        raw = content if isinstance(content, bytes) else content.encode()
        setup = Setup(policy, BASE, limits or Limits(1_000_000, 1000))
        return import_file(session, cast.actors[who], Wish(what, **wish), io.BytesIO(raw), utc_now(), setup)

    return run


def bookings_file(*lines: str) -> str:
    return "\n".join([HEADER, *lines]) + "\n"


def line(machine: str = "tanger-prusa-1", hour: int = 10, who: str = "amina", purpose: str = "") -> str:
    return f"{machine},{DAY} {hour}:00,{DAY} {hour + 1}:00,{who}@example.org,{purpose}"


def said(problems: list[Problem]) -> list[tuple[int, str, str]]:
    return [(each.line, each.column, each.code) for each in problems]


def count(session: Session, table: Any) -> int:
    found = session.scalar(select(func.count()).select_from(table))
    assert found is not None
    return found


# ---- who may, and which files


@pytest.mark.parametrize(
    ("what", "who"),
    [("members", "salma"), ("bookings", "amina"), ("machines", "trainer"), ("bookings", "nadia")],
)
def test_who_may_not_import(take: Any, what: str, who: str) -> None:
    with pytest.raises(DomainError) as refused:
        take(what, "email,name\n", who)
    assert refused.value.code is Code.NOT_ALLOWED


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "not_csv"),
        (b"\n\n  \n", "not_csv"),
        ("email,name\n".encode("utf-16"), "not_csv"),
        (b"email,name\n\x00\n", "not_csv"),
        (b"email,name\n\x81\xff\n", "not_csv"),
        (b'email,name\n"open,x\n', "not_csv"),
        (b"email,nom de guerre\n", "unknown_column"),
        (b"email,email,name\n", "unknown_column"),
        (b"name\n", "missing_column"),
        (b"email,name,password\n", "no_passwords"),
        (b"email,name,Mot de passe\n", "no_passwords"),
        (b"email,name\n" + b"a@b.org,A\n" * 6, "file_too_large"),
        (b"email,name\n" + b"x" * 2000, "file_too_large"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(
    take: Any, session: Session, content: bytes, code: str
) -> None:
    before = count(session, Member)
    with pytest.raises(DomainError) as refused:
        take("members", content, limits=Limits(1000, 5), per_line=True)
    assert code in [each.code for each in refused.value.refusals]
    assert count(session, Member) == before


def test_the_refusal_names_the_limit(take: Any) -> None:
    with pytest.raises(DomainError, match="more than 5 lines"):
        take("members", "email,name\n" + "a@b.org,A\n" * 6, limits=Limits(10_000, 5))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "windows-1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators_are_found_out(
    take: Any, session: Session, encoding: str, separator: str
) -> None:
    content = separator.join(["Courriel", "Nom"]) + "\r\n" + separator.join(["zoe@example.org", "Zoé Hébert"])
    report = take("members", content.encode(encoding))
    assert report.stored
    assert report.encoding == ("UTF-8" if encoding.startswith("utf") else "Windows-1252")
    assert report.separator == separator
    assert session.scalar(select(Member.name).where(Member.email == "zoe@example.org")) == "Zoé Hébert"


def test_what_a_spreadsheet_writes_first_is_no_header(take: Any) -> None:
    assert take("members", "sep=;\nemail;name\nzoe@example.org;Zoe\n").added == 1


# ---- bookings


def test_every_problem_is_told_by_its_line(take: Any, session: Session) -> None:
    report = take(
        "bookings",
        bookings_file(
            line(),
            "tanger prusa,tomorrow,,nobody,",
            line("tanger-prusa-9"),
            line(who="nobody", hour=12),
            line("tanger-laser-1", hour=20),
            line(),
            line(who="youssef"),
            "tanger-prusa-1,2001-01-01 10:00,2001-01-01 11:00,amina@example.org,",
            f"tanger-prusa-2,{DAY} 10:00,{DAY} 11:00,amina@example.org,one,too many",
        ),
        dry_run=True,
    )
    assert said(report.problems) == [
        (3, "machine", "unreadable_cell"),
        (3, "starts_at", "unreadable_cell"),
        (3, "ends_at", "unreadable_cell"),
        (4, "machine", "unknown_machine"),
        (5, "member", "unknown_member"),
        (6, "starts_at", "outside_hours"),
        (7, "", "twice_in_file"),
        (8, "starts_at", "machine_booked"),
        (9, "starts_at", "in_the_past"),
        (10, "", "unreadable_cell"),
    ]
    assert (report.added, report.stored, report.lines) == (1, False, 9)
    assert "'tomorrow' cannot be read. A day and a time" in report.problems[1].message
    assert count(session, Booking) == count(session, Occupancy) == count(session, Audit) == 0


def test_with_one_problem_nothing_is_stored(take: Any, session: Session) -> None:
    report = take("bookings", bookings_file(line(), line(hour=12), line(who="nobody", hour=14)))
    assert (report.stored, report.problem_count, report.added) == (False, 1, 2)
    assert count(session, Booking) == count(session, Notice) == count(session, Mail) == 0


def test_line_by_line_the_good_ones_are_stored(take: Any, session: Session) -> None:
    report = take("bookings", bookings_file(line(), line(who="youssef"), line(hour=12)), per_line=True)
    assert (report.stored, report.problem_count, report.added) == (True, 1, 2)
    assert count(session, Booking) == count(session, Occupancy) == 2
    act = session.scalars(select(Audit).where(Audit.action == "import.run")).one()
    assert (act.subject, act.detail) == ("bookings", "2 of 3 lines")


def test_a_dry_run_finds_just_what_the_import_finds(take: Any) -> None:
    content = bookings_file(line(), line(hour=10, who="youssef"), line(who="nobody", hour=14))
    dry, wet = take("bookings", content, dry_run=True), take("bookings", content)
    assert dry.problems == wet.problems
    assert (dry.added, dry.stored, wet.stored) == (wet.added, False, False)


def test_again_changes_nothing(take: Any, session: Session) -> None:
    content = bookings_file(line(purpose="Vase"), line(hour=12))
    assert take("bookings", content).added == 2
    again = take("bookings", content)
    assert (again.added, again.there, again.problem_count) == (0, 2, 0)
    assert count(session, Booking) == count(session, Occupancy) == 2


def test_wall_time_is_the_lab_s_and_an_offset_is_heeded(take: Any, session: Session) -> None:
    day = f"{tomorrow(10):%d/%m/%Y}"
    take(
        "bookings",
        f"{HEADER}\ntanger-prusa-1,{day} 10h00,{day} 11h00,amina@example.org,\n"
        f"tanger-prusa-2,{DAY}T10:00:00+00:00,{DAY}T11:00:00Z,amina@example.org,\n",
    )
    starts = session.scalars(select(Booking.starts_at).order_by(Booking.id)).all()
    assert starts[0] == tomorrow(10)
    assert starts[1].isoformat() == f"{DAY}T10:00:00+00:00"


def test_a_manager_imports_for_their_lab_only(take: Any) -> None:
    report = take("bookings", bookings_file(line(), line("rabat-prusa-1")), "salma", dry_run=True)
    assert said(report.problems) == [(3, "", "not_allowed")]


def test_staff_may_go_over_rules_but_not_over_others_nor_the_past(take: Any, session: Session) -> None:
    past = "tanger-prusa-2,2020-01-01 10:00,2020-01-01 11:00,amina@example.org,"
    content = bookings_file(
        line("tanger-laser-1", hour=20), line("tanger-laser-1", hour=20, who="youssef"), past
    )
    report = take("bookings", content, override=True, per_line=True)
    assert said(report.problems) == [(3, "starts_at", "machine_booked"), (4, "starts_at", "in_the_past")]
    assert session.scalars(select(BookingChange.broke)).all() == [["outside_hours"]]


def test_a_formula_stays_text(take: Any, session: Session) -> None:
    take(
        "bookings",
        bookings_file(line(purpose='"=HYPERLINK(""http://evil"")"'), line(hour=12, purpose="@sum")),
    )
    found = session.scalars(select(Booking.purpose).order_by(Booking.id)).all()
    assert found == ['=HYPERLINK("http://evil")', "@sum"]


def test_groups_come_with_their_people(take: Any, session: Session) -> None:
    take(
        "bookings",
        f"machine,from,to,email,people,participants\n"
        f"tanger-prusa-1,{DAY} 10:00,{DAY} 11:00,amina@example.org,5,Ines|youssef@example.org\n",
    )
    assert session.scalar(select(Booking.head_count)) == 5
    listed = session.execute(select(Participant.name, Participant.member_id).order_by(Participant.id)).all()
    assert [row.name for row in listed] == ["Ines", "youssef@example.org"]


def test_who_has_many_lines_gets_one_mail(take: Any, session: Session) -> None:
    take("bookings", bookings_file(*(line(hour=hour) for hour in (9, 11, 13))))
    assert len(set(session.scalars(select(Notice.batch)))) == 1
    assert count(session, Notice) == 3


def test_two_imports_and_others_at_once_never_share_a_machine(
    sessions: sessionmaker[Session], session: Session, cast: Cast, policy: Policy
) -> None:
    """Files that name the same machines in other orders: nobody waits for ever, no time has two owners."""
    slots = [line(machine, hour) for machine in ("tanger-prusa-1", "tanger-prusa-2") for hour in (9, 11, 13)]
    files = [
        bookings_file(*(each.replace("amina", who) for each in order))
        for who, order in (("amina", slots), ("youssef", slots[::-1]), ("karim", slots[3:] + slots[:3]))
    ]
    trouble: list[BaseException] = []
    gate = threading.Barrier(len(files))

    def run(content: str) -> None:
        try:
            gate.wait(20)
            with transaction(sessions) as own:
                setup = Setup(policy, BASE, Limits(10_000, 100))
                wish = Wish("bookings", per_line=True)
                import_file(own, cast.actors["admin"], wish, io.BytesIO(content.encode()), utc_now(), setup)
        except BaseException as error:  # noqa: BLE001
            trouble.append(error)

    threads = [threading.Thread(target=run, args=(content,)) for content in files]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not trouble
    assert count(session, Booking) == count(session, Occupancy) == len(slots)


# ---- machines and members


def test_machines_come_with_units_needs_and_capabilities(take: Any, session: Session) -> None:
    content = (
        "slug;name;lab;kind;units;unattended;cleanup_min;bookable;needs;capability:bed_mm;capability:materials\n"
        "tanger-extractor;Extractor;tanger;laser-cutter;1;no;;no;;;\n"
        "tanger-laser-9;Laser 9;tanger;laser-cutter;2;oui;10;;tanger-extractor;610x305;wood|acrylic\n"
    )
    assert take("machines", content, "salma").added == 2
    made = session.scalars(select(Machine).where(Machine.slug == "tanger-laser-9")).one()
    assert made.capabilities == {"bed_mm": [610, 305], "materials": ["wood", "acrylic"]}
    assert (made.cleanup_s, made.unattended, made.bookable) == (600, True, True)
    assert count(session, Need) == 1
    assert session.scalar(select(func.count()).where(Unit.machine_id == made.id)) == 2
    assert take("machines", content, "salma").there == 2


def test_problems_of_machines(take: Any, session: Session) -> None:
    before = count(session, Machine)
    report = take(
        "machines",
        "slug,name,lab,kind,units,needs\n"
        "tanger-x,X,nowhere,loom,1,\n"
        "tanger-y,Y,tanger,3d-printer,0,\n"
        "tanger-z,Z,tanger,3d-printer,1,tanger-z\n"
        "tanger-v,V,rabat,3d-printer,1,\n"
        "rabat-prusa-1,R,tanger,3d-printer,1,\n"
        "tanger-w,W,tanger,3d-printer,1,rabat-prusa-1\n",
        "salma",
        per_line=True,
    )
    assert said(report.problems) == [
        (2, "lab", "unknown_lab"),
        (2, "kind", "unknown_kind"),
        (3, "units", "unreadable_cell"),
        (4, "needs", "unknown_need"),
        (5, "lab", "not_allowed"),
        (6, "slug", "other_machine"),
        (7, "needs", "unknown_need"),
    ]
    assert count(session, Machine) == before


def test_members_get_a_mail_and_no_role_but_maker(take: Any, session: Session) -> None:
    report = take(
        "members",
        "email,name,langue,date de naissance\nzoe@example.org,Zoe,ar,\nali@example.org,Ali,,31/07/2012\n"
        "AMINA@example.org,Amina,,\n",
    )
    assert (report.added, report.there, report.stored) == (2, 1, True)
    zoe = session.scalars(select(Member).where(Member.email == "zoe@example.org")).one()
    assert (zoe.language, zoe.password_hash) == ("ar", None)
    assert session.scalars(select(Role.role).where(Role.member_id == zoe.id)).all() == ["maker"]
    mails = session.execute(select(Mail.address, Mail.template)).all()
    assert sorted(tuple(mail) for mail in mails) == [
        ("ali@example.org", "account_opened"),
        ("zoe@example.org", "account_opened"),
    ]


def test_problems_of_members(take: Any, session: Session) -> None:
    report = take(
        "members",
        "email,name,language,birth_on\nnobody,N,,\nb@example.org,,,\nc@example.org,C,de,\n"
        "d@example.org,D,,31/31/2010\ne@example.org,E,,2190-01-01\nB@example.org,B2,,\nb@EXAMPLE.org,B3,,\n",
        dry_run=True,
    )
    assert said(report.problems) == [
        (2, "email", "invalid"),
        (3, "name", "unreadable_cell"),
        (4, "language", "unreadable_cell"),
        (5, "birth_on", "unreadable_cell"),
        (6, "birth_on", "invalid"),
        (8, "", "twice_in_file"),
    ]
    assert count(session, Mail) == 0


def test_a_hundred_thousand_lines_are_bounded_and_read_one_by_one(take: Any) -> None:
    """One line too many is told without a single one being taken in."""
    content = "email,name\n" + "".join(f"m{number}@example.org,M\n" for number in range(100_001))
    with pytest.raises(DomainError, match="more than 100,000 lines"):
        take("members", content, limits=Limits(20_000_000, 100_000))


def test_minutes_pass_between_dry_run_and_import(take: Any, session: Session) -> None:
    content = bookings_file(line())
    assert take("bookings", content, dry_run=True).problem_count == 0
    assert take("bookings", bookings_file(line(who="youssef"))).added == 1
    assert said(take("bookings", content).problems) == [(2, "starts_at", "machine_booked")]
    assert session.scalar(select(func.min(Booking.starts_at))) == tomorrow(10)
    assert tomorrow(10) - utc_now() > timedelta()
