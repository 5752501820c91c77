"""The Django app: it brings the command ``ingestd_check``."""

from __future__ import annotations

from django.apps import AppConfig


class IngestdConfig(AppConfig):
    """What ``INSTALLED_APPS`` needs for ``manage.py ingestd_check``."""

    name = "ingestd_django"
    verbose_name = "ingestd"
