"""Certifications on pages: one's own with their certificates, the public page, and what staff do."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta

import pytest
import zxingcpp
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from fablab.certifications.models import Certification
from fablab.certifications.queries import CertificationView
from fablab.clock import utc_now
from fablab.machines.models import Kind, Lab
from fablab.members.models import Member
from fablab.settings import Settings
from fablab.web.certificate_pdf import Certificate, _sheet
from fablab.web.database import db
from fablab.web.pages.assets import asset_files
from tests.fixtures_cast import Cast
from tests.services.certification_case import Case
from tests.support.missing import missing
from tests.support.pages import Visit, words


@pytest.fixture
def case(session: Session, cast: Cast, settings: Settings) -> Case:
    return Case(session, cast, settings, utc_now())


@pytest.fixture
def held(case: Case) -> CertificationView:
    """Amina's certification on 3D printers."""
    made = case.grant("trainer", "amina")
    case.session.commit()
    return made


@pytest.fixture(scope="module")
def letters() -> None:
    if not asset_files("certificate"):
        missing("the pages' styles and scripts are not built (npm ci && npm run build in fablab/web/client)")


def name(case: Case, full: str, language: str = "fr") -> None:
    case.session.execute(
        update(Member).where(Member.id == case.cast.members["amina"]).values(name=full, language=language)
    )
    case.session.execute(update(Kind).where(Kind.slug == "3d-printer").values(name_fr="Imprimante 3D"))
    case.session.execute(update(Kind).where(Kind.slug == "3d-printer").values(name_ar="طابعة ثلاثية الأبعاد"))
    case.session.execute(update(Lab).where(Lab.slug == "tanger").values(name_ar="فاب لاب طنجة"))
    case.session.commit()


def test_no_certification_yet_leads_to_the_trainings(visit: Visit) -> None:
    page = visit("youssef").get("/certifications")
    assert "No certification yet" in words(page)
    assert 'href="/trainings"' in page.text


def test_what_one_may_use_and_until_when(visit: Visit, held: CertificationView) -> None:
    page = words(visit("amina").get("/certifications"))
    assert held.expires_on is not None
    for text in ("3D Printer", "Level 2, on your own", "Valid", f"{held.expires_on.year}", "Certificate"):
        assert text.lower() in page.lower(), text
    assert "3D Printer" not in words(visit("youssef").get("/certifications"))


def test_what_has_ended_says_what_to_do(visit: Visit, case: Case, held: CertificationView) -> None:
    amina = visit("amina")
    salma = visit("salma")
    salma.get(f"/staff/certifications/{held.id}")
    salma.post(f"/staff/certifications/{held.id}/suspension", reason="A refresher is due")
    page = amina.get("/certifications")
    assert "Suspended" in words(page)
    assert "A refresher is due" in words(page)
    assert "certificate.pdf" not in page.text
    assert amina.get(f"/certifications/{held.id}/certificate.pdf").status_code == 422


@pytest.mark.parametrize(
    ("who", "status"),
    [("youssef", 404), ("salma", 200), ("karim", 200), ("nadia", 200), ("amina", 200)],
)
def test_who_gets_the_sheet(
    visit: Visit, held: CertificationView, letters: None, who: str, status: int
) -> None:
    answer = visit(who).client.get(f"/certifications/{held.id}/certificate.pdf")
    assert answer.status_code == status


def sheet(visit: Visit, held: CertificationView, query: str = "") -> PdfReader:
    answer = visit("amina").client.get(f"/certifications/{held.id}/certificate.pdf{query}")
    assert answer.status_code == 200
    assert answer.content_type == "application/pdf"
    assert answer.headers["Cache-Control"] == "no-store"
    return PdfReader(io.BytesIO(answer.data))


def test_the_sheet_says_who_what_where_and_until_when(
    visit: Visit, case: Case, held: CertificationView, letters: None
) -> None:
    name(case, "Amina Bénali-Şahin")
    read = sheet(visit, held)
    assert len(read.pages) == 1
    text = " ".join(read.pages[0].extract_text().split())
    assert held.expires_on is not None
    year = held.expires_on.year
    for part in ("Certificat", "Amina Bénali-Şahin", "Imprimante 3D", "Niveau 2", "Tanger", str(year)):
        assert part in text, (part, text)
    assert "Certificate" in sheet(visit, held, "?lang=en").pages[0].extract_text()
    # A language there is not is the holder's own.
    assert "Délivré" in sheet(visit, held, "?lang=de").pages[0].extract_text()


