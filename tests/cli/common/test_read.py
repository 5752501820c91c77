import json
import subprocess
import sys
from pathlib import Path

import pytest

from ingestd.event.jsontext import dumps, loads
from ingestd.stores.local import LocalWriter, store_root
from ingestd.stores.local.index.index_folder import IndexMetadata, write_metadata
from tests.cli.reading import DOCUMENTS, run

pytestmark = pytest.mark.usefixtures("seoul", "shared_duckdb")


def test_indices_as_json(data_dir: Path) -> None:
    sizes = [path.stat().st_size for path in sorted(store_root(data_dir).glob("*/tail*"))]
    names = ["logstash-2026.11.21", "logstash-2026.11.22"]
    expected = [{"index": i, "events": n, "bytes": b} for i, n, b in zip(names, [1, 4], sizes, strict=True)]
    assert json.loads(run("indices", "--json", data_dir=data_dir).stdout) == expected


def test_indices_as_table(data_dir: Path) -> None:
    assert run("indices", data_dir=data_dir).stdout == (
        "INDEX                EVENTS   SIZE\nlogstash-2026.11.21       1  109 B\nlogstash-2026.11.22       4  435 B\n"
    )


SEARCHES = [  # id, arguments, positions of the documents
    ("all", [], [4, 3, 2, 1, 0]),
    ("limit", ["--limit", "2"], [4, 3]),
    ("level", ["--level", "WARNING"], [4, 3]),
    ("since", ["--since", "2026-11-22"], [4, 3, 2, 1]),
    ("since_local_time", ["--since", "2026-11-22 19:00:02"], [4, 3]),
    ("until_takes_the_day_in", ["--until", "2026-11-21"], [0]),
    ("range", ["--since", "2026-11-22T10:00:01Z", "--until", "2026-11-22T10:00:02Z"], [2]),
    ("text", ["half"], [4]),
    ("text_of_words", ["get", "/s", "--limit", "1"], [2]),
    ("field", ["--field", "search_word=서울"], [2, 0]),
    ("fields", ["--field", "search_word=서울", "--field", "level=INFO", "--limit", "1"], [2]),
    ("nothing", ["--level", "WARNING", "nope"], []),
]


@pytest.mark.sampled
@pytest.mark.parametrize(("arguments", "positions"), [c[1:] for c in SEARCHES], ids=[c[0] for c in SEARCHES])
def test_search_as_json(arguments: list[str], positions: list[int], data_dir: Path) -> None:
    result = run("search", "--json", *arguments, data_dir=data_dir)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [loads(line) for line in result.stdout_bytes.splitlines()] == [loads(DOCUMENTS[at]) for at in positions]
    assert b"\\uc" not in result.stdout_bytes


def test_search_as_table(data_dir: Path) -> None:
    assert run("search", "--since", "2026-11-22", data_dir=data_dir).stdout == (
        "TIME (KST)               LEVEL     MESSAGE\n"
        "2026-11-22 19:00:03.000  WARNING   half \ufffd\n"
        "2026-11-22 19:00:02.000  ERROR     red \ufffd[31m\n"
        "    one\n"
        "      two\n"
        "2026-11-22 19:00:01.000  INFO      [서울] GET /s\n"
        "2026-11-22 19:00:00.000  INFO      [부산 여행] GET /s\n"
    )


def test_top_as_json(data_dir: Path) -> None:
    result = run("top", "search_word", "--json", data_dir=data_dir)
    assert json.loads(result.stdout) == [{"value": "서울", "count": 2}, {"value": "부산 여행", "count": 1}]
    assert json.loads(run("top", "status_code", "--json", data_dir=data_dir).stdout) == [{"value": 404, "count": 1}]


def test_top_as_table(data_dir: Path) -> None:
    assert run("top", "search_word", "--since", "2026-11-21", "-n", "2", data_dir=data_dir).stdout == (
        "SEARCH_WORD  COUNT\n서울             2\n부산 여행        1\n"
    )


def test_top_as_csv(data_dir: Path) -> None:
    expected = "search_word,count\r\n서울,2\r\n부산 여행,1\r\n"
    assert run("top", "search_word", "--csv", data_dir=data_dir).stdout_bytes == expected.encode()
    assert run("top", "search_word", "--csv", "--bom", data_dir=data_dir).stdout_bytes == expected.encode("utf-8-sig")


