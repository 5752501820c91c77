"""``api/doctor``: the diagnosis of the running system, as ``ingestd doctor`` gives it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ingestd.diagnosis.checks import diagnose
from ingestd.diagnosis.facts import KafkaState, UnsupportedClients
from ingestd.diagnosis.finding import diagnosis_document
from ingestd.diagnosis.gather import Scope, gather
from ingestd.lifecycle.retention import Rules
from ingestd.settings import load_settings
from ingestd.stores.base import LogStore


def diagnosis(  # noqa: PLR0913 -- the facts that are known, the last by name
    store: LogStore,
    data_dir: Path,
    rules: Rules | None,
    action_settings: Mapping[str, str] | None,
    senders: tuple[UnsupportedClients, ...],
    language: str,
    *,
    kafka: tuple[KafkaState, ...],
    fills_store: bool,
) -> dict[str, Any]:
    """Return the findings as JSON types.

    Args:
        store: The store that the dashboard shows.
        data_dir: The data folder.
        rules: The rules by which the daemon deletes indices; None: it deletes none.
        action_settings: Settings of this store's backups, as texts by name; None: they belong to another store.
        senders: Connections that no input is for.
        kafka: The inputs and outputs ``kafka`` of the pipelines.
        language: Of the texts, ``en`` or ``ko``.
        fills_store: Whether the pipelines write to a store that can be queried.
    """
    settings = load_settings(environ={}, flags=action_settings or {"data_dir": str(data_dir)})
    builtin = not hasattr(store, "server_state")
    scope = Scope(
        builtin_store=builtin,
        rules=rules,
        senders=senders,
        kafka=kafka,
        fills_store=fills_store,
        lifecycle=action_settings is not None,
    )
    facts = gather(settings, store, scope, datetime.datetime.now(datetime.UTC))
    return diagnosis_document(diagnose(facts), language)
