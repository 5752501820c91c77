"""The output ``s3`` with an emulated server: by hour, through outages and kills; each event once."""

from __future__ import annotations

import gzip
import json
import random
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ingestd.plugins.outputs import _s3_uploads as uploads
from ingestd.plugins.outputs import s3 as module
from ingestd.plugins.outputs._retry import Retry
from ingestd.stores.local.duckdb.core import connect
from tests.e2e.daemon import Daemon, ingestd
from tests.e2e.s3 import ACCESS_KEY, S3, SECRET_KEY
from tests.e2e.s3_gate import S3Gate
from tests.plugins.outputs.outputs import batch, build, deliver
from tests.random_cases import LONG
from tests.waiting import eventually, wait_until

KEY = re.compile(r"logs/(?P<app>\w+)/(?P<hour>\d{4}/\d\d/\d\d/\d\d)/main-w\d-\d{8}T\d{6}Z-[0-9a-f]{16}\.ndjson\.gz")


class Bucket:
    """The objects of a bucket; each is downloaded once."""

    def __init__(self, s3: S3, name: str) -> None:
        self._client, self.name, self._known = s3.client, s3.bucket(name), dict[tuple[str, str], bytes]()

    def objects(self) -> dict[str, bytes]:
        """Return the content of each object."""
        found: dict[str, bytes] = {}
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name):
            for item in page.get("Contents", []):
                if item["Key"].endswith("/.ingestd-check"):  # is deleted again
                    continue
                version = item["Key"], item["ETag"]
                if version not in self._known:
                    self._known[version] = self._client.get_object(Bucket=self.name, Key=item["Key"])["Body"].read()
                found[item["Key"]] = self._known[version]
        return found

    def events(self) -> list[dict[str, Any]]:
        """Return the events of all objects."""
        texts = (gzip.decompress(content) for key, content in self.objects().items() if key.endswith(".gz"))
        return [json.loads(line) for text in texts for line in text.splitlines()]

    def rows(self, folder: Path) -> list[dict[str, Any]]:
        """Return the rows of all objects in Parquet, as SQL sees them."""
        files = []
        for number, (key, content) in enumerate(self.objects().items()):
            if key.endswith(".parquet"):
                files.append(folder / f"{number}.parquet")
                files[-1].write_bytes(content)
        if not files:
            return []
        with connect({}) as connection:
            query = connection.execute("SELECT * FROM read_parquet(?, union_by_name = true)", [[*map(str, files)]])
            names = [name for name, *_ in query.description]
            return [dict(zip(names, row, strict=True)) for row in query.fetchall()]

    def numbers(self, app: str) -> list[int]:
        """Return the values of ``n`` of an application, sorted."""
        return sorted(event["n"] for event in self.events() if event["app"] == app)


pytestmark = pytest.mark.usefixtures("gate_reset")


def output(url: str, bucket: str, more: str = "") -> str:
    return (
        f's3 {{ bucket => "{bucket}" endpoint => "{url}" prefix => "logs/%{{app}}" '
        f'access_key_id => "{ACCESS_KEY}" secret_access_key => "{SECRET_KEY}" {more} }}'
    )


@pytest.fixture(scope="module")
def bucket(s3: S3) -> Bucket:
    return Bucket(s3, "events")


