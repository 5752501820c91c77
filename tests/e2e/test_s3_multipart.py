"""Large objects of the output ``s3``: after a kill, parts that S3 has are not sent again; each event once."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from ingestd.plugins.outputs import s3 as module
from ingestd.plugins.outputs._s3_spool import Spool
from ingestd.stores.object_store import PART_BYTES
from tests.e2e.daemon import Daemon
from tests.e2e.s3 import ACCESS_KEY, S3, SECRET_KEY
from tests.e2e.s3_gate import S3Gate
from tests.plugins.outputs.outputs import batch, build, deliver
from tests.processes import family, is_alive, send_signal
from tests.waiting import eventually, wait_until

EVENTS, EVENT_BYTES = 340, 100 << 10
PARTS, SENT = 5, 2  # parts of 8 MiB that the object has; those that S3 has when the upload is interrupted


pytestmark = pytest.mark.usefixtures("gate_reset")


def output(url: str, bucket: str, more: str = "") -> str:
    return (
        f's3 {{ bucket => "{bucket}" endpoint => "{url}" encoding => none access_key_id => "{ACCESS_KEY}" '
        f'secret_access_key => "{SECRET_KEY}" validate_credentials_on_root_bucket => false {more} }}'
    )


def hold(gate: S3Gate) -> None:
    """Let nothing through from the middle of a part on."""
    gate.hold_at = gate.sent + PART_BYTES * SENT + PART_BYTES // 2


def event(number: int) -> dict[str, Any]:
    return {"@timestamp": "2026-11-22T10:15:00.000Z", "n": number, "text": "x" * EVENT_BYTES}


def segments(folder: Path) -> list[Path]:
    return [*folder.rglob("*.closed")]


def uploads(folder: Path) -> list[Path]:
    return [*folder.rglob("*.uploads")]


def recorded(folder: Path) -> int:
    """Return how many parts the file beside a segment says that S3 has."""
    return sum(
        len(progress["parts"])
        for path in uploads(folder)
        for progress in msgspec.json.decode(path.read_bytes())["objects"].values()
    )


class Requests:
    """The requests for multipart uploads in a bucket since this was made."""

    def __init__(self, s3: S3, bucket: str) -> None:
        self._s3, self._bucket, self._start = s3, bucket, len(s3.requests)

    def _queries(self, method: str) -> list[dict[str, list[str]]]:
        lines = [line.split(" ") for line in self._s3.requests[self._start :]]
        targets = [target for used, target, _ in lines if used == method and target.startswith(f"/{self._bucket}/")]
        return [parse_qs(target.partition("?")[2], keep_blank_values=True) for target in targets]

    def parts(self) -> list[int]:
        """Return the numbers of the parts that were sent."""
        return [int(query["partNumber"][0]) for query in self._queries("PUT") if "partNumber" in query]

    def created(self) -> int:
        """Return the number of uploads."""
        return sum("uploads" in query for query in self._queries("POST"))


def numbers(s3: S3, bucket: str) -> list[int]:
    contents = [s3.client.get_object(Bucket=bucket, Key=key)["Body"].read() for key in s3.keys(bucket)]
    return sorted(json.loads(line)["n"] for content in contents for line in content.splitlines())


def open_uploads(s3: S3, bucket: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = s3.client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
    return found


def test_killed_between_parts(s3: S3, gate: S3Gate, tmp_path: Path) -> None:
    bucket = s3.bucket("killed")
    config = f"""
        input {{ tcp {{ host => "127.0.0.1" port => 0 codec => json_lines }} }}
        output {{ {output(gate.url, bucket, f"size_file => {(EVENTS - 1) * EVENT_BYTES} rotation_strategy => size")} }}
    """
    hold(gate)
    daemon = Daemon(tmp_path, config=config)
    daemon.wait_for("listening for events")
    daemon.send(event(number) for number in range(EVENTS))
    wait_until(lambda: recorded(tmp_path) == SENT, "some parts at S3")
    left = family(daemon.process.pid)
    daemon.kill()
    for pid in left:  # its workers would upload what they can
        send_signal(pid, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, left)), "the workers to end")
    gate.allow()
    requests = Requests(s3, bucket)
    daemon.start()
    with daemon:
        wait_until(lambda: s3.keys(bucket), "the object")
        wait_until(lambda: not segments(tmp_path) + uploads(tmp_path), "nothing to be left")
    assert requests.created() == 0
    assert requests.parts() == [*range(SENT + 1, PARTS + 1)]
    assert numbers(s3, bucket) == [*range(EVENTS)]
    assert open_uploads(s3, bucket) == []


async def uploading(url: str, bucket: str, folder: Path) -> Any:
    """Deliver the events; return the output amid their upload."""
    sender = build(output(url, bucket), folder)
    await sender.open()
    for first in range(0, EVENTS, 10):
        await deliver(sender, batch(*map(event, range(first, first + 10)), first=first))
    await sender._rotate()
    return sender


async def continued(url: str, bucket: str, folder: Path) -> None:
    """Open the output again until it has uploaded everything."""
    sender = build(output(url, bucket), folder)
    await sender.open()
    await eventually(lambda: not segments(folder), "the end of the upload")
    await sender.close()


async def test_an_upload_that_s3_has_forgotten_starts_again(
    s3: S3, gate: S3Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.0)
    bucket = s3.bucket("forgotten")
    hold(gate)
    sender = await uploading(gate.url, bucket, tmp_path)
    await eventually(lambda: recorded(tmp_path) == SENT, "some parts at S3")
    await sender.close()
    gate.allow()
    [upload] = open_uploads(s3, bucket)
    s3.client.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    requests = Requests(s3, bucket)
    await continued(gate.url, bucket, tmp_path)
    assert requests.parts() == [*range(1, PARTS + 1)]
    assert numbers(s3, bucket) == [*range(EVENTS)]
    assert open_uploads(s3, bucket) == []


@pytest.mark.parametrize("recorded_as_complete", [True, False], ids=["recorded", "answer_lost"])
async def test_a_complete_object_is_not_sent_again(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded_as_complete: bool
) -> None:
    """The process ended between the completion of an object and the end of its segment."""
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.0)
    bucket = s3.bucket(f"complete-{recorded_as_complete}".lower())
    with monkeypatch.context() as patched:
        patched.setattr(Spool, "remove", refuse)
        sender = await uploading(s3.url, bucket, tmp_path)
        await eventually(sender.problems, "the disk to refuse")
        await sender.close()
    [file] = uploads(tmp_path)
    assert b'"complete":true' in file.read_bytes()
    if not recorded_as_complete:
        file.write_bytes(file.read_bytes().replace(b'"complete":true', b'"complete":false'))
    requests = Requests(s3, bucket)
    await continued(s3.url, bucket, tmp_path)
    assert (requests.created(), requests.parts()) == (0, [])
    assert numbers(s3, bucket) == [*range(EVENTS)]


def refuse(*_: object) -> None:
    raise OSError(5, "Input/output error")


async def test_the_parts_of_a_segment_that_was_deleted_are_deleted(
    s3: S3, gate: S3Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CLOSE_SECONDS", 0.0)
    bucket = s3.bucket("deleted")
    hold(gate)
    sender = await uploading(gate.url, bucket, tmp_path)
    await eventually(lambda: recorded(tmp_path) == SENT, "some parts at S3")
    gate.forbid()
    await eventually(sender.problems, "the upload to fail")
    [segment] = segments(tmp_path)
    segment.unlink()
    gate.allow()
    await eventually(lambda: not open_uploads(s3, bucket), "the parts to be deleted")
    await sender.close()
    assert s3.keys(bucket) == []
