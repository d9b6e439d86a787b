"""Who may import whom. A red test here names the file that reaches where it should not."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# A library with a will of its own is known to one file, and the rest of the house speaks to that file.
# To add one: put it here and say in README what it is for.
ONE_PLACE = {
    "amqtt": {"fablab/embedded/broker.py"},
    "apscheduler": {"fablab/scheduler.py"},
    "argon2": {"fablab/signin/hashing.py"},
    "flask_sqlalchemy": {"fablab/web/database.py"},
    "hijridate": {"fablab/machines/holidays_known.py"},
    "holidays": {"fablab/machines/holidays_known.py"},
    "octorest": {"firmware_bridge/drivers/octoprint.py"},
    "paho": {"fablab/mqtt/client.py", "firmware_bridge/publisher.py"},
    "prometheus_client": {"fablab/web/health.py"},
    "recurring_ical_events": {"fablab/machines/ics_busy.py"},
    "structlog": {"fablab/logs.py"},
    "websocket": {"firmware_bridge/drivers/octoprint_push.py"},
}


def sources(package: str) -> list[Path]:
    return [path for path in (ROOT / package).rglob("*.py") if "node_modules" not in path.parts]


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module a file imports, also inside functions."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_import_contracts_hold() -> None:
    """The contracts are in pyproject.toml, each named by the sentence it stands for."""
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[done.stdout.find("Broken contracts") :]


# What a rule decides about and how it says so is as plain as the rule.
RULES = ("rules", "facts", "hours", "wording", "record", "rulebook", "rule_names", "rule_words")
# The network's languages, and how they write days and numbers.
LANGUAGES = ("fablab.mail.texts", "fablab.mail.words", "babel")


@pytest.mark.parametrize(
    "path",
    sorted(path for each in RULES for path in ROOT.glob(f"fablab/*/{each}*.py")),
    ids=lambda path: f"{path.parent.name}.{path.stem}",
)
def test_rules_are_plain_python(path: Path) -> None:
    """Rules decide about what they are given: no database, no web, no clock of their own."""
    allowed = set(sys.stdlib_module_names) - {"sqlite3", "socket", "urllib", "http"}
    for name in imports(path):
        plain = name.partition(".")[0] in allowed
        rules = re.match(rf"fablab\.\w+\.({'|'.join(RULES)})", name)
        others = name.startswith(("fablab.errors", *LANGUAGES)) or rules
        assert plain or others, f"{path.relative_to(ROOT)} imports {name}: pass it in as an argument"
    assert "utc_now" not in path.read_text(encoding="utf-8"), "now is an argument"
    assert ".now(" not in path.read_text(encoding="utf-8"), "now is an argument"


def test_the_server_sees_only_the_bridge_s_wire() -> None:
    for path in sources("fablab"):
        for name in imports(path):
            if name.startswith("firmware_bridge"):
                assert name.startswith("firmware_bridge.wire"), f"{path.relative_to(ROOT)} imports {name}"


@pytest.mark.parametrize("library", sorted(ONE_PLACE))
def test_one_file_for_a_library(library: str) -> None:
    found = {
        str(path.relative_to(ROOT))
        for package in ("fablab", "firmware_bridge")
        for path in sources(package)
        if any(name.partition(".")[0] == library for name in imports(path))
    }
    assert found == ONE_PLACE[library], f"{library} belongs in {sorted(ONE_PLACE[library])}"


@pytest.mark.parametrize(
    "package", ["fablab.scheduler", "fablab.mqtt.ingest", "fablab.embedded.run", "fablab.cli"]
)
def test_a_process_without_pages_loads_no_flask(package: str) -> None:
    """Each import of Flask costs a process 15 MB that a small server does not have."""
    code = f"import sys, {package}; print(*(m for m in ('flask', 'werkzeug', 'jinja2') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_a_clock_that_stands_by_loads_nothing_that_only_tasks_at_work_need() -> None:
    """It waits, often for months, in megabytes."""
    heavy = (
        "flask",
        "jinja2",
        "babel",
        "smtplib",
        "email.headerregistry",
        "fpdf",
        "webauthn",
        "zxcvbn",
        "cryptography",
    )
    code = (
        "import sys\nfrom fablab.scheduler import read_schedule\nread_schedule()\n"
        f"print(*(name for name in {heavy!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("package", ["fablab.embedded.run", "fablab.cli"])
def test_the_supervisor_loads_no_database_library(package: str) -> None:
    """It lives as long as everything it starts, and SQLAlchemy alone would double it."""
    code = f"import sys, {package}; print(*(m for m in ('sqlalchemy', 'psycopg') if m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_bridge_starts_without_the_server_s_libraries() -> None:
    """As on a Raspberry Pi, where none of these is installed."""
    code = (
        "import sys\n"
        "for name in ('fablab', 'flask', 'sqlalchemy', 'psycopg', 'alembic', 'marshmallow', 'apscheduler'):\n"
        "    sys.modules[name] = None\n"
        "import pkgutil, importlib, firmware_bridge\n"
        "for module in pkgutil.walk_packages(firmware_bridge.__path__, 'firmware_bridge.'):\n"
        "    if not module.name.endswith('__main__'):\n"
        "        importlib.import_module(module.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_file_is_too_long() -> None:
    """At 400 lines a file holds several thoughts: split it by verb."""
    long = {
        str(path.relative_to(ROOT)): lines
        for package in ("fablab", "firmware_bridge")
        for path in sources(package)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long
