"""What a page of ours may load and do: nothing that does not come from this very address."""

from __future__ import annotations

from flask import Flask, Response, request

from fablab.web.errors import SECRET_PARTS
from fablab.web.settings import settings

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
# Of an address with a secret in it, such as a link in a mail, the next page learns the host alone. Not
# "no-referrer": over https a form is taken only with a Referer that says it comes from here.
REFERRER_OF_LINKS = "strict-origin"


def init_content_policy(app: Flask) -> None:
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    if request.url_rule is not None and request.url_rule.arguments & SECRET_PARTS:
        response.headers["Referrer-Policy"] = REFERRER_OF_LINKS
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if settings().web.over_https:
        response.headers.setdefault("Strict-Transport-Security", TRANSPORT)
    if response.mimetype == "text/html":
        # A page shows what one person may see: no shared cache, and nothing left after signing out.
        response.headers.setdefault("Cache-Control", "no-store")
    return response