@pytest.mark.parametrize(("flags", "error"), [(("--csv", "--json"), "choose one of"), (("--bom",), "only CSV has")])
def test_flags_of_top_that_exclude_each_other(flags: tuple[str, ...], error: str, data_dir: Path) -> None:
    result = run("top", "search_word", *flags, data_dir=data_dir)
    assert result.exit_code == 2
    assert error in result.output


@pytest.mark.parametrize(("command", "lines"), [(["top", "level"], 2), (["search"], 2), (["tail"], 1)])
@pytest.mark.parametrize("flag", ["-n", "--limit"])
def test_limits_have_one_name(command: list[str], lines: int, flag: str, data_dir: Path) -> None:
    shown = run(*command, flag, "1", data_dir=data_dir).stdout.splitlines()
    assert len([line for line in shown if not line.startswith("    ")]) == lines


def test_an_unknown_field_is_no_error(data_dir: Path) -> None:
    result = run("top", "nope", data_dir=data_dir)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no event has a field nope\n")
    assert run("top", "nope", "--json", data_dir=data_dir).stdout == "[]\n"


UNKNOWN = [  # id, arguments, what is said
    ("field", ["search", "levl:ERROR"], "no event has a field levl; did you mean level?"),
    ("field_of_top", ["top", "serch_word"], "no event has a field serch_word; did you mean search_word?"),
    ("field_option", ["search", "--field", "nobody=x"], "no event has a field nobody"),
    ("level", ["search", "--level", "WARNNG"], "no event has the level WARNNG; did you mean WARNING?"),
    ("level_in_query", ["histogram", "level:eror"], "no event has the level eror; did you mean ERROR?"),
    ("known", ["search", "level:ERROR", "AND", "status_code:404"], "no events match"),
    ("level_that_has_no_event", ["search", "--level", "CRITICAL"], "no events match"),
]


@pytest.mark.sampled
@pytest.mark.parametrize(("arguments", "said"), [case[1:] for case in UNKNOWN], ids=[case[0] for case in UNKNOWN])
def test_what_no_event_has_is_named(data_dir: Path, arguments: list[str], said: str) -> None:
    result = run(*arguments, data_dir=data_dir)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{said}\n")


def test_a_histogram_by_a_field_that_no_event_has(data_dir: Path) -> None:
    result = run("histogram", "--by", "levl", data_dir=data_dir)
    assert (len(result.stdout) > 0, result.stderr) == (True, "no event has a field levl; did you mean level?\n")
    assert not run("histogram", "--by", "level", data_dir=data_dir).stderr


def test_an_index_restored_under_another_name_is_named(tmp_path: Path) -> None:
    copy = "restored-logstash-2026.11.22"
    writer = LocalWriter(store_root(tmp_path), "w0")
    for index in ("logstash-2026.11.22", copy):
        writer.append(index, [dumps({"@timestamp": "2026-11-22T10:00:00.000Z", "message": "a", "level": "INFO"})])
    writer.close()
    write_metadata(store_root(tmp_path) / copy, IndexMetadata("ab", restored_from="logstash-2026.11.22"))
    note = f"restored; queries leave out this copy of logstash-2026.11.22 unless they name it: _index:{copy}\n"
    listed = run("indices", data_dir=tmp_path)
    assert (len(listed.stdout.splitlines()), listed.stderr) == (3, f"{copy}: {note}")
    assert [row.get("restored_from") for row in json.loads(run("indices", "--json", data_dir=tmp_path).stdout)] == [
        None,
        "logstash-2026.11.22",
    ]
    assert run("top", "level", "--json", data_dir=tmp_path).stdout == '[{"value":"INFO","count":1}]\n'
    assert run("top", "level", "_index:*", "--json", data_dir=tmp_path).stdout == '[{"value":"INFO","count":2}]\n'
    said = run("search", "missing", data_dir=tmp_path).stderr
    assert said == (
        "no events match\n"
        f"not searched: an index restored under another name; to search such an index, name it: _index:{copy}\n"
    )
    assert run("search", "missing", "_index:*", data_dir=tmp_path).stderr == "no events match\n"
    assert run("search", "level:DEBUG", f"_index:{copy}", data_dir=tmp_path).stderr == "no events match\n"
    assert run("search", "levl:x", f"_index:{copy}", data_dir=tmp_path).stderr == (
        "no event has a field levl; did you mean level?\n"
    )
    said = run("search", f"_index:{copy[:-1]}3", data_dir=tmp_path).stderr
    assert said.startswith(f"there is no index {copy[:-1]}3; did you mean {copy}?\n")


