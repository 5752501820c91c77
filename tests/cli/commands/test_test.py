"""``ingestd test``: exit codes, JUnit's file, and cases that are recorded."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingestd.cli.main import main
from ingestd.dead_letters.writer import DeadLetterWriter
from ingestd.stores.local import LocalWriter, store_root

CONFIG = """
input { tcp { port => 5000 codec => line } }
filter { grok { match => { "message" => "%{WORD:word} %{INT:n:int}" } } if [word] == "drop" { drop { } } }
output { store { } }
"""
GOOD = "path: a.conf\ncases:\n  - name: good\n    events: [{message: x 5}]\n    expected: [{fields: {n: 5}}]\n"
BAD = "path: a.conf\ncases:\n  - name: bad\n    events: [{message: drop 5}]\n    expected: [{fields: {n: 5}}]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.conf").write_text(CONFIG)
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / "bad.yaml").write_text(BAD)
    (tmp_path / "wrong.yaml").write_text("cases: 5")
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    paths = [str(folder / text) if text.endswith((".yaml", ".conf", ".xml")) else text for text in arguments]
    return CliRunner().invoke(main, ["test", *paths, "--data-dir", str(folder / "data")])


def test_exit_codes(folder: Path) -> None:
    passed = run(folder, "good.yaml", "--junit", "report.xml")
    assert (passed.exit_code, passed.stdout) == (0, "1 case, all passed\n")
    assert 'tests="1"' in (folder / "report.xml").read_text()
    failed = run(folder, "good.yaml", "bad.yaml")
    assert failed.exit_code == 1
    head, reason, count = failed.stdout.splitlines()
    assert head == f"FAILED {folder}/bad.yaml:3 bad"
    assert reason == f"  no event came out for the one expected at line 5; dropped by drop_0 ({folder}/a.conf:3)"
    assert count == "2 cases, 1 failed"
    wrong = run(folder, "good.yaml", "wrong.yaml")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "wrong.yaml:1:8: error: cases must be a list" in wrong.stderr
    assert run(folder, "none.yaml").exit_code == 1
    assert run(folder).exit_code == 2
    assert run(folder, "good.yaml", "-f", "a.conf").exit_code == 2


def test_the_example_of_the_docs(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "testing-configs.md").read_text()
    (tmp_path / "my.conf").write_text(text.split("```conf\n")[1].split("```")[0])
    (tmp_path / "cases.yaml").write_text(text.split("```yaml\n")[1].split("```")[0])
    assert run(tmp_path, "cases.yaml").stdout == "3 cases, all passed\n"


def test_record_a_dead_letter(folder: Path) -> None:
    writer = DeadLetterWriter(folder / "data" / "deadletters", 1 << 20, lambda: 1_795_341_600.0)
    writer.add(
        stage="output",
        plugin="store_0",
        reason="disk",
        raw="seoul 5: 서울\n".encode(),
        stream_id="abc",
        offset=20,
        event_id="abc-000000000014",
        received=1_795_341_600_250_000_000,
        input_id="tcp_0",
        fields={"host": "10.0.0.7", "port": 41234},
        index="logstash-2026.11.22",
    )
    writer.close()
    done = run(folder, "new.yaml", "--record", "abc-000000000014", "-f", "a.conf")
    assert done.exit_code == 0, done.output
    text = (folder / "new.yaml").read_text()
    assert text.startswith("path: a.conf\ncases:\n  - name: 'dead letter: disk'\n    input: tcp_0\n")
    assert "      - 'seoul 5: 서울'" in text
    assert run(folder, "new.yaml").stdout == "1 case, all passed\n"
    (folder / "a.conf").write_text(CONFIG.replace("INT:n:int", "INT:n"))
    assert 'n: expected 5, but it is "5"' in run(folder, "new.yaml").stdout


def test_record_a_stored_event(folder: Path) -> None:
    writer = LocalWriter(store_root(folder / "data"), "w0")
    document = b'{"@timestamp":"2026-11-22T10:00:00.000Z","@version":"1","message":"seoul 7","word":"old"}'
    writer.append("logstash-2026.11.22", [document], ["an-id"])
    writer.close()
    before = (folder / "good.yaml").read_text()
    done = run(folder, "good.yaml", "--record", "message:seoul")
    assert done.exit_code == 0, done.output
    text = (folder / "good.yaml").read_text()
    assert text.startswith(before)
    assert "name: event an-id of logstash-2026.11.22" in text
    assert "again: true" in text
    assert "index: logstash-2026.11.22" in text
    assert run(folder, "good.yaml").stdout == "2 cases, all passed\n"


def test_what_changes_each_time_is_not_recorded(folder: Path) -> None:
    (folder / "a.conf").write_text("filter { uuid { target => id } mutate { add_tag => t } } output { store { } }")
    writer = LocalWriter(store_root(folder / "data"), "w0")
    writer.append("logstash-2026.11.22", [b'{"@timestamp":"2026-11-22T10:00:00.000Z","message":"x"}'], ["1"])
    writer.close()
    assert run(folder, "new.yaml", "--record", "message:x", "-f", "a.conf").exit_code == 0
    assert "'[tags]'" in (folder / "new.yaml").read_text()
    assert run(folder, "new.yaml").exit_code == 0


def test_what_cannot_be_recorded(folder: Path) -> None:
    nothing = run(folder, "good.yaml", "--record", "message:nothing")
    assert (nothing.exit_code, "no event matches" in nothing.stderr) == (1, True)
    writer = DeadLetterWriter(folder / "data" / "deadletters", 1 << 20, lambda: 1_795_341_600.0)
    for event_id, raw, size in (("a-1", b"\xff x\n", 4), ("a-2", b"start", 9000)):
        writer.add(stage="codec", reason="r", raw=raw, size=size, event_id=event_id, input_id="tcp_0")
    writer.close()
    assert "not UTF-8 at byte 0" in run(folder, "good.yaml", "--record", "a-1").stderr
    assert "only the first bytes" in run(folder, "good.yaml", "--record", "a-2").stderr
    assert (folder / "good.yaml").read_text() == GOOD


def test_a_file_whose_cases_are_not_at_its_end(folder: Path) -> None:
    writer = LocalWriter(store_root(folder / "data"), "w0")
    writer.append("logstash-2026.11.22", [b'{"@timestamp":"2026-11-22T10:00:00.000Z","message":"x"}'], ["1"])
    writer.close()
    text = "cases:\n  - name: a\n    events: [{}]\n    expected: [{absent: a}]\npath: a.conf\n"
    (folder / "good.yaml").write_text(text)
    done = run(folder, "good.yaml", "--record", "message:x")
    assert (done.exit_code, "ends the file" in done.stderr) == (1, True)
    assert (folder / "good.yaml").read_text() == text
