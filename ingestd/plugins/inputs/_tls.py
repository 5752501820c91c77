"""TLS of inputs that listen: the options, by Logstash's names, and what is made of the files that they name.

TLS 1.2 is the minimum. Every new connection uses the files as they are then: certificates can be replaced while the
daemon runs. Files that do not match are reported in the log, and the previous ones stay in use; workers that start
later get these from their parent process.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingestd.files import Version, file_version
from ingestd.logs import Outage, get_logger
from ingestd.plugins.registry import LegacyOption, OptionError, OptionWarning, ignored, option, replaced, unsupported
from ingestd.protocols.certificates import (
    certificates,
    has_encrypted_key,
    has_private_key,
    is_tls13_suite,
    openssl_suite,
    validity,
)

log = get_logger(__name__)

_DAY_SECONDS = 86400.0
_SOON_DAYS = 14
"""A certificate that ends so soon is warned of."""

_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}

_VERIFY_MODES = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


def client_authentication(default: str) -> str:
    """Declare the option ``ssl_client_authentication``: Logstash's inputs have different defaults."""
    declared: str = option(
        default,
        "Whether clients need a certificate: `none` asks for none, `optional` checks it if there is one, `required` "
        "refuses clients without one.",
        choices=("none", "optional", "required"),
    )
    return declared


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """Options of the TLS of an input."""

    ssl_enabled: bool = option(False, "Accept only TLS connections; needs `ssl_certificate` and `ssl_key`.")
    ssl_certificate: str | None = option(
        None, "File with the certificate in PEM format, followed by its chain. It is read again when it changes."
    )
    ssl_key: str | None = option(None, "File with the private key of the certificate, in PEM format.")
    ssl_key_passphrase: str | None = option(None, "Passphrase of the private key, if it is encrypted.")
    ssl_extra_chain_certs: list[str] = option(
        [], "Files with further certificates of the chain, if `ssl_certificate` does not hold them."
    )
    ssl_certificate_authorities: list[str] = option(
        [], "Files with the authorities that sign certificates of clients, in PEM format. Empty: those of the system."
    )
    ssl_client_authentication: str = client_authentication("none")
    ssl_supported_protocols: list[str] = option(
        [],
        "Versions of TLS. Empty: 1.2 and 1.3. TLS 1.1 is insecure and never offered.",
        choices=("TLSv1.1", "TLSv1.2", "TLSv1.3"),
    )
    ssl_cipher_suites: list[str] = option(
        [], "Cipher suites, by the names of IANA (and Java) or OpenSSL. Empty: OpenSSL's choice."
    )


_NO_KEYSTORE = unsupported(
    "write ssl_certificate and ssl_key; `openssl pkcs12 -in FILE -nodes` writes both of a PKCS #12 store as PEM, and "
    "`keytool -importkeystore -deststoretype pkcs12` converts a JKS"
)
_NO_TRUSTSTORE = unsupported(
    "write ssl_certificate_authorities; `keytool -exportcert -rfc` writes a certificate of a store as PEM"
)

TLS_LEGACY: dict[str, LegacyOption] = {
    "ssl": replaced("ssl_enabled"),
    "ssl_enable": replaced("ssl_enabled"),
    "ssl_cert": replaced("ssl_certificate"),
    "ssl_verify": replaced("ssl_client_authentication", true="required", false="none"),
    "ssl_verify_mode": replaced("ssl_client_authentication", peer="optional", force_peer="required"),
    "cipher_suites": replaced("ssl_cipher_suites"),
    "ssl_verification_mode": ignored("it applies to servers; clients are checked as ssl_client_authentication says"),
    "tls_min_version": ignored("TLS 1.2 is the minimum; write ssl_supported_protocols => ['TLSv1.3'] for more"),
    "tls_max_version": ignored("write ssl_supported_protocols => ['TLSv1.2'] to leave TLS 1.3 out"),
    "keystore": _NO_KEYSTORE,
    "keystore_password": _NO_KEYSTORE,
    "ssl_keystore_path": _NO_KEYSTORE,
    "ssl_keystore_password": _NO_KEYSTORE,
    "ssl_keystore_type": _NO_KEYSTORE,
    "ssl_truststore_path": _NO_TRUSTSTORE,
    "ssl_truststore_password": _NO_TRUSTSTORE,
    "ssl_truststore_type": _NO_TRUSTSTORE,
}
"""Options of Logstash's inputs that have other names here, or no effect."""


def server_context(options: TlsOptions) -> ssl.SSLContext | None:
    """Return the context for new connections, made of the files as they are; None: no TLS.

    Raises:
        OptionError: A file is missing, is not what it should be, or does not fit; an option is not possible.
    """
    if not options.ssl_enabled:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # a client that never reads them would reset its connection as it closes it: close(2)
    context.options |= ssl.OP_NO_RENEGOTIATION  # it would cost a handshake each, as often as a client likes
    set_versions(context, options)
    set_suites(context, options)
    load_certificate(context, options)
    context.verify_mode = _VERIFY_MODES[options.ssl_client_authentication]
    if options.ssl_client_authentication != "none":
        _load_authorities(context, options)
    return context


