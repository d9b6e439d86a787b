"""A certificate on one sheet of A4, in French, Arabic or English, with a code that leads to a public page."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import segno
from fpdf import FPDF
from fpdf.enums import Align

from fablab.certifications.words import LEVEL_NAMES
from fablab.mail.words import format_day

TEAL, INK, QUIET, LINE, SAND = (15, 118, 110), (22, 32, 30), (85, 99, 122), (227, 230, 227), (224, 164, 88)
WIDTH, HEIGHT, MARGIN = 297.0, 210.0, 24.0
# The width the QR code takes, with the room beside it.
CODE = 44.0
# What is drawn with which font; the first one that has a letter writes it. Tifinagh has no bold of its own.
FACES = {
    "latin": ("latin-400", "latin-700"),
    "latinext": ("latin-ext-400", "latin-ext-700"),
    "arabic": ("arabic-400", "arabic-700"),
    "tifinagh": ("tifinagh-400", "tifinagh-400"),
}
WORDS = {
    "fr": {
        "title": "Certificat",
        "of": "Ce certificat atteste que",
        "may": "est certifié·e pour",
        "lab": "Délivré par",
        "granted": "Délivré le",
        "until": "Valable jusqu’au",
        "always": "sans limite",
        "check": "Vérifier ce certificat",
    },
    "ar": {
        "title": "شهادة",
        "of": "تشهد هذه الوثيقة بأن",
        "may": "حاصل(ة) على شهادة",
        "lab": "صادرة عن",
        "granted": "تاريخ الإصدار",
        "until": "صالحة إلى غاية",
        "always": "دون حد",
        "check": "التحقق من هذه الشهادة",
    },
    "en": {
        "title": "Certificate",
        "of": "This is to certify that",
        "may": "is certified on",
        "lab": "Granted by",
        "granted": "Granted on",
        "until": "Valid until",
        "always": "without end",
        "check": "Verify this certificate",
    },
}


class FontsMissing(RuntimeError):
    """The front end is not built: its build brings the fonts."""


@dataclass(frozen=True)
class Certificate:
    """What stands on it, in the language it is written in. ``address`` is where anybody may verify it."""

    name: str
    what: str
    level: int
    lab: str
    granted_on: date
    expires_on: date | None
    address: str
    language: str


def certificate_pdf(certificate: Certificate, fonts: dict[str, Path]) -> bytes:
    """The PDF. ``fonts`` are the files by face, such as "latin-400"; raises FontsMissing without them.

    Arabic is shaped by HarfBuzz and runs from right to left, whatever the language of the sheet: people have
    names in one writing and certificates in another.
    """
    sheet = _sheet(certificate, fonts)
    words, language = WORDS[certificate.language], certificate.language
    _frame(sheet)
    _line(sheet, 34, 26, words["title"], TEAL, bold=True)
    _line(sheet, 56, 13, words["of"], QUIET)
    _line(sheet, 68, 34, certificate.name, INK, bold=True)
    _line(sheet, 92, 13, words["may"], QUIET)
    _line(sheet, 102, 24, certificate.what, INK, bold=True)
    _line(sheet, 118, 14, LEVEL_NAMES[certificate.level][language], TEAL, bold=True)
    ends = certificate.expires_on
    facts = [
        (words["lab"], certificate.lab),
        (words["granted"], format_day(certificate.granted_on, language, weekday=False)),
        (words["until"], words["always"] if ends is None else format_day(ends, language, weekday=False)),
    ]
    _facts(sheet, facts, turned=language == "ar")
    _code(sheet, certificate.address, words["check"], turned=language == "ar")
    return bytes(sheet.output())


def _sheet(certificate: Certificate, fonts: dict[str, Path]) -> FPDF:
    sheet = FPDF(orientation="landscape", unit="mm", format="A4")
    sheet.set_auto_page_break(False)
    families = _families(certificate)
    for family in families:
        for style, face in zip(("", "B"), FACES[family], strict=True):
            if face not in fonts:
                raise FontsMissing(f"the font {face} is not built; run the build of the pages")
            sheet.add_font(family, style, fonts[face])
    sheet.set_fallback_fonts(families[1:], exact_match=False)
    sheet.set_text_shaping(True)
    sheet.set_lang(certificate.language)
    sheet.set_title(f"{WORDS[certificate.language]['title']}: {certificate.what}")
    sheet.set_creator("Fablab")
    sheet.add_page()
    return sheet


def _families(certificate: Certificate) -> list[str]:
    """The fonts this sheet needs, Latin first: reading one costs more than all the drawing."""
    words = WORDS[certificate.language]
    text = "".join((certificate.name, certificate.what, certificate.lab, *words.values()))
    return [
        "latin",
        *(family for family in FACES if family in {_family(letter) for letter in text} - {"latin"}),
    ]


def _family(letter: str) -> str:
    number = ord(letter)
    if number < 0x100 or 0x2000 <= number < 0x2070:
        return "latin"
    if 0x0600 <= number < 0x0900 or 0xFB50 <= number < 0xFE00 or 0xFE70 <= number < 0xFF00:
        return "arabic"
    return "tifinagh" if 0x2D30 <= number < 0x2D80 else "latinext"


def _frame(sheet: FPDF) -> None:
    """A band above and a thin border."""
    sheet.set_fill_color(*TEAL)
    sheet.rect(0, 0, WIDTH, 12, style="F")
    sheet.set_fill_color(*SAND)
    sheet.rect(0, 12, WIDTH, 1.2, style="F")
    sheet.set_draw_color(*LINE)
    sheet.set_line_width(0.4)
    sheet.rect(10, 22, WIDTH - 20, HEIGHT - 32)


def _line(
    sheet: FPDF, y: float, size: float, text: str, colour: tuple[int, int, int], *, bold: bool = False
) -> None:
    """One line in the middle, made smaller until it fits."""
    sheet.set_text_color(*colour)
    sheet.set_font("latin", "B" if bold else "", size)
    room = WIDTH - 2 * MARGIN
    while sheet.get_string_width(text) > room and size > 8:
        size -= 1
        sheet.set_font_size(size)
    sheet.set_xy(MARGIN, y)
    sheet.cell(room, size * 0.55, text, align=Align.C)


def _facts(sheet: FPDF, facts: list[tuple[str, str]], *, turned: bool) -> None:
    """Three columns beside the code, each a small word above what it says; from the right when turned."""
    room, top = (WIDTH - 2 * MARGIN - CODE) / 3, 152.0
    for at, (word, fact) in enumerate(facts[::-1] if turned else facts):
        x = MARGIN + at * room + (CODE if turned else 0)
        sheet.set_text_color(*QUIET)
        sheet.set_font("latin", "", 10)
        sheet.set_xy(x, top)
        sheet.cell(room - 4, 6, word, align=Align.C)
        sheet.set_text_color(*INK)
        size = 12.0
        sheet.set_font("latin", "B", size)
        while sheet.get_string_width(fact) > room - 6 and size > 7:
            size -= 0.5
            sheet.set_font_size(size)
        sheet.set_xy(x, top + 7)
        sheet.cell(room - 4, 7, fact, align=Align.C)


def _code(sheet: FPDF, address: str, check: str, *, turned: bool) -> None:
    """The QR code, and beneath it the same address for those who type."""
    picture = io.BytesIO()
    segno.make(address, error="m", micro=False).save(picture, kind="png", scale=10, border=4)
    side = CODE - 4
    x = MARGIN if turned else WIDTH - MARGIN - side
    sheet.image(picture, x=x, y=138, w=side, h=side, link=address, alt_text=check)
    sheet.set_text_color(*QUIET)
    sheet.set_font("latin", "", 9)
    sheet.set_xy(x - 10, 178)
    sheet.cell(side + 20, 5, check, align=Align.C)
    sheet.set_font("latin", "", 8)
    sheet.set_xy(MARGIN, 187)
    sheet.cell(WIDTH - 2 * MARGIN, 5, address, align=Align.C, link=address)
