"""Booking of machines and telemetry from machines for networks of fablabs, in one system."""

import zoneinfo

__version__ = "0.1.0"

# Zones come from the pinned `tzdata` package alone. Decrees move clocks at short notice (Morocco's have, more
# than once), and each machine's own copy is as old as its last upgrade: with two of them one booking would be
# shown at two times.
zoneinfo.reset_tzpath(to=())
