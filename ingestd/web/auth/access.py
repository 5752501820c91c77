"""Who may see the pages: what the settings say about passwords, and when a daemon must have one."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from ingestd.settings import Settings
from ingestd.units import Address

LEAST_CHARACTERS = 8
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class AccessError(OSError):
    """The pages cannot be served as the settings say; the text is one sentence that says what to do.

    An ``OSError`` as all reasons are for which an address cannot be served.
    """


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see what. Empty secrets let everybody in: that is for loopback addresses.

    Attributes:
        password: Opens the pages for people.
        token: Opens them for programs; as a password it opens them for people as well.
        open_metrics: Whether ``/metrics`` and ``/health`` need neither.
        trust_proxy: Whether X-Forwarded-For and X-Forwarded-Proto are believed.
        hosts: Names, in lower case, by which the pages may be asked for when there is no secret.
    """

    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    open_metrics: bool = False
    trust_proxy: bool = False
    hosts: frozenset[str] = frozenset()

    @property
    def needed(self) -> bool:
        """Whether one has to sign in."""
        return bool(self.password or self.token)

    def opens(self, secret: str) -> bool:
        """Return whether a person may enter with ``secret``; takes as long for a wrong one."""
        return _same(secret, self.password) | _same(secret, self.token)

    def opens_for_programs(self, token: str) -> bool:
        """Return whether a program may enter with ``token``."""
        return _same(token, self.token)

    def check(self, address: Address) -> None:
        """Refuse to serve to the network what nobody has to sign in for.

        Raises:
            AccessError: It would be so.
        """
        if not self.needed and not is_loopback(address.host):
            raise AccessError(
                f"{address} can be reached from outside, and the dashboard has no password: set http_password_file "
                "or INGESTD_HTTP_PASSWORD (or http_token), or serve on a loopback address: --http 127.0.0.1:9600"
            )


def access_of(settings: Settings) -> Access:
    """Return who may see the pages; reads the files of secrets.

    Raises:
        AccessError: A file cannot be read, a secret is given twice or is too short.
    """
    return Access(
        password=_secret("http_password", settings.http_password, settings.http_password_file),
        token=_secret("http_token", settings.http_token, settings.http_token_file),
        open_metrics=settings.http_open_metrics,
        trust_proxy=settings.http_trust_proxy,
        hosts=frozenset(name.strip().lower() for name in settings.http_hosts.split(",") if name.strip()),
    )


def prefix_of(settings: Settings) -> str:
    """Return what all paths begin with: ``/logs``, or empty.

    Raises:
        AccessError: It is no path.
    """
    prefix = settings.http_prefix.rstrip("/")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise AccessError(f"http_prefix is a path such as /logs, not {settings.http_prefix!r}")
    return prefix


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches what listens on ``host``; of a name other than localhost: no."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _secret(name: str, text: str, file: Path) -> str:
    if file != Path():
        if text:
            raise AccessError(f"{name} and {name}_file are both set: choose one")
        try:
            text = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
            raise AccessError(f"{name}_file {file} cannot be read: {reason}") from None
        if not text:
            raise AccessError(f"{name}_file {file} is empty")
    if text and len(text) < LEAST_CHARACTERS:
        raise AccessError(f"{name} is too short: it takes {LEAST_CHARACTERS} characters at least")
    return text


def _same(one: str, other: str) -> bool:
    """Compare in a time that tells nothing about where they differ; nothing equals an empty secret."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (one, other)]
    return hmac.compare_digest(*digests) and bool(other)
