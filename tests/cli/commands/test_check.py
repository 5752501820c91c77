"""``ingestd check``: every mistake with its place, and the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ingestd.cli.main import main
from ingestd.compiler.pipeline import compile_pipeline
from ingestd.config.parser import parse
from ingestd.plugins.registry import BuildContext

GOOD = "input { stdin { } }\noutput { stdout { } }\n"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", *arguments])


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.conf"
    path.write_text(GOOD)
    return path


def test_good(good: Path) -> None:
    result = run(str(good))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{good}: pipeline main is good\n"


def test_the_built_in_pipeline_is_good() -> None:
    result = run()
    assert (result.exit_code, result.stdout) == (0, "default.conf: pipeline main is good\n")


def test_a_string() -> None:
    assert run("-e", GOOD).exit_code == 0


def test_all_mistakes_at_once_in_the_order_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_text(
        "input { stdn { } }\n"
        "filter {\n"
        '  grok { matchh => { "message" => "%{IP:client}" } }\n'
        "  mutate { convert => 5 }\n"
        "  if [a] =~ /(/ { drop { percentage => many } }\n"
        "}\n"
        "output { stdout { codec => jsonlines } }\n"
    )
    result = run(str(path))
    heads = [line for line in result.stderr.splitlines() if ": error: " in line]
    assert result.exit_code == 1
    assert result.stdout == ""
    for head, place in zip(heads, ("1:9", "3:10", "4:23", "5:13", "5:40", "7:28"), strict=True):
        assert head.startswith(f"{path}:{place}: error: "), heads
    assert "did you mean 'stdin'?" in result.stderr
    assert "did you mean 'match'?" in result.stderr
    assert "did you mean 'json_lines'?" in result.stderr
    assert "\n    4 |   mutate { convert => 5 }\n      |                       ^\n" in result.stderr


def test_a_variable_that_is_not_set_hides_no_other_mistake(tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_text(
        'input { tcp { port => "${NO_SUCH_PORT}" hots => "::" } }\n'
        'filter { if [a] == "${NO_SUCH_A}" { grok { match => { "m" => "%{NOPE}" } } } }\n'
        'output { elasticsearch { acton => index hosts => ["${NO_SUCH_HOST}"] } stdot { } }\n'
    )
    result = run(str(path))
    found = [line.partition(": error: ")[::2] for line in result.stderr.splitlines() if ": error: " in line]
    assert [(place.removeprefix(f"{path}:"), message) for place, message in found] == [
        ("1:24", "the environment variable 'NO_SUCH_PORT' is not set"),
        ("1:41", "unknown option 'hots' for input 'tcp'"),
        ("2:21", "the environment variable 'NO_SUCH_A' is not set"),
        ("2:63", "filter 'grok': pattern '%{NOPE}': unknown grok pattern 'NOPE' (at character 1)"),
        ("3:26", "unknown option 'acton' for output 'elasticsearch'"),
        ("3:52", "the environment variable 'NO_SUCH_HOST' is not set"),
        ("3:72", "unknown output plugin 'stdot'"),
    ]
    assert run("-e", 'input { stdin { } } output { file { path => "${NO_SUCH_PATH}" } }').exit_code == 1


def test_a_syntax_error(tmp_path: Path) -> None:
    path = tmp_path / "bad.conf"
    path.write_text("input { stdin { }\n")
    result = run(str(path))
    assert result.exit_code == 1
    assert str(path) in result.stderr


def test_a_missing_file(tmp_path: Path) -> None:
    result = run(str(tmp_path / "none.conf"))
    assert result.exit_code == 1
    assert "none.conf" in result.stderr


def test_warnings_do_not_fail(tmp_path: Path) -> None:
    path = tmp_path / "warn.conf"
    path.write_text(GOOD + 'filter { if [a] and [b] and [c] or [d] { mutate { add_tag => "x" } } }')
    result = run(str(path))
    assert result.exit_code == 0
    assert "warning" in result.stderr
    assert "1 warning" in result.stdout


@pytest.mark.parametrize(
    "config",
    [
        "filter { mutate { add_field => { '[a' => 'b' } } }",
        "filter { mutate { rename => { 'a]' => 'b' } } }",
        "filter { mutate { rename => { 'b' => 'a]' } } }",
        "filter { date { match => ['a[0]', 'ISO8601'] } }",
        "filter { dissect { mapping => { 'message' => '%{b} %{a[0]}' } } }",
    ],
    ids=["opened", "key", "value", "array", "part_of_a_text"],
)
def test_invalid_field_references_have_a_place(config: str) -> None:
    result = CliRunner().invoke(main, ["check", "-e", config])
    assert result.exit_code == 1
    assert f":1:{max(config.find('a]'), config.find('[a'), config.find('a[')) + 1}: error: filter '" in result.stderr
    assert "invalid field reference" in result.stderr


LIKELY: list[tuple[str, str, str, str]] = [  # id, a filter, what is marked, what is said of it
    (
        "day_of_year",
        'date { match => ["t", "yyyy-MM-DD HH:mm"] }',
        "DD",
        'the day of the year\n!help: write "yyyy-MM-dd',
    ),
    ("minute", 'date { match => ["t", "ISO8601", "yyyy-mm-dd"] }', "mm", 'mm is the minute\n!help: write "yyyy-MM-dd"'),
    ("half", 'date { match => ["t", "dd.MM.yyyy hh:mm"] }', "hh", 'from 1 to 12\n!help: write "dd.MM.yyyy HH:mm"'),
    (
        "strptime",
        "date { match => ['t', \"%Y-%m-%d'T'%H:%M\"] }",
        "%Y",
        "is a directive of strptime\n!help: write \"yyyy-MM-dd'T'HH:mm\"",
    ),
    ("open", 'grok { match => { "message" => "a %{IP:a" } }', "%{IP:a", "is not closed, so it matches this text"),
    (
        "swallowed",
        'grok { match => { "message" => "%{IP:a %{INT:b}" } }',
        "%{IP:a %{INT:b}",
        "' %{INT:b' in %{IP:a %{INT:b} is",
    ),
    (
        "type",
        'grok { match => { "message" => "%{INT:n:integer}" } }',
        "%{INT:n:integer}",
        "the type 'integer' is unknown",
    ),
    (
        "set",
        "python { code => 'event.set(\"a\", 1)' }",
        "event.set",
        'event is a dict, which has no set\n!help: write event["a"] =',
    ),
    ("tag", "python { code => 'x = 1; event.tag(x)' }", "event.tag", "which has no tag"),
    ("cancel", "python { code => 'event.cancel()' }", "event.cancel", "help: write cancel()"),
    ("get", "python { code => 'a = event.get(\"[b][c]\")' }", 'event.get("[b][c]"', "not field references\n!for [a]"),
    ("item", "python { code => 'event[\"[b]\"] = 1' }", 'event["[b]"', "not field references"),
]


@pytest.mark.parametrize(("option", "marked", "said"), [row[1:] for row in LIKELY], ids=[row[0] for row in LIKELY])
def test_likely_mistakes(option: str, marked: str, said: str) -> None:
    config = f"filter {{ {option} }}"
    result = run("-e", config)
    assert result.exit_code == 0
    assert f"-e:1:{config.index(marked) + 1}: warning: " in result.stderr
    assert f" {'^' * len(marked)}\n" in result.stderr
    for part in said.split("\n!"):
        assert part in result.stderr


def test_a_format_of_strptime_with_an_invalid_letter() -> None:
    result = run("-e", "filter { date { match => ['t', '%d/%b/%Y:%T %z'] } }")
    assert "'b' is not a valid letter; instead of strptime's form write \"dd/MMM/yyyy:HH:mm:ss Z\"" in result.stderr


@pytest.mark.parametrize(
    "option",
    [
        'python { code => \'event["a"]["b"] = [*event.get("tags", []), "[x]"]; cancel()\' }',
        'date { match => ["t", "ISO8601", "UNIX_MS", "dd/MMM/yyyy:HH:mm:ss Z", "hh:mm a", "mm:ss", "yyyy-DDD"] }',
        "date { match => ['t', \"MMM dd yyyy 'at day D %Y' HH:mm:ss\"] }",
        'grok { match => { "message" => "^%{INT:n:int} %{NUMBER:[a][b]:float} 5%% %{A=(?:b{2})} {%{WORD}}" } }',
    ],
)
def test_what_is_right_has_no_warning(option: str) -> None:
    result = run("-e", f"filter {{ {option} }}")
    assert (result.exit_code, result.stderr) == (0, "")


def test_a_pattern_of_a_missing_file_is_not_blamed_on_its_name() -> None:
    config = 'filter { grok { patterns_dir => "/nowhere/patterns" match => { "message" => "%{OURS}" } } }'
    result = CliRunner().invoke(main, ["check", "-e", config])
    assert result.exit_code == 1
    assert "unknown grok pattern 'OURS'" in result.stderr
    assert "help: there is no pattern file at /nowhere/patterns" in result.stderr


def test_a_pattern_is_shown_as_it_is_written() -> None:
    result = run("-e", r'filter { grok { match => { "message" => "\d(?P<a>\w)" } } }')
    assert r"pattern '\d(?P<a>\w)': unknown" in result.stderr
    result = run("-e", r"input { stdin { codec => multiline { pattern => '\d(' what => next } } }")
    assert r"pattern '\d(': a group is not closed" in result.stderr


def test_an_empty_target() -> None:
    result = CliRunner().invoke(main, ["check", "-e", 'filter { kv { target => "" } }'])
    assert "must not be empty" in result.stderr
    assert "help: leave the option out" in result.stderr


def test_ids_must_differ() -> None:
    result = run("-e", "input { stdin { id => x } } output { stdout { id => x } }")
    assert result.exit_code == 1
    assert "the id 'x' is used twice" in result.stderr


def test_codecs_and_conditions_of_inputs() -> None:
    result = run("-e", "input { if [a] { stdin { } } stdin { codec => rubydebug } } output { stdout { codec => 5 } }")
    assert result.exit_code == 1
    assert "the input section cannot have conditions" in result.stderr
    assert "the codec 'rubydebug' cannot decode" in result.stderr


def test_several_pipelines(good: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.conf"
    bad.write_text("filter { nope { } }")
    result = run("--pipeline", f"one={good}", "--pipeline", f"two={bad}")
    assert result.exit_code == 1
    assert "pipeline one is good" in result.stdout
    assert "unknown filter plugin 'nope'" in result.stderr


@pytest.mark.parametrize(
    ("first", "second", "good"),
    [
        ("port => 5000", "port => 5000", False),
        ("port => 5000", "port => 5000 host => '127.0.0.1'", False),
        ("port => 5000 host => '127.0.0.1'", "port => 5000", False),
        ("port => 5000 host => '127.0.0.2'", "port => 5000 host => '127.0.0.1'", True),
        ("port => 5000 host => '::'", "port => 5000 host => '127.0.0.1'", False),
        ("port => 5000", "port => 5000 host => '::'", False),
        ("port => 5000 host => '::1'", "port => 5000 host => '::'", False),
        ("port => 5000 host => '::1'", "port => 5000", True),
        ("port => 5000", "port => 5001", True),
        ("port => 0", "port => 0", True),
    ],
)
def test_two_inputs_with_the_same_port(tmp_path: Path, first: str, second: str, good: bool) -> None:
    files = [tmp_path / "a.conf", tmp_path / "b.conf"]
    for file, options in zip(files, (first, second), strict=True):
        file.write_text(f"input {{ tcp {{ {options} }} }}")
    for arguments in ([*map(str, files)], ["--pipeline", f"a={files[0]}", "--pipeline", f"b={files[1]}"]):
        result = run(*arguments)
        assert (result.exit_code == 0) is good
        problem = f"{files[1]}:1:23: error: port 5000 is already that of the input at {files[0]}:1"
        assert (problem in result.stderr) is not good
        last = "pipeline b is good" if "--pipeline" in arguments else "pipeline main is good"
        assert (last in result.stdout) is good


TCP = "input {{ tcp {{ port => {} {} }} }} output {{ null {{ }} }}"
DASHBOARD = [  # id, port and host of an input, http, exit code
    ("the_same", 9700, "", "127.0.0.1:9700", 1),
    ("another_address", 9700, "host => '127.0.0.2'", "127.0.0.1:9700", 0),
    ("another_port", 9701, "", "127.0.0.1:9700", 0),
    ("off", 9600, "", "off", 0),
    ("by_default", 9600, "", "", 0),
]


@pytest.mark.parametrize(
    ("port", "host", "http", "code"), [row[1:] for row in DASHBOARD], ids=[row[0] for row in DASHBOARD]
)
def test_the_port_of_the_dashboard(port: int, host: str, http: str, code: int) -> None:
    text = TCP.format(port, host)
    result = CliRunner().invoke(main, ["check", "-e", text], env={"INGESTD_HTTP": http or None})
    severity = "error" if code else "warning"
    found = f"-e:1:23: {severity}: port {port} is that of the dashboard" in result.stderr
    assert result.exit_code == code
    assert found is (bool(code) or not http)


@pytest.mark.parametrize(
    ("config", "place"),
    [
        ("input { tcp { port => 99999 } }", "1:23"),
        ("input { udp { host => '127.0.0.1' port => 70000 } }", "1:43"),
        ("input { http { port => 8080 response_code => 99 } }", "1:46"),
        ('input { tcp { port => 0 codec => line { delimiter => "" } } }', "1:54"),
        ("input { file { path => '/x' delimiter => '' } }", "1:42"),
        ("input { kafka { topics => x bootstrap_servers => 'kafka' } }", "1:51"),
        ("input { kafka { bootstrap_servers => 'a:9092,http://b:9092' } }", "1:39"),
        ("input { kafka { bootstrap_servers => 'a:99092' } }", "1:39"),
        ("input { stdin { } } output { file { path => '/tmp' } }", "1:46"),
        ("input { file { path => '/x' sincedb_path => '/etc/hostname/x' } }", "1:46"),
    ],
)
def test_the_caret_is_under_the_value(config: str, place: str) -> None:
    result = run("-e", config + ("" if "output" in config else " output { null { } }"))
    assert result.exit_code == 1
    assert result.stderr.startswith(f"-e:{place}: error: ")


def test_a_folder_of_logs(tmp_path: Path) -> None:
    result = run("-e", f"input {{ file {{ path => '{tmp_path}' }} }} output {{ null {{ }} }}")
    assert result.exit_code == 0
    assert "is a folder, from which nothing is read" in result.stderr


def test_a_config_without_an_output() -> None:
    result = run("-e", "input { stdin { } }")
    assert result.exit_code == 0
    assert result.stderr.startswith("-e:1:9: warning: the config has no output")
    assert run("-e", "filter { drop { } }").stderr == "", "a part of a config"
    warnings = compile_pipeline(parse("input { stdin { } }", "x.conf", {}), BuildContext()).warnings
    assert [warning.span.column for warning in warnings] == [9], "the start logs it"


def test_a_config_without_an_input() -> None:
    result = run("-e", "output { null { } }")
    assert result.exit_code == 0
    assert result.stderr.startswith("-e:1:10: warning: the config has no input")


def test_every_port_that_is_taken_is_named_once() -> None:
    inputs = ["tcp { port => 5000 }", "http { port => 5000 }", "syslog { port => 5001 }", "syslog { port => 5001 }"]
    result = run("-e", "\n".join(["input {", *inputs, "}", "output { null { } }"]))
    assert result.exit_code == 1
    assert "-e:3:16: error: port 5000 is already that of the input at -e:2" in result.stderr
    assert "-e:5:18: error: port 5001 is already that of the input at -e:4" in result.stderr
    assert result.stderr.endswith("-e: 2 errors\n")


def test_two_outputs_with_the_same_files(tmp_path: Path) -> None:
    """Each pipeline is good, but they cannot run together: ``store_0`` of ``web``, and ``web`` of ``main``."""
    first, second = tmp_path / "main.conf", tmp_path / "web.conf"
    first.write_text("input { stdin { } } output { store { id => 'web' } }")
    second.write_text("input { stdin { } } output { store { } }")
    result = run("-f", str(first), "--pipeline", f"web={second}")
    assert result.exit_code == 1
    assert "would write to the same files of the store" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--pipeline", "x"),
        ("--pipeline", "=x"),
        ("-e", GOOD, "-f", "x"),
        ("-e", GOOD, "--pipeline", "main=x"),
        ("--nope",),
    ],
    ids=["no_path", "no_name", "text_and_file", "main_twice", "unknown_flag"],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


PLACES = [  # id, filter, the text that the error points at, part of what it says
    ("convert", 'mutate { convert => { "a" => "int" } }', "int", "did you mean 'integer'?"),
    ("regex", 'mutate { gsub => ["m", "[a-z", ""] }', "[a-z", "is not closed"),
    ("date_format", 'date { match => ["t", "yyyy-MM-ddTHH:mm"] }', "yyyy-MM-ddTHH:mm", "put text in quotes"),
    ("prune", 'prune { whitelist_names => ["a", "[b-"] }', "[b-", "is not closed"),
    ("geoip_field", 'geoip { source => "a" fields => ["ip", "city"] }', "city", "unknown field"),
    ("dissect", 'dissect { mapping => { "m" => "nothing" } }', "nothing", "has no field"),
]


@pytest.mark.parametrize(("config", "place", "text"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES])
def test_an_error_in_an_option_points_at_the_text(config: str, place: str, text: str) -> None:
    config = f"filter {{ {config} }}"
    result = CliRunner().invoke(main, ["check", "-e", config])
    assert result.exit_code == 1
    assert f"-e:1:{config.index(place) + 1}: error: " in result.stderr
    assert text in result.stderr


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("%{a[0]}", "write %{[a][0]}"),
        ("x %{host[name][x]}", "write %{[host][name][x]}"),
        ("%{[a][}", "write %{[a][b]}"),
    ],
    ids=["index", "fields", "not_closed"],
)
def test_placeholders_that_refer_to_no_field(text: str, hint: str) -> None:
    config = (
        f'filter {{ mutate {{ add_field => {{ "b" => "{text}" }} replace => {{ "c" => "%{{}} %{{x}} {text}" }} }} }}'
    )
    result = CliRunner().invoke(main, ["check", "-e", config])
    assert result.exit_code == 0
    assert result.stderr.count("refers to no field, so it stays as it is") == 2
    assert hint in result.stderr
