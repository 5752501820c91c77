"""A Django site in one file, with a search, that logs to ingestd as the README says."""

import logging
import os

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.urandom(16).hex(),
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    LOGGING={
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "console": {"class": "logging.StreamHandler"},
            "logstash": {
                "class": "logstash.TCPLogstashHandler",
                "host": os.environ["LOGSTASH_HOST"],
                "port": int(os.environ["LOGSTASH_PORT"]),
                "version": 1,
                "message_type": "django",
            },
        },
        "root": {"handlers": ["console", "logstash"], "level": "INFO"},
        "loggers": {
            "django": {"handlers": ["console", "logstash"], "level": "INFO", "propagate": False},
            "gunicorn.access": {"handlers": ["console", "logstash"], "level": "INFO", "propagate": False},
        },
    },
)
log = logging.getLogger("shop")


def search(request: HttpRequest) -> HttpResponse:
    """Answer a search, which the access log shows with its words."""
    words = request.GET.get("q", "")
    log.info("searched", extra={"results": len(words)})
    return HttpResponse(f"{len(words)} results\n", content_type="text/plain")


urlpatterns = [path("search", search)]
application: WSGIHandler = get_wsgi_application()
