"""``manage.py ingestd_check``: whether records of this site arrive."""

from __future__ import annotations

import json
import logging
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ingestd_django.connection import Connection
from ingestd_django.handler import IngestdHandler

_ANSWER_SECONDS = 10.0


class Command(BaseCommand):  # type: ignore[misc]  # Django ships without type information
    """Sends a record through each handler of the site, and asks whether it arrived."""

    help = "Send a record to ingestd through each IngestdHandler in LOGGING, and say whether it arrived."
    requires_system_checks: list[str] = []  # noqa: RUF012 -- as Django has it

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.add_argument("--url", default="", help="ingestd's HTTP address: also wait until a search finds it.")
        parser.add_argument("--token", default="", help="ingestd's http_token, if it has one.")
        parser.add_argument("--timeout", type=float, default=60.0, help="Seconds to wait for the search.")

    def handle(self, *args: Any, url: str, token: str, timeout: float, **options: Any) -> None:
        """Check each handler.

        Raises:
            CommandError: A record did not arrive; the text says why.
        """
        handlers = dict.fromkeys(handler for _, handler in _handlers())
        if not handlers:
            raise CommandError("no logger has an IngestdHandler: add one to LOGGING, see the README of ingestd-django")
        for handler in handlers:
            name = f"ingestd-check-{uuid.uuid4().hex}"
            self._send(handler, name)
            if url:
                _wait_until_found(url, token, name, timeout)
                self.stdout.write(f"{url} finds it.")
        loggers = ", ".join(sorted({logger for logger, _ in _handlers()}))
        self.stdout.write(self.style.SUCCESS(f"Records arrive. Loggers that send: {loggers}."))
        self._warn_about_requests()

    def _warn_about_requests(self) -> None:
        """Say why requests would not be logged."""
        logger = logging.getLogger("ingestd_django.access")
        if "ingestd_django.AccessLog" not in settings.MIDDLEWARE:
            self.stdout.write("Requests are not logged: MIDDLEWARE has no ingestd_django.AccessLog.")
        elif not logger.isEnabledFor(logging.INFO):
            self.stdout.write("Requests are not logged: the level of the logger ingestd_django.access is above INFO.")

    def _send(self, handler: IngestdHandler, name: str) -> None:
        address = handler.address
        try:
            Connection(address).close()
        except ssl.SSLCertVerificationError as error:
            raise CommandError(f"{address}: {error.verify_message}: set `ca_certs` to the authority's file") from None
        except ssl.SSLError as error:
            raise CommandError(f"{address} does not speak TLS, or asks for a `certfile`: {error}") from None
        except OSError as error:
            raise CommandError(
                f"{address} cannot be reached: {error}. Does ingestd run there, with an input beats on this port?"
            ) from None
        record = logging.LogRecord("ingestd_django.check", logging.INFO, __file__, 0, name, None, None)
        if not handler.accepts(record):
            raise CommandError(f"the handler for {address} does not take records of level INFO, or its filters do not")
        handler.handle(record)
        if not handler.flush(_ANSWER_SECONDS):
            reason = handler.error or f"nothing came within {_ANSWER_SECONDS:.0f} s"
            raise CommandError(
                f"{address} took the connection but did not acknowledge the record: {reason}. Is an input beats behind "
                "this port, with TLS if LOGGING has `ssl`, and without if not? ingestd's log may say more."
            )
        self.stdout.write(f"{address} has it on its disk.")


def _handlers() -> Iterator[tuple[str, IngestdHandler]]:
    """Yield the loggers that have our handlers."""
    loggers = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    for logger in loggers:
        for handler in logger.handlers:
            if isinstance(handler, IngestdHandler):
                yield logger.name, handler


def _wait_until_found(url: str, token: str, name: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not _is_found(url, token, name):
        if time.monotonic() >= deadline:
            raise CommandError(
                f"the record is not found after {seconds:.0f} s: a filter may drop it, or an output may be behind. "
                f"See the page Status at {url}"
            )
        time.sleep(0.5)


def _is_found(url: str, token: str, name: str) -> bool:
    query = urllib.parse.urlencode({"q": f'message:"{name}"', "limit": 1})
    request = urllib.request.Request(f"{url.rstrip('/')}/api/search?{query}")  # noqa: S310 -- the user's own URL
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310
            return bool(json.load(answer)["hits"])
    except urllib.error.HTTPError as error:
        raise CommandError(f"{url}: {error.code} {error.reason}: {error.read(500).decode(errors='replace')}") from None
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(f"{url} cannot be asked: {error}") from None
