"""The log handler."""

from __future__ import annotations

import itertools
import logging
import os
import ssl as tls
import tempfile
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

from ingestd_django.connection import Address
from ingestd_django.records import RecordFormatter, encode, timestamp
from ingestd_django.sender import Limits, Sender, report_to_stderr

DEFAULT_PORT = 5044


class IngestdHandler(logging.Handler):
    """Sends records to the input ``beats`` of ingestd, which acknowledges them.

    Takes the arguments of python-logstash's ``TCPLogstashHandler``, and sends the same fields. A record is written to a
    queue; a thread sends it. If ingestd is down, records are kept in a file, and sent when it is back.

    Args:
        host: Where ingestd is.
        port: Of its input ``beats``.
        message_type: The field ``type``.
        tags: The field ``tags``.
        fqdn: Whether ``host`` is the full name of this machine.
        version: Has no effect: the fields are those of version 1.
        ssl: Whether to use TLS, or a context for it.
        ca_certs: File with the certificates of authorities, for a certificate that the system does not trust.
        certfile: File with the client's certificate, and
        keyfile: with its key, for a daemon that asks for one.
        compression_level: Of zlib, 1 to 9; 0: not compressed.
        memory_bytes: Maximum bytes of records that wait in memory.
        spool_bytes: Maximum bytes of records that a process keeps in its file; others are dropped, as stderr reports.
        spool_dir: Folder of the files. Default: one for the user in the folder of temporary files.
        exit_seconds: How long the end of the process waits for acknowledgements; what is left then is in the file.
    """

    def __init__(  # noqa: PLR0913 -- a user's configuration
        self,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        message_type: str = "logstash",
        tags: Sequence[str] | None = None,
        fqdn: bool = False,
        version: int = 1,
        *,
        ssl: bool | tls.SSLContext = False,
        ca_certs: str | None = None,
        certfile: str | None = None,
        keyfile: str | None = None,
        compression_level: int = 0,
        memory_bytes: int = 4 << 20,
        spool_bytes: int = 256 << 20,
        spool_dir: str | Path | None = None,
        exit_seconds: float = 2.0,
    ) -> None:
        context = _tls(ssl, ca_certs, certfile, keyfile)
        if context is not None:
            context()  # a mistake is an error of the settings
        super().__init__()
        folder = Path(spool_dir) if spool_dir is not None else default_spool_dir()
        self._records = RecordFormatter(message_type, tags, fqdn=fqdn)
        self._exit_seconds = exit_seconds
        self.address = Address(host, int(port), tls=context, compression_level=compression_level)
        limits = Limits(memory_bytes, spool_bytes, folder, exit_seconds)
        self._sender = Sender(self.address, limits, report_to_stderr)
        self._ids = _Ids()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record."""
        try:
            message = self.format(record) if self.formatter is not None else None
            self._sender.put(encode(timestamp(record.created), self._ids.next(), self._records.fields(record, message)))
        except Exception:  # noqa: BLE001 -- as every handler of logging
            self.handleError(record)

    @property
    def error(self) -> str:
        """Why the last attempt to send failed; empty if none did."""
        return self._sender.error

    def accepts(self, record: logging.LogRecord) -> bool:
        """Return whether the level and the filters let a record pass."""
        return record.levelno >= self.level and bool(self.filter(record))

    def flush(self, seconds: float | None = None) -> bool:  # type: ignore[override]
        """Wait until records are acknowledged, at most ``seconds``, default ``exit_seconds``, if ingestd is there.

        Returns whether all of them are.
        """
        return self._sender.flush(self._exit_seconds if seconds is None else seconds)

    def close(self) -> None:
        """End: what is not acknowledged in time is in the file, and sent by the next process of the site."""
        self._sender.close()
        super().close()


def _tls(
    wanted: bool | tls.SSLContext, ca_certs: str | None, certfile: str | None, keyfile: str | None
) -> Callable[[], tls.SSLContext] | None:
    """Return what makes the context of a connection; None: it is not encrypted.

    Raises:
        ValueError: There is no such file.
    """
    if isinstance(wanted, tls.SSLContext):
        return lambda: wanted
    if not wanted:
        return None
    for name, path in (("ca_certs", ca_certs), ("certfile", certfile), ("keyfile", keyfile)):
        if path and not Path(path).is_file():
            raise ValueError(f"{name}: there is no file {path}")

    def context() -> tls.SSLContext:
        made = tls.create_default_context(cafile=ca_certs)
        if certfile:
            made.load_cert_chain(certfile, keyfile)
        return made

    return context


def default_spool_dir() -> Path:
    """Return the folder of this user for records that wait."""
    user = os.geteuid() if hasattr(os, "geteuid") else "user"
    return Path(tempfile.gettempdir()) / f"ingestd-django-{user}"


class _Ids:
    """Makes an id for each record: a record that is sent twice is stored once."""

    def __init__(self) -> None:
        self._of_process = (-1, "", itertools.count())

    def next(self) -> str:
        pid, prefix, numbers = self._of_process
        if pid != os.getpid():  # a new process
            _, prefix, numbers = self._of_process = os.getpid(), uuid.uuid4().hex, itertools.count()
        return f"{prefix}-{next(numbers)}"
