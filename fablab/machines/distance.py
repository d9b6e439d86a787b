"""How far two places are apart."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

_EARTH_KM = 6371.0
# Latitude and longitude in degrees, north and east positive.
Point = tuple[float, float]


def kilometres(one: Point, other: Point) -> float:
    """The way a bird flies, by the haversine formula: within half a percent of the truth."""
    (north, east), (north_, east_) = ((radians(each[0]), radians(each[1])) for each in (one, other))
    half = sin((north_ - north) / 2) ** 2 + cos(north) * cos(north_) * sin((east_ - east) / 2) ** 2
    return 2 * _EARTH_KM * asin(min(1.0, sqrt(half)))
