"""What the tests of pages share."""

from tests.support.pages import visit

__all__ = ["visit"]