def test_words_are_found_in_search_words_and_paths_which_are_shown_decoded(tmp_path: Path) -> None:
    writer = LocalWriter(store_root(tmp_path), "w0")
    path = "/search?q=%EC%84%9C%EC%9A%B8+%EB%A7%9B%EC%A7%91"
    documents = [{"message": "x", "search_word": "서울 맛집"}, {"message": f"GET {path}", "request_path": path}]
    writer.append("logstash-2026.11.22", [dumps(document) for document in documents])
    writer.close()
    lines = run("search", '"서울 맛집"', data_dir=tmp_path).stdout.splitlines()[1:]
    assert sorted(line.strip() for line in lines) == ["GET /search?q=서울+맛집", "[서울 맛집] x"]


def test_top_paths(tmp_path: Path) -> None:
    writer = LocalWriter(store_root(tmp_path), "w0")
    paths = ["/search?q=a", "/search?q=b", "/search", "/"]
    writer.append("logstash-2026.11.22", [dumps({"request_path": path, "referrer": path}) for path in paths])
    writer.close()

    def counts(*arguments: str) -> list[tuple[str, int]]:
        found = json.loads(run("top", *arguments, "--json", data_dir=tmp_path).stdout)
        return [(entry["value"], entry["count"]) for entry in found]

    assert counts("request_path") == [("/search", 3), ("/", 1)]
    whole = [("/", 1), ("/search", 1), ("/search?q=a", 1), ("/search?q=b", 1)]
    assert counts("request_path", "--query-strings") == whole
    assert counts("referrer") == whole


@pytest.mark.parametrize("arguments", [["indices"], ["search"], ["top", "level"]], ids=lambda arguments: arguments[0])
def test_an_empty_store_says_what_to_do(arguments: list[str], tmp_path: Path) -> None:
    result = run(*arguments, data_dir=tmp_path / "none")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith(f"no events in {tmp_path / 'none'}\n")
    assert "--data-dir /var/lib/ingestd" in result.stderr
    assert list(tmp_path.iterdir()) == []
    empty = run(*arguments, "--json", data_dir=tmp_path / "none")
    assert (empty.exit_code, empty.stdout) == (0, "" if arguments == ["search"] else "[]\n")


ERRORS = [  # id, arguments, part of the message
    ("since", ["search", "--since", "5q"], "expected 15m, 2h, 2d"),
    ("field", ["search", "--field", "x"], "expected name=value"),
    ("limit", ["search", "--limit", "0"], "'--limit'"),
    ("limit_in_short", ["top", "level", "-n", "0"], "'--limit'"),
    ("brackets", ["top", "[a"], "invalid field reference"),
]


@pytest.mark.parametrize(("arguments", "message"), [c[1:] for c in ERRORS], ids=[c[0] for c in ERRORS])
def test_wrong_options(arguments: list[str], message: str, data_dir: Path) -> None:
    result = run(*arguments, data_dir=data_dir)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_store_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    store_root(tmp_path).symlink_to(store_root(tmp_path))
    result = run("indices", data_dir=tmp_path)
    assert result.exit_code == 1
    assert result.stderr == "error: cannot read the store: Too many levels of symbolic links\n"


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    writer = LocalWriter(store_root(tmp_path), "w0")
    writer.append("x", [b'{"message":"' + b"x" * 1000 + b'"}'] * 1000)
    writer.close()
    for flags in (["--json"], []):
        command = [sys.executable, "-m", "ingestd", "search", "--limit", "1000", *flags, "--data-dir", str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stderr
            process.stdout.readline()
            process.stdout.close()
            assert (process.stderr.read(), process.wait()) == (b"", 0)
