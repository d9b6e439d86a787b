"""gunicorn for the web part: `gunicorn -c config/gunicorn.py wsgi:app`.

gevent, because a thousand open pages are a thousand open connections that mostly wait.
"""

import os

bind = os.environ.get("FABLAB_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
worker_class = "gevent"
worker_connections = 2000
# The application is loaded in each worker, after gevent has patched the standard library there.
preload_app = False
# A worker that answers nobody for this long is replaced; open streams do not count as silence.
timeout = 60
# Streams are endless: a worker that is told to stop does not wait long for them.
graceful_timeout = 5
keepalive = 5
accesslog = None
errorlog = "-"

# The control interface would listen in the home of whoever starts us; nothing here needs it.
control_socket_disable = True
