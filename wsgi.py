"""The application for gunicorn: ``gunicorn -k gevent wsgi:app``."""

from fablab.app import create_app
from fablab.settings import SettingsError, load_settings

settings = load_settings()
if len(settings.web.secret_key) < 32:
    # Sessions signed with a short or empty secret can be forged.
    raise SettingsError("FABLAB_SECRET_KEY: must be at least 32 random characters")
app = create_app(settings)
