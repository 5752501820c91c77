from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest

from ingestd.stores.elastic.connection.client import ElasticClient
from ingestd.stores.elastic.connection.options import ElasticOptions, Host

CLOUD_ID = "logs:ZXUtd2VzdC5leGFtcGxlLmNvbSRhYmMxMjMka2liMQ=="  # eu-west.example.com$abc123$kib1

HOSTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "default": ({}, ["http://127.0.0.1:9200"]),
    "name": ({"hosts": ("es1",)}, ["http://es1:9200"]),
    "name_and_port": ({"hosts": ("es1:9201",)}, ["http://es1:9201"]),
    "logstash_default": ({"hosts": ("//127.0.0.1",)}, ["http://127.0.0.1:9200"]),
    "url": ({"hosts": ("https://es1",)}, ["https://es1:9200"]),
    "several": ({"hosts": ("http://a", "http://b:1/")}, ["http://a:9200", "http://b:1"]),
    "repeated": ({"hosts": ("a", "http://a:9200/", "A")}, ["http://a:9200"]),
    "path": ({"hosts": ("http://proxy/es/",)}, ["http://proxy:9200/es"]),
    "path_option": ({"hosts": ("a", "http://b/own"), "path": "es"}, ["http://a:9200/es", "http://b:9200/own"]),
    "ipv6": ({"hosts": ("[::1]:9201",)}, ["http://[::1]:9201"]),
    "ssl_enabled": ({"hosts": ("es1",), "ssl_enabled": True}, ["https://es1:9200"]),
    "credentials_are_not_shown": ({"hosts": ("http://me:secret@es1",)}, ["http://es1:9200"]),
    "cloud_id": ({"cloud_id": CLOUD_ID}, ["https://abc123.eu-west.example.com:443"]),
}


@pytest.mark.parametrize(("options", "urls"), HOSTS.values(), ids=HOSTS.keys())
def test_hosts(options: dict[str, Any], urls: list[str]) -> None:
    assert [host.url for host in ElasticOptions(**options).resolve()] == urls


AUTHORIZATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "none": ({}, ""),
    "user": ({"user": "me", "password": "secret"}, "Basic bWU6c2VjcmV0"),
    "empty_password": ({"user": "me", "password": ""}, "Basic bWU6"),
    "cloud_auth": ({"cloud_auth": "me:secret"}, "Basic bWU6c2VjcmV0"),
    "api_key": ({"api_key": "id:key"}, "ApiKey aWQ6a2V5"),
    "api_key_in_base64": ({"api_key": "aWQ6a2V5"}, "ApiKey aWQ6a2V5"),
    "in_url": ({"hosts": ("http://m%40e:s%3Aecret@es1",)}, "Basic bUBlOnM6ZWNyZXQ="),
    "option_wins": ({"hosts": ("http://a:b@es1",), "user": "me", "password": "secret"}, "Basic bWU6c2VjcmV0"),
}


@pytest.mark.parametrize(("options", "header"), AUTHORIZATIONS.values(), ids=AUTHORIZATIONS.keys())
def test_authorization(options: dict[str, Any], header: str) -> None:
    (host,) = ElasticOptions(**options).resolve()
    assert host.authorization == header


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no_hosts": ({"hosts": ()}, "hosts is empty"),
    "scheme": ({"hosts": ("ftp://es1",)}, "a host is a URL like http://host:9200, not ftp://es1"),
    "no_name": ({"hosts": ("http://",)}, "a host is a URL like http://host:9200, not one without a host name"),
    "port": ({"hosts": ("http://me:secret@es1:99999",)}, "not a host: 'es1:99999'"),
    "two_ways_in": ({"user": "me", "password": "secret", "api_key": "id:key"}, "user and api_key exclude each other"),
    "no_password": ({"user": "me"}, "user and password must be given together"),
    "no_user": ({"password": "secret"}, "user and password must be given together"),
    "cloud_auth": ({"cloud_auth": "secret"}, "cloud_auth is user:password"),
    "cloud_id": ({"cloud_id": "x:y"}, "cloud_id is invalid"),
    "verification_mode": ({"ssl_verification_mode": "some"}, "ssl_verification_mode is full or none, not 'some'"),
    "key_alone": ({"ssl_key": "k.pem"}, "ssl_key needs ssl_certificate"),
    "ssl_off": ({"hosts": ("https://es1",), "ssl_enabled": False}, "ssl_enabled is false, but"),
    "ssl_on": ({"hosts": ("http://es1",), "ssl_enabled": True}, "ssl_enabled is true, but the URL of es1 says http"),
    "compression_level": ({"compression_level": 10}, "compression_level is 0 to 9, not 10"),
    "timeout": ({"timeout": 0}, "timeout is in seconds, above 0, not 0"),
}


@pytest.mark.parametrize(("options", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_wrong_options(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        ElasticClient(ElasticOptions(**options))
    assert str(caught.value).startswith(sentence)
    assert "secret" not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    options = ElasticOptions(
        hosts=("https://u:secret@es1", "es2"),
        api_key="id:secret",
        custom_headers={"x": "secret"},
        proxy="http://p:secret@q",
    )
    shown = f"{options!r} {options.resolve()!r} {ElasticClient(options)!r}"
    assert "secret" not in shown
    assert "ElasticOptions(https://es1:9200, http://es2:9200)" in shown
    assert repr(ElasticOptions(hosts=("http://u:secret@es1:99999",))) == "ElasticOptions(not valid)"
    assert "c2VjcmV0" not in repr(Host("http", "a", 1, "", "Basic c2VjcmV0"))


@pytest.mark.parametrize(
    ("hosts", "level", "expected"),
    [
        pytest.param(("127.0.0.1", "localhost"), None, 0, id="here"),
        pytest.param(("127.0.0.1", "es1"), None, 1, id="elsewhere"),
        pytest.param(("127.0.0.1",), 6, 6, id="asked_for"),
        pytest.param(("es1",), 0, 0, id="off"),
    ],
)
def test_compression(hosts: tuple[str, ...], level: int | None, expected: int) -> None:
    assert ElasticOptions(hosts=hosts, compression_level=level).gzip_level() == expected


def test_tls_context(tmp_path: Path) -> None:
    assert ElasticOptions(hosts=("http://es1",)).tls_context() is None
    full = ElasticOptions(hosts=("https://es1",)).tls_context()
    none = ElasticOptions(hosts=("https://es1",), ssl_verification_mode="none").tls_context()
    assert full is not None
    assert none is not None
    assert (full.verify_mode, full.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (none.verify_mode, none.check_hostname) == (ssl.CERT_NONE, False)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        pytest.param({"ssl_certificate_authorities": ("{}/none.pem",)}, "there is no file", id="no_authority"),
        pytest.param({"ssl_certificate_authorities": ("{}/text.pem",)}, "has no certificate", id="no_pem"),
        pytest.param({"ssl_certificate": "{}/none.pem"}, "there is no file", id="no_certificate"),
        pytest.param({"ssl_certificate": "{}/text.pem"}, "and ssl_key do not match", id="no_key"),
    ],
)
def test_wrong_files(tmp_path: Path, option: dict[str, Any], sentence: str) -> None:
    (tmp_path / "text.pem").write_text("hello")
    filled: dict[str, Any] = {
        key: value.format(tmp_path) if isinstance(value, str) else tuple(part.format(tmp_path) for part in value)
        for key, value in option.items()
    }
    with pytest.raises(ValueError, match=sentence):
        ElasticOptions(hosts=("https://es1",), **filled).tls_context()
