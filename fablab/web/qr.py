"""The code on a machine: it opens the machine's page for whoever stands before it."""

from __future__ import annotations

import io

import segno
from markupsafe import Markup


def machine_address(base_url: str, slug: str) -> str:
    """What a machine's code says; short, so that the code stays coarse and is read from afar."""
    return f"{base_url}/m/{slug}"


def code_file(address: str) -> bytes:
    """The code as an SVG file, dark on white, with the quiet border that readers need."""
    out = io.BytesIO()
    segno.make(address, error="q", micro=False).save(
        out, kind="svg", scale=10, border=4, light="#fff", xmldecl=True, title="QR"
    )
    return out.getvalue()


def code_in_page(address: str, name: str) -> Markup:
    """The same as part of a page."""
    drawing = segno.make(address, error="q", micro=False).svg_inline(
        omitsize=True, border=4, light="#fff", svgclass="qr", lineclass=None, title=name
    )
    return Markup(drawing)  # noqa: S704  (drawn here, from bits; segno escapes the title)
