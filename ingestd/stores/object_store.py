"""Object store: a folder or an S3 bucket, for backups of the built-in store and for the output ``s3``."""

from __future__ import annotations

import configparser
import datetime
import errno
import hashlib
import os
import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ingestd.stores.backups import BackupError, Repository, RepositoryUnavailableError

if TYPE_CHECKING:
    from obstore.store import ObjectStore as ObstoreStore

PART_BYTES = 8 << 20
"""Size of the parts that files are sent and fetched in; S3 takes 10,000 parts of 5 MiB to 5 GiB each."""

_PARTS_AT_ONCE = 2
_TIMEOUT = datetime.timedelta(minutes=5)
"""Of one request. Four files are transferred at a time, two parts of each, so 2 Mbit/s are enough."""

_STATUS = re.compile(r"status code: (\d{3}) ([A-Z][A-Za-z ]*)")
_CODE = re.compile(r"<Code>(\w{1,60})</Code>")
_PREAMBLE = re.compile(r"^(Generic \w+ error|HTTP error): ")

_CONNECT_TIMEOUT = datetime.timedelta(seconds=10)
_RETRY_TIMEOUT = datetime.timedelta(minutes=3)
_RETRIES = 4


@dataclass(frozen=True, slots=True)
class S3Access:
    """How a bucket is accessed, unless as the environment says.

    Attributes:
        credentials: ``access_key_id``, ``secret_access_key`` and perhaps ``token``; empty: see
            `shared_aws_credentials`.
        config: Options of the S3 client: https://developmentseed.org/obstore/latest/api/store/aws/.
        proxy: URL of an HTTP proxy; empty: none.
    """

    credentials: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    proxy: str = ""


