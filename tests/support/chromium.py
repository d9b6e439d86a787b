"""The system's Chromium, driven by Playwright."""

import os
import shutil

from playwright.sync_api import Browser, Playwright

PROGRAM = (
    os.environ.get("FABLAB_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
)


def launch(playwright: Playwright) -> Browser:
    """A headless browser. Without its sandbox, which a container's root user cannot have."""
    return playwright.chromium.launch(
        executable_path=PROGRAM,
        args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--lang=en-GB"],
    )
