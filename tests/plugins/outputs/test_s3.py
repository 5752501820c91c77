"""The output ``s3`` without a server: names of objects, what is counted, and what happens when nothing is uploaded."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.errors import ConfigErrors
from ingestd.plugins.outputs import _s3_spool as spool_module
from ingestd.plugins.outputs import _s3_uploads as uploads_module
from ingestd.plugins.outputs import s3 as module
from ingestd.plugins.outputs._s3_segments import read_index, read_texts
from tests.disks import remount, small_disk
from tests.plugins.outputs.outputs import batch, build, deliver
from tests.waiting import eventually


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An endpoint at which nobody listens, and a stop that does not wait for it."""
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.0)
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{place.getsockname()[1]}"


def config(endpoint: str, more: str = "") -> str:
    return (
        f's3 {{ bucket => "logs" endpoint => "{endpoint}" access_key_id => "a" secret_access_key => "b" '
        f"validate_credentials_on_root_bucket => false {more} }}"
    )


def texts(folder: Path) -> dict[str, list[bytes]]:
    """Return the lines that are kept for each folder."""
    found: dict[str, list[bytes]] = {}
    for path in sorted([*folder.rglob("*.open"), *folder.rglob("*.closed")]):
        for name, pieces in read_index(path).items():
            found.setdefault(name, []).extend(b"".join(read_texts(path, pieces)).splitlines())
    return found


def open_files(folder: Path) -> list[Path]:
    return [*folder.rglob("*.open")]


def closed(folder: Path) -> list[int]:
    """Return the sizes of the files that wait for their upload."""
    return [path.stat().st_size for path in folder.rglob("*.closed")]


HOUR = "2026/11/22/10"
FOLDERS: list[tuple[str, str, dict[str, Any], str]] = [  # id, options, event, folder; empty: a dead letter
    ("default", "", {}, HOUR),
    ("prefix", 'prefix => "logs"', {}, f"logs/{HOUR}"),
    ("slashes", 'prefix => "/logs//"', {}, f"logs/{HOUR}"),
    ("field", 'prefix => "%{app}/x"', {"app": "shop"}, f"shop/x/{HOUR}"),
    ("korean", 'prefix => "%{app}"', {"app": "한국 1"}, f"한국 1/{HOUR}"),
    ("date", 'prefix => "logs/%{+YYYY-MM-dd}"', {}, "logs/2026-11-22"),
    ("partition", 'prefix => "logs" partition => "day=%{+YYYY-MM-dd}"', {}, "logs/day=2026-11-22"),
    ("no_partition", 'prefix => "logs" partition => ""', {}, "logs"),
    ("time_of_event", "", {"@timestamp": "2019-01-02T23:59:59.999Z"}, "2019/01/02/23"),
    ("dots", 'prefix => "%{app}"', {"app": "../.."}, f"_/_/{HOUR}"),
    ("control", 'prefix => "%{app}"', {"app": "a\n\0b"}, f"a__b/{HOUR}"),
    ("surrogate", 'prefix => "%{app}"', {"app": "a\ud800"}, f"a?/{HOUR}"),
    ("missing", 'prefix => "%{app}"', {}, ""),
    ("long", 'prefix => "%{app}"', {"app": "x" * 900}, ""),
]


@pytest.mark.parametrize(
    ("options", "event", "folder"), [case[1:] for case in FOLDERS], ids=[row[0] for row in FOLDERS]
)
async def test_folders(tmp_path: Path, nobody: str, options: str, event: dict[str, Any], folder: str) -> None:
    output = build(config(nobody, options), tmp_path)
    await output.open()
    rejected = await deliver(output, batch(event))
    await output.close()
    assert [*texts(tmp_path)] == ([folder] if folder else [])
    assert [bool(rejection.reason) for rejection in rejected] == [True] * (not folder)


async def test_what_comes_again_after_a_crash_is_counted_and_not_kept_twice(tmp_path: Path, nobody: str) -> None:
    output = build(config(nobody), tmp_path)
    await output.open()
    await deliver(output, batch({"n": 0}, {"n": 1}))
    await output.close()
    output = build(config(nobody), tmp_path)
    await output.open()
    again = [output.prepare(part).payload for part in (batch({"n": 1}, {"n": 2}, first=1), batch({"n": 3}, first=3))]
    tallies = await output.deliver(again)
    await output.close()
    assert [(tally.delivered, tally.duplicates) for tally in tallies] == [(1, 1), (1, 0)]
    assert len(texts(tmp_path)[HOUR]) == 4


