import gzip
from pathlib import Path

import pytest
import zstandard

from ingestd.plugins.inputs._file_content import Content, ContentError

TEXT = b"".join(b'{"n":%d}\n' % number for number in range(60_000))


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


FORMS = {  # id: what the file holds
    "plain": TEXT,
    "gzip": gzip.compress(TEXT),
    "gzip_members": gzip.compress(TEXT[:1000]) + gzip.compress(TEXT[1000:]),
    "zstd": zstd(TEXT),
    "zstd_frames": zstd(TEXT[:1000]) + zstd(b"") + zstd(TEXT[1000:]),
}


def read(content: Content) -> bytes:
    parts = []
    while data := content.read(5000):
        assert len(data) <= 5000
        parts.append(data)
    return b"".join(parts)


@pytest.mark.parametrize("form", FORMS)
def test_contents(form: str, tmp_path: Path) -> None:
    path = tmp_path / "any.name"
    path.write_bytes(FORMS[form])
    content = Content(path)
    assert read(content) == TEXT
    assert content.position == len(FORMS[form])
    content.close()


@pytest.mark.parametrize("data", [b"", b"{", gzip.compress(b""), zstd(b"")], ids=["empty", "short", "gzip", "zstd"])
def test_little(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    content = Content(tmp_path / "x")
    assert read(content) == (b"{" if data == b"{" else b"")
    content.close()


FAULTS = [  # id, what the file holds, part of the sentence
    ("gzip_cut", FORMS["gzip"][:-2000], "is cut off"),
    ("zstd_cut", FORMS["zstd"][:-100], "is cut off"),
    ("gzip_damaged", FORMS["gzip"][:60_000] + b"\xff" * 3000 + FORMS["gzip"][63_000:], "is damaged"),
    ("gzip_garbage_behind", FORMS["gzip"] + b"garbage", "is damaged"),
    ("zstd_garbage_behind", FORMS["zstd"] + b"garbage", "is damaged"),
]


@pytest.mark.parametrize(("data", "message"), [c[1:] for c in FAULTS], ids=[c[0] for c in FAULTS])
def test_errors_come_after_everything_before_them(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    content = Content(tmp_path / "x")
    parts: list[bytes] = []
    for _ in range(2):
        with pytest.raises(ContentError, match=message):
            parts += iter(content.read, b"")
    content.close()
    found = b"".join(parts)
    assert found[:4000] == TEXT[:4000]  # what is damaged may be read wrong until its checksum comes


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Content(tmp_path / "x")
