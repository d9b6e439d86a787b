"""`python -m firmware_bridge --config bridge.toml [--config other.toml] [--check]`, also `fablab-bridge`."""

import argparse
import logging
import signal
import sqlite3
import sys
import threading
import time
from pathlib import Path

from firmware_bridge import __version__
from firmware_bridge.bridge import Bridge
from firmware_bridge.check import check
from firmware_bridge.outbox import OutboxInUse
from firmware_bridge.settings import BadSettings, Settings, load

THREAD_STACK = 512 * 1024
"""Bytes; the default of 8 MiB is address space that a small computer may not have for forty threads."""

STOP_S = 1.6
"""All threads together get so long to end; a hung machine must not hold the process."""


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit code 0 well, 1 a failed check, 2 bad settings or an outbox in use."""
    parser = argparse.ArgumentParser(
        prog="fablab-bridge", description="Watches a lab's machines for the server."
    )
    parser.add_argument(
        "--config", action="append", type=Path, required=True, help="may be given several times"
    )
    parser.add_argument("--check", action="store_true", help="test each machine and the broker once")
    parser.add_argument("--verbose", action="store_true", help="log more")
    parser.add_argument("--version", action="version", version=__version__)
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)-7s %(message)s",
        stream=sys.stderr,
    )
    # These two write addresses and headers at DEBUG.
    logging.getLogger("urllib3").setLevel(logging.WARNING)
    logging.getLogger("websocket").setLevel(logging.CRITICAL)
    all_settings, wrong = _load_all(options.config)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 2
    if options.check:
        table, well = check(all_settings)
        print(table)
        return 0 if well else 1
    return _run(all_settings)


def _load_all(paths: list[Path]) -> tuple[list[Settings], list[str]]:
    found: list[Settings] = []
    wrong: list[str] = []
    for path in paths:
        try:
            found.append(load(path))
        except BadSettings as error:
            wrong.append(str(error))
    names = [(settings.lab, settings.name) for settings in found]
    for lab, name in sorted({pair for pair in names if names.count(pair) > 1}):
        wrong.append(f"bridge {lab}/{name} is described twice")
    return found, wrong


def _run(all_settings: list[Settings]) -> int:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.stack_size(THREAD_STACK)
    try:
        bridges = [Bridge(settings) for settings in all_settings]
    except (OutboxInUse, OSError, sqlite3.Error) as error:
        print(f"outbox: {error}", file=sys.stderr)
        return 2
    for bridge in bridges:
        bridge.start()
    stop.wait()
    for bridge in bridges:
        bridge.stop()
    until = time.monotonic() + STOP_S
    for bridge in bridges:
        bridge.join(until)
    return 0


if __name__ == "__main__":
    sys.exit(main())