async def test_another_codec(tmp_path: Path, nobody: str) -> None:
    output = build(config(nobody, 'codec => line { format => "%{n}" }'), tmp_path)
    await output.open()
    await deliver(output, batch({"n": 0}, {"n": 1}))
    await output.close()
    assert texts(tmp_path) == {HOUR: [b"0", b"1"]}


async def test_it_waits_when_as_much_is_kept_as_may_be(tmp_path: Path, nobody: str) -> None:
    output = build(config(nobody, "size_file => 300 max_local_bytes => 1000"), tmp_path)
    await output.open()
    number = 0

    async def send() -> None:
        nonlocal number
        for number in range(100):
            await deliver(output, batch({"n": number}, first=number))

    sending = asyncio.create_task(send())
    await eventually(lambda: "max_local_bytes" in output.retry_reason(), "the output to be full")
    await eventually(output.problems, "the uploads to fail")
    assert "cannot upload objects: bucket logs does not answer" in output.problems()[0]
    assert sum(closed(tmp_path)) <= 1000
    assert not sending.done()
    sending.cancel()
    await output.close()
    assert len(texts(tmp_path)[HOUR]) == number


async def test_a_server_that_never_answers_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads_module, "_SILENT_S", 0.01)
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        output = build(config(f"http://127.0.0.1:{server.getsockname()[1]}"), tmp_path)
        await output.open()
        assert output.problems() == []
        await deliver(output, batch({"n": 0}))
        await output._rotate()
        await eventually(output.problems, "a problem")
        assert "S3 has accepted no data of an object for " in output.problems()[0]
    await output.close()


