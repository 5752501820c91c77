"""``api/alerts``: the alerts with their states and history, rules that the page makes, muting, tests of channels.

Rules of the settings file can be muted and tested here, not changed: a channel may be a command or hold a secret, so
channels come from the settings alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from ingestd.alerts.config import AlertsConfig
from ingestd.alerts.overview import all_rules, channel_rows, history, not_taken, overview, try_channels
from ingestd.alerts.rules import Rule, make_rule
from ingestd.alerts.state import page_rules_document, state_document
from ingestd.settings import NAME, parse_rule, rule_document
from ingestd.stores.query import QueryError
from ingestd.web.protocol import error_response
from ingestd.web.responses import Handler, decoded, failure_response, json_error, json_response

_MAX_HISTORY = 100
_MAX_RULES = 200
_MAX_MUTED_S = 366 * 86_400


class _RuleBody(msgspec.Struct, forbid_unknown_fields=True):
    """A rule: what a table ``alerts.rules.NAME`` of the settings has."""

    rule: dict[str, Any]


class _MuteBody(msgspec.Struct, forbid_unknown_fields=True):
    """For how many seconds to mute an alert; 0: until it is unmuted; None: unmute it."""

    seconds: float | None = None


class RefusedError(Exception):
    """A request cannot be met; ``status`` is that of the response, ``field`` is the part of the form that is wrong."""

    def __init__(self, status: int, text: str, field: str = "") -> None:
        super().__init__(text)
        self.status, self.field = status, field


Handle = Callable[[AlertsConfig, str, bytes], Mapping[str, Any]]


class AlertsApi:
    """The routes of alerts.

    Args:
        config: The alerts of the settings; None: there are none, because there is no daemon.
    """

    def __init__(self, config: AlertsConfig | None) -> None:
        self._config = config

    def update(self, config: AlertsConfig | None) -> None:
        """Use other settings."""
        self._config = config

    def routes(self, prefix: str = "") -> list[web.RouteDef]:
        """Return the routes; all paths start with ``prefix``."""
        alert = f"{prefix}/api/alerts/{{name}}"
        changes: dict[str, Handle] = {"/save": save_rule, "/delete": delete_rule, "/mute": mute, "/test": send_test}
        posts = [web.post(f"{alert}{path}", self._handler(handle)) for path, handle in changes.items()]
        return [web.get(f"{prefix}/api/alerts", self._handler(show)), *posts]

    def _handler(self, handle: Handle) -> Handler:
        async def respond(request: web.Request) -> web.Response:
            if self._config is None:
                return json_error(404, "there are no alerts here")
            name, body = request.match_info.get("name", ""), await request.read()
            return await _answered(asyncio.to_thread(handle, self._config, name, body))

        return respond


def _json_error(status: int, message: str, field: str, **details: Any) -> web.Response:
    """Return the response for a request that failed by a ``field`` of the form; empty: by none of them."""
    known = {"field": field} if field else {}
    body = error_response(status, message, **known, **details).body
    return web.Response(status=status, body=body, content_type="application/json")


async def _answered(work: Awaitable[Mapping[str, Any]]) -> web.Response:
    try:
        document = await work
    except QueryError as error:
        details = {name: getattr(error, name) for name in ("column", "length", "hint", "kind", "values")}
        return _json_error(400, error.message, "query", **details)
    except RefusedError as error:
        return _json_error(error.status, str(error), error.field)
    except msgspec.MsgspecError as error:
        return json_error(400, f"the body is not valid: {error}")
    except ValueError as error:
        return _json_error(400, str(error), getattr(error, "key", ""))
    except OSError as error:
        return json_error(503, f"the data folder cannot be used: {error.strerror or error}")
    if failure := not_taken(document.get("results", {})):
        return failure_response(document, failure)
    return json_response(document)


def show(config: AlertsConfig, _name: str, _body: bytes) -> Mapping[str, Any]:
    """Return the alerts with their states, the channels and the history."""
    page, state = page_rules_document(config.data_dir).load(), state_document(config.data_dir).load()
    return {
        "alerts": overview(config, page, state, time.time()),
        "channels": channel_rows(config, state),
        "history": history(state, _MAX_HISTORY),
        "interval_s": config.interval_s,
    }


def save_rule(config: AlertsConfig, name: str, body: bytes) -> Mapping[str, Any]:
    """Make a rule of the page, or change it.

    Raises:
        RefusedError: It is not a rule of the page.
        ValueError: The rule is wrong.
    """
    if not NAME.fullmatch(name):
        raise RefusedError(400, "a name has letters, digits, _ and -, at most 64", "name")
    if name in config.rules:
        raise RefusedError(409, f"{name} is in the settings file: change it there", "name")
    found = parse_rule(decoded(body, _RuleBody).rule)
    checked_query(found.query)
    make_rule(name, found, config.channels, "page")
    with page_rules_document(config.data_dir).update() as page:
        if name not in page.rules and len(page.rules) >= _MAX_RULES:
            raise RefusedError(409, f"there are {_MAX_RULES} rules; delete some first")
        page.rules[name] = rule_document(found)
    return {"alert": name}


def delete_rule(config: AlertsConfig, name: str, _body: bytes) -> Mapping[str, Any]:
    """Delete a rule of the page. Raises RefusedError."""
    with page_rules_document(config.data_dir).update() as page:
        if page.rules.pop(name, None) is None:
            raise RefusedError(404, f"the dashboard has no rule {name[:100]}")
        page.muted.pop(name, None)
    return {"alert": name}


def mute(config: AlertsConfig, name: str, body: bytes) -> Mapping[str, Any]:
    """Mute an alert for some time, or unmute it. Raises RefusedError."""
    seconds = decoded(body or b"{}", _MuteBody).seconds
    if seconds is not None and not 0 <= seconds <= _MAX_MUTED_S:
        raise RefusedError(400, f"seconds are from 0 to {_MAX_MUTED_S:,}")
    with page_rules_document(config.data_dir).update() as page:
        if name not in all_rules(config, page):
            raise RefusedError(404, f"there is no alert {name[:100]}")
        page.muted.pop(name, None)
        if seconds is not None:
            page.muted[name] = time.time() + seconds if seconds else 0
    return {"alert": name}


def send_test(config: AlertsConfig, name: str, _body: bytes) -> Mapping[str, Any]:
    """Send a test through the channels of an alert; the results are why each failed, empty if it did not.

    Raises:
        RefusedError: There is no such alert, or no channel.
    """
    rule = all_rules(config, page_rules_document(config.data_dir).load()).get(name)
    if not isinstance(rule, Rule):
        raise RefusedError(404, rule or f"there is no alert {name[:100]}")
    if not rule.channels:
        raise RefusedError(409, "there is no channel: add a table [alerts.channels.NAME] to the settings")
    return {"results": try_channels(config, name, rule.channels, time.time(), config.zone)}


def checked_query(query: str) -> None:
    """Raise QueryError, with the place of the mistake, if a query is invalid."""
    from ingestd.stores.lucene import parse  # noqa: PLC0415 -- most pages make no rule

    parse(query)
