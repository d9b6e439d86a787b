"""What a person reads when everything runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fablab.embedded.octoprint import OctoPrintServer
from fablab.embedded.octoprint_files import USER
from fablab.sample.people import LOGINS, PASSWORD


def welcome(base_url: str, printers: Mapping[str, OctoPrintServer], logs: Path, mails: Path | None) -> str:
    """Address, sample logins, what to try, how to stop."""
    lines = ["", f"fablab runs at {base_url}", "", f"  Sign in with the password {PASSWORD} as"]
    for person in LOGINS:
        more = f" of {person.lab}" if person.lab else f" of {person.age} years" if person.age else ""
        lines.append(f"    {person.email:<26} {person.role}{more}")
    lines += ["", "  Try"]
    if printers:
        first, server = next(iter(printers.items()))
        lines += [
            f"    as amina, book {first} for now",
            f"    in OctoPrint ({server.url}, {USER} / {server.password}) print job_20s.gcode",
            "    watch its tile on the lab's page turn to running, then find the job at your booking",
        ]
        for slug, other in list(printers.items())[1:]:
            lines.append(f"    {slug} is at {other.url}")
    else:
        lines.append("    as amina, book a machine; all are simulated (OCTOPRINT=2 adds real OctoPrints)")
    if mails:
        lines += ["", f"  Mails, such as the link to a new password, are files in {mails}"]
    lines += ["", f"  Logs in {logs}. Ctrl-C stops everything and keeps the data.", ""]
    return "\n".join(lines)
