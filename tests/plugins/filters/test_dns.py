"""The filter ``dns``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from ingestd.plugins.filters import dns as module
from ingestd.plugins.filters._resolver import DnsServer, Question, ResolvConf, Resolver
from tests.plugins.filters.name_server import NameServer, name_server
from tests.plugins.filters.random_events import EVENTS, pipeline_of, survivors
from tests.plugins.filters.tables import Case, build, check
from tests.waiting import WAIT_SECONDS, wait_until

HOSTS = """
# comment
127.0.0.1 localhost local  # names
::1 localhost ip6-localhost
10.0.0.5 Known.example.com
none of these
"""
PATIENT = {"timeout": WAIT_SECONDS, "max_retries": 0}
"""For lookups that are answered."""

CASES = [
    Case("nothing", {}, {"a": 1}, {"a": 1}),
    Case("address_of_an_address", {"resolve": "a"}, {"a": "1.2.3.4"}, {"a": ["1.2.3.4", "1.2.3.4"]}),
    Case("missing", {"resolve": "a", "reverse": ["b", "[c][d]"]}, {"x": 1}, {"x": 1}),
    Case("null", {"resolve": "a"}, {"a": None}, {"a": None}),
    Case("number", {"resolve": "a"}, {"a": 5}, {"a": 5}, done=False),
    Case("several", {"resolve": "a"}, {"a": ["1.1.1.1", "b"]}, {"a": ["1.1.1.1", "b"]}, done=False),
    Case("empty_array", {"resolve": "a"}, {"a": []}, {"a": []}, done=False),
    Case("empty", {"resolve": "a"}, {"a": ""}, {"a": ""}, done=False),
    Case("no_address", {"reverse": "a"}, {"a": "host"}, {"a": "host"}, done=False),
    Case("cannot_exist", {"resolve": "a", "nameserver": "127.0.0.1"}, {"a": "a..b"}, {"a": "a..b"}, done=False),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_dns(case: Case) -> None:
    check("dns", case)


@pytest.fixture
def server() -> Iterator[NameServer]:
    records: dict[Any, Any] = {
        ("www.example.com", "A"): "10.0.0.1",
        ("www.example.com", "AAAA"): "2001:db8::1",
        ("six.example.com", "AAAA"): "2001:db8::6",
        ("broken.example.com", "A"): 2,
        ("broken.example.com", "AAAA"): 2,
        ("silent.example.com", "A"): None,
        ("silent.example.com", "AAAA"): None,
        ("4.3.2.1.in-addr.arpa", "PTR"): "host.example.com",
    }
    with name_server(records) as running:
        yield running


@pytest.mark.parametrize(
    ("options", "before", "after"),
    [
        ({"resolve": "a"}, "www.example.com", ["www.example.com", "10.0.0.1"]),
        ({"resolve": "a", "action": "replace"}, "WWW.Example.com", "10.0.0.1"),
        ({"resolve": "a", "action": "replace"}, ["www.example.com"], ["10.0.0.1"]),
        ({"resolve": "a"}, ["www.example.com"], ["www.example.com", "10.0.0.1"]),
        ({"resolve": "a", "action": "replace"}, "six.example.com", "2001:db8::6"),
        ({"reverse": "a", "action": "replace"}, "1.2.3.4", "host.example.com"),
        ({"resolve": "a"}, "unknown.example.com", None),
        ({"resolve": "a"}, "broken.example.com", None),
        ({"reverse": "a"}, "1.2.3.5", None),
    ],
)
def test_lookups(server: NameServer, options: dict[str, Any], before: Any, after: Any) -> None:
    event = {"a": before}
    done = build("dns", nameserver=server.address, **PATIENT, **options)(event)
    assert event == {"a": before if after is None else after}
    assert done is (after is not None)


def test_search_domains(server: NameServer) -> None:
    given = {"address": [server.address], "search": ["nowhere.test", "example.com"], "ndots": 2}
    event = {"a": "www", "b": "www.example.com"}
    assert build("dns", nameserver=given, resolve=["a", "b"], action="replace", **PATIENT)(event)
    assert event == {"a": "10.0.0.1", "b": "10.0.0.1"}


def test_every_field_must_be_found(server: NameServer) -> None:
    function = build("dns", nameserver=server.address, resolve=["a", "b"], action="replace", **PATIENT)
    event = {"a": "www.example.com", "b": "unknown.example.com"}
    assert function(event) is False
    assert event == {"a": "10.0.0.1", "b": "unknown.example.com"}


def test_caches(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both for a time of their own, and with a size."""
    now = 0.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    caches = {"hit_cache_size": 1, "hit_cache_ttl": 10, "failed_cache_size": 1, "failed_cache_ttl": 5}
    function = build("dns", nameserver=server.address, resolve="a", **PATIENT, **caches)

    def asked(*names: str) -> list[str]:
        server.asked.clear()
        for name in names:
            function({"a": f"{name}.example.com"})
        return sorted({name.partition(".")[0] for name, _ in server.asked})

    assert asked("www", "unknown") == ["unknown", "www"]
    assert asked("www", "unknown") == []
    now = 5.0
    assert asked("www", "unknown") == ["unknown"]
    now = 10.0
    assert asked("www") == ["www"]
    assert asked("six", "www") == ["six", "www"]


