"""Where the credentials for S3 come from: the environment, AWS's own files, or else the instance.

The order is that of AWS's tools: https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html. The
environment and the instance (metadata service, container, web identity) are read by the S3 client itself.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from ingestd.stores.backups import BackupError

_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
}


def from_files(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the credentials of the profile in AWS's shared file; nothing if the environment has some, or none does.

    Raises:
        BackupError: AWS_PROFILE names a profile that is not there, or the file cannot be read.
    """
    if environ.get("AWS_ACCESS_KEY_ID"):
        return {}
    profile = environ.get("AWS_PROFILE", "default")
    path = Path(environ.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
    parser = configparser.RawConfigParser()  # raw: a secret may have a percent sign
    try:
        parser.read_string(path.read_text("utf-8"))
    except FileNotFoundError:
        parser.clear()
    except (OSError, UnicodeDecodeError, configparser.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__  # others may quote secrets
        raise BackupError(f"the credentials in {path} cannot be read: {reason}") from None
    if not parser.has_section(profile):
        if "AWS_PROFILE" in environ:
            raise BackupError(f"there is no profile {profile!r} in {path}, which AWS_PROFILE names")
        return {}
    section = parser[profile]
    return {name: section[key] for key, name in _KEYS.items() if section.get(key)}
