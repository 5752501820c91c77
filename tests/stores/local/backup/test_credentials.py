"""Where the credentials for S3 come from, and that no message contains them."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from ingestd.protocols.http.aws_signature import AwsKeys
from ingestd.stores.backups import BackupError
from ingestd.stores.object_store import S3Access, shared_aws_credentials, static_keys

SECRET = "s3cr%t/+key"
FILE = f"""
[default]
aws_access_key_id = DEFAULT
aws_secret_access_key = {SECRET}

[backup]
aws_access_key_id = BACKUP
aws_secret_access_key = {SECRET}
aws_session_token = token==

[empty]
region = ap-northeast-2
"""
DEFAULT = {"access_key_id": "DEFAULT", "secret_access_key": SECRET}
BACKUP = {"access_key_id": "BACKUP", "secret_access_key": SECRET, "session_token": "token=="}

FOUND = [  # id, text of the file (None: there is none), environment, credentials
    ("default", FILE, {}, DEFAULT),
    ("profile", FILE, {"AWS_PROFILE": "backup"}, BACKUP),
    ("default_by_name", FILE, {"AWS_PROFILE": "default"}, DEFAULT),
    ("environment_first", FILE, {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "x"}, {}),
    ("environment_before_a_broken_file", "[", {"AWS_ACCESS_KEY_ID": "ENV"}, {}),
    ("no_file", None, {}, {}),
    ("no_credentials_in_it", FILE, {"AWS_PROFILE": "empty"}, {}),
    ("no_default", "[backup]\naws_access_key_id = x\n", {}, {}),
    ("empty_file", "", {}, {}),
]


def at(folder: Path, text: str | bytes | None, environ: dict[str, str]) -> dict[str, str]:
    """Return the environment in which a file with ``text`` is the shared credentials file."""
    path = folder / "credentials"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return environ | {"AWS_SHARED_CREDENTIALS_FILE": str(path)}


@pytest.mark.parametrize(("text", "environ", "expected"), [case[1:] for case in FOUND], ids=[case[0] for case in FOUND])
def test_credentials(text: str | None, environ: dict[str, str], expected: dict[str, str], tmp_path: Path) -> None:
    assert shared_aws_credentials(at(tmp_path, text, environ)) == expected


KEYS = [  # id, credentials of the config, environment, keys that requests are signed with
    ("config", {"access_key_id": "a", "secret_access_key": "b", "token": "c"}, {}, AwsKeys("a", "b", "c")),
    ("config_first", {"access_key_id": "a", "secret_access_key": "b"}, {"AWS_SESSION_TOKEN": "x"}, AwsKeys("a", "b")),
    (
        "environment",
        {},
        {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"},
        AwsKeys("a", "b", "c"),
    ),
    ("file", {}, {"AWS_PROFILE": "backup"}, AwsKeys("BACKUP", SECRET, "token==")),
    ("role", {}, {"AWS_PROFILE": "empty", "AWS_ROLE_ARN": "arn:aws:iam::1:role/x"}, None),
]


@pytest.mark.parametrize(("config", "environ", "keys"), [case[1:] for case in KEYS], ids=[case[0] for case in KEYS])
def test_keys_that_are_known(
    config: dict[str, str], environ: dict[str, str], keys: AwsKeys | None, tmp_path: Path
) -> None:
    assert static_keys(S3Access(config), at(tmp_path, FILE, environ)) == keys


def test_the_default_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(FILE)
    assert shared_aws_credentials({}) == DEFAULT


BROKEN = [  # id, content of the file, environment, error
    ("no_such_profile", FILE, {"AWS_PROFILE": "backups"}, "there is no profile 'backups'"),
    ("no_such_file", None, {"AWS_PROFILE": "backup"}, "there is no profile 'backup'"),
    ("no_section", f"aws_secret_access_key = {SECRET}", {}, "MissingSectionHeaderError"),
    ("no_value", f"[default]\n{SECRET}\n", {}, "ParsingError"),
    ("twice", f"[default]\nx = {SECRET}\nx = {SECRET}\n", {}, "DuplicateOptionError"),
    ("no_utf_8", b"[default]\n" + SECRET.encode() + b"\xff", {}, "UnicodeDecodeError"),
]


@pytest.mark.parametrize(
    ("text", "environ", "message"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN]
)
def test_errors_contain_no_secrets(
    text: str | bytes | None, environ: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(BackupError, match=message) as caught:
        shared_aws_credentials(at(tmp_path, text, environ))
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_a_folder_instead_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="cannot be read: Is a directory"):
        shared_aws_credentials({"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path)})
