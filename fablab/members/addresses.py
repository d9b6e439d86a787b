"""E-mail addresses: which text is one."""

from __future__ import annotations

from fablab.errors import Refusal

EMAIL_MAX = 254
TAKEN = Refusal("address_taken", "email", "Somebody has an account with this address already.")


def normal_email(text: str) -> str | None:
    """The address with its domain in lower case; None for what is none. Whether mail arrives is not asked."""
    # Only here: a process that reads no address need not hold the tables of all scripts.
    from email_validator import EmailNotValidError, validate_email

    if len(text) > EMAIL_MAX:
        return None
    try:
        return validate_email(text, check_deliverability=False, strict=True).normalized
    except EmailNotValidError:
        return None


def email_trouble(email: str) -> str | None:
    """Why this is no e-mail address; None when it may be one. Whether it is, only a mail to it tells."""
    if not email.strip():
        return "Please give your e-mail address."
    return None if normal_email(email.strip()) else "That does not look like an e-mail address."
