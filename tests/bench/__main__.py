"""`python -m tests.bench [PART ...]`: run the benchmarks and write tests/bench/results.md.

A part is a module in this folder with `row()` (one figure) or `rows()` (several). A figure is a dictionary:
`what`, `figure`, `reference` (measured in the same run), `ratio` of the two, and `where` the time goes.
"""

from __future__ import annotations

import importlib
import pkgutil
import platform
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

import tests.bench
from tests.bench import memory
from tests.support.system import RunningSystem

RESULTS = Path(__file__).with_name("results.md")
# Megabytes resident that `fablab run` without OctoPrint may take.
MEMORY_BUDGET_MB = 400


def main(wanted: list[str]) -> None:
    names = [module.name for module in pkgutil.iter_modules(tests.bench.__path__)]
    if unknown := set(wanted) - set(names):
        sys.exit(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    parts = {}
    for name in names:
        if name.startswith("_") or (wanted and name not in wanted):
            continue
        begun = time.monotonic()
        print(f"{name} ...", flush=True)
        parts[name] = run(name)
        print(f"{parts[name]}\n({time.monotonic() - begun:.0f} s)", flush=True)
    if not wanted:
        RESULTS.write_text(f"{heading()}\n\n" + "\n\n".join(parts.values()) + "\n", encoding="utf-8")
        print(f"written: {RESULTS.name}")


def run(name: str) -> str:
    """One part as Markdown."""
    if name == "memory":
        return memory_of_a_running_system()
    part = importlib.import_module(f"tests.bench.{name}")
    rows: list[Mapping[str, Any]] = part.rows() if hasattr(part, "rows") else [part.row()]
    return f"## {name.capitalize()}\n\n{table(rows)}"


def table(rows: list[Mapping[str, Any]]) -> str:
    """Figures beside their references, and below where the time goes."""
    lines = ["| what | figure | reference | ratio |", "|---|---:|---:|---:|"]
    for row in rows:
        lines.append(f"| {row['what']} | {row['figure']:,} | {row['reference']:,} | {row['ratio']} |")
    for row in rows:
        if where := row.get("where"):
            steps = ", ".join(f"{step} {share}" for step, share in where.items())
            lines += ["", f"Where the time goes, {row['what']}: {steps}."]
    return "\n".join(lines)


def memory_of_a_running_system() -> str:
    """Every process of `fablab run` with the sample network, a while after its start, without OctoPrint."""
    with tempfile.TemporaryDirectory(prefix="bench") as name:
        system = RunningSystem(Path(name) / "data")
        system.start()
        try:
            time.sleep(20)  # long enough for every process to have done its work once
            rows = memory.measure(system.data_dir / "run.json")
        finally:
            system.end()
    pss, rss = (sum(getattr(row, name) for row in rows) * memory.MIB / 1e6 for name in ("pss_mib", "rss_mib"))
    return (
        f"## Memory\n\nResident {pss:.0f} MB of {MEMORY_BUDGET_MB} MB, a shared page counted once (PSS). "
        f"Counted once for each process that maps it (the sum of RSS) it is {rss:.0f} MB.\n\n"
        f"```\n{memory.table(rows)}\n```"
    )


def heading() -> str:
    gigabytes = psutil.virtual_memory().total / 1e9
    return (
        f"# Benchmarks\n\nWritten by `make bench` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: "
        f"{psutil.cpu_count()} cores, {gigabytes:.0f} GB, Python {platform.python_version()}, "
        f"load {psutil.getloadavg()[0]:.1f}. Figures are a second's worth; compare ratios, not figures, "
        "between machines."
    )


if __name__ == "__main__":
    main(sys.argv[1:])
