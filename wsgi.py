"""The application for gunicorn: ``gunicorn -k gevent wsgi:app``."""

from fablab.app import create_app

app = create_app()
