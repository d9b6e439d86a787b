"""The REST interface to read and try, from its OpenAPI document."""

from flask import render_template

from fablab.web.auth import public
from fablab.web.pages.blueprint import blueprint


@blueprint.get("/api/docs")
@public
def api_docs() -> str:
    return render_template("api_docs.html")
