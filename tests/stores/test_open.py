from __future__ import annotations

import re
from pathlib import Path

import pytest

from ingestd.stores.elastic.query.store import ElasticStore
from ingestd.stores.local import LocalStore
from ingestd.stores.open import is_builtin, open_store, server_options


@pytest.mark.parametrize(("url", "folder"), [("", "data"), ("local", "data"), ("other", "other")])
def test_built_in_store(url: str, folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_builtin(url)
    store = open_store(url, tmp_path / "data")
    assert isinstance(store, LocalStore)
    assert store.indices() == []
    assert not (tmp_path / folder).exists()
    store.close()


def test_server(tmp_path: Path) -> None:
    store = open_store("http://user:p%40ss@127.0.0.1/prefix?index=app-*,web-*", tmp_path, timeout_s=5)
    assert isinstance(store, ElasticStore)
    assert repr(store) == "ElasticStore(ElasticClient(http://127.0.0.1:9200/prefix), 'app-*,web-*')"
    store.close()


def test_options() -> None:
    url = "https://h/?timeout=7&ssl_certificate_authorities=/a,/b&ssl_verification_mode=none&api_key=id:key"
    options, indices = server_options(url)
    assert (options.timeout, options.ssl_certificate_authorities, options.ssl_verification_mode) == (
        7.0,
        ("/a", "/b"),
        "none",
    )
    assert indices == "logstash-*"
    assert options.resolve()[0].url == "https://h:9200"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://user:secret@host", "a folder or an http or https URL, not ftp://"),
        ("http://user:secret@host:port", "not a host: 'host:port'"),
        ("http://user:secret@[host", "not a URL: '[host'"),
        ("http://user:sec/ret@host", "a password in a store's URL has %2F for /"),
        ("http://user:sec?ret@host", "%3F for ?"),
        ("http://user:sec#ret@host", "%23 for #"),
        ("http://user:secret@host?indx=a", "no option 'indx': did you mean 'index'?"),
        ("http://user:secret@host?timeout=long", "timeout is in seconds, not 'long'"),
        ("http://user:secret@host?ssl_verification_mode=maybe", "full or none"),
    ],
)
def test_errors_quote_no_secret(url: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        open_store(url, tmp_path)
    assert "sec" not in str(caught.value).replace("seconds", "")
