"""What TLS files say about themselves: dates of certificates, kinds of keys, names of cipher suites."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.protocols.certificates import (
    Validity,
    certificates,
    has_encrypted_key,
    has_private_key,
    is_tls13_suite,
    openssl_suite,
    validity,
)


def element(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def certificate(first: bytes, last: bytes, *, version: bool = True, issuer: bytes = b"x" * 300) -> bytes:
    """Return the start of a certificate, as far as its dates."""
    fields = element(0xA0, element(2, b"\x02")) if version else b""
    fields += element(2, b"\x01\x02") + element(0x30, b"alg") + element(0x30, issuer)
    fields += element(0x30, first + last) + element(0x30, b"subject")
    return element(0x30, element(0x30, fields) + element(0x30, b"alg"))


FIRST, LAST = datetime(2026, 11, 1, 10, 20, 30, tzinfo=UTC), datetime(2051, 1, 2, tzinfo=UTC)
CERTIFICATES = {  # id: certificate, validity
    "usual": (certificate(element(0x17, b"261101102030Z"), element(0x18, b"20510102000000Z")), Validity(FIRST, LAST)),
    "no_version": (
        certificate(element(0x17, b"261101102030Z"), element(0x18, b"20510102000000Z"), version=False),
        Validity(FIRST, LAST),
    ),
    "last_century": (
        certificate(element(0x17, b"500101000000Z"), element(0x17, b"490101000000Z")),
        Validity(datetime(1950, 1, 1, tzinfo=UTC), datetime(2049, 1, 1, tzinfo=UTC)),
    ),
    "odd_time": (certificate(element(0x17, b"2611011020Z"), element(0x17, b"x")), None),
    "cut": (certificate(element(0x17, b"261101102030Z"), element(0x18, b"20510102000000Z"))[:200], None),
    "text": (b"no certificate", None),
    "empty": (b"", None),
}


@pytest.mark.parametrize(("der", "expected"), CERTIFICATES.values(), ids=CERTIFICATES.keys())
def test_validity(der: bytes, expected: Validity | None) -> None:
    assert validity(der) == expected


@given(st.binary(max_size=80) | st.sampled_from([CERTIFICATES["usual"][0][:size] for size in range(360)]))
def test_odd_bytes_are_no_certificate(der: bytes) -> None:
    assert validity(der) in (None, Validity(FIRST, LAST))


def pem(kind: str, content: bytes) -> bytes:
    return f"-----BEGIN {kind}-----\n{base64.b64encode(content).decode()}\n-----END {kind}-----\n".encode()


def test_certificates_of_a_file() -> None:
    text = b"comment\n" + pem("CERTIFICATE", b"one") + pem("PRIVATE KEY", b"key") + pem("CERTIFICATE", b"two")
    assert certificates(text) == [b"one", b"two"]
    assert certificates(text.replace(b"b25l", b"b25")) == [b"two"]
    assert certificates(pem("PRIVATE KEY", b"key")) == []


KEYS = {  # id: file, whether it has a key, whether that is encrypted
    "pkcs8": (pem("PRIVATE KEY", b"key"), True, False),
    "rsa": (pem("RSA PRIVATE KEY", b"key"), True, False),
    "ec": (pem("EC PRIVATE KEY", b"key"), True, False),
    "encrypted": (pem("ENCRYPTED PRIVATE KEY", b"key"), True, True),
    "older": (
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\na2V5\n",
        True,
        True,
    ),
    "public": (pem("PUBLIC KEY", b"key"), False, False),
    "certificate": (pem("CERTIFICATE", b"key"), False, False),
}


@pytest.mark.parametrize(("file", "has_key", "encrypted"), KEYS.values(), ids=KEYS.keys())
def test_keys(file: bytes, has_key: bool, encrypted: bool) -> None:
    assert (has_private_key(file), has_encrypted_key(file)) == (has_key, encrypted)


SUITES = {  # IANA: OpenSSL, as `openssl ciphers -stdname` prints them
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256": "DHE-RSA-AES256-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "SSL_RSA_WITH_3DES_EDE_CBC_SHA": "DES-CBC3-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8": "ECDHE-ECDSA-AES128-CCM8",
    "TLS_DHE_RSA_WITH_AES_128_CCM": "DHE-RSA-AES128-CCM",
    "TLS_AES_256_GCM_SHA384": "TLS_AES_256_GCM_SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
}


@pytest.mark.parametrize(("iana", "openssl"), SUITES.items(), ids=SUITES.keys())
def test_names_of_suites(iana: str, openssl: str) -> None:
    assert openssl_suite(iana) == openssl
    assert is_tls13_suite(iana) == (iana == "TLS_AES_256_GCM_SHA384")
