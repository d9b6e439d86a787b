"""The web part as in production: gunicorn with gevent workers on a free port."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fablab.embedded.process import birth_options, wait_until
from tests.support.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]


@contextmanager
def serving(
    database_url: str, directory: Path, workers: int = 1, host: str = "127.0.0.1", **environ: str
) -> Iterator[str]:
    """Serve the application; gives its address once it is ready and ends every process at the end.

    ``host`` is what the address says; "localhost" for passkeys, which browsers bind to names only.
    """
    port = free_port()
    log = directory / f"gunicorn-{port}.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.py", "wsgi:app"],
            cwd=PROJECT,
            env={
                **os.environ,
                "DATABASE_URL": database_url,
                "FABLAB_SECRET_KEY": "for-tests-only-" + "0" * 32,
                "FABLAB_BIND": f"127.0.0.1:{port}",
                "FABLAB_BASE_URL": f"http://{host}:{port}",
                "WEB_CONCURRENCY": str(workers),
                **environ,
            },
            stdout=output,
            stderr=output,
            **birth_options(),
        )
    try:
        ready = wait_until(lambda: server.poll() is not None or _ready(port), 30)
        assert ready, "the web part does not answer"
        assert server.poll() is None, f"the web part did not start:\n{log.read_text()}"
        yield f"http://{host}:{port}"
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