def test_an_arabic_name_is_shaped_and_runs_from_right_to_left(
    visit: Visit, case: Case, held: CertificationView, letters: None
) -> None:
    name(case, "أمينة بنعلي", "ar")
    read = sheet(visit, held)
    # The dots of letters are glyphs of their own, and are read as what is no letter.
    text = "".join(each for each in read.pages[0].extract_text() if each.isprintable())
    assert "شهادة" in text
    fonts = read.pages[0]["/Resources"]["/Font"]  # type: ignore[index]
    assert any("Arabic" in str(font.get_object()["/BaseFont"]) for font in fonts.values())
    assert read.metadata is not None
    assert "شهادة" in str(read.metadata.title)
    # Letters that join are narrower than the same letters one beside the other.
    drawn = _sheet(
        Certificate("أمينة", "x", 1, "x", utc_now().date(), None, "https://x", "ar"),
        asset_files("certificate"),
    )
    drawn.set_font("latin", "", 20)
    assert drawn.get_string_width("ببب") < 2.5 * drawn.get_string_width("ب")


def test_the_code_on_the_sheet_leads_to_the_page_that_confirms_it(
    visit: Visit, client: FlaskClient, case: Case, held: CertificationView, letters: None
) -> None:
    name(case, "Amina Benali")
    [picture] = sheet(visit, held).pages[0].images
    assert picture.image is not None
    [code] = zxingcpp.read_barcodes(picture.image)
    base = case.settings.web.base_url
    assert code.text == f"{base}/certificates/{held.code}"
    answer = client.get(code.text.removeprefix(base))
    assert answer.status_code == 200
    assert "This certificate is valid" in words(answer)
    assert "Amina B." in words(answer)
    assert "Benali" not in answer.text
    assert "amina@example.org" not in answer.text
    assert "noindex" in answer.headers["X-Robots-Tag"]
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"revoked_at": datetime(2026, 1, 1, tzinfo=UTC)}, "was revoked"),
        ({"suspended_at": datetime(2026, 1, 1, tzinfo=UTC)}, "is suspended"),
        ({"expires_on": datetime(2026, 1, 1, tzinfo=UTC).date()}, "has expired"),
    ],
)
def test_the_public_page_says_what_it_is_worth_today(
    client: FlaskClient, case: Case, held: CertificationView, values: dict[str, object], says: str
) -> None:
    case.session.execute(update(Certification).values(**values))
    case.session.commit()
    page = words(client.get(f"/certificates/{held.code}"))
    assert f"This certificate {says}" in page
    assert "worth nothing today" in page


@pytest.mark.parametrize("code", ["a" * 26, "x", "A" * 26, "%00" * 20, "é" * 22, "a" * 4000, "../me"])
def test_a_code_nobody_has_is_no_page(client: FlaskClient, code: str) -> None:
    answer = client.get(f"/certificates/{code}")
    assert answer.status_code == 404
    assert "We cannot find that" in words(answer)


def test_an_erased_member_has_no_certificate(
    client: FlaskClient, case: Case, held: CertificationView
) -> None:
    case.session.execute(
        update(Member).where(Member.id == held.member_id).values(erased_at=utc_now(), active=False)
    )
    case.session.commit()
    assert client.get(f"/certificates/{held.code}").status_code == 404


@pytest.mark.parametrize(("who", "looks", "certifies"), [("amina", 404, 404), ("nadia", 200, 403)])
def test_makers_have_no_such_page_and_operators_only_look(
    visit: Visit, held: CertificationView, who: str, looks: int, certifies: int
) -> None:
    reader = visit(who)
    reader.get("/")
    for path in ("", "?q=amina", f"/{held.id}"):
        answer = reader.get(f"/staff/certifications{path}")
        assert answer.status_code == looks, path
        assert "/staff/certifications/new" not in answer.text
    assert reader.get("/staff/certifications/new?member=1").status_code == certifies
    assert reader.post("/staff/certifications/new", member="1").status_code == certifies
    assert reader.post(f"/staff/certifications/{held.id}/revocation", reason="x").status_code == certifies


def test_finding_somebody_and_certifying_them(visit: Visit, case: Case, session: Session) -> None:
    session.commit()
    trainer = visit("trainer")
    youssef = case.cast.members["youssef"]
    found = trainer.get("/staff/certifications?q=yous")
    assert f"member={youssef}" in found.text
    assert "Nobody found" in words(trainer.get("/staff/certifications?q=zzz"))
    trainer.get(f"/staff/certifications/new?member={youssef}")
    wrong = trainer.post("/staff/certifications/new", member=str(youssef), on="kind:loom", level="7")
    assert wrong.status_code == 422
    assert "Please choose what it is for" in words(wrong)
    assert "Please choose a level" in words(wrong)
    typed = {"member": str(youssef), "on": "machine:tanger-laser-1", "level": "1"}
    past = trainer.post("/staff/certifications/new", **typed, expires_on="2020-01-01")
    assert "It must lie in the future" in words(past)
    done = trainer.post("/staff/certifications/new", **typed)
    assert done.status_code == 303
    page = trainer.get(done.location)
    assert "Level 1, basics" in words(page)
    again = trainer.post("/staff/certifications/new", **typed)
    assert (again.status_code, "is certified at level 1 already" in words(again)) == (422, True)
    elsewhere = trainer.post("/staff/certifications/new", **{**typed, "on": "machine:rabat-prusa-1"})
    assert elsewhere.status_code == 403


