"""Names of pipelines and of what is written for them: they stay in the data folder, and no two share a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.journal.folders import journal_folder
from ingestd.names import (
    MAX_NAME_BYTES,
    check_pipeline_name,
    check_pipeline_names,
    check_store_writer_id,
    check_store_writer_ids,
    journal_name,
    parse_journal_name,
    store_writer_id,
    writer_id,
)

GOOD = ["main", "web", "a-b", "a_b", "Web.2", "0", "x" * MAX_NAME_BYTES, "웹", "a..b", "a--"]
HOSTILE = [  # name, what the error says
    ("", "is empty"),
    (".", "starts with '.'"),
    ("..", "starts with '.'"),
    ("x/../../../y", "'/' is not allowed"),
    ("/etc", "'/' is not allowed"),
    ("../w0", "'/' is not allowed"),
    ("-rf", "starts with '-'"),
    ("_x", "starts with '_'"),
    ("a b", "' ' is not allowed"),
    ("a\0b", r"'\x00' is not allowed"),
    ("a\nb", r"'\n' is not allowed"),
    ("a\\b", "is not allowed"),
    ("a:b", "':' is not allowed"),
    ("a=b", "'=' is not allowed"),
    ("%2e%2e", "'%' is not allowed"),
    ("\u202egpj", "is not allowed"),
    ("x" * (MAX_NAME_BYTES + 1), "has 65 bytes; use at most 64"),
    ("웹" * 22, "has 66 bytes; use at most 64"),
]


@pytest.mark.parametrize("name", GOOD)
def test_good_names(name: str) -> None:
    check_pipeline_name(name)
    assert parse_journal_name(journal_name(12, name)) == (12, name)


@pytest.mark.parametrize(("name", "why"), HOSTILE, ids=[repr(name)[:20] for name, _ in HOSTILE])
def test_hostile_names(name: str, why: str) -> None:
    with pytest.raises(ValueError, match=re.escape(why)):
        check_pipeline_name(name)
    with pytest.raises(ValueError, match=re.escape(why)):
        journal_name(0, name)


@pytest.mark.parametrize("writer", ["", "..", "../w0", "W0", "w0-web", "w0\n", "웹", "x" * 33])
def test_hostile_writers_of_the_store(writer: str) -> None:
    with pytest.raises(ValueError, match="1 to 32 characters of a-z, 0-9 and _"):
        check_store_writer_id(writer)


@pytest.mark.parametrize("name", ["..", "w0-x/../../../y", "/etc", "", "w0/x", "other"])
def test_journal_folders_stay_where_journals_are(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"journal|pipeline name"):
        journal_folder(tmp_path, name)


NAMES_OF_BEFORE = [  # pipeline, journal, writer id: as in data folders that exist
    ("main", "w3", "w3"),
    ("web", "w3-web", "w3_web"),
    ("a-b", "w3-a-b", "w3_a_b"),
    ("Web.2", "w3-Web.2", "w3_web_2"),
    ("웹", "w3-웹", "w3__"),
    ("production-frontend-servers", "w3-production-frontend-servers", "w3_production_frontend_"[:24]),
]


@pytest.mark.parametrize(("pipeline", "journal", "writer"), NAMES_OF_BEFORE)
def test_names_stay_the_same(pipeline: str, journal: str, writer: str) -> None:
    assert journal_name(3, pipeline) == journal
    assert writer_id("w3", pipeline).startswith(writer)
    assert len(writer_id("w3", pipeline)) <= 24


COLLISIONS = [  # names, whether they can run together
    (("main", "web", "api"), True),
    (("a-b", "a_b"), False),
    (("Web", "web"), False),
    (("a.b", "main", "a-b"), False),
    (("웹", "앱"), False),
    (("web웹", "api앱"), True),
    (("production_frontend_01a", "production_frontend_01b"), False),
    (("production_01a", "production_01b"), True),
]


@pytest.mark.parametrize(("names", "fine"), COLLISIONS)
def test_collisions(names: tuple[str, ...], *, fine: bool) -> None:
    if fine:
        check_pipeline_names(names)
        assert len({writer_id("w0", name) for name in names}) == len(names)
        return
    with pytest.raises(ValueError, match="would write to the same files; rename one of them"):
        check_pipeline_names(names)


OUTPUTS = [  # (pipeline, plugin id) of each, whether they can run together
    ([("main", "store_0"), ("web", "store_0")], True),
    ([("main", "store_0"), ("main", "store_1")], True),
    ([("main", "web"), ("web", "store_0")], False),
    ([("main", "a-b"), ("main", "a_b")], False),
    ([("main", "an_output_with_a_very_long_name_1"), ("main", "an_output_with_a_very_long_name_2")], False),
]


@pytest.mark.parametrize(("outputs", "fine"), OUTPUTS)
def test_store_outputs(outputs: list[tuple[str, str]], *, fine: bool) -> None:
    ids = [(pipeline, plugin, store_writer_id(writer_id("w0", pipeline), plugin)) for pipeline, plugin in outputs]
    if fine:
        check_store_writer_ids(ids)
        return
    with pytest.raises(ValueError, match="would write to the same files of the store"):
        check_store_writer_ids(ids)


@given(st.text(max_size=80), st.text(max_size=80))
def test_whatever_the_names_files_stay_in_their_folder(pipeline: str, plugin_id: str) -> None:
    writer = writer_id("w0", pipeline)
    assert re.fullmatch(r"[a-z0-9_]{1,24}", writer)
    assert re.fullmatch(r"[a-z0-9_]{1,32}", store_writer_id(writer, plugin_id))
    try:
        name = journal_name(0, pipeline)
    except ValueError:
        return
    assert journal_folder(Path("/data"), name).parent == Path("/data/journal")
    assert len(name.encode()) < 255
