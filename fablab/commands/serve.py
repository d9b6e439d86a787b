"""`fablab web` and `fablab scheduler`: one part of the service each."""

from __future__ import annotations

import os
import signal
import sys
import threading

import click

from fablab.settings import ROOT, load_settings


@click.command()
@click.option("--bind", help="HOST:PORT to listen on  [default: 127.0.0.1:8000]")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes that serve  [default: 1]")
def web(bind: str | None, workers: int | None) -> None:
    """Serve pages and REST with gunicorn; config/gunicorn.py holds the rest."""
    load_settings().web.check_secret()
    argv = [
        sys.executable,
        "-m",
        "gunicorn",
        "--chdir",
        str(ROOT),
        "-c",
        str(ROOT / "config" / "gunicorn.py"),
    ]
    if bind:
        argv += ["--bind", bind]
    if workers:
        argv += ["--workers", str(workers)]
    # gunicorn takes this process over: signals and exit code are its own.
    os.execv(sys.executable, [*argv, "wsgi:app"])  # noqa: S606


@click.command()
def scheduler() -> None:
    """Run the tasks of config/schedule.toml; a second one stands by and takes over."""
    from fablab.logs import log_to_stderr
    from fablab.scheduler import Scheduler

    log_to_stderr()
    settings = load_settings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Scheduler(settings).run(stop)