def test_oneself_cannot_be_certified(visit: Visit, case: Case) -> None:
    case.session.commit()
    salma = visit("salma")
    own = case.cast.members["salma"]
    assert "Nobody certifies oneself" in words(salma.get(f"/staff/certifications/new?member={own}"))
    answer = salma.post("/staff/certifications/new", member=str(own), on="kind:3d-printer", level="1")
    assert answer.status_code == 403


def test_suspending_and_revoking_need_a_reason(visit: Visit, held: CertificationView) -> None:
    karim = visit("karim")
    path = f"/staff/certifications/{held.id}"
    karim.get(path)
    for act in ("suspension", "revocation"):
        refused = karim.post(f"{path}/{act}", reason=" \0 ")
        assert (refused.status_code, "Please say why" in words(refused)) == (422, True)
    assert karim.post(f"{path}/promotion", reason="x").status_code == 404
    for act, says in (
        ("suspension", "Suspended"),
        ("resumption", "Valid"),
        ("renewal", "Renewed"),
        ("revocation", "Revoked"),
    ):
        answer = karim.post(f"{path}/{act}", reason="A good one")
        assert answer.status_code == 303
        page = words(karim.get(path))
        assert says in page
        assert "A good one" in page
    karim.post(f"{path}/renewal")
    assert "Grant it anew" in words(karim.get(path))


def test_staff_see_whose_certification_ends(visit: Visit, case: Case) -> None:
    case.grant("trainer", "amina", expires_on=(utc_now() + timedelta(days=9)).date())
    case.session.commit()
    assert "Amina" in words(visit("salma").get("/staff/certifications"))
    assert "Amina" not in words(visit("karim").get("/staff/certifications"))
    assert "Amina" in words(visit("admin").get("/staff/certifications"))


def test_the_members_page_shows_what_they_may_use(visit: Visit, held: CertificationView) -> None:
    page = visit("salma").get(f"/staff/members/{held.member_id}")
    assert page.status_code == 200
    assert re.search(rf'href="/staff/certifications/{held.id}"', page.text)


def test_a_stranger_is_sent_to_the_door(client: FlaskClient, held: CertificationView) -> None:
    for path in ("/certifications", f"/certifications/{held.id}/certificate.pdf", "/trainings"):
        assert client.get(path).status_code == 302
    assert client.get(f"/certificates/{held.code}").status_code == 200


def test_nothing_was_changed_by_looking(visit: Visit, case: Case, held: CertificationView) -> None:
    visit("salma").get(f"/staff/certifications/{held.id}")
    assert case.changes(held.id) == [("granted", 2)]
    assert case.session.scalar(select(Certification.level)) == 2


def test_ones_own_page_asks_once_for_all_histories(
    visit: Visit, case: Case, app: Flask, held: CertificationView
) -> None:
    def asked() -> int:
        statements: list[str] = []
        with app.app_context():
            engine = db.engine
        note = lambda *args: statements.append(args[2])  # noqa: E731
        event.listen(engine, "before_cursor_execute", note)
        try:
            assert amina.get("/certifications").status_code == 200
        finally:
            event.remove(engine, "before_cursor_execute", note)
        return len(statements)

    amina = visit("amina")
    case.session.execute(update(Certification).values(suspended_at=utc_now()))
    case.session.commit()
    amina.get("/certifications")
    one = asked()
    for thing in ("tanger-prusa-1", "tanger-laser-1", "laser-cutter"):
        case.grant("salma", "amina", thing)
    case.session.execute(update(Certification).values(suspended_at=utc_now()))
    case.session.commit()
    assert asked() == one


def test_a_search_says_when_there_are_more(visit: Visit, session: Session) -> None:
    session.add_all(
        Member(name=f"Zineb {n}", email=f"zineb{n}@example.org", created_at=utc_now()) for n in range(12)
    )
    session.commit()
    trainer = visit("trainer")
    assert "There are more than these" not in words(trainer.get("/staff/certifications?q=zineb"))
    session.add(Member(name="Zineb 12", email="zineb12@example.org", created_at=utc_now()))
    session.commit()
    assert "There are more than these 12" in words(trainer.get("/staff/certifications?q=zineb"))
