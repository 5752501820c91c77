"""TLS of inputs: files that fit and those that do not, what clients are refused for, new files without a restart."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop

from ingestd.compiler.pipeline import inspect
from ingestd.config.parser import parse
from ingestd.plugins.inputs import _tls
from ingestd.plugins.inputs._tcp_tls import server_lines
from ingestd.plugins.inputs._tls import ServerContexts, TlsOptions, server_context, tls_warnings
from ingestd.plugins.inputs.tcp import Options
from ingestd.plugins.registry import BuildContext, OptionError
from ingestd.settings import Settings
from tests.plugins.inputs.authority import Authority
from tests.plugins.inputs.conversations import Client, Serving, serving
from tests.waiting import eventually


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
def _forget_files() -> None:
    _tls._last_good.clear()


def options(authority: Authority, **given: Any) -> TlsOptions:
    certificate, key = authority.server
    files: dict[str, Any] = {"ssl_enabled": True, "ssl_certificate": str(certificate), "ssl_key": str(key)}
    return TlsOptions(**files | given)


# Files


def test_no_tls_without_ssl_enabled() -> None:
    assert server_context(TlsOptions()) is None


def test_context(authority: Authority) -> None:
    context = server_context(options(authority))
    assert context is not None
    assert (context.minimum_version, context.verify_mode) == (ssl.TLSVersion.TLSv1_2, ssl.CERT_NONE)


BAD_FILES = {  # id: options, the text of the error
    "no_certificate": ({"ssl_certificate": None}, "ssl_enabled needs the option ssl_certificate"),
    "no_key": ({"ssl_key": None}, "ssl_enabled needs the option ssl_key"),
    "missing": ({"ssl_certificate": "{}/none.pem"}, "ssl_certificate: '{}/none.pem' cannot be read: No such file"),
    "missing_key": ({"ssl_key": "{}/none.pem"}, "ssl_key: '{}/none.pem' cannot be read: No such file"),
    "folder": ({"ssl_key": "{}"}, "ssl_key: '{}' cannot be read: Is a directory"),
    "der": ({"ssl_certificate": "{}/server.der"}, "'{}/server.der' has no certificate in PEM format"),
    "key_as_certificate": ({"ssl_certificate": "{}/server.key"}, "'{}/server.key' has no certificate in PEM format"),
    "certificate_as_key": ({"ssl_key": "{}/server.crt"}, "'{}/server.crt' has no private key in PEM format"),
    "other_key": (
        {"ssl_key": "{}/stranger.key"},
        "'{}/stranger.key' is not the key of the certificate '{}/server.crt'",
    ),
    "other_algorithm": (
        {"ssl_key": "{}/client.key"},
        "'{}/client.key' is not the key of the certificate '{}/server.crt'",
    ),
    "encrypted": ({"ssl_key": "{}/encrypted.key"}, "'{}/encrypted.key' is encrypted"),
    "passphrase": (
        {"ssl_key": "{}/encrypted.key", "ssl_key_passphrase": "wrong"},
        "ssl_key_passphrase is wrong for '{}/encrypted.key'",
    ),
    "chain": ({"ssl_extra_chain_certs": ["{}/none.pem"]}, "'{}/none.pem' cannot be read: No such file"),
    "torn": ({"ssl_certificate": "{}/torn.crt"}, "'{}/torn.crt' and '{}/server.key' cannot be used"),
    "authority": (
        {"ssl_certificate_authorities": ["{}/none.pem"], "ssl_client_authentication": "required"},
        "ssl_certificate_authorities: '{}/none.pem' cannot be read: No such file",
    ),
    "suite": ({"ssl_cipher_suites": ["TLS_X_WITH_Y"]}, "OpenSSL has no suite 'TLS_X_WITH_Y'"),
    "old": ({"ssl_supported_protocols": ["TLSv1.1"]}, "TLS 1.1 is insecure and not offered"),
}


def filled(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [filled(item, folder) for item in value]
    return value.replace("{}", str(folder)) if isinstance(value, str) else value


@pytest.mark.sampled
@pytest.mark.parametrize(("given", "text"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_bad_files(given: dict[str, Any], text: str, authority: Authority) -> None:
    given = {name: filled(value, authority.folder) for name, value in given.items()}
    with pytest.raises(OptionError) as caught:
        server_context(options(authority, **given))
    assert filled(text, authority.folder) in str(caught.value)


def test_encrypted_key(authority: Authority) -> None:
    key = str(authority.folder / "encrypted.key")
    assert server_context(options(authority, ssl_key=key, ssl_key_passphrase="secret")) is not None


def test_place_of_an_error_in_the_config(authority: Authority) -> None:
    key = authority.folder / "none.key"
    config = f"""input {{ tcp {{ port => 1 ssl_enabled => true
      ssl_certificate => "{authority.server[0]}"
      ssl_key => "{key}" }} }} output {{ null {{ }} }}"""
    [error] = [each for each in inspect(parse(config, "main.conf", {})) if each.severity == "error"]
    assert (error.span.line, error.span.column) == (3, 19)
    assert str(key) in str(error)


def test_expired_certificate(authority: Authority) -> None:
    config = f"""input {{ tcp {{ port => 1 ssl_enabled => true ssl_client_authentication => none
      ssl_certificate => "{authority.folder / "short.crt"}" ssl_key => "{authority.folder / "short.key"}" }} }}
      output {{ null {{ }} }}"""
    [soon] = inspect(parse(config, "main.conf", {}))
    assert soon.severity == "warning"
    assert "expires in 1 days" in str(soon)
    later = datetime.now(UTC).timestamp() + 100 * 86400
    [expired] = tls_warnings(options(authority), later)
    assert "has expired on" in expired.text
    [early] = tls_warnings(options(authority), later - 110 * 86400)
    assert "is not valid before" in early.text


SUITES = {  # id: suites, versions, what is negotiated
    "default": ([], [], "TLSv1.3"),
    "no_tls13": ([], ["TLSv1.1", "TLSv1.2"], "TLSv1.2"),
    "old_suite": (["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"], [], "TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384"),
    "openssl_name": (["ECDHE-RSA-CHACHA20-POLY1305"], [], "TLSv1.2 ECDHE-RSA-CHACHA20-POLY1305"),
    "both": (["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"], [], "TLSv1.3"),
    "only_new": (["TLS_AES_128_GCM_SHA256"], [], "TLSv1.3"),
}


# Connections


@contextlib.asynccontextmanager
async def lines(authority: Authority, **given: Any) -> AsyncIterator[Serving]:
    certificate, key = authority.server
    files = {"ssl_enabled": True, "ssl_certificate": str(certificate), "ssl_key": str(key)}
    given = {"port": 0, "ssl_client_authentication": "none", **files, **given}
    context = BuildContext(plugin_id="tcp_0", settings=Settings())
    async with serving(server_lines(Options(**given), context, keep_alive=False)) as running:
        yield running


@contextlib.asynccontextmanager
async def talk(client: Client, context: ssl.SSLContext) -> AsyncIterator[asyncio.StreamWriter]:
    """Speak TLS until the end of the block, then close."""
    _, writer = await asyncio.open_connection(sock=client.sock, ssl=context, server_hostname="127.0.0.1")
    try:
        yield writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.mark.parametrize(("suites", "versions", "expected"), SUITES.values(), ids=SUITES.keys())
async def test_versions_and_suites(suites: list[str], versions: list[str], expected: str, authority: Authority) -> None:
    given = {"ssl_cipher_suites": suites, "ssl_supported_protocols": versions}
    async with lines(authority, **given) as running, talk(running.connect(), authority.client_context()) as writer:
        connected = writer.get_extra_info("ssl_object")
        assert f"{connected.version()} {connected.cipher()[0]}".startswith(expected)


async def test_lines(authority: Authority) -> None:
    async with lines(authority) as running:
        client = running.connect()
        async with talk(client, authority.client_context()) as writer:
            writer.write(b"one\ntwo\nthr")
            await eventually(lambda: running.sink.data)
            writer.write(b"ee\nrest")
        await eventually(lambda: client.reason)
        assert b"".join(running.sink.data) == b"one\ntwo\nthree\nrest"
        assert (client.reason, [*running.sink.put_at]) == ("end", [("s0", 0), ("s0", 8), ("s0", 14)])


async def test_stop_takes_in_what_was_sent(authority: Authority) -> None:
    """Also what nobody has decrypted yet, as there was no room."""
    async with lines(authority) as running, talk(running.connect(), authority.client_context()) as writer:
        writer.write(b"first\n")
        await eventually(lambda: running.sink.data)
        running.sink.pause()
        sent = b"".join(b"%06d %s\n" % (number, b"x" * 90) for number in range(2000))
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(0)
        await eventually(lambda: not writer.transport.get_write_buffer_size())
        stopping = asyncio.create_task(running.stop("handover"))
        await asyncio.sleep(0.1)
        running.sink.resume()
        await stopping
        assert b"".join(running.sink.data) == b"first\n" + sent


REFUSED = {  # id: of the server, of the client, possible reasons in the log
    "old_version": ({}, {"old": True}, ["the client does not support TLS 1.2 or newer"]),
    "no_certificate": ({"ssl_client_authentication": "required"}, {}, ["the client has no certificate"]),
    "other_authority": (
        {"ssl_client_authentication": "optional"},
        {"certificate": "stranger"},
        ["the certificate of the client is not trusted"],
    ),
    "not_trusted": (
        {},
        {"trusts": "stranger"},
        ["the client hung up", "the client does not trust the certificate of this input"],  # asyncio sends no alert
    ),
}


@pytest.mark.parametrize(("server", "client", "reasons"), REFUSED.values(), ids=REFUSED.keys())
async def test_refused(
    server: dict[str, Any],
    client: dict[str, Any],
    reasons: list[str],
    authority: Authority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = {"ssl_certificate_authorities": [str(authority.folder / "ca.crt")]} | server
    async with lines(authority, **server) as running:
        refused = [running.connect(), running.connect()]
        for connected in refused:
            with contextlib.suppress(OSError):
                async with talk(connected, authority.client_context(**client)) as writer:
                    writer.write(b"a line\n")
                    await eventually(lambda: connected.reason)  # noqa: B023
        await eventually(lambda: all(connected.reason for connected in refused))
        assert {connected.reason for connected in refused} <= {"rejected", "error"}
        assert running.sink.data == []
    [record] = caplog.records
    assert record.message == "a TLS handshake failed; the client was disconnected"
    assert record.__dict__["fields"]["reason"] in reasons


@pytest.mark.parametrize("needed", ["optional", "required"])
async def test_certificate_of_a_client(needed: str, authority: Authority) -> None:
    trusted, mine = [str(authority.folder / "ca.crt")], authority.client_context(certificate="client")
    given = {"ssl_client_authentication": needed, "ssl_certificate_authorities": trusted}
    async with lines(authority, **given) as running, talk(running.connect(), mine) as writer:
        writer.write(b"mine\n")
        await eventually(lambda: running.sink.data == [b"mine\n"])


async def test_plain_text_to_a_tls_port(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    async with lines(authority) as running:
        for _ in range(2):
            client = running.connect()
            await client.send(b'{"message": "plain"}\n')
            with contextlib.suppress(ConnectionError):
                assert await client.receive() == b""
            await eventually(lambda: client.reason == "rejected")  # noqa: B023
        assert running.sink.data == []
    assert caplog.messages == ["a client does not speak TLS, which this input needs; it was disconnected"]


async def test_header_of_a_proxy_before_tls(authority: Authority) -> None:
    async with lines(authority, proxy_protocol=True) as running:
        client = running.connect()
        await client.send(b"PROXY TCP4 198.51.100.7 ")
        await client.send(b"192.0.2.1 4711 5044\r\n")
        async with talk(client, authority.client_context()) as writer:
            writer.write(b"one\n")
            await eventually(lambda: running.sink.data)
        assert running.sink.streams["s0"].fields == {
            "host": "198.51.100.7", "port": 4711, "proxy_host": "192.0.2.1", "proxy_port": 0,
        }  # fmt: skip


# New files


def test_new_files_are_used_without_a_restart(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    certificate, key = tmp_path / "a.crt", tmp_path / "a.key"

    def install(name: str) -> None:
        for source, target in zip(authority.files(name), (certificate, key), strict=True):
            shutil.copy(source, tmp_path / "new")
            (tmp_path / "new").rename(target)

    install("server")
    contexts = ServerContexts(options(authority, ssl_certificate=str(certificate), ssl_key=str(key)), "main", "tcp_0")
    first = contexts.current()
    assert contexts.current() is first
    install("client")
    second = contexts.current()
    assert second is not first
    certificate.write_bytes(b"broken")
    for _ in range(3):
        assert contexts.current() is second
    again = ServerContexts(
        options(authority, ssl_certificate=str(certificate), ssl_key=str(key)), "main", "tcp_0"
    )  # a worker that is started now
    assert again.current() is second
    install("server")
    assert contexts.current() not in (first, second)
    assert [message for message in caplog.messages if "attention" not in message] == [
        "new TLS files are in use",
        "the TLS files cannot be used; the previous ones stay in use",
        "the TLS files cannot be used; the previous ones stay in use",
        "the TLS files can be used again",
        "new TLS files are in use",
    ]


async def test_silent_client_of_a_tls_port_is_disconnected(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestd.plugins.inputs._server.HANDSHAKE_SECONDS", 0.05)
    async with lines(authority) as running:
        client = running.connect()
        assert await client.receive() == b""
        await eventually(lambda: client.reason == "idle")


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_client_that_closes_while_there_is_no_room(run: Any, authority: Authority) -> None:
    """What it has sent is all there: decrypted already, encrypted in this process, or in the kernel."""
    sent = b"".join(b"%06d %s\n" % (number, b"x" * 90) for number in range(20000))

    def send(sock: socket.socket) -> None:
        sock.setblocking(True)
        with authority.client_context().wrap_socket(sock, server_hostname="127.0.0.1") as connection:
            connection.sendall(sent)

    async def check() -> None:
        async with lines(authority) as running:
            client = running.connect()
            sending = asyncio.create_task(asyncio.to_thread(send, client.sock))
            await eventually(lambda: running.sink.data)
            for _ in range(20):
                running.sink.pause()
                await asyncio.sleep(0.005)
                running.sink.resume()
                await asyncio.sleep(0)
            await sending
            await eventually(lambda: client.reason)
            assert b"".join(running.sink.data) == sent

    run(check())
