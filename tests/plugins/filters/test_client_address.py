"""The filter ``client_address``."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plugins.filters.tables import Case, build, check

SOCKET = "<socket.socket fd=9, family=2, type=1, proto=0, laddr=('127.0.0.1', 8000), raddr={}>"
ACCESS = '{} - - [22/Nov/2026:10:11:12 +0000] "GET / HTTP/1.1" 200 5316'


def found(id_: str, address: str | None, **before: Any) -> Case:
    """Return a case in which ``address`` is found; None: none is."""
    return Case(id_, {}, before, before if address is None else {**before, "client_ip": address}, address is not None)


CASES = [
    found("socket", "8.8.8.8", request=SOCKET.format("('8.8.8.8', 36965)")),
    found("socket_ipv6", "2001:4860::8", request=SOCKET.format("('2001:4860::8', 36965, 0, 0)")),
    found("socket_with_zone", "fe80::1", request=SOCKET.format("('fe80::1%eth0', 36965, 0, 2)")),
    found("socket_private", "127.0.0.1", request=SOCKET.format("('127.0.0.1', 36965)")),
    found("socket_of_no_address", None, request=SOCKET.format("('" + "x" * 9999)),
    found("unix_socket", None, request=SOCKET.format("")),
    found("wsgi_request", None, request="<WSGIRequest: GET '/?ip=8.8.8.8'>", message="Not Found: /"),
    found("access_line", "8.8.8.8", message=ACCESS.format("8.8.8.8")),
    found("access_line_ipv6", "2001:4860::8", message=ACCESS.format("2001:4860::8")),
    found("access_line_without_address", None, message='"GET / HTTP/1.1" 200 5316'),
    found("sentence", None, message="10.0.0.1 is down"),
    found("sentence_with_comma", None, message="bad luck, a.b"),
    found("header", "8.8.8.8", x_forwarded_for="8.8.8.8, 10.0.0.1"),
    found("header_as_environ", "8.8.8.8", HTTP_X_FORWARDED_FOR="8.8.8.8"),
    found("header_first_public", "8.8.8.8", x_forwarded_for="10.0.0.1, unknown,8.8.8.8 , 9.9.9.9"),
    found("header_unknown", "8.8.8.8", x_forwarded_for="unknown, 8.8.8.8"),
    found("header_with_ports", "2001:4860::8", x_forwarded_for="10.0.0.1:80, [2001:4860::8]:443, 8.8.8.8:1"),
    found("header_with_port", "8.8.8.8", x_forwarded_for="8.8.8.8:51234"),
    found("header_empty", None, x_forwarded_for=""),
    found("header_blank", None, x_forwarded_for="  "),
    found("header_without_end", "10.0.0.1", x_forwarded_for="10.0.0.1," * 9999 + "8.8.8.8"),
    found("header_no_text", None, x_forwarded_for=["8.8.8.8"], request=None),
    found("header_before_socket", "8.8.8.8", x_forwarded_for="8.8.8.8", request=SOCKET.format("('9.9.9.9', 1)")),
    found("public_before_private", "9.9.9.9", x_forwarded_for="10.0.0.1", request=SOCKET.format("('9.9.9.9', 1)")),
    found("first_private", "10.0.0.1", x_forwarded_for="10.0.0.1", request=SOCKET.format("('127.0.0.1', 1)")),
    found("mapped", "8.8.8.8", x_forwarded_for="::ffff:8.8.8.8"),
    found("nothing", None),
    found("there", None, client_ip="x", x_forwarded_for="8.8.8.8"),
    found("null", "8.8.8.8", client_ip=None, x_forwarded_for="8.8.8.8"),
    Case(
        "nested",
        {"source": ["[http][forwarded]", "addr"], "target": "[client][ip]"},
        {"http": {"forwarded": "x"}, "addr": "8.8.8.8", "client": {"port": 1}},
        {"http": {"forwarded": "x"}, "addr": "8.8.8.8", "client": {"port": 1, "ip": "8.8.8.8"}},
    ),
    Case(
        "nested_there",
        {"source": "addr", "target": "[client][ip]"},
        {"addr": "8.8.8.8", "client": {"ip": "x"}},
        {"addr": "8.8.8.8", "client": {"ip": "x"}},
        False,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_client_address(case: Case) -> None:
    check("client_address", case)


@given(st.text(alphabet="0123456789abcdef.:,[]% <>'\"(raddr=u", max_size=80))
def test_any_text_is_read_and_what_is_found_is_an_address(text: str) -> None:
    for field in ("x_forwarded_for", "request", "message"):
        event: dict[str, Any] = {field: text}
        build("client_address")(event)
        again: dict[str, Any] = {"x_forwarded_for": event.get("client_ip", "")}
        build("client_address")(again)
        assert again.get("client_ip") == event.get("client_ip"), "an address is found as it is"
