"""What happens when a suite needs something this machine does not have."""

import os

import pytest


def missing(reason: str) -> None:
    """Skip with the reason; under CI=true fail instead, because there nothing may be missing."""
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        pytest.fail(f"needed under CI: {reason}", pytrace=False)
    pytest.skip(reason)
