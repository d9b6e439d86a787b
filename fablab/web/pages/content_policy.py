"""What a page of ours may load and do: nothing that does not come from this very address."""

from __future__ import annotations

from typing import cast

from flask import Flask, Response, current_app

from fablab.settings import Settings

# The only exception to 'self': Tabler and Swagger UI draw small marks (the arrow of a select, a check mark)
# from data: addresses inside our own stylesheet. No inline script, no inline style, no evaluated string.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
# Only where the address is https: a browser that has read it comes by no other way for a year.
TRANSPORT = "max-age=31536000"


def init_content_policy(app: Flask) -> None:
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    settings = cast(Settings, current_app.extensions["fablab.settings"])
    if settings.web.over_https:
        response.headers.setdefault("Strict-Transport-Security", TRANSPORT)
    if response.mimetype == "text/html":
        # A page shows what one person may see: no shared cache, and nothing left after signing out.
        response.headers.setdefault("Cache-Control", "no-store")
    return response
