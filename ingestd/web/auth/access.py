"""Who may see the pages: the secrets in the settings, and when a daemon must have one."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from dataclasses import dataclass, field
from pathlib import Path

from ingestd.files import read_secret
from ingestd.settings import Settings
from ingestd.units import Address

MIN_SECRET_LENGTH = 8
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


class AccessError(OSError):
    """The pages cannot be served with these settings; the text is one sentence that says what to do.

    An ``OSError``, like every other reason why an address cannot be served.
    """


@dataclass(frozen=True, slots=True)
class Access:
    """Who may see what. Without secrets everybody may, which is for loopback addresses only.

    Attributes:
        password: For people.
        token: For programs; people may use it as a password, too.
        open_metrics: Whether ``/metrics`` and ``/health`` need neither.
        trust_proxy: Whether X-Forwarded-For and X-Forwarded-Proto are trusted.
        hosts: Names, in lower case, that are accepted as Host when there is no secret.
    """

    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    open_metrics: bool = False
    trust_proxy: bool = False
    hosts: frozenset[str] = frozenset()

    @property
    def login_required(self) -> bool:
        """Whether clients have to authenticate."""
        return bool(self.password or self.token)

    def accepts_login(self, secret: str) -> bool:
        """Return whether a person may sign in with ``secret``; takes the same time if not."""
        return _equal(secret, self.password) | _equal(secret, self.token)

    def accepts_token(self, token: str) -> bool:
        """Return whether a program may authenticate with ``token``."""
        return _equal(token, self.token)

    def check(self, address: Address) -> None:
        """Make sure that pages without authentication are not served to the network.

        Raises:
            AccessError: They would be.
        """
        if not self.login_required and not is_loopback(address.host):
            raise AccessError(
                f"{address} can be reached from outside, and the dashboard has no password: set http_password_file "
                "or INGESTD_HTTP_PASSWORD (or http_token), or serve on a loopback address: --http 127.0.0.1:9600"
            )


def load_access(settings: Settings) -> Access:
    """Return who may see the pages; reads the files of secrets.

    Raises:
        AccessError: A file cannot be read, or a secret is set twice or too short.
    """
    return Access(
        password=_secret("http_password", settings.http_password, settings.http_password_file),
        token=_secret("http_token", settings.http_token, settings.http_token_file),
        open_metrics=settings.http_open_metrics,
        trust_proxy=settings.http_trust_proxy,
        hosts=frozenset(name.strip().lower() for name in settings.http_hosts.split(",") if name.strip()),
    )


def path_prefix(settings: Settings) -> str:
    """Return what all paths start with: ``/logs``, or empty.

    Raises:
        AccessError: The setting is not a path.
    """
    prefix = settings.http_prefix.rstrip("/")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise AccessError(f"http_prefix must be a path such as /logs, not {settings.http_prefix!r}")
    return prefix


def is_loopback(host: str) -> bool:
    """Return whether only this machine can connect to ``host``; false for names other than localhost."""
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
            text = read_secret(file)
        except ValueError as error:
            raise AccessError(f"{name}_file {error}") from None
    if text and len(text) < MIN_SECRET_LENGTH:
        raise AccessError(f"{name} is too short: it needs at least {MIN_SECRET_LENGTH} characters")
    return text


def _equal(given: str, secret: str) -> bool:
    """Compare in constant time; nothing equals an empty secret."""
    digests = [hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest() for text in (given, secret)]
    return hmac.compare_digest(*digests) and bool(secret)