async def test_it_waits_until_the_disk_takes_events(
    tmp_path: Path, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    output = build(config(nobody), tmp_path)
    await output.open()
    spool = output._spool

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(spool, "append", full)
        sending = asyncio.create_task(deliver(output, batch({"n": 0})))
        await eventually(lambda: output.retry_reason() == "No space left on device", "the disk to refuse")
    await sending
    assert output.retry_reason() == ""
    await output.close()
    assert len(texts(tmp_path)[HOUR]) == 1


async def test_a_full_disk_holds_up_events_and_loses_none(
    tmp_path: Path, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    with small_disk(tmp_path / "disk", "size=128k") as disk:
        output = build(config(nobody, f'size_file => 20000 temporary_directory => "{disk}"'))
        await output.open()
        number = 0

        async def send() -> None:
            nonlocal number
            while number < 200:
                await deliver(output, batch({"n": number, "text": "x" * 1000}, first=number))
                number += 1

        sending = asyncio.create_task(send())
        await eventually(lambda: output.retry_reason() == "No space left on device", "the disk to be full")
        with output._spool._calls:  # nothing is written meanwhile
            assert len(texts(disk)[HOUR]) == number
        remount(disk, "size=1m")
        await sending
        await output.close()
        assert sorted(json.loads(line)["n"] for line in texts(disk)[HOUR]) == [*range(200)]


async def test_credentials_that_do_not_exist_are_an_error_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    output = build('s3 { bucket => "logs" }', tmp_path)
    with pytest.raises(OSError, match="there is no profile 'nobody'"):
        await output.open()


async def test_a_file_that_cannot_be_renamed_is_a_problem(tmp_path: Path, nobody: str) -> None:
    output = build(config(nobody), tmp_path)
    await output.open()
    await deliver(output, batch({"n": 0}))
    [path] = open_files(tmp_path)
    path.unlink()
    await output._rotate()
    assert "cannot rename a file of events: [Errno 2]" in output.problems()[0]
    await output.close()


async def test_a_full_file_that_cannot_be_renamed_is_tried_again(
    tmp_path: Path, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    output = build(config(nobody, 'rotation_strategy => "size" size_file => 500 max_local_bytes => 500'), tmp_path)
    await output.open()
    await deliver(output, batch({"n": 0}))

    def refused(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(spool_module, "rename_synced", refused)
        sending = asyncio.create_task(deliver(output, batch({"n": "x" * 400}, first=1)))
        await eventually(lambda: any("rename" in problem for problem in output.problems()), "the disk to refuse")
    await eventually(lambda: len(closed(tmp_path)) == 1, "the file to be renamed")
    assert not sending.done()
    sending.cancel()
    await output.close()


async def test_objects_end_by_size_and_by_time(tmp_path: Path, nobody: str) -> None:
    output = build(config(nobody, "size_file => 200 time_file => 0.0001"), tmp_path)
    await output.open()
    await deliver(output, batch({"n": "x" * 200}))
    assert len(closed(tmp_path)) == 1  # its size
    await deliver(output, batch({"n": 1}, first=1))
    await eventually(lambda: len(closed(tmp_path)) == 2, "its time")
    await output.close()


async def test_by_size_alone_time_ends_nothing(tmp_path: Path, nobody: str) -> None:
    output = build(config(nobody, 'time_file => 0.00001 rotation_strategy => "size"'), tmp_path)
    await output.open()
    await deliver(output, batch({"n": 1}))
    for _ in range(20):
        await asyncio.sleep(0)
    assert closed(tmp_path) == []
    await output.close()


WRONG = [  # options, part of the message
    ('bucket => "a/b"', "'a/b' is not a bucket name"),
    ('bucket => "My_Bucket"', "Amazon S3 has no bucket named 'My_Bucket'"),
    ('bucket => "My_Bucket" region => "eu-west-1" additional_settings => { force_path_style => true }', "'My_Bucket'"),
    ('bucket => "ab"', "no bucket named 'ab'"),
    ('bucket => "logs-"', "no bucket named 'logs-'"),
    ('bucket => "a..b"', "no bucket named 'a..b'"),
    ('bucket => "192.168.5.4"', "no bucket named '192.168.5.4'"),
    ('bucket => "logs" endpoint => "minio:9000"', "endpoint is not a URL"),
    ('bucket => "logs" access_key_id => "a"', "must be given together"),
    ('bucket => "logs" session_token => "a"', "session_token belongs to access_key_id"),
    ('bucket => "logs" additional_settings => { "use_accelerate_endpoint" => true }', "'use_accelerate_endpoint'"),
    ('bucket => "logs" size_file => 0', "above 0"),
    ('bucket => "logs" time_file => 0', "above 0"),
    ('bucket => "logs" max_local_bytes => 1000', "at least size_file"),
    ('bucket => "logs" upload_workers_count => 0', "1 or more"),
    ('bucket => "logs" ssekms_key_id => "k"', "ssekms_key_id has no effect"),
    ('bucket => "logs" canned_acl => "public-read"', "'public-read' is not offered"),
    ('bucket => "logs" temporary_directory => "tmp"', "must be absolute"),
    ('bucket => "logs" format => parquet codec => plain', "needs no codec"),
    ('bucket => "logs" format => parquet codec => json_lines { delimiter => "|" }', "columns, and needs no codec"),
    ('bucket => "logs" role_arn => "arn:x"', "role_arn"),
    ('bucket => "logs" aws_credentials_file => "/x"', "aws_credentials_file"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=[row[1] for row in WRONG])
def test_options_that_cannot_work(options: str, message: str) -> None:
    with pytest.raises(ConfigErrors, match=message):
        build(f"s3 {{ {options} }}")


POSSIBLE = [
    'bucket => "my.logs-2"',
    'bucket => "My_Bucket" endpoint => "https://minio.example.org"',
    'bucket => "My_Bucket" additional_settings => { force_path_style => true }',
]


@pytest.mark.parametrize("options", POSSIBLE)
def test_names_of_buckets_that_are_possible(options: str) -> None:
    build(f"s3 {{ {options} }}")


def test_requests_go_where_the_options_say() -> None:
    def access(options: str) -> Any:
        return build(f's3 {{ bucket => "logs" {options} }}')._access

    assert access("").config == {"virtual_hosted_style_request": True}
    assert access('additional_settings => { "force_path_style" => true }').config == {}
    assert access('endpoint => "https://minio:9000"').config == {}
    virtual = access('endpoint => "https://s3.example.org" additional_settings => { "force_path_style" => false }')
    assert virtual.config == {"virtual_hosted_style_request": True, "endpoint": "https://logs.s3.example.org"}
    keys = access('access_key_id => "a" secret_access_key => "b" session_token => "t" proxy_uri => "http://p:1"')
    assert keys.credentials == {"access_key_id": "a", "secret_access_key": "b", "token": "t"}
    assert keys.proxy == "http://p:1"
