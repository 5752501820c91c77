"""What fails is tried again after a while, and reported once."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from unittest import mock

import pytest

from ingestd.stores.base import StoreError, StoreFullError
from ingestd.stores.local import LocalStore, LocalWriter
from ingestd.stores.local.index import manifest
from ingestd.stores.local.sealing import sealing_errors
from ingestd.stores.local.sealing.parquet import ParquetWriter
from ingestd.stores.local.sealing.sealer import Policy, SealingError, run, seal_once
from ingestd.stores.local.sealing.sealing_retries import Retries
from ingestd.stores.query import Query
from tests.stores.local import format_1

INDICES = [f"logstash-2026.11.{day}" for day in (20, 21, 22)]
NOW = Policy(idle_s=0)

pytestmark = pytest.mark.usefixtures("shared_duckdb")


class Passes(threading.Event):
    """Ends a sealer after some passes."""

    def __init__(self, left: int) -> None:
        super().__init__()
        self._left = left

    def wait(self, timeout: float | None = None) -> bool:
        self._left -= 1
        if self._left == 0:
            self.set()
        return True


def append(root: Path, index: str, prefix: str) -> None:
    writer = LocalWriter(root, "w0")
    writer.append(index, [b'{"n":1}', b'{"n":2}'], [f"{prefix}0", f"{prefix}1"])
    writer.close()


@pytest.fixture
def of_format_1(tmp_path: Path) -> Path:
    """A store with an index of two files of format 1 for each of three days."""
    with format_1.sealed():
        for at in range(2):
            for index in INDICES:
                append(tmp_path, index, f"{index}-{at}-")
            seal_once(tmp_path, NOW)
    return tmp_path


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    fields: dict[str, str] = record.__dict__["fields"]
    return fields


def rewritten(root: Path) -> list[str]:
    """Return the indices whose files all have the format of this version."""
    manifests = [(index, manifest.load(root / index)) for index in INDICES]
    return [index for index, found in manifests if all(isinstance(file.columns, dict) for file in found.files)]


def test_pauses_double_up_to_a_limit() -> None:
    now = 0.0
    retries = Retries(10, 60, clock=lambda: now)
    error = StoreError("no")
    tries = []
    while now < 300:
        if retries.waiting("seal", "a") is None:
            tries.append(now)
            retries.failed("seal", "a", error)
        now += 5
    assert tries == [0, 10, 30, 70, 130, 190, 250]
    assert retries.waiting("rewrite", "a") is None
    assert retries.waiting("seal", "b") is None
    assert retries.errors({"a", "b"}) == {"a": error}
    retries.succeeded("seal", "a")
    assert (retries.waiting("seal", "a"), retries.errors({"a"})) == (None, {})


def test_indices_that_are_gone_are_forgotten() -> None:
    retries = Retries()
    retries.failed("seal", "a", StoreError("no"))
    assert retries.errors(set()) == {}
    assert retries.waiting("seal", "a") is None


def test_a_full_disk_is_not_filled_at_each_pass(of_format_1: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    problems: list[tuple[str, ...]] = []

    def note(errors: Mapping[str, str]) -> None:
        problems.append(sealing_errors.sentences(errors))

    with mock.patch.object(ParquetWriter, "merge", side_effect=StoreFullError("cannot seal: full")) as merge:
        run(of_format_1, Passes(5), interval_s=0, policy=NOW, on_errors=note)
    assert merge.call_count == 1
    [error] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert (fields_of(error)["index"], fields_of(error)["error"]) == (INDICES[-1], "cannot seal: full")
    assert sealing_errors.load(of_format_1) == {INDICES[-1]: "cannot seal: full"}
    assert problems == 5 * [(f"{INDICES[-1]} cannot be sealed: full",)]
    run(of_format_1, Passes(9), interval_s=0, policy=NOW, on_errors=note)
    assert problems[5:] == 9 * [()]
    assert sealing_errors.load(of_format_1) == {}
    assert not list(of_format_1.glob(".sealer-errors*"))


def test_only_some_indices_are_named() -> None:
    errors = {"": "no lock"} | {f"logstash-2026.11.{day}": "cannot seal: full" for day in range(10, 14)}
    assert sealing_errors.sentences(errors) == (
        "the built-in store cannot be sealed: no lock",
        "logstash-2026.11.10 cannot be sealed: full",
        "logstash-2026.11.11 cannot be sealed: full",
        "2 more indices cannot be sealed",
    )


def test_sealing_goes_on_while_files_cannot_be_rewritten(of_format_1: Path) -> None:
    now = 0.0
    retries = Retries(10, clock=lambda: now)
    with mock.patch.object(ParquetWriter, "merge", side_effect=StoreFullError("cannot seal: full")) as merge:
        for at in range(3):
            append(of_format_1, INDICES[-1], f"new-{at}-")
            for _ in range(2):
                with contextlib.suppress(SealingError):
                    seal_once(of_format_1, NOW, None, None, retries)
    assert merge.call_count == 1
    assert not list(of_format_1.glob("*/tail-*"))
    now = 10
    while seal_once(of_format_1, NOW, None, None, retries):
        pass
    assert rewritten(of_format_1) == INDICES
    assert LocalStore(of_format_1).count(Query()) == 18


def test_a_file_that_cannot_be_rewritten_does_not_hold_up_the_others(
    of_format_1: Path, caplog: pytest.LogCaptureFixture
) -> None:
    usual = ParquetWriter.merge
    failing = of_format_1 / INDICES[-1] / "sealed-00002.parquet"

    def merge(writer: ParquetWriter, folder: Path, files: list[manifest.SealedFile], *more: object) -> object:
        if folder / files[0].name == failing:
            raise StoreError("cannot seal: odd")
        return usual(writer, folder, files, *more)  # type: ignore[arg-type]

    with mock.patch.object(ParquetWriter, "merge", merge):
        run(of_format_1, Passes(12), interval_s=0, policy=NOW)
    [error] = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "sealed-00002.parquet cannot be rewritten: cannot seal: odd" in fields_of(error)["error"]
    assert rewritten(of_format_1) == INDICES[:2]
    assert [isinstance(file.columns, dict) for file in manifest.load(of_format_1 / INDICES[-1]).files] == [False, True]


def test_the_end_of_a_failure_is_logged(of_format_1: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    usual = ParquetWriter.merge
    failures = iter([StoreFullError("cannot seal: full")])

    def merge(writer: ParquetWriter, *arguments: object) -> object:
        for error in failures:
            raise error
        return usual(writer, *arguments)  # type: ignore[arg-type]

    with (
        mock.patch.object(ParquetWriter, "merge", merge),
        mock.patch("ingestd.stores.local.sealing.sealer.Retries", return_value=Retries(0)),
    ):
        run(of_format_1, Passes(9), interval_s=0, policy=NOW)
    assert rewritten(of_format_1) == INDICES
    [ended] = [record for record in caplog.records if "can be sealed again" in record.message]
    assert fields_of(ended)["index"] == INDICES[-1]
