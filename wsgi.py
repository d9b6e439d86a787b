"""The application for gunicorn: ``gunicorn -k gevent wsgi:app``."""

from fablab.app import create_app
from fablab.logs import log_to_stderr
from fablab.settings import load_settings

log_to_stderr()
settings = load_settings()
settings.web.check_secret()
app = create_app(settings)
