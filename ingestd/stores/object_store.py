"""Object store: a folder or an S3 bucket, for backups of the built-in store and for the output ``s3``."""

from __future__ import annotations

import configparser
import datetime
import hashlib
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ingestd.protocols.http.aws_signature import AwsKeys
from ingestd.stores.backups import BackupError, Repository
from ingestd.stores.object_store_errors import backup_error

if TYPE_CHECKING:
    from obstore.store import ObjectStore as ObstoreStore

    from ingestd.stores.multipart import MultipartUploads

PART_BYTES = 8 << 20
"""Size of the parts that files are sent and fetched in; S3 takes 10,000 parts of 5 MiB to 5 GiB each."""

_PARTS_AT_ONCE = 2
_TIMEOUT = datetime.timedelta(minutes=5)
"""Of one request. Four files are transferred at a time, two parts of each, so 2 Mbit/s are enough."""

_SIGNED = datetime.timedelta(minutes=1)

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
        self.name, self._repository, self._access = repository.name, repository, access or S3Access()
        self._environ = dict(os.environ) if environ is None else environ
        with self._as_backup_errors():
            self._store = _open(repository, self._environ, timeout, self._access)

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

    def multipart_uploads(self) -> MultipartUploads | None:
        """Return uploads that another process can continue; None: only the S3 client has the credentials, of a role.

        Raises:
            BackupError: The credentials cannot be read.
        """
        from ingestd.stores.multipart import BucketAccess, MultipartUploads  # noqa: PLC0415 -- takes 0.2 s

        keys = static_keys(self._access, self._environ)
        if keys is None:
            return None
        access = BucketAccess(self._address, keys, _encryption_headers(self._access.config), self._access.proxy)
        return MultipartUploads(self._repository, access)

    def _address(self, key: str) -> tuple[str, str]:
        """Return the URL of an object as the client makes it, and the region of its bucket."""
        import obstore  # noqa: PLC0415

        with self._as_backup_errors():
            url = urlsplit(obstore.sign(self._store, "PUT", key, _SIGNED))  # type: ignore[call-overload]
        _, _, region, *_ = parse_qs(url.query)["X-Amz-Credential"][0].split("/")
        return f"{url.scheme}://{url.netloc}{url.path}", region

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
            raise backup_error(error, self._repository) from None


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


def static_keys(access: S3Access, environ: Mapping[str, str]) -> AwsKeys | None:
    """Return the credentials that the client uses, unless they are those of a role, which it gets itself."""
    found: Mapping[str, str] = access.credentials or shared_aws_credentials(environ)
    if not found:
        found = {name: environ.get(variable.upper(), "") for variable, name in _KEYS.items()}
    keys = AwsKeys(
        found.get("access_key_id", ""),
        found.get("secret_access_key", ""),
        found.get("session_token") or found.get("token", ""),
    )
    return keys if keys.access_key_id and keys.secret_access_key else None


def _encryption_headers(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers for the encryption that options of the client ask for."""
    names = {
        "server_side_encryption": "x-amz-server-side-encryption",
        "sse_kms_key_id": "x-amz-server-side-encryption-aws-kms-key-id",
    }
    return {header: str(config[name]) for name, header in names.items() if name in config}


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
