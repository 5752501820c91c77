"""Rules that the page makes: what is accepted, what is refused and why, and what becomes of it."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from ingestd.action_log import ActionLog
from ingestd.alerts.state import page_rules_document
from ingestd.event.jsontext import dumps
from ingestd.stores.query import QueryError
from ingestd.web.api.action_log import ActionRecorder
from ingestd.web.api.alerts import AlertsApi, RefusedError, delete_rule, mute, save_rule, send_test, show
from tests.alerts.site import CHANNEL, config_of

FILE = f"{CHANNEL}[alerts.rules.of-the-file]\nabove = 1\n"


def rule(**fields: Any) -> bytes:
    return dumps({"rule": fields})


REFUSED: list[tuple[str, str, bytes, type[Exception], str]] = [  # id, name, body, error, what it says
    ("name", "a b", rule(above=1), RefusedError, "a name has letters"),
    ("of_the_file", "of-the-file", rule(above=1), RefusedError, "of-the-file is in the settings file"),
    ("no_json", "a", b"{", msgspec.DecodeError, "Input data was truncated"),
    ("no_rule", "a", b"{}", msgspec.ValidationError, "required field `rule`"),
    ("unknown", "a", rule(abov=1), ValueError, "unknown key 'abov': did you mean above?"),
    ("value", "a", rule(above="x"), ValueError, "above: expected a number, found 'x'"),
    ("no_bound", "a", rule(), ValueError, "the bound is above or below"),
    ("query", "a", rule(above=1, query="a:(b"), QueryError, "this bracket is not closed"),
    ("no_channel", "a", rule(above=1, channels=[]), ValueError, "channels: the list is empty: name at least one"),
    ("channel", "a", rule(above=1, channels=["op"]), ValueError, "there is no channel 'op': did you mean ops?"),
]


@pytest.mark.parametrize(
    ("name", "body", "error", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_refused(name: str, body: bytes, error: type[Exception], text: str, tmp_path: Path) -> None:
    with pytest.raises(error, match=text.replace("?", r"\?")):
        save_rule(config_of(tmp_path, FILE), name, body)
    assert page_rules_document(tmp_path / "data").load().rules == {}


def test_a_rule_is_made_muted_and_deleted(tmp_path: Path) -> None:
    config = config_of(tmp_path, FILE)
    save_rule(config, "errors", rule(above="3", query="level:ERROR", window="10m", type="count", evaluations="1"))
    document = page_rules_document(tmp_path / "data")
    assert document.load().rules == {"errors": {"above": 3.0, "query": "level:ERROR", "window": "10m"}}
    for name in ("errors", "of-the-file"):
        mute(config, name, b'{"seconds": 3600}')
    assert document.load().muted["errors"] > time.time() + 3000
    rows = {row["alert"]: row for row in show(config, "", b"")["alerts"]}
    assert [(rows[name]["source"], rows[name]["muted"]) for name in rows] == [("page", True), ("file", True)]
    mute(config, "errors", b"")
    assert "errors" not in document.load().muted
    delete_rule(config, "errors", b"")
    assert document.load().rules == {}


@pytest.mark.parametrize("change", [delete_rule, mute, send_test])
def test_there_is_no_such_alert(change: Any, tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as error:
        change(config_of(tmp_path, FILE), "errors", b"")
    assert error.value.status == 404


async def _test(folder: Path, text: str) -> tuple[int, str]:
    app = web.Application(middlewares=[ActionRecorder(folder, "", lambda _: ("page", "192.0.2.1")).middleware()])
    app.add_routes(AlertsApi(config_of(folder, text)).routes())
    async with TestClient(TestServer(app)) as client, client.post("/api/alerts/errors/test") as answer:
        return answer.status, await answer.text()


@pytest.mark.filterwarnings("ignore:It is recommended to use web.RequestKey")  # aiohttp 3.14, we support 3.10
@pytest.mark.parametrize(("program", "outcome"), [("true", "done"), ("false", "failed")])
def test_the_action_log_has_what_became_of_a_test(program: str, outcome: str, tmp_path: Path) -> None:
    channels = "".join(
        f'[alerts.channels.{name}]\ntype = "command"\ncommand = ["/bin/{name}"]\n' for name in {"true", program}
    )
    status, body = asyncio.run(_test(tmp_path, f"{channels}[alerts.rules.errors]\nabove = 1\n"))
    assert status == 200
    assert '"true":""' in body, "the page shows what became of each"
    (found,) = ActionLog(tmp_path).read(10)
    assert (found.action, found.target, found.outcome) == ("alerts.test", "errors", outcome)
    assert ("the test was not accepted by 1 of 2 channels: false: " in found.text) == (outcome == "failed")
