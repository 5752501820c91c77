"""The accounts of a data folder, from the ledgers of all workers; also while a daemon writes to them."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ingestd.event.jsontext import loads
from ingestd.event.tally import Tally
from ingestd.journal.base import START, Repair
from ingestd.journal.folders import copy_folder, journal_folders
from ingestd.journal.positions import Commit, Commits, load_positions, or_copy
from ingestd.journal.survey import look
from ingestd.names import MAIN, parse_journal_name
from ingestd.pipeline.ledger import UNKNOWN, Tallies, day_of, is_ledger, tallies, total

_ATTEMPTS = 3
"""What a daemon commits and frees between two reads looks as if it were missing: read again."""


@dataclass(slots=True)
class Account:
    """What became of the events of one pipeline for one of its outputs, of all workers together.

    ``plugin``: the name of the output's plugin, empty while nothing is committed. ``indices``: the events delivered to
    each index, where each is a document of its own. ``removed``: it is not in the config any more.
    """

    pipeline: str
    output: str
    plugin: str = ""
    tallies: Tallies = field(default_factory=dict)
    indices: Counter[str] = field(default_factory=Counter)
    removed: bool = False

    @property
    def lost(self) -> int:
        """Events that were in a part of the journal that is damaged or missing."""
        return max(self.tallies.get(UNKNOWN, Tally()).difference, 0)

    @property
    def total(self) -> Tally:
        """All days and inputs together."""
        return total(self.tallies.values())


class IndexCount(NamedTuple):
    """How many events were delivered to an index, and how many it has.

    ``found`` None: it no longer exists, or it is ``closed`` and cannot be counted. ``deleted``: how many it had when it
    was deleted before, after which late events created it again. ``faults``: what is wrong with its files.
    ``repeated``: how many events it has more than once, by their ids.

    It has more than were delivered if it had duplicates before, or if something else writes to it.
    """

    name: str
    delivered: int
    found: int | None
    closed: bool = False
    deleted: int = 0
    faults: tuple[str, ...] = ()
    repeated: int = 0

    @property
    def balanced(self) -> bool:
        """Whether nothing is missing, damaged or there twice."""
        return not (self.missing or self.faults or self.repeated)

    @property
    def missing(self) -> int:
        """How many of the delivered events the index lacks. Nothing is missing from one that cannot be counted."""
        return 0 if self.found is None else max(self.delivered - self.deleted - self.found, 0)

    def document(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {
            "index": self.name,
            "delivered": self.delivered,
            "found": self.found,
            "missing": self.missing,
            **({"deleted": self.deleted} if self.deleted else {}),
            **({"repeated": self.repeated} if self.repeated else {}),
            **({"faults": list(self.faults)} if self.faults else {}),
        }

    @property
    def more(self) -> int:
        """How many events the index has that were not delivered to it, such as those of an import."""
        return 0 if self.found is None else max(self.found - self.delivered, 0)


def accounts(data_dir: Path, again: Callable[[], None], zone: datetime.tzinfo = datetime.UTC) -> list[Account]:
    """Return the accounts of all outputs, in the order of pipelines and outputs. Raises OSError.

    ``again`` is called before something is read again that a daemon may be writing. ``zone`` is that of the days of
    what is queued, as in the ledgers.
    """
    found: dict[tuple[str, str], Account] = {}
    for folder in journal_folders(data_dir):
        name = parse_journal_name(folder.name)
        pipeline = name[1] if name is not None else MAIN
        for account in _accounts_of(folder, pipeline, again, zone):
            whole = found.setdefault((pipeline, account.output), Account(pipeline, account.output, removed=True))
            whole.removed = whole.removed and account.removed
            whole.plugin = account.plugin or whole.plugin
            whole.indices.update(account.indices)
            for key, tally in account.tallies.items():
                whole.tallies.setdefault(key, Tally()).add(tally)
    return [found[key] for key in sorted(found)]


def _accounts_of(folder: Path, pipeline: str, again: Callable[[], None], zone: datetime.tzinfo) -> list[Account]:
    for attempt in range(_ATTEMPTS):
        if attempt:
            again()
        found = _read_once(folder, pipeline, again, zone)
        if not any(account.total.difference for account in found):
            break
    return found


def _read_once(folder: Path, pipeline: str, again: Callable[[], None], zone: datetime.tzinfo) -> list[Account]:
    """Return the accounts of one journal. Positions are read before chunks: what is appended meanwhile is queued."""
    loaded = or_copy(load_positions(folder), copy_folder(folder))
    commits: Commits = loaded.commits if loaded else {}
    queued: dict[str, Counter[tuple[str, str]]] = {name: Counter() for name in commits}
    end = START
    for item in look(folder, again):
        if isinstance(item, Repair):
            continue
        chunk, end = item.entry
        for name, commit in commits.items():
            if end.offset > commit.position.offset:
                queued[name][day_of(chunk.time_ns, zone), chunk.input_id] += chunk.events
    found = []
    for name, commit in commits.items():
        state = loads(commit.state)
        seen = max(commit.position.events, end.events, loaded.end.events if loaded else 0)
        account = Account(pipeline, name, tallies=tallies(state, queued[name], seen))
        if is_ledger(state):
            account.plugin = state.get("plugin", "")
            account.indices.update(state["indices"])
        found.append(account)
    absent = loaded.absent if loaded else {}
    return found + [_removed(pipeline, name, commit) for name, commit in absent.items() if name not in commits]


def _removed(pipeline: str, name: str, commit: Commit) -> Account:
    """Return the account of an output that is not in the config any more: what it got while it was."""
    state = loads(commit.state)
    account = Account(pipeline, name, tallies=tallies(state, {}, commit.position.events), removed=True)
    if is_ledger(state):
        account.plugin = state.get("plugin", "")
        account.indices.update(state["indices"])
    return account


def of_day(account: Account, day: str) -> Account:
    """Return what was received on one day, and what is missing from an unknown day."""
    chosen = {key: tally for key, tally in account.tallies.items() if key[0] in {day, "?"}}
    return Account(account.pipeline, account.output, account.plugin, chosen, account.indices, account.removed)


def overall(found: Iterable[Account]) -> Tally:
    """Return one tally for all pipelines.

    The outputs of a pipeline get the same events, so only one of them counts: the one with the largest difference,
    then the one with the most queued events, then the one that gets most of the events. One that is not in the config
    any more counts only with a difference.
    """
    worst: dict[str, Tally] = {}
    for account in found:
        tally = account.total
        if account.removed and not tally.difference:
            continue
        if _rank(tally) > _rank(worst.setdefault(account.pipeline, tally)):
            worst[account.pipeline] = tally
    return total(worst.values())


def _rank(tally: Tally) -> tuple[int, int, int]:
    return abs(tally.difference), tally.queued, -tally.elsewhere


TO_PIPELINES = "pipeline"
"""The output that hands events over; its ledger counts them by address."""


def accounts_document(found: list[Account]) -> dict[str, Any]:
    """Return accounts as JSON types: the balance of them all, and each."""
    balanced = not any(account.total.difference for account in found)
    return overall(found).document() | {"balanced": balanced, "outputs": [*map(account_document, found)]}


def account_document(account: Account) -> dict[str, Any]:
    """Return an account as JSON types. ``delivered_to``: by index or topic, of those that were written to last."""
    days = [
        {"day": day, "input": input_} | tally.document() for (day, input_), tally in sorted(account.tallies.items())
    ]
    return (
        {"pipeline": account.pipeline, "output": account.output, "plugin": account.plugin, "lost": account.lost}
        | ({"removed": True} if account.removed else {})
        | account.total.document()
        | _destinations(account)
        | {"days": days}
    )


def _destinations(account: Account) -> dict[str, Any]:
    if not account.indices:
        return {}
    return {"addresses" if account.plugin == TO_PIPELINES else "delivered_to": dict(account.indices)}


def delivered_to(found: Iterable[Account], plugin: str) -> Counter[str]:
    """Return the events that all outputs of one plugin delivered to each index."""
    result: Counter[str] = Counter()
    for account in found:
        if account.plugin == plugin:
            result.update(account.indices)
    return result
