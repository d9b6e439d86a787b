"""`--check`: ask every machine and the broker once and say how they are."""

from concurrent.futures import ThreadPoolExecutor

from firmware_bridge.bridge import driver_for
from firmware_bridge.publisher import probe
from firmware_bridge.settings import Machine, Settings
from firmware_bridge.wire.messages import MachineState

Row = tuple[str, str, str, str, str]

_GOOD = frozenset(MachineState) - {MachineState.UNREACHABLE, MachineState.ERROR}


def check(all_settings: list[Settings]) -> tuple[str, bool]:
    """The table and whether everything is well. A machine that is off is well: somebody switched it off."""
    with ThreadPoolExecutor(max_workers=8) as pool:
        answers = [
            pool.submit(_check_one, settings, machine)
            for settings in all_settings
            for machine in (*settings.machine, None)
        ]
        rows = [answer.result() for answer in answers]
    table = [("", "lab", "what", "state", "reason"), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(4)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in table
    ]
    return "\n".join(lines), all(row[0] == "ok" for row in rows)


def _check_one(settings: Settings, machine: Machine | None) -> Row:
    if machine is None:
        well, words = probe(settings)
        address = f"broker {settings.broker.address.hostname}:{settings.broker.port}"
        return ("ok" if well else "FAIL", settings.lab, address, "ok" if well else "failed", words)
    driver = driver_for(machine)
    snapshot = driver.look(None)
    driver.close()
    well = snapshot.state in _GOOD
    return ("ok" if well else "FAIL", settings.lab, machine.slug, snapshot.state.value, snapshot.detail or "")