def test_no_caches(server: NameServer) -> None:
    options = {"hit_cache_size": 0, "failed_cache_size": 0}
    function = build("dns", nameserver=server.address, resolve="a", **PATIENT, **options)
    for _ in range(2):
        function({"a": "six.example.com"})
        function({"a": "unknown.example.com"})
    assert len(server.asked) == 8


def test_without_an_answer(server: NameServer, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """The event is tagged; while nothing is answered, nothing is asked."""
    now = 0.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    function = build("dns", nameserver=server.address, resolve="a", timeout=0.05, max_retries=1)
    for name in ("silent", "www"):
        event: dict[str, Any] = {"a": f"{name}.example.com"}
        assert function(event) is False
        assert event == {"a": f"{name}.example.com", "tags": ["_dnstimeout"]}
    wait_until(lambda: len(server.asked) == 4, "both attempts")
    assert {name for name, _ in server.asked} == {"silent.example.com"}
    assert "no name server answers" in caplog.text
    now = 5.0
    function({"a": "www.example.com"})
    wait_until(lambda: len(server.asked) > 4, "questions after the pause")


def test_next_server(server: NameServer) -> None:
    """If one is not there, or cannot answer, the next one is asked."""
    with name_server({}) as gone:
        pass
    with name_server({("www.example.com", "A"): 5, ("www.example.com", "AAAA"): 5}) as refusing:
        servers = tuple(DnsServer.of(address) for address in (gone.address, refusing.address, server.address))
        answers = Resolver(ResolvConf(servers), WAIT_SECONDS, 2).ask([Question("www.example.com", reverse=False)])
    assert [*answers.values()] == ["10.0.0.1"]


def test_many_names_at_once(server: NameServer) -> None:
    for number in range(1200):
        server.records[f"n{number}.example.com", "A"] = f"10.1.{number // 256}.{number % 256}"
    questions = [Question(f"n{number}.example.com", reverse=False) for number in range(1200)]
    answers = Resolver(ResolvConf((DnsServer.of(server.address),)), 5, 60).ask(questions)
    assert [answers[question] for question in questions] == [f"10.1.{n // 256}.{n % 256}" for n in range(1200)]


def test_hosts_file(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(HOSTS)
    settings = {"hostsfile": str(tmp_path / "hosts"), "nameserver": "127.0.0.1", "action": "replace"}
    event = {"a": "localhost", "b": "known.EXAMPLE.com", "c": "::1", "d": "10.0.0.5"}
    assert build("dns", resolve=["a", "b"], reverse=["c", "d"], **settings)(event)
    assert event == {"a": "127.0.0.1", "b": "10.0.0.5", "c": "localhost", "d": "Known.example.com"}


def test_system_configuration(tmp_path: Path) -> None:
    path = tmp_path / "resolv.conf"
    path.write_text(
        "# x\nnameserver 10.0.0.1\nnameserver fe80::1%eth0\nnameserver x\nsearch a.com b.com\noptions rotate ndots:2\n"
    )
    servers = (DnsServer("10.0.0.1", 53), DnsServer("fe80::1", 53))
    assert ResolvConf.of_system(path) == ResolvConf(servers, ("a.com", "b.com"), 2)
    assert ResolvConf.of_system(tmp_path / "none") == ResolvConf((DnsServer("127.0.0.1", 53),))


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("10.0.0.1", ("10.0.0.1", 53)),
        ("10.0.0.1:5353", ("10.0.0.1", 5353)),
        ("::1", ("::1", 53)),
        ("[::1]", ("::1", 53)),
        ("[::1]:5353", ("::1", 5353)),
    ],
)
def test_servers(text: str, server: tuple[str, int]) -> None:
    assert DnsServer.of(text) == server


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": 0}, "timeout must be positive"),
        ({"max_retries": -1}, "timeout must be positive, and max_retries not negative"),
        ({"nameserver": "dns.example.com"}, "nameserver: 'dns.example.com' does not appear to be an IP"),
        ({"nameserver": {"addresses": "1.1.1.1"}}, "nameserver: unknown key 'addresses'"),
        ({"nameserver": {"search": "a.com"}}, "nameserver needs the address"),
        ({"hostsfile": "/no/hosts"}, "hostsfile: cannot read /no/hosts"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build("dns", **options)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(EVENTS)
def test_no_event_is_lost(server: NameServer, event: dict[str, Any]) -> None:
    address = f'nameserver => "{server.address}"'
    pipeline = pipeline_of(f'dns {{ resolve => ["message", "a"] reverse => "b" {address} }}')
    (got,) = survivors(pipeline, event)
    assert got["id"] == 7
