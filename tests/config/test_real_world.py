from __future__ import annotations

from pathlib import Path
from typing import Any

from ingestd.config.nodes import Branch, Statement
from ingestd.config.parser import load
from tests.config.trees import plain

FILE = Path(__file__).with_name("real_world.conf")


def plugins(statements: tuple[Statement, ...]) -> list[tuple[Any, ...]]:
    """Return all plugins in the order of the text, without their conditions."""
    found = []
    for statement in statements:
        if isinstance(statement, Branch):
            for body in (*(body for _, body in statement.tests), statement.otherwise):
                found += plugins(body)
        else:
            found.append(plain(statement))
    return found


def test_a_big_config() -> None:
    config = load([FILE], {"ES_HOST": "es1", "ES_PASSWORD": "a$b\"'"})
    assert [plugin[0] for plugin in plugins(config.inputs)] == ["tcp", "beats", "syslog", "http"]
    assert plugins(config.inputs)[0] == (
        "tcp",
        ("port", "5959"),
        ("codec", ("json_lines", ("charset", "UTF-8"))),
        ("tags", ["django", "shop"]),
        ("type", "django"),
    )
    filters = plugins(config.filters)
    assert " ".join(plugin[0] for plugin in filters) == (
        "grok date grok mutate mutate drop useragent kv ruby urldecode translate mutate"
    )
    assert filters[0][1][1]["hash"][0][1][1] == r'"%{WORD:method} %{URIPATHPARAM:request}" \d{3}'
    assert filters[8][1][1].count("\n") == 3
    assert filters[10][3] == ("dictionary", {"hash": [(200, "ok"), (404, "not found"), ("5xx", "bad")]})
    assert [plugin[0] for plugin in plugins(config.outputs)] == ["file", "elasticsearch", "stdout"]
    assert plugins(config.outputs)[0][2] == ("file_mode", 0o640)
    assert plugins(config.outputs)[1][1:] == (
        ("hosts", ["https://es1:9200", "https://es2:9200"]),
        ("index", "logstash-%{+YYYY.MM.dd}"),
        ("user", "elastic"),
        ("password", "a$b\"'"),
    )
    assert config.warnings == ()


def test_conditions_of_a_big_config() -> None:
    branches = load([FILE], {"ES_HOST": "", "ES_PASSWORD": ""}).filters
    (_, cases, otherwise), (_, search, _) = plain(branches)[:2]
    tags, kind, skip = ("field", "[tags]"), ("field", "[fields][kind]"), ("field", "[fields][skip]")
    assert cases[1][0] == (
        "or",
        ("in", "nginx", tags),
        ("and", ("in", kind, ["access", "error"]), ("!", ("true", skip))),
    )
    assert otherwise == []
    assert search[0][0] == ("=~", ("field", "[request]"), ("regex", r"^/search\?"))
