"""What TLS files say about themselves: validity of certificates, kinds of PEM blocks, names of cipher suites. Sans-IO.

RFC 5280 (certificates), RFC 7468 (PEM), RFC 8446 appendix B.4 and the IANA registry of TLS cipher suites.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import NamedTuple

_PEM = re.compile(rb"-----BEGIN ((?:TRUSTED |X509 )?CERTIFICATE)-----(.*?)-----END \1-----", re.DOTALL)
_PRIVATE_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_ENCRYPTED_KEY = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)

_SEQUENCE, _INTEGER, _UTC_TIME, _GENERALIZED_TIME, _VERSION = 0x30, 0x02, 0x17, 0x18, 0xA0


class Validity(NamedTuple):
    """From when to when a certificate is valid."""

    not_before: datetime
    not_after: datetime


def certificates(pem: bytes) -> list[bytes]:
    """Return the certificates of a PEM file, in DER; those whose Base64 is broken are missing."""
    found: list[bytes] = []
    for match in _PEM.finditer(pem):
        try:
            found.append(base64.b64decode(match[2]))
        except binascii.Error:
            continue
    return found


def has_private_key(pem: bytes) -> bool:
    """Return whether a file has a private key in PEM format."""
    return _PRIVATE_KEY.search(pem) is not None


def has_encrypted_key(pem: bytes) -> bool:
    """Return whether the private key of a PEM file needs a passphrase (PKCS #8, or the older form of OpenSSL)."""
    return _ENCRYPTED_KEY.search(pem) is not None


def validity(der: bytes) -> Validity | None:
    """Return the validity of a certificate (RFC 5280, section 4.1.2.5); None: that is not a certificate."""
    try:
        certificate, _ = _content(der, 0, _SEQUENCE)
        rest, _ = _content(certificate, 0, _SEQUENCE)
        at = _content(rest, 0, _VERSION)[1] if rest[0] == _VERSION else 0
        for tag in (_INTEGER, _SEQUENCE, _SEQUENCE):  # serial number, algorithm, issuer
            _, at = _content(rest, at, tag)
        dates, _ = _content(rest, at, _SEQUENCE)
        first, at = _time(dates, 0)
        return Validity(first, _time(dates, at)[0])
    except (ValueError, IndexError):
        return None


def _content(data: bytes, at: int, tag: int) -> tuple[bytes, int]:
    """Return the content of the element at ``at``, and where the next one is. Raises ValueError."""
    if data[at] != tag:
        raise ValueError(f"element {data[at]:#x}, not {tag:#x}")
    size, start = data[at + 1], at + 2
    if size & 0x80:
        start, size = start + (size & 0x7F), int.from_bytes(data[start : start + (size & 0x7F)], "big")
    if start + size > len(data):
        raise ValueError("the data end before the element")
    return data[start : start + size], start + size


def _time(data: bytes, at: int) -> tuple[datetime, int]:
    """Return a UTCTime, whose years are 1950 to 2049, or a GeneralizedTime, and where the next element is."""
    tag = _UTC_TIME if data[at] == _UTC_TIME else _GENERALIZED_TIME
    content, end = _content(data, at, tag)
    text = content.decode("ascii", "replace")
    if tag == _UTC_TIME:
        text = ("19" if text >= "5" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC), end


_SUITE = re.compile("(?:TLS|SSL)_(?:([A-Z0-9_]+)_WITH_)?([A-Z0-9_]+)")
_AES = re.compile("(AES|CAMELLIA|ARIA)-(128|256)")


def openssl_suite(name: str) -> str:
    """Return OpenSSL's name of a cipher suite that has the name of IANA or of Java; another name as it is.

    Suites of TLS 1.3 have the same name everywhere: ``TLS_AES_256_GCM_SHA384``.
    """
    match = _SUITE.fullmatch(name)
    if match is None or match[1] is None:
        return name
    exchange = "" if match[1] == "RSA" else match[1].replace("_", "-") + "-"
    cipher = _AES.sub(r"\1\2", match[2].replace("_", "-"))
    if cipher == "3DES-EDE-CBC-SHA":
        return exchange + "DES-CBC3-SHA"
    cipher = cipher.replace("-CBC-", "-").replace("-CCM-8", "-CCM8")
    if cipher.endswith("-POLY1305-SHA256"):
        cipher = cipher.removesuffix("-SHA256")
    return (exchange + cipher).replace("ECDHE-RSA-ARIA", "ECDHE-ARIA")


def is_tls13_suite(name: str) -> bool:
    """Return whether a cipher suite is one of TLS 1.3 (RFC 8446, appendix B.4)."""
    match = _SUITE.fullmatch(name)
    return match is not None and match[1] is None
