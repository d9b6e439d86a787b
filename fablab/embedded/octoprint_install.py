"""OctoPrint in an environment of its own: it pins an old Flask and must never share ours."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PINS = Path(__file__).resolve().parents[2] / "config" / "requirements" / "octoprint.txt"


class OctoPrintUnavailable(RuntimeError):
    """OctoPrint cannot be installed here; the text says why, in one line."""


def python_of(venv: Path) -> Path:
    return venv / "bin" / "python"


def is_installed(venv: Path) -> bool:
    """Whether a complete OctoPrint is there; an interrupted installation does not count."""
    return (venv / "bin" / "octoprint").exists() and not (venv / ".unfinished").exists()


def is_current(venv: Path) -> bool:
    """Whether it is installed with today's pins, or by somebody else, who decides for himself."""
    stamp = venv / ".pins"
    return is_installed(venv) and (not stamp.exists() or stamp.read_text() == _digest())


def ensure_installed(venv: Path, log: Path, say: Callable[[str], None]) -> None:
    """Install the pinned OctoPrint when it is missing or the pins have changed since.

    Takes about a minute and a network. Raises OctoPrintUnavailable; pip's own words go to `log`.
    """
    if is_current(venv):
        return
    say("installing OctoPrint in its own environment (once, about a minute) ...")
    unfinished = venv / ".unfinished"
    if not is_installed(venv):
        shutil.rmtree(venv, ignore_errors=True)
    venv.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    unfinished.touch()
    make = [sys.executable, "-m", "venv", str(venv)]
    install = [
        str(python_of(venv)), "-m", "pip", "install", "--no-input", "--disable-pip-version-check",
        "--progress-bar=off", "--require-hashes", "-r", str(PINS),
    ]  # fmt: skip
    with log.open("w") as output:
        for command in (make, install):
            done = subprocess.run(
                command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, check=False
            )
            if done.returncode:
                break
    if done.returncode:
        reason = _reason(log.read_text(errors="replace"))
        raise OctoPrintUnavailable(f"OctoPrint could not be installed: {reason} (see {log})")
    (venv / ".pins").write_text(_digest())
    unfinished.unlink()


def main() -> None:
    """`python -m fablab.embedded.octoprint_install DIRECTORY`: exit code 1 and one line where it fails."""
    venv = Path(sys.argv[1]).absolute()
    try:
        ensure_installed(venv, venv / "install.log", lambda line: print(line, flush=True))
    except OctoPrintUnavailable as error:
        sys.exit(str(error))


def _digest() -> str:
    return hashlib.sha256(PINS.read_bytes()).hexdigest()


def _reason(output: str) -> str:
    """The line of pip's output that tells a person most."""
    if "Temporary failure in name resolution" in output or "Failed to establish a new connection" in output:
        return "no network"
    errors = [line.strip() for line in output.splitlines() if line.lower().startswith("error")]
    lines = errors or output.strip().splitlines() or ["no reason given"]
    return lines[0].removeprefix("ERROR: ")


if __name__ == "__main__":
    main()
