"""How our processes log: lines for people on a terminal, JSON anywhere else."""

from __future__ import annotations

import logging
import sys
from typing import Any


def _import_structlog() -> Any:
    """structlog loads rich for coloured tracebacks where it is installed: 7 MB in every process."""
    loaded = "rich" in sys.modules
    if not loaded:
        sys.modules["rich"] = None  # type: ignore[assignment]
    import structlog

    if not loaded:
        del sys.modules["rich"]
    return structlog


_structlog = _import_structlog()


def logger(name: str) -> Any:
    """A structured logger: `log.warning("what_happened", key=value)`."""
    return _structlog.get_logger(part=name)


def log_to_stderr() -> None:
    """Set logging up for a process of ours."""
    human = sys.stderr.isatty()
    _structlog.configure(
        processors=[
            _structlog.processors.add_log_level,
            _structlog.processors.TimeStamper(fmt="iso", utc=True),
            _structlog.processors.format_exc_info,
            _structlog.dev.ConsoleRenderer() if human else _structlog.processors.JSONRenderer(),
        ],
        wrapper_class=_structlog.make_filtering_bound_logger(logging.INFO),
        # Asked for at each line: whoever has replaced stderr since, and closed theirs, breaks no log.
        logger_factory=lambda *_: _structlog.PrintLogger(sys.stderr),
    )
