"""The one blueprint all pages hang on, so that they share error pages and what templates know."""

from flask import Blueprint

blueprint = Blueprint("pages", __name__)
