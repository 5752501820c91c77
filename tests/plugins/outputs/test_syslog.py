"""The output ``syslog``: the messages of events, and how they are sent."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ingestd.config.errors import ConfigErrors
from tests.plugins.inputs.authority import Authority
from tests.plugins.outputs.datagrams import HOST, receiving
from tests.plugins.outputs.outputs import STAMP, batch, build, deliver
from tests.plugins.outputs.test_tcp import listening, server_context
from tests.waiting import eventually

EVENT = {"message": "hello", "host": "web1", "level": "ERROR", "pid": 17, "user": 'a"b]', "syslog_pri": "34"}
NEW = 'rfc => "rfc5424"'
TIME = "2026-11-22T10:00:00.000+00:00"

MESSAGES = [  # id, options, changes of the event, message
    ("default", "", {}, "<13>Nov 22 10:00:00 web1 LOGSTASH: hello"),
    ("day", "", {"@timestamp": "2026-11-02T10:00:00.000Z"}, "<13>Nov  2 10:00:00 web1 LOGSTASH: hello"),
    ("new", NEW, {}, f"<13>1 {TIME} web1 LOGSTASH - - - hello"),
    (
        "fields",
        f'{NEW} severity => "%{{level}}" facility => local0 appname => "shop-%{{level}}" procid => "%{{pid}}" '
        'msgid => "visit" sourcehost => "%{user}"',
        {},
        f'<131>1 {TIME} a"b] shop-ERROR 17 visit - hello',
    ),
    (
        "tag",
        'appname => "shop" procid => "%{pid}" severity => "%{level}"',
        {},
        "<11>Nov 22 10:00:00 web1 shop[17]: hello",
    ),
    ("missing", f'{NEW} procid => "%{{x}}"', {"host": None}, f"<13>1 {TIME} - LOGSTASH - - - hello"),
    ("priority", "use_labels => false", {}, "<34>Nov 22 10:00:00 web1 LOGSTASH: hello"),
    (
        "priority_missing",
        "use_labels => false",
        {"syslog_pri": None},
        "<13>Nov 22 10:00:00 web1 LOGSTASH: hello",
    ),
    (
        "structured",
        f"""{NEW} structured_data => '[shop@1 user="%{{user}}" x="%{{x}}"][%{{level}}@1]'""",
        {},
        rf'<13>1 {TIME} web1 LOGSTASH - - [shop@1 user="a\"b\]" x=""][ERROR@1] hello',
    ),
    (
        "structured_field",
        f'{NEW} structured_data => "%{{data}}"',
        {"data": '[a b="c"]'},
        f'<13>1 {TIME} web1 LOGSTASH - - [a b="c"] hello',
    ),
    (
        "structured_lines",
        f"""{NEW} structured_data => '[%{{id}} user="%{{name}}"]'""",
        {"id": "a\n<0>1", "name": 'x\r\n<0>1 \0"'},
        rf'<13>1 {TIME} web1 LOGSTASH - - [a\n<0>1 user="x\n<0>1 \0\""] hello',
    ),
    ("structured_missing", f'{NEW} structured_data => "%{{data}}"', {}, f"<13>1 {TIME} web1 LOGSTASH - - - hello"),
    ("lines", "", {"message": "a\nb\r\nc\n"}, r"<13>Nov 22 10:00:00 web1 LOGSTASH: a\nb\nc"),
    ("message", 'message => "%{level}: %{message}"', {}, "<13>Nov 22 10:00:00 web1 LOGSTASH: ERROR: hello"),
    (
        "codec_with_format",
        'message => "unused" codec => plain { format => "%{level}" }',
        {},
        "<13>Nov 22 10:00:00 web1 LOGSTASH: ERROR",
    ),
    ("codec", 'codec => line { format => "%{pid}" }', {}, "<13>Nov 22 10:00:00 web1 LOGSTASH: 17"),
    ("text", "", {"message": "서울"}, "<13>Nov 22 10:00:00 web1 LOGSTASH: 서울"),
]


def event(changes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in {**EVENT, **changes}.items() if value is not None}


@pytest.mark.parametrize(("options", "changes", "message"), [m[1:] for m in MESSAGES], ids=[m[0] for m in MESSAGES])
def test_messages(options: str, changes: dict[str, Any], message: str) -> None:
    output = build(f'syslog {{ host => "{HOST}" port => 514 {options} }}')
    [datagram] = output.prepare(batch(event(changes))).payload
    assert datagram.data.decode() == message
    output = build(f'syslog {{ host => "{HOST}" port => 514 protocol => tcp {options} }}')
    assert output.prepare(batch(event(changes), event(changes))).payload.decode() == f"{message}\n{message}\n"


def test_the_whole_event_as_json() -> None:
    output = build(f'syslog {{ host => "{HOST}" port => 514 codec => json }}')
    [datagram] = output.prepare(batch({"message": "a\nb", "host": "h"})).payload
    stamp = f'"@timestamp":"{STAMP["@timestamp"]}","@version":"1"'
    assert datagram.data.decode() == f'<13>Nov 22 10:00:00 h LOGSTASH: {{{stamp},"message":"a\\nb","host":"h"}}'


async def test_udp() -> None:
    with receiving() as receiver:
        output = build(f'syslog {{ host => "{HOST}" port => {receiver.port} }}')
        await deliver(output, batch({"message": "a", "host": "h"}, {"message": "b", "host": "h"}))
        await eventually(lambda: [text[-1:] for text in receiver.datagrams()] == [b"a", b"b"])
        await output.close()


async def test_tcp_and_a_cut() -> None:
    events = [{"message": f"{number} {'x' * 1000}"} for number in range(5000)]
    async with listening() as (server, port):
        server.limits = [100_000]
        output = build(f'syslog {{ host => "{HOST}" port => {port} protocol => tcp reconnect_interval => 0.01 }}')
        await deliver(output, batch(*events))
        await eventually(lambda: len(server.received) == 2 and server.received[1].count(b"\n") == 5000)
        await output.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


async def test_tls(authority: Authority) -> None:
    async with listening(server_context(authority)) as (server, port):
        options = f'protocol => "ssl-tcp" ssl_cacert => "{authority.folder}/ca.crt" ssl_verify => true'
        output = build(f'syslog {{ host => "{HOST}" port => {port} {options} }}')
        await deliver(output, batch({"message": "hello", "host": "h"}))
        await eventually(lambda: bool(server.received) and server.received[0].endswith(b" h LOGSTASH: hello\n"))
        await output.close()


def revocations(authority: Authority, *names: str) -> Path:
    """Return a list of revoked certificates."""
    folder = authority.folder
    (folder / "index.txt").write_text("")
    (folder / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ndefault_md=sha256\n")
    signer = ["openssl", "ca", "-config", "ca.cnf", "-cert", "ca.crt", "-keyfile", "ca.key"]
    for name in names:
        subprocess.run([*signer, "-revoke", f"{name}.crt"], cwd=folder, check=True, capture_output=True)
    path = folder / f"{'-'.join(['crl', *names])}.pem"
    subprocess.run([*signer, "-gencrl", "-crldays", "9", "-out", path], cwd=folder, check=True, capture_output=True)
    return path


@pytest.mark.parametrize("check", ["", 'ssl_crl_check => ["chain"]'], ids=["server", "chain"])
async def test_a_revoked_certificate_is_refused(authority: Authority, check: str) -> None:
    good, bad = revocations(authority), revocations(authority, "server")
    async with listening(server_context(authority)) as (server, port):
        options = f'port => {port} protocol => "ssl-tcp" ssl_cacert => "{authority.folder}/ca.crt" {check}'
        output = build(f'syslog {{ host => "{HOST}" {options} ssl_crl_path => "{bad}" }}')
        delivery = asyncio.create_task(deliver(output, batch({"message": "hello"})))
        await eventually(lambda: "revoked" in output.retry_reason(), "a reason")
        delivery.cancel()
        await asyncio.wait([delivery])
        assert not any(server.received)
        output = build(f'syslog {{ host => "{HOST}" {options} ssl_crl_path => "{good}" }}')
        await deliver(output, batch({"message": "hello"}))
        await eventually(lambda: any(text.endswith(b"hello\n") for text in server.received))
        await output.close()


REFUSED = [
    ("host", 'port => 1 host => "logs..example.org"', "is not the name or address"),
    ("port", "port => 0", "is not a port"),
    ("protocol", "port => 1 protocol => relp", "udp"),
    ("rfc", "port => 1 rfc => rfc1", "rfc5424"),
    ("structured", "port => 1 structured_data => '[a]'", "needs rfc => rfc5424"),
    ("crl", 'port => 1 protocol => "ssl-tcp" ssl_crl_path => "/nothing.pem"', "No such file"),
]


@pytest.mark.parametrize(("options", "reason"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_options_that_cannot_work(tmp_path: Path, options: str, reason: str) -> None:
    place = "" if "host =>" in options else f'host => "{HOST}"'
    with pytest.raises(ConfigErrors, match=reason):
        build(f"syslog {{ {place} {options} }}", tmp_path)


def test_a_file_without_revocations(authority: Authority) -> None:
    with pytest.raises(ConfigErrors, match="has no list"):
        build(f'syslog {{ host => "h" port => 1 protocol => "ssl-tcp" ssl_crl_path => "{authority.folder}/ca.crt" }}')


def test_logstashs_options_are_taken() -> None:
    build('syslog { host => "h" port => 1 ssl_crl_check_all => true ssl_verify => false ssl_key_passphrase => "x" }')
