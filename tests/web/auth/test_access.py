import errno
import os
from pathlib import Path

import pytest

from ingestd.files import read_failure
from ingestd.settings import load_settings
from ingestd.units import Address
from ingestd.web.auth.access import Access, AccessError, is_loopback, load_access, path_prefix

PASSWORD, TOKEN = "correct horse", "battery-staple"


def access(**settings: str) -> Access:
    return load_access(load_settings(environ={f"INGESTD_{name.upper()}": value for name, value in settings.items()}))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.7", False),
        ("logs.example.com", False),
        ("localhost.example.com", False),
        ("", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


OPEN = [  # id, settings, secret, opens for people, opens for programs
    ("password", {"http_password": PASSWORD}, PASSWORD, True, False),
    ("token", {"http_token": TOKEN}, TOKEN, True, True),
    ("both_password", {"http_password": PASSWORD, "http_token": TOKEN}, PASSWORD, True, False),
    ("wrong", {"http_password": PASSWORD, "http_token": TOKEN}, "wrong", False, False),
    ("prefix_of_it", {"http_password": PASSWORD}, PASSWORD[:-1], False, False),
    ("nothing_is_no_token", {"http_password": PASSWORD}, "", False, False),
    ("korean", {"http_password": "비밀번호가 길다"}, "비밀번호가 길다", True, False),
    ("not_utf8", {"http_password": PASSWORD}, "\udcff", False, False),
]


@pytest.mark.parametrize(("settings", "secret", "people", "programs"), [c[1:] for c in OPEN], ids=[c[0] for c in OPEN])
def test_secrets(settings: dict[str, str], secret: str, people: bool, programs: bool) -> None:
    found = access(**settings)
    assert (found.login_required, found.accepts_login(secret), found.accepts_token(secret)) == (True, people, programs)


def test_without_secrets_nothing_opens_by_one() -> None:
    found = access()
    assert (found.login_required, found.accepts_login(""), found.accepts_token("")) == (False, False, False)


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    assert access(http_password_file=str(file)).accepts_login(PASSWORD)


def test_what_reaches_the_network_needs_a_secret() -> None:
    Access().check(Address("127.0.0.1", 9600))
    Access(token=TOKEN).check(Address("0.0.0.0", 9600))
    with pytest.raises(AccessError, match=r"0\.0\.0\.0:9600 can be reached .* set http_password_file .* --http 127"):
        Access().check(Address("0.0.0.0", 9600))


def test_refused(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe")
    cases = [
        ({"http_password": "tiny"}, "http_password is too short: it needs at least 8 characters"),
        ({"http_token": "tiny"}, "http_token is too short"),
        ({"http_password": PASSWORD, "http_password_file": "x"}, "are both set: choose one"),
        ({"http_password_file": str(tmp_path / "none")}, "cannot be read: No such file"),
        ({"http_token_file": str(empty)}, "is empty"),
        ({"http_token_file": str(binary)}, "it is not UTF-8 text"),
        ({"http_password_file": "/dev/zero"}, "http_password_file /dev/zero cannot be read: it is not a regular file"),
        ({"http_token_file": str(tmp_path)}, "cannot be read: Is a directory"),
    ]
    for settings, message in cases:
        with pytest.raises(AccessError, match=message) as caught:
            access(**settings)
        assert settings.get("http_password", "nothing") not in str(caught.value)


def test_a_file_without_the_right_to_read_it(tmp_path: Path) -> None:
    """In a container the users of the files have no names."""
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    denied = PermissionError(errno.EACCES, "Permission denied", str(file))
    uids = f"ingestd runs with the uid {os.geteuid()}, the file belongs to the uid {file.stat().st_uid}"
    assert read_failure(denied, file) == f"Permission denied; {uids}"


def test_secrets_are_not_shown() -> None:
    settings = load_settings(environ={"INGESTD_HTTP_PASSWORD": PASSWORD, "INGESTD_HTTP_TOKEN": TOKEN})
    for text in (repr(settings), repr(load_access(settings))):
        assert PASSWORD not in text
        assert TOKEN not in text


@pytest.mark.parametrize(("text", "prefix"), [("", ""), ("/", ""), ("/logs", "/logs"), ("/a/b/", "/a/b")])
def test_prefix(text: str, prefix: str) -> None:
    assert path_prefix(load_settings(environ={"INGESTD_HTTP_PREFIX": text})) == prefix


@pytest.mark.parametrize("text", ["logs", "//evil.example", "/a b", "/a\r\nSet-Cookie: x", "/{x}"])
def test_wrong_prefix(text: str) -> None:
    with pytest.raises(AccessError, match="http_prefix must be a path such as /logs"):
        path_prefix(load_settings(environ={"INGESTD_HTTP_PREFIX": text}))
