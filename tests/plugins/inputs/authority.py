"""A certificate authority for tests: certificates of a server and of clients, made with openssl."""

from __future__ import annotations

import shutil
import ssl
import subprocess
import warnings
from pathlib import Path

import pytest

_RSA_KEY = ("rsa:2048",)
_CHEAP_KEY = ("ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")


class Authority:
    """Files in ``folder``: ``NAME.crt`` and ``NAME.key`` of ``ca``, ``server``, ``client``, ``stranger`` and ``short``.

    The last but one is signed by nobody whom others know, the last is valid for two days. Also ``server.der``,
    ``torn.crt``, and ``encrypted.key``, which is the server's, with the passphrase ``secret``.
    """

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl is needed to make certificates")
        self.folder = folder
        self._make("ca", "-addext", "basicConstraints=critical,CA:TRUE")
        self._make("stranger", "-addext", "subjectAltName=IP:127.0.0.1", key=_RSA_KEY)
        signed = ("-addext", "subjectAltName=IP:127.0.0.1", "-CA", "ca.crt", "-CAkey", "ca.key")
        self._make("server", *signed, key=_RSA_KEY)  # which old suites need
        self._make("client", *signed)
        self._make("short", days=2)
        self._run("x509", "-in", "server.crt", "-outform", "der", "-out", "server.der")
        self._run("pkey", "-in", "server.key", "-aes256", "-passout", "pass:secret", "-out", "encrypted.key")
        pem = (folder / "server.crt").read_text().splitlines()
        (folder / "torn.crt").write_text("\n".join([*pem[:3], *pem[4:]]))

    def _make(self, name: str, *more: str, days: int = 99, key: tuple[str, ...] = _CHEAP_KEY) -> None:
        files = ("-nodes", "-keyout", f"{name}.key", "-out", f"{name}.crt")
        self._run("req", "-x509", "-newkey", *key, *files, "-days", str(days), "-subj", f"/CN={name}", *more)

    def _run(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def files(self, name: str) -> tuple[Path, Path]:
        """Return the files of a certificate and its key."""
        return self.folder / f"{name}.crt", self.folder / f"{name}.key"

    @property
    def server(self) -> tuple[Path, Path]:
        """The files of the server."""
        return self.files("server")

    def client_context(self, *, trusts: str = "ca", certificate: str = "", old: bool = False) -> ssl.SSLContext:
        """Return the context of a client that trusts an authority.

        ``certificate``: its own, if it has one. ``old``: it has no TLS 1.2.
        """
        context = ssl.create_default_context(cafile=str(self.folder / f"{trusts}.crt"))
        if old:
            if not ssl.HAS_TLSv1_1:
                pytest.skip("this Python has no TLS 1.1")
            context.set_ciphers("DEFAULT:@SECLEVEL=0")  # OpenSSL 3 has older versions only so
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        if certificate:
            context.load_cert_chain(*self.files(certificate))
        return context
