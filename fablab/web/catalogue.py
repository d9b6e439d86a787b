"""The network's own words for pages and REST."""

from flask import current_app

from fablab.organisations.catalogue import Catalogue, catalogue


def network_words() -> Catalogue:
    """The catalogue named by the settings; read once in a process."""
    return catalogue(current_app.extensions["fablab.settings"].network.catalogue)
