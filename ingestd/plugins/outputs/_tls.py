"""TLS of outputs that are clients: the options, by Logstash's names, and what is made of the files that they name."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from ingestd.plugins.inputs._tls import (
    TLS_LEGACY,
    TlsOptions,
    load_authorities,
    load_certificate,
    set_suites,
    set_versions,
)
from ingestd.plugins.registry import LegacyOption, OptionError, option, replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTlsOptions:
    """Options of the TLS of a client."""

    ssl_certificate_authorities: list[str] = option(
        [], "PEM files of trusted certificate authorities; default: the system's."
    )
    ssl_verification_mode: str = option("full", "`none` skips the check of the certificate.", choices=("full", "none"))
    ssl_certificate: str | None = option(None, "PEM file with the client certificate and its chain.")
    ssl_key: str | None = option(None, "PEM file with its private key.")
    ssl_key_passphrase: str | None = option(None, "Passphrase of the private key, if it is encrypted.")
    ssl_supported_protocols: list[str] = option(
        [],
        "Versions of TLS. Empty: 1.2 and 1.3. TLS 1.1 is insecure and never offered.",
        choices=("TLSv1.1", "TLSv1.2", "TLSv1.3"),
    )
    ssl_cipher_suites: list[str] = option(
        [], "Cipher suites, by the names of IANA (and Java) or OpenSSL. Empty: OpenSSL's choice."
    )


CLIENT_TLS_LEGACY: dict[str, LegacyOption] = {
    name: old for name, old in TLS_LEGACY.items() if "store" in name or name == "cipher_suites"
} | {
    "ssl_cacert": replaced("ssl_certificate_authorities"),
    "ssl_cert": replaced("ssl_certificate"),
    "ssl_verify": replaced("ssl_verification_mode", true="full", false="none"),
}
"""Options of Logstash's outputs that have other names here, or no effect."""


def client_context(options: ClientTlsOptions) -> ssl.SSLContext:
    """Return the context for new connections, made of the files as they are.

    Raises:
        OptionError: A file is missing, is not what it should be, or does not fit; an option is not possible.
    """
    shared = TlsOptions(
        ssl_certificate=options.ssl_certificate,
        ssl_key=options.ssl_key,
        ssl_key_passphrase=options.ssl_key_passphrase,
        ssl_supported_protocols=options.ssl_supported_protocols,
        ssl_cipher_suites=options.ssl_cipher_suites,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    set_versions(context, shared)
    set_suites(context, shared)
    if options.ssl_certificate or options.ssl_key:
        load_certificate(context, shared)
    if options.ssl_verification_mode == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif options.ssl_certificate_authorities:
        load_authorities(context, options.ssl_certificate_authorities)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    return context


def load_revocations(context: ssl.SSLContext, path: str, *, chain: bool) -> None:
    """Refuse a server whose certificate is in a file of revoked ones, with ``chain`` also those of its authorities.

    Raises:
        OptionError: The file is missing, or has no revocations.
    """
    before = context.cert_store_stats()["crl"]
    try:
        context.load_verify_locations(path)
    except OSError as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        raise OptionError(f"ssl_crl_path: {path!r} cannot be used: {reason}", path) from None
    if context.cert_store_stats()["crl"] == before:
        raise OptionError(f"ssl_crl_path: {path!r} has no list of revoked certificates", path)
    context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN if chain else ssl.VERIFY_CRL_CHECK_LEAF
