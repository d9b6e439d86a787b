"""The network's own words for pages and REST."""

from fablab.organisations.catalogue import Catalogue, catalogue
from fablab.web.settings import settings


def network_words() -> Catalogue:
    """The catalogue named by the settings; read once in a process."""
    return catalogue(settings().network.catalogue)
