"""``ingestd import`` and ``export`` as processes: killed, interrupted, beside a daemon, into both stores."""

from __future__ import annotations

import datetime
import gzip
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.daemon import Daemon, command, environment, ingestd
from tests.e2e.servers import SearchServer
from tests.processes import cpu_seconds
from tests.waiting import WAIT_SECONDS, wait_until

DJANGO_LOG = """\
[22/Nov/2026 10:00:00] INFO [django.server:161] "GET /search?q=%EC%84%9C%EC%9A%B8 HTTP/1.1" 200 5316
[22/Nov/2026 10:00:01] WARNING [django.request:241] Not Found: /favicon.ico

[22/Nov/2026 10:00:02] ERROR [shop.views:12] no stock of 귤
"""
DJANGO_CONFIG = r"""
input { tcp { port => 5959 type => "django" } }
filter {
  grok { match => { "message" => "\[%{DATA:time}\] %{LOGLEVEL:level} \[%{NOTSPACE:logger_name}\] %{GREEDYDATA:text}" } }
  date { match => ["time", "dd/MMM/yyyy HH:mm:ss"] timezone => "Asia/Seoul" remove_field => ["time"] }
}
output { store { } }
"""


def event(number: int) -> dict[str, Any]:
    stamp = f"2026-11-{1 + number % 5:02d}T10:{number // 60 % 60:02d}:{number % 60:02d}.000Z"
    message = f'"GET /search?q=%EC%84%9C%EC%9A%B8+{number} HTTP/1.1" 200 5316'
    return {"@timestamp": stamp, "@version": "1", "n": number, "level": "INFO", "message": message, "pad": "x" * 300}


def write(path: Path, numbers: Iterable[int]) -> Path:
    path.write_text("".join(json.dumps(event(number)) + "\n" for number in numbers))
    return path


def start(data_dir: Path, *arguments: str | Path, max_age: str = "0") -> subprocess.Popen[str]:
    """Start a command; ``max_age``: of retention, by default any, as the events of these tests get older."""
    words = [sys.executable, "-m", "ingestd", *map(str, arguments)]
    pipe, environ = subprocess.PIPE, environment(data_dir) | {"INGESTD_RETENTION_MAX_AGE": max_age}
    return subprocess.Popen(words, env=environ, stdout=pipe, stderr=pipe, text=True)


def run(data_dir: Path, *arguments: str | Path) -> tuple[int, str, str]:
    """Run a command in this process; return its exit code and what it prints."""
    done = command(environment(data_dir) | {"INGESTD_RETENTION_MAX_AGE": "0"}, *map(str, arguments))
    return done.exit_code, done.stdout, done.stderr


def run_apart(data_dir: Path, *arguments: str | Path, max_age: str = "0") -> tuple[int, str, str]:
    """The same in a process of its own: it has another zone, or writes events to stdout."""
    process = start(data_dir, *arguments, max_age=max_age)
    out, err = process.communicate(timeout=WAIT_SECONDS)
    return process.returncode, out, err


def numbers(data_dir: Path, *arguments: str) -> list[int]:
    exported = ingestd(data_dir, "export", "--fields", "n", *arguments)
    return sorted(json.loads(line)["n"] for line in exported.splitlines())


def offset(data_dir: Path) -> int:
    return sum(json.loads(path.read_bytes())["offset"] for path in data_dir.glob("import/*.json"))


def test_killed_in_the_middle_each_line_is_there_once(tmp_path: Path) -> None:
    """Killed as soon as it has come a little farther, again and again."""
    path = write(tmp_path / "a.ndjson", range(60_000))
    data, size, kills = tmp_path / "data", path.stat().st_size, 0
    while True:
        before = offset(data)
        process = start(data, "import", path)
        wait_until(lambda: offset(data) > before or process.poll() is not None, "the import")  # noqa: B023
        process.kill()
        process.communicate()
        if process.returncode == 0:
            break
        kills += offset(data) < size
        if kills == 4:
            run(data, "import", path)
            break
    assert kills > 0
    assert offset(data) == size
    assert numbers(data) == list(range(60_000))


