"""Fixtures every suite shares. Whatever is slow or large is started once, and only when asked for."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.missing import missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.support.mosquitto import Mosquitto
    from tests.support.octoprint import OctoPrintFarm

pytest_plugins = ["tests.fixtures_cast"]


@pytest.fixture(scope="session", autouse=True)
def _quick_hashes() -> Iterator[None]:
    """Hash passwords with argon2id's least cost in this process: one test in three signs somebody in.

    `tests/house/test_password_cost.py` holds the cost of the product itself.
    """
    from argon2 import PasswordHasher

    from fablab.signin import hashing

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """A new directory for an embedded PostgreSQL or a whole `fablab run`; removed afterwards.

    Not below pytest's own: as root, PostgreSQL runs as another user who must pass every directory
    above, and each new pytest closes its common one again.
    """
    with _directory() as directory:
        yield directory


@contextmanager
def _directory() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="fablab-test-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server for this run: FABLAB_TEST_DATABASE_URL, or the embedded one.

    The database in the address is only a way in; use `database_url` or `empty_database`.
    """
    if given := os.environ.get("FABLAB_TEST_DATABASE_URL"):
        yield given
        return
    from fablab.embedded.postgres import EmbeddedPostgres

    with _directory() as directory, EmbeddedPostgres(directory, fast=True) as server:
        yield server.url


@pytest.fixture
def empty_database(postgres_url: str) -> Iterator[str]:
    """The address of a new database without any table, for this test alone."""
    from tests.support.database import new_database

    with new_database(postgres_url) as url:
        yield url


@pytest.fixture(scope="session")
def migrated_database(postgres_url: str) -> Iterator[str]:
    """The migrated database of this run. Tests take `database_url`, which also cleans up."""
    from tests.support.database import migrated_database

    with migrated_database(postgres_url) as url:
        yield url


@pytest.fixture
def database_url(migrated_database: str) -> Iterator[str]:
    """The address of a migrated database with empty tables; emptied again after the test."""
    from tests.support.database import empty_all_tables

    yield migrated_database
    empty_all_tables(migrated_database)


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Callable[..., "Mosquitto"]]:
    """A factory of real Mosquitto brokers: `mosquitto({"server": "pw", ...}, acl=None, extra="")`, started.

    Each one can be `kill()`ed, made to `forget()` what it saved, and `start()`ed again on its port.
    """
    from tests.support.mosquitto import PROGRAM, Mosquitto

    if PROGRAM is None or shutil.which("mosquitto_passwd") is None:
        missing("Mosquitto is not installed (Debian package: mosquitto)")
    brokers: list[Mosquitto] = []

    def make(users: Mapping[str, str], **options: Any) -> Mosquitto:
        broker = Mosquitto(tmp_path / f"mosquitto-{len(brokers)}", users, **options)
        brokers.append(broker)
        broker.start()
        return broker

    yield make
    for broker in brokers:
        broker.kill()


@pytest.fixture(scope="session")
def octoprint_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator["OctoPrintFarm"]:
    """Real OctoPrint servers with the virtual printer: `octoprint_farm(2)` gives two, operational.

    Servers are kept for later tests of this run; a test that kills one must start it again or drop it.
    """
    from tests.support.octoprint import OctoPrintFarm, environment

    venv = environment()
    if venv is None:
        missing(
            "OctoPrint is not installed: `make run` or `make test` installs it, or set FABLAB_OCTOPRINT_VENV"
        )
        raise AssertionError("unreachable")
    farm = OctoPrintFarm(venv, tmp_path_factory.mktemp("octoprint"))
    yield farm
    farm.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """The system's Chromium. One for all suites: Playwright's loop takes one at a time."""
    from playwright.sync_api import expect, sync_playwright

    from fablab.web.pages.assets import DIST
    from tests.support import chromium

    if chromium.PROGRAM is None:
        missing("Chromium is not installed (Debian package: chromium)")
    if not (DIST / "manifest.json").exists():
        missing("the pages' styles and scripts are not built (npm ci && npm run build in fablab/web/client)")
    # What must be there sooner says so itself.
    expect.set_options(timeout=15_000)
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        yield browser
        browser.close()
