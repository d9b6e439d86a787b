"""The sample's places and machines, as plain data: the bridges' configuration is made from it too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import time
from typing import Any

ZONE = "Africa/Casablanca"
BRIDGE = "pi-1"
PRINTER = "3d-printer"
LASER = "laser-cutter"
WEEK = range(5)
SATURDAY = 5

# (first weekday, last weekday, opens, closes); Monday is 0.
Hours = tuple[int, int, time, time]


@dataclass(frozen=True)
class Name:
    fr: str
    ar: str
    en: str


@dataclass(frozen=True)
class SampleLab:
    """``alone_from``: on weekdays nobody of the staff is there from this hour on."""

    slug: str
    region: str
    name: Name
    address: str
    latitude: float
    longitude: float
    hours: tuple[Hours, ...]
    printers: int
    lasers: int
    alone_from: time | None = None

    def openings(self) -> Iterator[tuple[int, time, time, bool]]:
        """Weekday, opens, closes, and whether staff are there, a span each."""
        for first, last, opens, closes in self.hours:
            for weekday in range(first, last + 1):
                if self.alone_from is None or weekday >= SATURDAY or not opens < self.alone_from < closes:
                    yield weekday, opens, closes, True
                else:
                    yield weekday, opens, self.alone_from, True
                    yield weekday, self.alone_from, closes, False


@dataclass(frozen=True)
class SampleMachine:
    slug: str
    lab: str
    kind: str
    name: str
    capabilities: dict[str, Any]
    unattended: bool
    cleanup_s: int


KINDS = {
    PRINTER: Name("Imprimante 3D", "طابعة ثلاثية الأبعاد", "3D printer"),
    LASER: Name("Découpeuse laser", "قاطعة ليزر", "Laser cutter"),
}

REGIONS = {
    "tanger-tetouan-al-hoceima": Name(
        "Tanger-Tétouan-Al Hoceïma", "طنجة تطوان الحسيمة", "Tangier-Tetouan-Al Hoceima"
    ),
    "rabat-sale-kenitra": Name("Rabat-Salé-Kénitra", "الرباط سلا القنيطرة", "Rabat-Salé-Kénitra"),
    "casablanca-settat": Name("Casablanca-Settat", "الدار البيضاء سطات", "Casablanca-Settat"),
    "souss-massa": Name("Souss-Massa", "سوس ماسة", "Souss-Massa"),
}

LABS = (
    SampleLab(
        "tanger",
        "tanger-tetouan-al-hoceima",
        Name("Fablab Tanger", "فاب لاب طنجة", "Fablab Tangier"),
        "Ziaten, route de Rabat, Tanger",
        35.7595,
        -5.8340,
        ((0, 4, time(9), time(20)), (5, 5, time(10), time(18))),
        printers=4,
        lasers=2,
        alone_from=time(18),
    ),
    SampleLab(
        "rabat",
        "rabat-sale-kenitra",
        Name("Fablab Rabat", "فاب لاب الرباط", "Fablab Rabat"),
        "Technopolis, Rabat-Salé",
        34.0209,
        -6.8416,
        ((0, 4, time(9), time(19)), (5, 5, time(9), time(13))),
        printers=3,
        lasers=2,
    ),
    SampleLab(
        "casablanca",
        "casablanca-settat",
        Name("Fablab Casablanca", "فاب لاب الدار البيضاء", "Fablab Casablanca"),
        "Sidi Maârouf, Casablanca",
        33.5731,
        -7.5898,
        ((0, 4, time(9), time(21)), (5, 5, time(9), time(19))),
        printers=4,
        lasers=2,
    ),
    SampleLab(
        "agadir",
        "souss-massa",
        Name("Fablab Agadir", "فاب لاب أكادير", "Fablab Agadir"),
        "Cité de l'innovation, Agadir",
        30.4278,
        -9.5981,
        ((0, 4, time(9), time(12, 30)), (0, 4, time(14), time(19)), (5, 5, time(10), time(17))),
        printers=2,
        lasers=1,
    ),
    SampleLab(
        "al-hoceima",
        "tanger-tetouan-al-hoceima",
        Name("Fablab Al Hoceïma", "فاب لاب الحسيمة", "Fablab Al Hoceima"),
        "Quartier Calabonita, Al Hoceïma",
        35.2517,
        -3.9372,
        ((0, 5, time(10), time(20)),),
        printers=3,
        lasers=1,
    ),
)

_PRINTERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Prusa MK4S", {"build_volume_mm": [250, 210, 220], "nozzle_mm": 0.4, "materials": ["PLA", "PETG"]}),
    ("Prusa MK4S", {"build_volume_mm": [250, 210, 220], "nozzle_mm": 0.6, "materials": ["PLA", "ASA"]}),
    ("Prusa MINI+", {"build_volume_mm": [180, 180, 180], "nozzle_mm": 0.4, "materials": ["PLA"]}),
    ("Prusa XL", {"build_volume_mm": [360, 360, 360], "nozzle_mm": 0.4, "materials": ["PLA", "TPU"]}),
)
_LASERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Trotec Speedy 100", {"bed_mm": [610, 305], "laser_w": 60, "materials": ["wood", "acrylic", "leather"]}),
    ("BRM 6090", {"bed_mm": [900, 600], "laser_w": 100, "materials": ["wood", "acrylic", "cardboard"]}),
)


def _machines() -> tuple[SampleMachine, ...]:
    made = []
    for lab in LABS:
        for number in range(lab.printers):
            name, abilities = _PRINTERS[number]
            slug = f"{lab.slug}-prusa-{number + 1}"
            made.append(SampleMachine(slug, lab.slug, PRINTER, f"{name} {number + 1}", abilities, True, 0))
        for number in range(lab.lasers):
            name, abilities = _LASERS[number]
            slug = f"{lab.slug}-laser-{number + 1}"
            made.append(SampleMachine(slug, lab.slug, LASER, f"{name} {number + 1}", abilities, False, 300))
    return tuple(made)


MACHINES = _machines()