@pytest.fixture(scope="module")
def daemon(gate: S3Gate, bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    config = f"""
        input {{ tcp {{ host => "127.0.0.1" port => 0 codec => json_lines }} }}
        output {{ {output(gate.url, bucket.name, "size_file => 100000 time_file => 0.01")} }}
    """
    with Daemon(tmp_path_factory.mktemp("s3"), config=config) as running:
        yield running


def events(app: str, numbers: range, hour: int = 10) -> Iterator[dict[str, Any]]:
    for number in numbers:
        yield {"@timestamp": f"2026-11-22T{hour}:15:00.000Z", "app": app, "n": number, "text": "서울 " * 20}


def test_objects_by_hour_that_can_be_imported(daemon: Daemon, bucket: Bucket, tmp_path: Path) -> None:
    for hour in (10, 11):
        daemon.send(events("shop", range(hour * 1000, hour * 1000 + 1000), hour))
    wait_until(lambda: len(bucket.numbers("shop")) == 2000, "the events in the bucket")
    assert bucket.numbers("shop") == [*range(10_000, 12_000)]
    for key, content in bucket.objects().items():
        if key.startswith("logs/shop/"):
            place = KEY.fullmatch(key)
            assert place, key
            hours = {json.loads(line)["@timestamp"][:13] for line in gzip.decompress(content).splitlines()}
            assert hours == {"-".join(place["hour"].split("/")[:3]) + f"T{place['hour'][-2:]}"}
            (tmp_path / key.replace("/", "_")).write_bytes(content)
    files = sorted(map(str, tmp_path.glob("logs_*")))
    ingestd(tmp_path / "data", "import", *files)
    assert "2,000" in ingestd(tmp_path / "data", "indices")


def test_an_outage_is_reported_and_loses_nothing(daemon: Daemon, gate: S3Gate, bucket: Bucket) -> None:
    gate.shut()
    daemon.send(events("outage", range(500)))
    wait_until(lambda: "does not answer" in daemon.get("/health"), "the outage in /health")
    gate.forbid()
    daemon.send(events("outage", range(500, 1000)))
    wait_until(lambda: "denies access (AccessDenied)" in daemon.get("/health"), "the refusal in /health")
    assert "of events wait on this machine" in daemon.get("/health")
    gate.allow()
    wait_until(lambda: len(bucket.numbers("outage")) == 1000, "the events in the bucket")
    assert bucket.numbers("outage") == [*range(1000)]
    wait_until(lambda: "cannot upload" not in daemon.get("/health"), "the end of the outage")
    wait_until(lambda: daemon.metric("ingestd_spooled_bytes") == 0, "nothing to be left on this machine")
    assert daemon.metric("ingestd_uploaded_objects_total") >= 2


def test_killed_at_random(gate: S3Gate, s3: S3, tmp_path: Path) -> None:
    """A file is read, each line once; the daemon is killed while events are kept, rotated and uploaded."""
    bucket, lines, choice = Bucket(s3, "kills"), tmp_path / "lines.log", random.Random()
    config = f"""
        input {{
          tcp {{ host => "127.0.0.1" port => 0 }}
          file {{ path => "{lines}" start_position => "beginning" codec => json stat_interval => 0.05 }}
        }}
        output {{
          {output(gate.url, bucket.name, "id => lines size_file => 30000 time_file => 0.005")}
          {output(gate.url, bucket.name, "id => columns format => parquet time_file => 0.03")}
        }}
    """
    written = 0
    lines.touch()
    daemon = Daemon(tmp_path, config=config)

    def uploaded(objects: int) -> bool:
        nonlocal written
        assert daemon.process.poll() is None, daemon.log_file.read_text()
        with lines.open("a") as file:
            file.writelines(json.dumps(event) + "\n" for event in events("k", range(written, written + 200)))
        written += 200
        return len(bucket.objects()) >= objects

    for _ in range(30 if LONG else 2):
        wanted = len(bucket.objects()) + choice.randrange(1, 5)
        wait_until(partial(uploaded, wanted), "some uploads")
        time.sleep(choice.random() / 5)
        daemon.kill_with_children()
        daemon.start()
    with daemon:
        wait_until(lambda: len(bucket.numbers("k")) >= written, "all events in the bucket")
        assert bucket.numbers("k") == [*range(written)]
        wait_until(lambda: len(bucket.rows(tmp_path)) >= written, "all events in Parquet")
        assert sorted(row["n"] for row in bucket.rows(tmp_path)) == [*range(written)]
        wait_until(lambda: not [*tmp_path.rglob("*.closed")], "nothing to be left on this machine")


async def test_a_success_ends_the_pauses_of_other_uploads(
    s3: S3, gate: S3Gate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "_FIRST_RETRY_S", 0.01)
    bucket = Bucket(s3, "pauses")
    sender = build(output(gate.url, bucket.name, "validate_credentials_on_root_bucket => false"), tmp_path)
    await sender.open()
    gate.forbid()
    await deliver(sender, batch({"n": 1, "app": "a"}))
    with monkeypatch.context() as patched:
        patched.setattr(Retry, "seconds", lambda *_: 3600)
        await sender._rotate()
        await eventually(sender.problems, "the first upload to fail")
    assert "of events wait on this machine" in sender.problems()[0]
    gate.allow()
    await deliver(sender, batch({"n": 2, "app": "a"}, first=1))
    await sender._rotate()
    await eventually(lambda: not sender.problems(), "both to succeed")
    assert bucket.numbers("a") == [1, 2]
    await sender.close()


async def test_a_large_object_is_uploaded_in_parts(s3: S3, tmp_path: Path) -> None:
    bucket = Bucket(s3, "large")
    options = "upload_multipart_threshold => 5000000 encoding => none storage_class => STANDARD_IA"
    sender = build(output(s3.url, bucket.name, options + " server_side_encryption => true"), tmp_path)
    await sender.open()
    for number in range(20):
        await deliver(sender, batch({"n": number, "app": "large", "text": "x" * (1 << 20)}, first=number))
    await sender.close()
    [(key, content)] = bucket.objects().items()
    assert [json.loads(line)["n"] for line in content.splitlines()] == [*range(20)]
    about = s3.client.head_object(Bucket=bucket.name, Key=key)
    assert about["ETag"].strip('"').endswith("-3")  # 20 MB in parts of 8
    assert (about["StorageClass"], about["ServerSideEncryption"]) == ("STANDARD_IA", "AES256")
    assert about["ContentType"] == "application/x-ndjson"


async def test_a_damaged_file_is_uploaded_up_to_the_damage(s3: S3, tmp_path: Path) -> None:
    sender = build(output(s3.url, "damaged"), tmp_path)  # there is no such bucket yet
    await sender.open()
    for number in range(3):
        await deliver(sender, batch({"n": number, "app": "a"}, first=number))
    await sender.close()
    [path] = kept(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"n":1', b'"n":7'))
    bucket = Bucket(s3, "damaged")
    sender = build(output(s3.url, bucket.name), tmp_path)
    await sender.open()
    await eventually(lambda: bucket.numbers("a") == [0], "what is before the damage")
    await eventually(lambda: not kept(tmp_path), "the end of the upload")
    assert "could not read a part of its events" in sender.problems()[0]
    [aside] = damaged(tmp_path)
    assert content.endswith(aside.read_bytes().replace(b'"n":7', b'"n":1'))
    await deliver(sender, batch({"n": 5, "app": "a"}, first=5))
    await sender.close()
    assert bucket.numbers("a") == [0, 5]


def kept(folder: Path) -> list[Path]:
    return [*folder.rglob("*.closed")]


def damaged(folder: Path) -> list[Path]:
    return [*folder.rglob("*.damaged-*")]


def temporary_files(folder: Path) -> list[Path]:
    return [*folder.rglob(".scratch-*")]


async def test_parquet_with_types_that_conflict(s3: S3, tmp_path: Path) -> None:
    bucket = Bucket(s3, "columns")
    sender = build(output(s3.url, bucket.name, "format => parquet"), tmp_path)
    await sender.open()
    values: list[Any] = [200, 200, "200", None, {"a": 1}]
    await deliver(sender, batch(*({"app": "shop", "status": value} for value in values)))
    await sender.close()
    [key] = bucket.objects()
    assert key.startswith("logs/shop/2026/11/22/10/")
    assert s3.client.head_object(Bucket=bucket.name, Key=key)["ContentType"] == "application/vnd.apache.parquet"
    rows = bucket.rows(tmp_path)
    assert sorted(json.dumps(row["status"]) for row in rows) == ["200", "200", "null", "null", "null"]
    rest = [json.loads(row["rest"])["status"] for row in rows if row["rest"] is not None]
    assert sorted(map(str, rest)) == ["200", "None", "{'a': 1}"]
    assert not temporary_files(tmp_path)


async def test_a_wrong_bucket_is_known_at_the_start(s3: S3, tmp_path: Path) -> None:
    sender = build(output(s3.url, "nowhere"), tmp_path)
    await sender.open()
    await eventually(sender.problems, "the problem")
    problem = "output s3_0 cannot upload objects: bucket nowhere does not exist (NoSuchBucket); create it first"
    assert sender.problems() == [problem]  # no events wait
    s3.bucket("nowhere")
    await eventually(lambda: not sender.problems(), "the end of the problem")
    assert s3.keys("nowhere") == []
    await sender.close()


async def test_what_is_left_of_a_wrong_bucket_goes_to_the_right_one(
    s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FIRST_ADOPTION_SECONDS", 0.01)
    monkeypatch.setattr(module, "_ADOPTION_SECONDS", 0.01)
    sender = build(output(s3.url, "mistaken"), tmp_path)
    await sender.open()
    await deliver(sender, batch({"n": 1, "app": "a"}))
    await eventually(sender.problems, "the problem")
    await sender.close()
    bucket = Bucket(s3, "corrected")
    sender = build(output(s3.url, bucket.name), tmp_path)
    await sender.open()
    await eventually(lambda: bucket.numbers("a") == [1], "the event in the new bucket")
    await sender.close()
