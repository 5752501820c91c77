"""What can be the name of a server."""

from __future__ import annotations

import pytest

from ingestd.plugins.outputs._hosts import check_host
from ingestd.plugins.registry import OptionError


@pytest.mark.parametrize("host", ["logs.example.org", "logs.example.org.", "::1", "fe80::1%eth0", "로그.example"])
def test_names_and_addresses(host: str) -> None:
    check_host(host)


@pytest.mark.parametrize("host", ["", "logs..example", ".example", "a" * 64 + ".example", "a\0b", "\ud800"])
def test_what_is_none(host: str) -> None:
    with pytest.raises(OptionError, match="is not the name or address"):
        check_host(host)
