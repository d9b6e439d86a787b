"""The application for gunicorn: ``gunicorn -k gevent wsgi:app``."""

from fablab.app import create_app
from fablab.settings import load_settings

settings = load_settings()
settings.web.check_secret()
app = create_app(settings)
