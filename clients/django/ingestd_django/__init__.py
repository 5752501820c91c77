"""Logs of Django sites for ingestd: ``IngestdHandler`` for ``LOGGING``, ``AccessLog`` for ``MIDDLEWARE``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingestd_django.access_log import AccessLog
    from ingestd_django.handler import IngestdHandler

__all__ = ["AccessLog", "IngestdHandler"]


def __getattr__(name: str) -> Any:
    """Import on demand: logging is set up before Django's settings can be read, which the middleware does."""
    if name == "IngestdHandler":
        from ingestd_django.handler import IngestdHandler  # noqa: PLC0415

        return IngestdHandler
    if name == "AccessLog":
        from ingestd_django.access_log import AccessLog  # noqa: PLC0415

        return AccessLog
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
