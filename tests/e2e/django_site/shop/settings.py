"""Settings of a stock site that logs to Logstash. The tests say by variables where it listens."""

import os

SECRET_KEY = "not a secret"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "shop.urls"
USE_TZ = True
TIME_ZONE = "Asia/Seoul"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {
        "console": {"class": "logging.StreamHandler"},
        "logstash": {
            "class": "logstash.TCPLogstashHandler",
            "host": "127.0.0.1",
            "port": int(os.environ.get("LOGSTASH_PORT", "5959")),
            "version": int(os.environ.get("LOGSTASH_VERSION", "1")),
            "message_type": "django",
            "fqdn": False,
            "tags": ["django.request"],
        },
    },
    "loggers": {
        "django": {"handlers": ["console", "logstash"], "level": "INFO"},
        "django.server": {"handlers": ["console", "logstash"], "level": "INFO", "propagate": False},
        "shop": {"handlers": ["console", "logstash"], "level": "DEBUG"},
    },
}