def set_versions(context: ssl.SSLContext, options: TlsOptions) -> None:
    """Offer only the versions of ``ssl_supported_protocols``. Raises OptionError if none of them is secure."""
    wanted = [version for name, version in _VERSIONS.items() if name in options.ssl_supported_protocols]
    if options.ssl_supported_protocols and not wanted:
        raise OptionError("ssl_supported_protocols: TLS 1.1 is insecure and not offered", "TLSv1.1", "add 'TLSv1.2'")
    context.minimum_version = min(wanted, default=ssl.TLSVersion.TLSv1_2)
    context.maximum_version = max(wanted, default=ssl.TLSVersion.MAXIMUM_SUPPORTED)


def set_suites(context: ssl.SSLContext, options: TlsOptions) -> None:
    """Offer only the suites of ``ssl_cipher_suites``; of TLS 1.3, all or none."""
    older = [name for name in options.ssl_cipher_suites if not is_tls13_suite(name)]
    for name in older:
        try:
            context.set_ciphers(openssl_suite(name))
        except ssl.SSLError:
            text = f"ssl_cipher_suites: OpenSSL has no suite {name!r}"
            raise OptionError(text, name, "`openssl ciphers -s -stdname` lists those that it has") from None
    if older:
        context.set_ciphers(":".join(map(openssl_suite, older)))
        if len(older) == len(options.ssl_cipher_suites):
            context.maximum_version = min(context.maximum_version, ssl.TLSVersion.TLSv1_2, key=_order)
    elif options.ssl_cipher_suites:
        context.minimum_version = ssl.TLSVersion.TLSv1_3


def _order(version: ssl.TLSVersion) -> int:
    return version if version > 0 else 1 << 16  # MAXIMUM_SUPPORTED is negative


def load_certificate(context: ssl.SSLContext, options: TlsOptions) -> None:
    """Load ``ssl_certificate`` and ``ssl_key``. Raises OptionError if one is missing or they do not fit."""
    path, key = _given(options.ssl_certificate, "ssl_certificate"), _given(options.ssl_key, "ssl_key")
    parts = [_read_certificates(file, "ssl_certificate") for file in (path, *options.ssl_extra_chain_certs)]
    encrypted = _check_key(key, options.ssl_key_passphrase)
    try:
        if len(parts) == 1:
            context.load_cert_chain(path, key, lambda: options.ssl_key_passphrase or "")
        else:
            with tempfile.NamedTemporaryFile() as chain:  # OpenSSL reads the chain from one file
                chain.write(b"\n".join(parts))
                chain.flush()
                context.load_cert_chain(chain.name, key, lambda: options.ssl_key_passphrase or "")
    except ssl.SSLError as error:
        raise _misfit(error, path, key, encrypted=encrypted) from None


def _given(path: str | None, name: str) -> str:
    if path is None:
        hint = f"add {name} => '/etc/ingestd/...', a file in PEM format"
        raise OptionError(f"ssl_enabled needs the option {name}", "", hint)
    return path


def _read(path: str, name: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        refused_to = f"this runs as user {os.getuid()}, who must be able to read it"
        hint = refused_to if isinstance(error, PermissionError) else "write the absolute path of the file"
        raise OptionError(f"{name}: {path!r} cannot be read: {error.strerror}", path, hint) from None


def _read_certificates(path: str, name: str) -> bytes:
    pem = _read(path, name)
    if not certificates(pem):
        hint = "convert it: `openssl x509 -inform der -in FILE`, or `openssl pkcs12 -in FILE -nokeys`"
        raise OptionError(f"{name}: {path!r} has no certificate in PEM format", path, hint)
    return pem


def _check_key(path: str, passphrase: str | None) -> bool:
    """Return whether the private key is encrypted; then there must be a passphrase."""
    pem = _read(path, "ssl_key")
    if not has_private_key(pem):
        hint = "convert it: `openssl pkey -inform der -in FILE`, or `openssl pkcs12 -in FILE -nocerts -nodes`"
        raise OptionError(f"ssl_key: {path!r} has no private key in PEM format", path, hint)
    encrypted = has_encrypted_key(pem)
    if encrypted and not passphrase:
        raise OptionError(f"ssl_key: {path!r} is encrypted", path, "add ssl_key_passphrase => ...")
    return encrypted


def _misfit(error: ssl.SSLError, path: str, key: str, *, encrypted: bool) -> OptionError:
    reason = error.reason or ""
    if "MISMATCH" in reason or reason == "NO_CERTIFICATE_ASSIGNED":  # the latter for a key of another algorithm
        text = f"ssl_key: {key!r} is not the key of the certificate {path!r}"
        return OptionError(text, key, "`openssl x509 -pubkey -noout` and `openssl pkey -pubout` must print the same")
    if encrypted:
        return OptionError(f"ssl_key: ssl_key_passphrase is wrong for {key!r}", key)
    return OptionError(f"ssl_certificate: {path!r} and {key!r} cannot be used: {reason or error}", path)


def _load_authorities(context: ssl.SSLContext, options: TlsOptions) -> None:
    load_authorities(context, options.ssl_certificate_authorities)
    if not options.ssl_certificate_authorities:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)