def test_killed_and_another_file_first(tmp_path: Path) -> None:
    """More than the output ``store`` looks back at comes between."""
    first, second = write(tmp_path / "a.ndjson", range(20_000)), write(tmp_path / "b.ndjson", range(20_000, 60_000))
    data = tmp_path / "data"
    process = start(data, "import", first)
    wait_until(lambda: offset(data), "the first lines")
    process.kill()
    process.communicate()
    (path,) = data.glob("import/*.json")
    place = json.loads(path.read_bytes())
    path.write_text(json.dumps({**place, "offset": 0, "checked": "", "checked_bytes": 0}))  # as if killed before it
    assert run(data, "import", second)[0] == 0
    code, out, _ = run(data, "import", first)
    assert (code, out.split()[0], out.split()[4] > "0") == (0, "20,000", True)
    assert numbers(data) == list(range(60_000))


def test_interrupted_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "a", range(60_000)).read_bytes(), 1))
    data = tmp_path / "data"
    process = start(data, "import", path)
    wait_until(lambda: offset(data), "the first lines")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, err) == (1, "interrupted; run the same command again to continue\n")
    stored = int(out.split()[0].replace(",", ""))
    assert 0 < stored < 60_000
    code, out, err = run(data, "import", path)
    assert (code, err) == (0, "")
    assert out == f"{60_000 - stored:,} read, {60_000 - stored:,} stored, 0 already stored, 0 dead letters\n"
    assert numbers(data) == list(range(60_000))


def test_files_that_grow_and_move(tmp_path: Path) -> None:
    data, path = tmp_path / "data", write(tmp_path / "app.log", range(10))
    assert run(data, "import", path)[1].startswith("10 read, 10 stored")
    write(path, range(15))
    assert run(data, "import", path)[1].startswith("5 read, 5 stored")
    path = path.rename(tmp_path / "app.log.1")
    code, out, err = run(data, "import", path)
    assert (code, out.split()[0]) == (0, "0")
    assert err == f"{path} was imported before and has nothing new; --again imports it once more\n"
    assert numbers(data) == list(range(15))


def test_again_brings_back_what_is_gone_alone(tmp_path: Path) -> None:
    data, path = tmp_path / "data", write(tmp_path / "app.log", range(30_000))
    run(data, "import", path)
    [gone] = (data / "indices").glob("logstash-2026.11.02")
    for file in gone.iterdir():
        file.unlink()
    gone.rmdir()
    code, out, err = run(data, "import", "--again", path)
    assert (code, out, err) == (0, "30,000 read, 6,000 stored, 24,000 already stored, 0 dead letters\n", "")
    assert numbers(data) == list(range(30_000))


