"""Print jobs of known length for OctoPrint's virtual printer.

`G4 P<ms>` is the only command whose duration that printer keeps to the millisecond; moves run ten
times too fast and backwards in no time, so every job is a row of dwells with short moves between.
`!!DEBUG:` lines are orders to the virtual printer itself.
"""

from __future__ import annotations

from collections.abc import Iterator

LAYER_MM = 0.2


def job(layers: int, dwells: int, dwell_ms: int, *, middle: str = "", heat: bool = False) -> str:
    """G-code of `layers` x `dwells` dwells; `middle` is a line sent half way, `heat` waits for 200 C."""
    return "\n".join(_lines(layers, dwells, dwell_ms, middle, heat)) + "\n"


def _lines(layers: int, dwells: int, dwell_ms: int, middle: str, heat: bool) -> Iterator[str]:
    yield ";FLAVOR:Marlin"
    yield f";TIME:{layers * dwells * dwell_ms // 1000}"
    yield f";Layer height: {LAYER_MM}"
    yield f";LAYER_COUNT:{layers}"
    yield from ("G21", "G90", "M82", "G28", "G92 E0")
    if heat:
        yield from ("M140 S60", "M104 S200", "M190 S60", "M109 S200")
    extruded = 0.0
    for layer in range(layers):
        yield f";LAYER:{layer}"
        yield f"G1 Z{(layer + 1) * LAYER_MM:.2f} F1200"
        for dwell in range(dwells):
            extruded += 0.05
            yield f"G1 X{90 + dwell % 20} Y{90 + (layer + dwell) % 20} E{extruded:.2f} F6000"
            yield f"G4 P{dwell_ms}"
        if middle and layer == layers // 2 - 1:
            yield middle
    yield from ("M400", "M104 S0", "M140 S0", "M84")


def sample_jobs() -> dict[str, str]:
    """File name to G-code. The seconds in a name are the print time without what happens half way."""
    return {
        "job_3s.gcode": job(5, 6, 100),
        "job_20s.gcode": job(10, 10, 200),
        "job_2min.gcode": job(30, 8, 500),
        "job_heat_40s.gcode": job(10, 10, 200, heat=True),
        # The firmware stops with a thermal runaway.
        "job_error_10s.gcode": job(10, 10, 100, middle="!!DEBUG:trigger_fatal_error_marlin"),
        # The cable comes off.
        "job_drop_10s.gcode": job(10, 10, 100, middle="!!DEBUG:drop_connection"),
        # Somebody presses pause, or cancel, at the machine.
        "job_pause_10s.gcode": job(10, 10, 100, middle="!!DEBUG:action_pause"),
        "job_cancel_10s.gcode": job(10, 10, 100, middle="!!DEBUG:action_custom cancel"),
        # The machine says nothing for a while, which is no fault.
        "job_stall_10s.gcode": job(10, 10, 100, middle="!!DEBUG:sleep 5"),
        # As fast as the line carries it.
        "job_fast_2500.gcode": job(10, 250, 0),
    }