def load_authorities(context: ssl.SSLContext, paths: Sequence[str]) -> None:
    """Trust the authorities in files. Raises OptionError if one is missing or has no certificate."""
    for path in paths:
        _read_certificates(path, "ssl_certificate_authorities")
        try:
            context.load_verify_locations(path)
        except ssl.SSLError as error:
            raise OptionError(f"ssl_certificate_authorities: {path!r} cannot be used: {error.reason}", path) from None


def tls_warnings(options: TlsOptions, now: float | None = None) -> Iterator[OptionWarning]:
    """Yield what may be a mistake: certificates that are not valid (any more), options without an effect.

    ``now``: seconds since the epoch.
    """
    if not options.ssl_enabled:
        if options.ssl_certificate is not None:
            text = "ssl_certificate has no effect: ssl_enabled is not set, so the port takes no TLS"
            yield OptionWarning("ssl_certificate", text, "add ssl_enabled => true")
        return
    moment = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    for name, path in _dated(options):
        if problem := _validity_problem(path, moment):
            yield OptionWarning(name, f"{path!r} {problem}", "replace the file; no restart is needed", value=path)
    if "TLSv1.1" in options.ssl_supported_protocols:
        text = "TLS 1.1 is insecure and not offered"
        yield OptionWarning("ssl_supported_protocols", text, "leave 'TLSv1.1' out", value="TLSv1.1")
    if options.ssl_client_authentication == "required" and not options.ssl_certificate_authorities:
        text = "clients need a certificate of an authority that the system knows"
        hint = (
            "name your own with ssl_certificate_authorities, or write ssl_client_authentication => 'none' if clients "
            "have none"
        )
        yield OptionWarning("ssl_client_authentication", text, hint)


def _dated(options: TlsOptions) -> Iterator[tuple[str, str]]:
    if options.ssl_certificate is not None:
        yield "ssl_certificate", options.ssl_certificate
    if options.ssl_client_authentication != "none":
        yield from (("ssl_certificate_authorities", path) for path in options.ssl_certificate_authorities)


def _validity_problem(path: str, now: datetime) -> str:
    """Return what is wrong with the dates of the first certificate of a file, empty if nothing is."""
    try:
        found = certificates(Path(path).read_bytes())
    except OSError:
        return ""  # an error already
    dates = validity(found[0]) if found else None
    if dates is None:
        return ""
    if now >= dates.not_after:
        return f"has expired on {dates.not_after:%Y-%m-%d}"
    if now < dates.not_before:
        return f"is not valid before {dates.not_before:%Y-%m-%d %H:%M} UTC"
    days = (dates.not_after - now).days
    return f"expires in {days} days, on {dates.not_after:%Y-%m-%d}" if days < _SOON_DAYS else ""


_Versions = list[Version | None]

_last_good: dict[str, tuple[_Versions, ssl.SSLContext]] = {}
"""What was made last of each set of options: for processes that are forked while the files do not fit."""


class ServerContexts:
    """The context for new connections, made again when one of the files has changed.

    Args:
        options: With ``ssl_enabled``.
        pipeline: Its name, for the log.
        input_id: The id of the input.

    Raises:
        OptionError: See ``server_context``. Files that were good before, in this process or its parent, are an error
            in the log only.
    """

    def __init__(self, options: TlsOptions, pipeline: str, input_id: str) -> None:
        self._options, self._labels = options, {"pipeline": pipeline, "input": input_id}
        self._key = repr(options)
        self._look_at_dates = 0.0  # when to look again whether a certificate expires soon
        self._outage = Outage(
            log.error,
            "the TLS files cannot be used; the previous ones stay in use",
            log.info,
            "the TLS files can be used again",
        )
        try:
            self._load()
        except OptionError as error:
            if self._key not in _last_good:
                raise
            self._outage.failed(**self._labels, error=error)

    def _load(self) -> None:
        self._tried = _versions(self._options)
        context = server_context(self._options)
        assert context is not None  # noqa: S101 -- it is enabled
        _last_good[self._key] = (self._tried, context)

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection."""
        if _versions(self._options) != self._tried:
            try:
                self._load()
            except OptionError as error:
                self._outage.failed(**self._labels, error=error)
            else:
                self._outage.recovered(**self._labels)
                log.info("new TLS files are in use", **self._labels)
                self._look_at_dates = 0.0
        if (now := time.monotonic()) >= self._look_at_dates:
            self._look_at_dates = now + _DAY_SECONDS
            _log_dates(self._options, self._labels)
        return _last_good[self._key][1]


def _versions(options: TlsOptions) -> _Versions:
    names = (
        options.ssl_certificate,
        options.ssl_key,
        *options.ssl_extra_chain_certs,
        *options.ssl_certificate_authorities,
    )
    return [file_version(Path(name)) for name in names if name]


def _log_dates(options: TlsOptions, labels: dict[str, str]) -> None:
    for _, path in _dated(options):
        if problem := _validity_problem(path, datetime.now(UTC)):
            log.warning("a certificate needs attention", **labels, file=path, problem=problem)