def test_beside_a_daemon(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ndjson", range(1000))
    with Daemon(tmp_path) as daemon:
        daemon.send([event(number) for number in range(1000, 1500)])
        assert run(daemon.data_dir, "import", path)[0] == 0
        daemon.wait_for_metric("ingestd_delivered_events_total", 500)
        assert numbers(daemon.data_dir) == list(range(1500))
    assert daemon.problems() == []


def test_text_of_django_through_a_config(tmp_path: Path) -> None:
    path, config, data = tmp_path / "django.log", tmp_path / "my.conf", tmp_path / "data"
    path.write_text(DJANGO_LOG)
    config.write_text(DJANGO_CONFIG)
    code, out, _ = run(data, "import", "-f", config, path)
    assert (code, out) == (0, "3 read, 3 stored, 0 already stored, 0 dead letters\n")
    found = [json.loads(line) for line in ingestd(data, "export").splitlines()]
    assert [event["level"] for event in found] == ["ERROR", "WARNING", "INFO"]
    assert found[0]["@timestamp"] == "2026-11-22T01:00:02.000Z"
    assert found[0]["text"] == "no stock of 귤"
    assert {(event["type"], event["path"]) for event in found} == {("django", str(path))}


def test_what_cannot_be_taken_becomes_dead_letters(tmp_path: Path) -> None:
    config = tmp_path / "my.conf"
    config.write_text('input { stdin { } } output { store { index => "%{service}-%{+YYYY.MM.dd}" } }')
    good = {"@timestamp": "2026-11-22T10:00:00.000Z", "service": "web"}
    path, data = tmp_path / "a.ndjson", tmp_path / "data"
    path.write_text("\n".join(map(json.dumps, (good, {**good, "service": "../x"}, {"x": "y" * 2_000_000}, good))))
    code, out, err = run(data, "import", "-f", config, path)
    assert (code, out) == (1, "4 read, 2 stored, 0 already stored, 2 dead letters\n")
    assert err.endswith("\nsee the dead letters: ingestd deadletters list\n")
    assert sum(len(file.read_bytes().splitlines()) for file in data.glob("deadletters/*.ndjson")) == 2
    assert run(data, "import", "-f", config, path)[1].startswith("0 read")


def exported(data_dir: Path) -> list[dict[str, Any]]:
    """Return all events, oldest first."""
    return [json.loads(line) for line in reversed(ingestd(data_dir, "export").splitlines())]


RECORD = b'{"@timestamp":"2026-11-20T10:00:00Z","message":"\xec\x84\x9c\xec\x9a\xb8","level":"ERROR"}\n'
FIRST_LINES = {  # id: (file, options, level, message and tags of each event)
    "nul_first": (bytes(4) + RECORD, (), [("ERROR", "서울", None)]),
    "hole": (bytes(3_000_000) + RECORD, (), [("ERROR", "서울", None)]),
    "bom": (b"\xef\xbb\xbf" + RECORD, (), [("ERROR", "서울", None)]),
    "text_first": (
        b"Watching for file changes.\n" + RECORD,
        (),
        [("ERROR", "서울", None), (None, "Watching for file changes.", None)],
    ),
    "utf_16_bom": (RECORD.decode().encode("utf-16"), (), [("ERROR", "서울", None)]),
    "utf_16": (RECORD.decode().encode("utf-16-le"), ("--charset", "utf-16-le"), [("ERROR", "서울", None)]),
    "cp949": ("서울 맛집\n".encode("cp949"), ("--charset", "cp949"), [(None, "서울 맛집", None)]),
    "cp949_unnamed": ("서울 맛집\n".encode("cp949"), (), [(None, "서울 맛집", None)]),
    "cp949_records": (RECORD.decode().encode("cp949"), (), [("ERROR", "서울", None)]),
}


@pytest.mark.parametrize(("data", "options", "events"), FIRST_LINES.values(), ids=FIRST_LINES.keys())
def test_what_a_file_is(data: bytes, options: tuple[str, ...], events: list[tuple[str, ...]], tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(data)
    code, out, err = run(tmp_path / "data", "import", *options, path)
    assert (code, err) == (0, "")
    assert out.startswith(f"{len(events)} read, {len(events)} stored")
    found = [(event.get("level"), event["message"], event.get("tags")) for event in exported(tmp_path / "data")]
    assert found == events


def test_charset_that_does_not_exist(tmp_path: Path) -> None:
    code, _, err = run(tmp_path / "data", "import", "--charset", "cp9999", write(tmp_path / "a.ndjson", range(1)))
    assert (code, "'cp9999' is not a known encoding: write UTF-8, CP949" in err) == (2, True)


def test_last_line_waits_for_its_end(tmp_path: Path) -> None:
    path, data = tmp_path / "a.log", tmp_path / "data"
    path.write_bytes(b"one\ntwo and")
    code, out, err = run(data, "import", path)
    assert (code, out) == (0, "1 read, 1 stored, 0 already stored, 0 dead letters\n")
    assert err.startswith(f"{path}: the last line (7 bytes) has no line end yet and waits for it")
    with path.open("ab") as file:
        file.write(b" a half\n")
    assert run(data, "import", path)[1:] == ("1 read, 1 stored, 0 already stored, 0 dead letters\n", "")
    assert sorted(event["message"] for event in exported(data)) == ["one", "two and a half"]


def test_a_config_sees_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy of the built-in config takes the zone of lines from ingestd.toml, as the built-in one does."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ingestd.toml").write_text('line_timezone = "Asia/Seoul"\n')
    (tmp_path / "my.conf").write_text(ingestd(tmp_path / "data", "config", "default"))
    (tmp_path / "a.log").write_text('[22/Nov/2026 10:00:00] "GET /search?q=a HTTP/1.1" 200 5316\n')
    assert run(tmp_path / "data", "import", "-f", "my.conf", "a.log")[0] == 0
    assert [event["@timestamp"] for event in exported(tmp_path / "data")] == ["2026-11-22T01:00:00.000Z"]


OUTPUTS = [  # id, outputs, what is said of two events
    ("no_store", "stdout { }", "2 delivered to output stdout_0, none stored"),
    ("store_second", "file { path => 'FOLDER/out' } store { }", "2 stored, 0 already stored"),
    ("store_first", "store { } file { path => 'FOLDER/out' }", "2 stored, 0 already stored"),
]


@pytest.mark.parametrize(("outputs", "said"), [case[1:] for case in OUTPUTS], ids=[case[0] for case in OUTPUTS])
def test_only_what_is_in_a_store_is_called_stored(
    outputs: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = f"input {{ stdin {{ }} }} output {{ {outputs} }}".replace("FOLDER", str(tmp_path))
    (tmp_path / "my.conf").write_text(config)
    path = write(tmp_path / "a.ndjson", range(2))
    code, out, _ = run_apart(tmp_path / "data", "import", "-f", "my.conf", path)
    assert code == 0
    assert out.splitlines()[-1] == f"2 read, {said}, 0 dead letters"
    assert len(exported(tmp_path / "data")) == (0 if "none" in said else 2)


KEPT = [  # id, TZ of the machine, index_timezone, the name of the zone that times are in
    ("utc", "UTC", "", "UTC"),
    ("machine", "America/New_York", "", "E[SD]T"),
    ("site", "UTC", "Asia/Seoul", "KST"),
]


@pytest.mark.parametrize(("machine", "site", "name"), [case[1:] for case in KEPT], ids=[case[0] for case in KEPT])
def test_days_older_than_retention_are_announced_and_stay_a_while(
    machine: str, site: str, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TZ", machine)
    (tmp_path / "ingestd.toml").write_text(f'index_timezone = "{site}"' if site else "")
    monkeypatch.chdir(tmp_path)
    path, data = tmp_path / "a.ndjson", tmp_path / "data"
    stamps = ["2025-03-03T01:00:00Z", "2025-03-05T01:00:00Z", time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime())]
    path.write_text("".join(json.dumps({"@timestamp": stamp, "message": "a"}) + "\n" for stamp in stamps))
    code, out, err = run_apart(data, "import", path, max_age="30d")
    assert (code, out) == (0, "3 read, 3 stored, 0 already stored, 0 dead letters\n")
    announced, summary = err.splitlines()
    assert announced == (
        "imported days older than retention.max_age (30d), such as logstash-2025.03.03, stay for restore.keep (7d); "
        "then retention deletes them"
    )
    text = "2 indices older than retention.max_age: logstash-2025.03.03 to logstash-2025.03.05; kept until "
    assert summary.startswith(text)
    pruned = run_apart(data, "prune", max_age="30d")[1]
    assert "it was restored or imported and is kept until" in pruned
    untils = [match for text in (summary, pruned) for match in re.findall(r"kept until (.{16}) ([A-Z]+)", text)]
    assert len(untils) >= 2
    assert all(re.fullmatch(name, zone) for _, zone in untils)
    first, second = (datetime.datetime.fromisoformat(until) for until, _ in untils[:2])
    assert abs(first - second) < datetime.timedelta(minutes=30)  # one zone: no zones differ by less
    assert len(exported(data)) == 3


@pytest.mark.parametrize("form", ["ndjson", "gz"])
def test_what_was_exported_comes_back_the_same(form: str, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    run(first, "import", write(tmp_path / "a.ndjson", range(3000)))
    target = tmp_path / "out.ndjson"
    code, out, err = run(first, "export", "--output", target)
    assert (code, out, err) == (0, "", f"3,000 events written to {target}\n")
    packed = tmp_path / f"out.{form}"
    packed.write_bytes(target.read_bytes() if form == "ndjson" else gzip.compress(target.read_bytes()))
    assert run(second, "import", "--no-filters", packed)[0] == 0
    assert ingestd(second, "export") == target.read_text()
    assert '"search_word":"서울 2999"' in target.read_text()


def test_following(tmp_path: Path) -> None:
    data = tmp_path / "data"
    run(data, "import", write(tmp_path / "a.ndjson", range(5)))
    process = start(data, "tail", "-f", "-n", "2", "--json", "n:*")
    assert process.stdout is not None
    assert [json.loads(process.stdout.readline())["n"] for _ in range(2)] == [3, 4]
    now = time.time()
    stamps = [time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now - ago)) for ago in (0, 100)]
    for number, stamp in enumerate(stamps, 100):  # the second one is late
        path = tmp_path / f"{number}.ndjson"
        path.write_text(json.dumps({"@timestamp": stamp, "n": number}) + "\n")
        run(data, "import", path)
        assert json.loads(process.stdout.readline())["n"] == number
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert (process.returncode, out, err) == (0, "", "")


def test_following_ends_with_its_reader(tmp_path: Path) -> None:
    run(tmp_path / "data", "import", write(tmp_path / "a.ndjson", range(1)))
    process = start(tmp_path / "data", "tail", "-f")
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(WAIT_SECONDS) == 0
    assert process.stderr is not None
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_query_can_be_interrupted(tmp_path: Path) -> None:
    """One that would run for minutes: many patterns are looked for in many events."""
    run(tmp_path, "import", "--no-filters", write(tmp_path / "a.ndjson", range(40_000)))
    process = start(tmp_path, "search", " OR ".join(f"message:*?{number}?x?*?y?*" for number in range(190)))
    wait_until(lambda: process.poll() is not None or cpu_seconds(process.pid) > 3, "it to be at work")
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    at_signal = cpu_seconds(process.pid)
    used = at_signal
    while process.poll() is None:
        used = cpu_seconds(process.pid)
        time.sleep(0.02)
    process.communicate()
    assert process.returncode == 1
    assert used - at_signal < 10


@pytest.mark.parametrize("search_server", ["elasticsearch-9.5.3"], indirect=True)
def test_elasticsearch(search_server: SearchServer, index_prefix: str, tmp_path: Path) -> None:
    """Imported twice without the first's places, exported, imported into the built-in store."""
    path, config = write(tmp_path / "a.ndjson", range(5000)), tmp_path / "my.conf"
    output = f'elasticsearch {{ hosts => ["{search_server.url}"] index => "{index_prefix}%{{+YYYY.MM.dd}}" }}'
    config.write_text(f"output {{ {output} }}")
    first = run(tmp_path / "one", "import", "-f", config, path)
    assert first == (0, "5,000 read, 5,000 stored, 0 already stored, 0 dead letters\n", "")
    second = run(tmp_path / "two", "import", "-f", config, path)
    assert second == (0, "5,000 read, 0 stored, 5,000 already stored, 0 dead letters\n", "")
    search_server.call("POST", f"/{index_prefix}*/_refresh")
    store = ("--store", f"{search_server.url}/?index={index_prefix}*")
    assert numbers(tmp_path, *store) == list(range(5000))
    [top] = json.loads(ingestd(tmp_path, "top", "level", "--json", *store))
    assert top == {"value": "INFO", "count": 5000}
    found = json.loads(ingestd(tmp_path, "histogram", "--interval", "1d", "n:>=2500", "--json", *store))
    assert sum(interval["counts"]["INFO"] for interval in found) == 2500
    assert len(ingestd(tmp_path, "search", 'message:"GET /search"', "--limit", "7", "--json", *store).splitlines()) == 7
    assert len(json.loads(ingestd(tmp_path, "indices", "--json", *store))) == 5
    tail = ingestd(tmp_path, "tail", "-n", "3", "--json", *store).splitlines()
    target = tmp_path / "out.ndjson"
    run(tmp_path, "export", "--output", target, *store)
    lines = target.read_text().splitlines()
    assert lines[2::-1] == tail
    assert run(tmp_path / "local", "import", "--no-filters", target)[0] == 0
    assert sorted(ingestd(tmp_path / "local", "export").splitlines()) == sorted(lines)
