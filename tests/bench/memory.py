"""Resident memory of a running system: `python -m tests.bench.memory data/run.json`.

Each row is a service with all its child processes. RSS counts shared pages in every process that
uses them; PSS shares them out, so only its sum is what the machine really gives.
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

MIB = 1024 * 1024


@dataclass(frozen=True)
class Row:
    name: str
    processes: int
    rss_mib: float
    pss_mib: float


def measure(run_file: Path) -> list[Row]:
    """One row per entry of `pids` in run.json; services that are gone are left out."""
    pids: dict[str, int] = json.loads(run_file.read_text())["pids"]
    return [row for name, pid in pids.items() if (row := _tree(name, pid, set(pids.values()) - {pid}))]


def table(rows: list[Row]) -> str:
    """The rows with two sums: everything, and everything but OctoPrint."""
    own = [row for row in rows if not row.name.startswith("octoprint")]
    lines = [f"{'service':<28}{'processes':>10}{'RSS MiB':>10}{'PSS MiB':>10}"]
    for row in [*rows, _sum("all", rows), _sum("without OctoPrint", own)]:
        lines.append(f"{row.name:<28}{row.processes:>10}{row.rss_mib:>10.1f}{row.pss_mib:>10.1f}")
    return "\n".join(lines)


def _sum(name: str, rows: list[Row]) -> Row:
    return Row(
        name,
        sum(row.processes for row in rows),
        sum(row.rss_mib for row in rows),
        sum(row.pss_mib for row in rows),
    )


def _tree(name: str, pid: int, others: set[int]) -> Row | None:
    """A process and its descendants, without those that are services of their own."""
    try:
        family = [psutil.Process(pid)]
    except psutil.NoSuchProcess:
        return None
    for process in family:
        family += [child for child in process.children() if child.pid not in others]
    sizes = []
    for process in family:
        try:
            sizes.append(process.memory_full_info())
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    rss = sum(size.rss for size in sizes) / MIB
    pss = sum(getattr(size, "pss", size.rss) for size in sizes) / MIB
    return Row(name, len(sizes), rss, pss)


if __name__ == "__main__":
    print(table(measure(Path(sys.argv[1] if len(sys.argv) > 1 else "data/run.json"))))
