"""Settings files for the sample network's bridges: real printers where there are some, the rest simulated."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from fablab.files import write_private
from fablab.sample.network import BRIDGE, LABS, MACHINES


@dataclass(frozen=True)
class RealPrinter:
    """Where a machine's OctoPrint is."""

    url: str
    api_key: str


def write_bridge_files(
    folder: Path,
    present: Collection[str],
    printers: Mapping[str, RealPrinter],
    broker_urls: Mapping[str, str],
) -> list[Path]:
    """One private file per lab that has machines among `present`.

    `broker_urls` maps a lab to its bridge's broker address. The bridges keep their outboxes beside
    the files, so at the next start they know what is not yet confirmed.
    """
    written = []
    for lab in LABS:
        machines = [m for m in MACHINES if m.lab == lab.slug and m.slug in present]
        if not machines:
            continue
        lines = [f"lab = {_text(lab.slug)}", f"name = {_text(BRIDGE)}", ""]
        lines += ["[broker]", f"url = {_text(broker_urls[lab.slug])}"]
        for machine in machines:
            lines += ["", "[[machine]]", f"slug = {_text(machine.slug)}"]
            if real := printers.get(machine.slug):
                lines += [
                    'driver = "octoprint"',
                    f"url = {_text(real.url)}",
                    f"api_key = {_text(real.api_key)}",
                ]
            else:
                lines += ['driver = "simulated"', f"kind = {_text(machine.kind)}"]
        path = folder / f"{lab.slug}.toml"
        write_private(path, "\n".join(lines) + "\n")
        written.append(path)
    return written


def _text(value: str) -> str:
    """A TOML basic string; what we put in has no control characters."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
