"""`fablab ingest`: takes bridges' messages from the broker into the database until it is told to stop."""

from __future__ import annotations

import logging
import signal
import sys
import threading

import click
import structlog

from fablab.mqtt.ingest import Ingest
from fablab.settings import SettingsError, load_settings


def run_ingest() -> None:
    """Work until SIGTERM or Ctrl-C; raises ClickException for a setting that cannot be used."""
    _log_to_stderr()
    try:
        process = Ingest(load_settings())
    except SettingsError as error:
        raise click.ClickException(str(error)) from error
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    process.run(stop)


def _log_to_stderr() -> None:
    """Lines for people on a terminal, JSON anywhere else."""
    human = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if human else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
