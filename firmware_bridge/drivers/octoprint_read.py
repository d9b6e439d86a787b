"""OctoPrint's JSON (1.11, and 2.0 without a version header) as snapshots and events. Pure.

Whatever a server sends is taken as hostile: a value of the wrong type is an unknown value, no exception.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from firmware_bridge.snapshot import JobSeen, News, PrintRecord
from firmware_bridge.wire.messages import MachineState, Temperature

LATEST = 32503680000.0
"""Epoch seconds of the year 3000: later is nonsense."""

_BUSY = ("printing", "pausing", "resuming", "finishing", "cancelling")
_STATES = {
    # PAUSING, RESUMING, FINISHING and CANCELLING last moments and are told by their own events.
    "OFFLINE": MachineState.OFF,
    "NONE": MachineState.OFF,
    "CLOSED": MachineState.OFF,
    "OPEN_SERIAL": MachineState.OFF,
    "DETECT_SERIAL": MachineState.OFF,
    "CONNECTING": MachineState.OFF,
    "CLOSED_WITH_ERROR": MachineState.OFF,
    "ERROR": MachineState.OFF,
    "OPERATIONAL": MachineState.IDLE,
    "PRINTING": MachineState.RUNNING,
    "PAUSED": MachineState.PAUSED,
}
_NEWS = {
    "PrintStarted": News.STARTED,
    "PrintDone": News.DONE,
    "PrintFailed": News.FAILED,
    "PrintCancelled": News.CANCELLED,
    "PrintPaused": News.PAUSED,
    "PrintResumed": News.RESUMED,
    "Error": News.FAULT,
    "PrinterStateChanged": News.STATE,
}
EVENTS = tuple(_NEWS)
"""The events worth subscribing to."""


def part(value: Any, *path: str) -> Any:
    """The value under a path of keys; None where the path ends early."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def text(value: Any, limit: int = 500) -> str | None:
    """A non-empty string without NUL, cut to `limit`; else None."""
    if not isinstance(value, str):
        return None
    value = value.replace("\x00", "").encode("utf-8", "replace").decode()[:limit].strip()
    return value or None


def number(value: Any, low: float = 0.0, high: float = 4e8) -> float | None:
    """A finite number within bounds; else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not math.isfinite(value) or not low <= value <= high:
        return None
    return float(value)


def state_of(flags: Any) -> MachineState:
    """The machine's state from the flags, never from the text, which 2.0 translates.

    `paused` is tested first because 2.0 shows a paused printer as printing too.
    """
    flag = flags if isinstance(flags, Mapping) else {}
    if flag.get("error") is True or flag.get("closedOrError") is True:
        return MachineState.OFF
    if flag.get("paused") is True:
        return MachineState.PAUSED
    if any(flag.get(name) is True for name in _BUSY):
        return MachineState.RUNNING
    return MachineState.IDLE if flag.get("operational") is True else MachineState.OFF


def job_of(job: Any, flags: Any) -> JobSeen | None:
    """The job block of /api/job or of a push message; None when no file is selected."""
    path = text(part(job, "job", "file", "path"))
    name = text(part(job, "job", "file", "display")) or text(part(job, "job", "file", "name")) or path
    if name is None:
        return None
    completion = number(part(job, "progress", "completion"), 0, 100)
    position = number(part(job, "progress", "filepos"), 0, 2**53)
    return JobSeen(
        file=name,
        path=path,
        origin=text(part(job, "job", "file", "origin"), 32),
        owner=text(part(job, "job", "user"), 200),
        progress=None if completion is None else completion / 100,
        position=None if position is None else int(position),
        print_time_s=number(part(job, "progress", "printTime")),
        remaining_s=number(part(job, "progress", "printTimeLeft")),
        estimated_s=number(part(job, "job", "estimatedPrintTime")),
        filament_mm=_filament(part(job, "job", "filament")),
        ending=part(flags, "finishing") is True or part(flags, "cancelling") is True,
    )


def _filament(tools: Any) -> float | None:
    if not isinstance(tools, Mapping):
        return None
    lengths = [number(part(tool, "length"), 0, 1e8) for tool in tools.values()]
    known = [length for length in lengths if length is not None]
    return sum(known) if known else None


def temperatures_of(block: Any) -> dict[str, Temperature]:
    """Heaters by name; a sensor without a value is left out."""
    found: dict[str, Temperature] = {}
    if not isinstance(block, Mapping):
        return found
    for name, value in list(block.items())[:16]:
        actual = number(part(value, "actual"), -300, 3000)
        if isinstance(name, str) and 0 < len(name) <= 64 and "\x00" not in name and actual is not None:
            found[name] = Temperature(actual_c=actual, target_c=number(part(value, "target"), -300, 3000))
    return found


def record_of(info: Any, skew_s: float) -> PrintRecord | None:
    """`prints.last` of a file; `skew_s` is how far the server's clock is ahead of ours."""
    last = part(info, "prints", "last")
    date, success = number(part(last, "date"), 946684800, LATEST), part(last, "success")
    if date is None or not isinstance(success, bool):
        return None
    ended_at = datetime.fromtimestamp(date, UTC) - timedelta(seconds=skew_s)
    return PrintRecord(ended_at, number(part(last, "printTime")), success)


def fault_of(*sources: Any) -> str | None:
    """The first error text found in /api/printer/error, /api/job or the state block."""
    for source in sources:
        found = fault_text(part(source, "error"))
        if found is not None:
            return found
    return None


def fault_text(value: Any) -> str | None:
    """An error text without the colon that OctoPrint leaves where an exception said nothing."""
    found = text(value, 400)
    return found.rstrip(": ") or None if found is not None else None


def news_of(name: str, payload: Any) -> tuple[News, dict[str, Any]] | None:
    """An event as news and the fields of Heard; None for one that says nothing about jobs or state.

    A cancel is announced as PrintCancelled and again as PrintFailed, reason "cancelled": both are CANCELLED.
    """
    news = _NEWS.get(name)
    if news is None:
        return None
    if news is News.FAILED and part(payload, "reason") == "cancelled":
        news = News.CANCELLED
    if news is News.STATE:
        state = _STATES.get(str(part(payload, "state_id")))
        return None if state is None else (news, {"state": state})
    fields: dict[str, Any] = {"reason": fault_text(part(payload, "error"))}
    if news is not News.FAULT:
        fields["path"] = text(part(payload, "path"))
        fields["file"] = text(part(payload, "display")) or text(part(payload, "name")) or fields["path"]
        fields["origin"] = text(part(payload, "origin"), 32)
        fields["owner"] = text(part(payload, "user"), 200) or text(part(payload, "owner"), 200)
        fields["print_time_s"] = number(part(payload, "time"))
    return news, fields
