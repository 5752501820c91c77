"""A site with alerts: the built-in store in a folder, a clock that stands still, and channels that note what comes."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from ingestd.alerts.channels import ChannelError, RecipientsError
from ingestd.alerts.config import AlertChannel, AlertsConfig, alerts_config
from ingestd.alerts.engine import Engine
from ingestd.alerts.runner import open_store
from ingestd.alerts.state import Notification
from ingestd.event.jsontext import dumps
from ingestd.event.timestamp import from_epoch
from ingestd.settings import load_settings
from ingestd.stores.base import LogStore, StoreError
from ingestd.stores.local import LocalWriter, store_root

START = datetime.datetime(2026, 11, 19, 10, 0, tzinfo=datetime.UTC).timestamp()

CHANNEL = '[alerts.channels.ops]\nurl = "https://ops.test/hook"\n'


def config_of(folder: Path, text: str) -> AlertsConfig:
    """Return the alerts of a settings file with this text."""
    file = folder / "ingestd.toml"
    file.write_text(text)
    return alerts_config(load_settings(file, {"INGESTD_DATA_DIR": str(folder / "data"), "HOME": str(folder)}))


class Site:
    """The site. ``text`` are its settings; a second one in the same folder goes on with the state of the first."""

    def __init__(self, folder: Path, text: str, now: float = START) -> None:
        self._folder, self.now = folder, now
        self.sent: list[tuple[str, Notification]] = []
        self.broken: set[str] = set()
        self.refusals: list[RecipientsError] = []
        """What the next notifications end with, one after the other."""
        self.left_out: list[tuple[str, ...]] = []
        """The recipients that each notification left out, as they had got it or refused it for good."""
        self.away = False
        self.engine = Engine(config_of(folder, text), self._open, lambda: self.now, self._send)

    def _open(self, config: AlertsConfig) -> LogStore:
        if self.away:
            raise StoreError("the server does not respond")
        return open_store(config)

    def _send(
        self, channel: AlertChannel, notification: Notification, _zone: object, _url: str, left_out: tuple[str, ...]
    ) -> None:
        if channel.name in self.broken:
            raise ChannelError("it is broken")
        self.left_out.append(left_out)
        if self.refusals:
            raise self.refusals.pop(0)
        self.sent.append((channel.name, notification))

    def configure(self, text: str) -> None:
        """Use other settings, as a reload does."""
        self.engine.configure(config_of(self._folder, text))

    def add(self, number: int = 1, *, ago: float = -30, **fields: Any) -> None:
        """Store events of some seconds ago: usually, half a minute before the next evaluation."""
        writer = LocalWriter(store_root(self._folder / "data"), "w0")
        event = {"@timestamp": from_epoch(self.now - ago), "message": "it went wrong", "level": "ERROR", **fields}
        day = event["@timestamp"][:10].replace("-", ".")
        writer.append(
            f"logstash-{day}", [dumps(event)] * number, [f"{self.now}-{ago}-{fields}-{n}" for n in range(number)]
        )
        writer.close()

    def step(self, seconds: float = 60) -> list[str]:
        """Let time pass, evaluate and send; returns what was sent: ``firing errors``, of several ``a; b``."""
        self.now += seconds
        before = len(self.sent)
        for thread in self.engine.step():
            thread.join()
        return [shown(notification) for _, notification in self.sent[before:]]


def shown(notification: Notification) -> str:
    """Return what a notification says: its state, and that of each change if it is a summary."""
    changes = [f"{change.state} {change.alert}" for change in notification.changes]
    return "; ".join(changes) if len(changes) == 1 else f"summary: {'; '.join(changes)}"