class ObjectStore:
    """The objects of a repository, by key; each is written atomically. Thread-safe.

    Args:
        repository: The repository; keys are relative to its ``base_path`` or ``location``. Errors name it if it has a
            name.
        environ: Environment variables with credentials, see `shared_aws_credentials`.
        timeout: Of one request; failed requests are retried a few times.
        access: How a bucket is accessed.

    Raises:
        BackupError: The settings are invalid.
    """

    def __init__(
        self,
        repository: Repository,
        environ: dict[str, str] | None = None,
        timeout: datetime.timedelta = _TIMEOUT,
        access: S3Access | None = None,
    ) -> None:
        self.name = repository.name
        self._backup_error: Callable[[Exception], BackupError] = lambda error: _to_backup_error(error, repository)
        with self._as_backup_errors():
            self._store = _open(
                repository, dict(os.environ) if environ is None else environ, timeout, access or S3Access()
            )

    def put(self, key: str, parts: Iterable[bytes]) -> None:
        """Write an object from its parts; an interrupted upload leaves nothing."""
        import obstore  # noqa: PLC0415 - other commands need none

        with self._as_backup_errors():
            obstore.put(
                self._store, key, parts, use_multipart=True, chunk_size=PART_BYTES, max_concurrency=_PARTS_AT_ONCE
            )

    def put_bytes(self, key: str, body: bytes) -> None:
        """Write a small object."""
        import obstore  # noqa: PLC0415

        with self._as_backup_errors():
            obstore.put(self._store, key, body, use_multipart=False)

    async def upload(self, key: str, body: bytes | AsyncIterator[bytes], attributes: Mapping[str, str]) -> None:
        """Write an object, from an iterator in parts; an upload that is cancelled or fails leaves nothing to see.

        Args:
            key: Its key.
            body: What it holds.
            attributes: Such as ``Content-Type`` and ``Storage-Class``.

        Raises:
            BackupError: It cannot be written.
        """
        import obstore  # noqa: PLC0415

        multipart = not isinstance(body, bytes)
        with self._as_backup_errors():
            await obstore.put_async(
                self._store,
                key,
                body,
                attributes=dict(attributes),
                use_multipart=multipart,
                chunk_size=PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )

    def get(self, key: str) -> bytes:
        """Return an object.

        Raises:
            KeyError: There is no such object.
        """
        import obstore  # noqa: PLC0415

        with self._as_backup_errors(key):
            return bytes(obstore.get(self._store, key).bytes())

    def stream(self, key: str) -> Iterator[bytes]:
        """Yield an object in parts, each with a request of its own, so that many gigabytes can come over a slow line.

        Raises:
            KeyError: There is no such object.
        """
        import obstore  # noqa: PLC0415

        size = self.size(key)
        if size is None:
            raise KeyError(key)
        for start in range(0, size, PART_BYTES):
            with self._as_backup_errors(key):
                part = bytes(obstore.get_range(self._store, key, start=start, end=min(start + PART_BYTES, size)))
            yield part

    def size(self, key: str) -> int | None:
        """Return the size of an object in bytes, None if it does not exist."""
        import obstore  # noqa: PLC0415

        try:
            with self._as_backup_errors(key):
                return int(obstore.head(self._store, key)["size"])
        except KeyError:
            return None

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that start with ``prefix``, which ends with ``/`` or is empty, sorted."""
        import obstore  # noqa: PLC0415

        with self._as_backup_errors():
            objects: list[Any] = obstore.list(self._store, prefix or None).collect()  # type: ignore[assignment]
            return sorted(str(entry["path"]) for entry in objects)

    def delete(self, keys: list[str]) -> None:
        """Delete objects; missing ones are ignored."""
        import obstore  # noqa: PLC0415

        for key in keys:
            try:
                with self._as_backup_errors(key):
                    obstore.delete(self._store, key)
            except KeyError:
                continue

    def check(self) -> None:
        """Write, read and delete an object.

        Raises:
            BackupError: One of these is not possible.
        """
        body = os.urandom(16).hex().encode()
        key = f"check-{hashlib.sha256(body).hexdigest()[:16]}"
        self.put_bytes(key, body)
        if self.get(key) != body:
            raise BackupError(f"repository {self.name}: what was read is not what was written")
        self.delete([key])

    @contextmanager
    def _as_backup_errors(self, key: str = "") -> Iterator[None]:
        """Raise BackupError for errors of the client; KeyError if the object ``key`` does not exist."""
        from obstore.exceptions import BaseError  # noqa: PLC0415

        try:
            yield
        except (BaseError, OSError, ValueError) as error:
            if key and isinstance(error, FileNotFoundError):
                raise KeyError(key) from None
            raise self._backup_error(error) from None


def _open(
    repository: Repository, environ: dict[str, str], timeout: datetime.timedelta, access: S3Access
) -> ObstoreStore:
    from obstore.store import LocalStore, S3Store  # noqa: PLC0415

    settings = repository.settings
    if repository.kind == "fs":
        folder = Path(settings["location"]).expanduser().absolute()
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        return LocalStore(folder, automatic_cleanup=True)
    endpoint = settings.get("endpoint", "")
    config: dict[str, Any] = {} if access.credentials else shared_aws_credentials(environ)
    if settings.get("region"):
        config["region"] = settings["region"]
    if endpoint:
        # MinIO and most others have no DNS name for each bucket: its name is the first part of the path.
        config |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    config |= access.config
    return S3Store(
        settings["bucket"],
        prefix=settings.get("base_path", "").strip("/") or None,
        config=config,  # type: ignore[arg-type]
        client_options={
            "timeout": timeout,
            "connect_timeout": min(timeout, _CONNECT_TIMEOUT),
            "allow_http": endpoint.startswith("http:"),
            **({"proxy_url": access.proxy} if access.proxy else {}),
        },
        retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRY_TIMEOUT},
        # not in the config: a session token of the environment would be sent with them
        credential_provider=(lambda: {**access.credentials, "expires_at": None}) if access.credentials else None,  # type: ignore[arg-type]
    )


def _to_backup_error(error: Exception, repository: Repository) -> BackupError:
    """Return an error for the user: what failed, without the response's body and without the request's signature."""
    from obstore import exceptions  # noqa: PLC0415

    location = repository.settings.get("location") or f"bucket {repository.settings.get('bucket')}"
    subject = f"repository {repository.name} ({location})" if repository.name else location
    status, code = _STATUS.search(str(error)), _CODE.search(str(error))
    reason = f" ({code[1]})" if code else ""
    denied = isinstance(error, exceptions.UnauthenticatedError | exceptions.PermissionDeniedError)
    if denied or (status and status[1] == "403"):
        return RepositoryUnavailableError(
            f"{subject} denies access{reason}: check the credentials and their permissions"
        )
    if isinstance(error, FileNotFoundError) or (status and status[1] == "404"):
        return BackupError(f"{subject} does not exist{reason}; create it first")
    if getattr(error, "errno", None) == errno.EROFS or "(os error 30)" in str(error):  # the latter from Rust
        text = f"{subject} is read-only for this process; its systemd unit needs ReadWritePaths={location}"
        return RepositoryUnavailableError(text)
    if isinstance(error, OSError):
        return RepositoryUnavailableError(f"{subject} cannot be used: {error.strerror or error}")
    if isinstance(error, exceptions.GenericError):
        answer = f"answers {status[1]} {status[2]}{reason}" if status else f"does not answer: {_first_words(error)}"
        return RepositoryUnavailableError(f"{subject} {answer}")
    return BackupError(f"{subject} cannot be used: {_first_words(error)}")


def _first_words(error: Exception) -> str:
    """Return the client's message without its usual prefix and without the URL."""
    text = str(error).strip().partition("\n")[0].rpartition(" - ")[2]
    text = _PREAMBLE.sub("", text)
    return text if len(text) <= 200 else text[:200] + "…"


_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}


def shared_aws_credentials(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the credentials of the profile in AWS's shared file; empty if the environment has some or there are none.

    The order is that of AWS's tools: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html. The
    environment and the instance (metadata service, container, web identity) are read by the S3 client itself.

    Raises:
        BackupError: AWS_PROFILE names a profile that does not exist, or the file cannot be read.
    """
    if environ.get("AWS_ACCESS_KEY_ID"):
        return {}
    profile = environ.get("AWS_PROFILE", "default")
    path = Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    parser = configparser.RawConfigParser()  # raw: a secret may contain a percent sign
    try:
        parser.read_string(path.read_text("utf-8"))
    except FileNotFoundError:
        parser.clear()
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        # The texts of other errors may quote secrets.
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise BackupError(f"the credentials in {path} cannot be read: {reason}") from None
    if not parser.has_section(profile):
        if "AWS_PROFILE" in environ:
            raise BackupError(f"there is no profile {profile!r} in {path}, which AWS_PROFILE names")
        return {}
    section = parser[profile]
    return {name: section[key] for key, name in _KEYS.items() if section.get(key)}
